/** Static functions, and the three that make values for layers: `learned`, `shared`, `solve`. */
import type { Arg, Expr } from "../syntax/ast.ts";
import type { Span } from "../text/source.ts";
import { evaluate } from "./expression.ts";
import { report, textOf, type Frame } from "./frame.ts";
import * as n from "./numbers.ts";
import type { Interval } from "./numbers.ts";
import { compare, exactText, toNumber, type Rational } from "./rational.ts";
import { limits } from "./run.ts";
import { coerce } from "./types.ts";
import {
  describe,
  numberVal,
  unknown,
  type LearnedVal,
  type ListVal,
  type NumberVal,
  type Val,
} from "./values.ts";

export function callFunction(frame: Frame, name: string, args: readonly Arg[], span: Span): Val {
  if (name === "learned") return learned(frame, args, span);
  if (name === "shared") return shared(frame, args, span);
  if (name === "solve") return solve(frame, args, span);
  const given: Val[] = [];
  for (const arg of args) {
    given.push(evaluate(frame, arg.value));
    if (arg.name === null && arg.to === null) continue;
    report(frame, "unknown-argument", arg.span, { layer: name, argument: arg.name?.text ?? "->", known: [] });
    return unknown;
  }
  return given.some((v) => v.kind === "unknown") ? unknown : ofStatics(frame, name, given, args, span);
}

function ofStatics(frame: Frame, name: string, given: readonly Val[], args: readonly Arg[], span: Span): Val {
  const most = name === "range" ? 2 : name === "min" || name === "max" ? Infinity : 1;
  if (given.length > most) {
    report(frame, "too-many-arguments", args[most].span, { layer: name, most });
    return unknown;
  }
  if (given.length === 0) {
    report(frame, "missing-argument", span, {
      layer: name,
      argument: "x",
      type: name === "len" ? "a list" : "a number",
    });
    return unknown;
  }
  if (name === "len") {
    const list = given[0];
    if (list.kind === "list") return whole(list.items.length);
    return wrong(frame, list, "a list", args[0].span);
  }
  if (name === "sum" || name === "min" || name === "max") return fold(frame, name, given, args, span);
  const numbers: NumberVal[] = [];
  for (const [i, value] of given.entries()) {
    if (value.kind !== "number") return wrong(frame, value, "a number", args[i].span);
    numbers.push(value);
  }
  if (name === "range") return range(frame, numbers, args, span);
  const functions: Record<string, (a: Interval) => Interval | null> = {
    floor: n.floor,
    ceil: n.ceil,
    sqrt: n.sqrt,
    exp: n.exp,
    log: n.log,
  };
  const result = functions[name](numbers[0]);
  if (result) return numberVal(result);
  const why: Record<string, string> = {
    sqrt: "its argument is negative",
    log: "its argument is not positive",
    exp: "it is too large",
  };
  report(frame, "no-number", span, {
    text: `\`${textOf(frame, span).slice(0, 60)}\``,
    why: why[name] ?? "it is not known exactly enough",
  });
  return unknown;
}

function whole(value: number): NumberVal {
  return numberVal(n.exact({ n: BigInt(value), d: 1n }));
}

function wrong(frame: Frame, value: Val, expected: string, span: Span): Val {
  if (value.kind === "tensor")
    report(
      frame,
      "condition-on-data",
      span,
      { name: "this tensor" },
      { help: "static functions work on numbers of the spec; tensors go through layers" },
    );
  else report(frame, "argument-type", span, { argument: "x", expected, found: describe(value) });
  return unknown;
}

