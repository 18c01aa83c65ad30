/** Weights and coefficients made from `learned(…)`. */
import { stored, storedTowardZero } from "../gain/up.ts";
import type { Coefficient, Init, Shape, Weight, WeightId } from "../model/model.ts";
import type { Span } from "../text/source.ts";
import { sameShape } from "./build.ts";
import { report, type Frame } from "./frame.ts";
import { showNumber, storedNotAbove, storedNotBelow, towardZero } from "./numbers.ts";
import { initOf } from "./options.ts";
import { toNumber } from "./rational.ts";
import { mostStored } from "./types.ts";
import { showShape, type LearnedVal, type Val } from "./values.ts";

type Rounding = "nearest" | "toward-zero";

/** As float32; 0 after a report where it is too large for that. */
function storedNumber(frame: Frame, value: Val, rounding: Rounding, span: Span): number {
  if (value.kind !== "number") return 0;
  const x = toNumber(towardZero(value));
  if (Math.abs(x) <= mostStored) return rounding === "nearest" ? stored(x) : storedTowardZero(x);
  report(frame, "out-of-range", span, {
    argument: "a number",
    found: showNumber(value),
    allowed: "in the range of float32",
  });
  return 0;
}

/** Starts are stored numbers inside of the range. */
function startOf(
  frame: Frame,
  learned: LearnedVal,
  shape: Shape,
  range: Weight["range"],
  rounding: Rounding,
): Init | null {
  const { start } = learned;
  if (start.kind === "option") return initOf(frame, start);
  const items = start.kind === "list" ? start.items : [start];
  const count = shape.reduce((a, b) => a * b, 1);
  if (start.kind === "list" && items.length !== count) {
    report(frame, "learned-shape", learned.span, {
      expected: showShape(shape),
      found: `a start of ${items.length} numbers`,
    });
    return null;
  }
  const inside = (x: number): number => (range ? Math.min(Math.max(x, range[0]), range[1]) : x);
  return {
    kind: "constant",
    values: items.map((item) => inside(storedNumber(frame, item, rounding, learned.span))),
  };
}

/** The weight behind a learned number; its shape is its own, or the first of `shapes`. null after a report. */
export function learnedWeight(
  frame: Frame,
  learned: LearnedVal,
  path: string,
  shapes: readonly Shape[],
  role: Weight["role"] | null,
  rounding: Rounding = "nearest",
): WeightId | null {
  const { model } = frame;
  if (!model) return null;
  const wanted = learned.shape ?? shapes[0] ?? [];
  const shape = shapes.length === 0 ? wanted : shapes.find((s) => sameShape(s, wanted));
  if (!shape) {
    const expected = shapes.map((s) => (s.length === 0 ? "a single number" : showShape(s))).join(" or ");
    report(frame, "learned-shape", learned.span, { expected, found: showShape(wanted) });
    return null;
  }
  if (learned.shared && learned.shared.weight !== null) {
    const first = model.weights[learned.shared.weight];
    if (sameShape(first.shape, shape)) return learned.shared.weight;
    report(frame, "shared-shape", learned.span, { first: showShape(first.shape), now: showShape(shape) });
    return null;
  }
  const ends = learned.range;
  const range: Weight["range"] = ends && [storedNotBelow(ends.low), storedNotAbove(ends.high)];
  const init = startOf(frame, learned, shape, range, rounding);
  if (!init) return null;
  const id = model.weight(
    {
      path,
      shape,
      role: role ?? (shape.length === 0 ? "scalar" : "vector"),
      init,
      constraint: { kind: "none" },
      range,
      span: learned.span,
    },
    frame.sharing,
  );
  if (id === null)
    report(frame, "shared-shape", learned.span, { first: "another shape", now: showShape(shape) });
  else if (learned.shared) learned.shared.weight = id;
  return id;
}

/** A number of the spec as a layer uses it: fixed and stored, or a weight. null after a report. */
export function coefficientOf(
  frame: Frame,
  value: Val,
  span: Span,
  path: string,
  shapes: readonly Shape[],
  rounding: Rounding,
): Coefficient | null {
  if (value.kind === "number") return { kind: "constant", value: storedNumber(frame, value, rounding, span) };
  if (value.kind !== "learned") return null;
  const weight = learnedWeight(frame, value, path, shapes, null, rounding);
  if (weight === null) return null;
  const shape = frame.model?.weights[weight]?.shape;
  return { kind: "learned", weight, ...(shape ? { shape } : {}) };
}