function fold(
  frame: Frame,
  name: "sum" | "min" | "max",
  given: readonly Val[],
  args: readonly Arg[],
  span: Span,
): Val {
  const items = given.length === 1 && given[0].kind === "list" ? given[0].items : given;
  if (name === "sum" && given[0].kind !== "list")
    return wrong(frame, given[0], "a list of numbers", args[0].span);
  if (!frame.run.countWork(items.length, span)) return unknown;
  let result: Interval | null = name === "sum" ? whole(0) : null;
  for (const item of items) {
    if (item.kind !== "number") return wrong(frame, item, "numbers", args[0].span);
    if (!result) result = item;
    else
      result =
        name === "sum"
          ? n.add(result, item)
          : name === "min"
            ? n.least(result, item)
            : n.greatest(result, item);
    if (!result) break;
  }
  if (result) return numberVal(result);
  const why = items.length === 0 ? "the list is empty" : "the result has too many digits";
  report(frame, "no-number", span, { text: `\`${textOf(frame, span).slice(0, 60)}\``, why });
  return unknown;
}

function range(frame: Frame, ends: readonly NumberVal[], args: readonly Arg[], span: Span): Val {
  for (const [i, end] of ends.entries()) {
    const fit = coerce(frame, end, { name: "int", list: false }, "range", args[i].span);
    if (fit.kind === "unknown") return unknown;
  }
  const from = ends.length === 2 ? ends[0].low.n : 0n;
  const to = ends[ends.length - 1].low.n;
  const count = to - from;
  if (count > BigInt(limits.list)) {
    frame.run.stop("entries of a range", limits.list, span);
    return unknown;
  }
  if (!frame.run.countWork(Number(count > 0n ? count : 0n), span)) return unknown;
  const items: Val[] = [];
  for (let i = from; i < to; i++) items.push(numberVal(n.exact({ n: i, d: 1n })));
  return { kind: "list", items };
}

/** Arguments by name or place; null after a report. */
function named(
  frame: Frame,
  name: string,
  args: readonly Arg[],
  names: readonly string[],
): Map<string, Expr> | null {
  const found = new Map<string, Expr>();
  let good = true;
  for (const arg of args) {
    const key = arg.name?.text ?? names.find((k) => !found.has(k));
    if (key === undefined || arg.to !== null) {
      report(frame, "too-many-arguments", arg.span, { layer: name, most: names.length });
      good = false;
    } else if (!names.includes(key)) {
      report(frame, "unknown-argument", arg.name?.span ?? arg.span, {
        layer: name,
        argument: key,
        known: names,
      });
      good = false;
    } else if (found.has(key)) {
      report(frame, "argument-twice", arg.span, { argument: key });
      good = false;
    } else found.set(key, arg.value);
  }
  return good ? found : null;
}

/** `[low, high]` of numbers with low ≤ high; null after a report. */
function intervalOf(frame: Frame, e: Expr, argument: string): { low: Rational; high: Rational } | null {
  const value = coerce(
    frame,
    evaluate(frame, e, { name: "real", list: true }),
    { name: "real", list: true },
    argument,
    e.span,
  );
  if (value.kind !== "list") return null;
  const ends = value.items.filter((v): v is NumberVal => v.kind === "number");
  if (ends.length !== 2 || value.items.length !== 2) {
    report(frame, "argument-type", e.span, {
      argument,
      expected: "an interval [low, high]",
      found: describe(value),
    });
    return null;
  }
  const [low, high] = [ends[0].low, ends[1].high];
  if (compare(low, high) <= 0) return { low, high };
  report(frame, "empty-range", e.span, { low: n.showNumber(ends[0]), high: n.showNumber(ends[1]) });
  return null;
}

function learned(frame: Frame, args: readonly Arg[], span: Span): Val {
  const found = named(frame, "learned", args, ["start", "shape", "in"]);
  if (!found) return unknown;
  const startAt = found.get("start");
  const shapeAt = found.get("shape");
  const rangeAt = found.get("in");
  if (!startAt) {
    report(frame, "missing-argument", span, {
      layer: "learned",
      argument: "start",
      type: "a number or an initialiser",
    });
    return unknown;
  }
  const start = evaluate(frame, startAt, { name: "Init", list: false });
  const entries =
    start.kind === "list" && start.items.length > 0 && start.items.every((v) => v.kind === "number");
  const fits = start.kind === "number" || entries || (start.kind === "option" && start.type === "Init");
  if (start.kind !== "unknown" && !fits) {
    report(frame, "argument-type", startAt.span, {
      argument: "start",
      expected: "a number or an initialiser",
      found: describe(start),
    });
  }
  const shape = shapeAt ? shapeOf(frame, shapeAt) : null;
  const range = rangeAt ? intervalOf(frame, rangeAt, "in") : null;
  if (!fits || (shapeAt && !shape) || (rangeAt && !range)) return unknown;
  if (range && n.storedNotBelow(range.low) > n.storedNotAbove(range.high)) {
    const text = { low: `${toNumber(range.low)}`, high: `${toNumber(range.high)}` };
    report(frame, "empty-range", rangeAt?.span ?? span, text, {
      help: "ends are rounded inwards to float32, the stored type",
    });
    return unknown;
  }
  return {
    kind: "learned",
    start,
    shape,
    range,
    span,
    site: span,
    label: null,
    shared: null,
  } satisfies LearnedVal;
}

function shapeOf(frame: Frame, e: Expr): readonly number[] | null {
  const type = { name: "int", list: true };
  const value = coerce(frame, evaluate(frame, e, type), type, "shape", e.span);
  if (value.kind !== "list") return null;
  return sizesOf(frame, value, e.span);
}

/** Sizes of axes: whole, at least 1. */
export function sizesOf(frame: Frame, list: ListVal, span: Span): readonly number[] | null {
  const sizes: number[] = [];
  for (const item of list.items) {
    const size = item.kind === "number" ? toNumber(item.low) : NaN;
    if (!(size >= 1) || size > 2 ** 31) {
      report(frame, "out-of-range", span, {
        argument: "a size",
        found: `${size}`,
        allowed: "a whole number from 1 to 2^31",
      });
      return null;
    }
    sizes.push(size);
  }
  return sizes;
}

function shared(frame: Frame, args: readonly Arg[], span: Span): Val {
  const found = named(frame, "shared", args, ["layer"]);
  const at = found?.get("layer");
  if (!found) return unknown;
  if (!at) {
    report(frame, "missing-argument", span, {
      layer: "shared",
      argument: "layer",
      type: "a layer or learned(…)",
    });
    return unknown;
  }
  const value = evaluate(frame, at);
  if (value.kind === "layer") return { ...value, shared: { weights: [], path: null } };
  if (value.kind === "learned") return { ...value, shared: { weight: null } };
  if (value.kind !== "unknown") {
    report(frame, "argument-type", at.span, {
      argument: "layer",
      expected: "a layer or learned(…)",
      found: describe(value),
    });
  }
  return unknown;
}

/** The one unknown number of a model. It elaborates as the number on trial, else as the lower end of its interval. */
function solve(frame: Frame, args: readonly Arg[], span: Span): Val {
  const found = named(frame, "solve", args, ["in"]);
  const at = found?.get("in");
  if (!found) return unknown;
  if (!at) {
    report(frame, "missing-argument", span, {
      layer: "solve",
      argument: "in",
      type: "an interval [low, high]",
    });
    return unknown;
  }
  const interval = intervalOf(frame, at, "in");
  if (!interval) return unknown;
  const { model } = frame;
  if (!model) {
    report(frame, "misplaced", span, {
      what: "`solve`",
      where: "at file level",
      instead: "the unknown belongs to one model",
    });
    return unknown;
  }
  const before = model.solve;
  if (before && (before.span.start !== span.start || before.span.file !== span.file)) {
    report(frame, "two-unknowns", span, {}, { related: [{ span: before.span, message: "the first one" }] });
    return unknown;
  }
  const tried = frame.run.unknown;
  const [low, high] = [exactText(interval.low), exactText(interval.high)];
  model.solve = { name: before?.name ?? null, low, high, value: tried && exactText(tried), span };
  return numberVal(n.exact(tried ?? interval.low));
}
