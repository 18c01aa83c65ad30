/** Shapes of signatures: dimensions bind left to right, results are computed and checked. */
import type { Dim, Expr, Type } from "../syntax/ast.ts";
import type { Span } from "../text/source.ts";
import type { Fix } from "../diagnostics/diagnostic.ts";
import type { Shape } from "../model/model.ts";
import { evaluate } from "./expression.ts";
import { report, textOf, type Frame } from "./frame.ts";
import { exact, isExact, showNumber, towardZero } from "./numbers.ts";
import { fromInt, isInt, toNumber } from "./rational.ts";
import { declare } from "./scope.ts";
import { describe, numberVal, showShape, type Val } from "./values.ts";

type ShapeType = Extract<Type, { kind: "shape" }>;

/** What `...` stands for, once for a whole signature. */
export interface Rest {
  sizes: Shape | null;
}

export function showDims(frame: Frame, type: ShapeType): string {
  return `[${type.dims.map((d) => (d.kind === "rest" ? "..." : textOf(frame, d.value.span))).join(", ")}]`;
}

/** Whether `...` stands at most once, and first. */
function restIsFirst(frame: Frame, type: ShapeType): boolean {
  const stray = type.dims.find((d, i) => d.kind === "rest" && i > 0);
  if (!stray) return true;
  report(frame, "misplaced", stray.span, {
    what: "`...`",
    where: "here",
    instead: "it stands once, as the first entry",
  });
  return false;
}

/** A static number as a size; null where it is none (and nothing has been said). */
function sizeOf(value: Val): number | null {
  if (value.kind !== "number" || !isExact(value) || !isInt(value.low)) return null;
  const size = toNumber(value.low);
  return size >= 1 && size <= 2 ** 31 ? size : null;
}

/** All names of an expression are bound already. */
function isBound(frame: Frame, e: Expr, known: (name: string) => boolean): boolean {
  switch (e.kind) {
    case "name":
      return known(e.text);
    case "unary":
      return isBound(frame, e.operand, known);
    case "binary":
      return isBound(frame, e.left, known) && isBound(frame, e.right, known);
    case "index":
      return isBound(frame, e.list, known) && isBound(frame, e.index, known);
    case "call":
      return e.args.every((a) => isBound(frame, a.value, known));
    case "list":
      return e.items.every((i) => isBound(frame, i, known));
    default:
      return true;
  }
}

const ranks: Record<number, string> = { 1: "one token", 2: "a sequence", 3: "a map" };

export interface Unification {
  /** The frame inside of the block: its scope takes the dimensions. */
  readonly inside: Frame;
  readonly rest: Rest;
  /** The value of a static parameter of this name, or undefined where there is none. */
  readonly parameter: (name: string) => Val | undefined;
}

function flatten(stage: Span): Fix {
  const edits = [{ span: { ...stage, end: stage.start }, text: "Flatten(tokens) |> " }];
  return { title: "flatten the map into a sequence", edits, meaning: "changes" };
}

/**
 * Binds the dimensions of one tensor parameter; false after a report at `span`. `piped`: the tensor flows in, and the
 * span is the stage's.
 */
export function unify(
  u: Unification,
  caller: Frame,
  block: string,
  type: ShapeType,
  found: Shape,
  span: Span,
  piped: boolean,
): boolean {
  const { inside } = u;
  if (!restIsFirst(inside, type)) return false;
  const open = type.dims[0]?.kind === "rest";
  const fixed: readonly Dim[] = open ? type.dims.slice(1) : type.dims;
  const mismatch = (): false => {
    report(caller, "shape-mismatch", span, {
      layer: block,
      expected: expectedShape(u, type),
      found: showShape(found),
    });
    return false;
  };
  if (open ? found.length < fixed.length : found.length !== fixed.length) {
    const expected = showDims(inside, type);
    const works = open ? `${fixed.length} axes or more` : (ranks[fixed.length] ?? `${fixed.length} axes`);
    const flat = fixed.length === 2 && found.length === 3;
    const fixes = flat && piped ? [flatten(span)] : [];
    const extra = flat ? { help: "put `|> Flatten(tokens)` before it", fixes } : {};
    report(caller, "wrong-rank", span, { layer: block, works, expected, found: showShape(found) }, extra);
    return false;
  }
  const leading = found.slice(0, found.length - fixed.length);
  if (open) {
    if (u.rest.sizes && showShape(u.rest.sizes) !== showShape(leading)) return mismatch();
    u.rest.sizes = leading;
  }
  for (const [i, dim] of fixed.entries()) {
    if (dim.kind === "rest") continue;
    const size = found[leading.length + i];
    const outcome = unifyDim(u, dim.value, size);
    if (outcome === "mismatch") return mismatch();
    if (outcome === "error") return false;
  }
  return true;
}

function unifyDim(u: Unification, e: Expr, size: number): "good" | "mismatch" | "error" {
  const { inside } = u;
  const known = (name: string): boolean => {
    if (inside.scope.names.has(name)) return true;
    const value = u.parameter(name);
    return value !== undefined || inside.file.names.has(name);
  };
  if (e.kind === "name" && !known(e.text)) {
    declare(inside.scope, e.text, numberVal(exact(fromInt(size))), e.span, "dimension");
    return "good";
  }
  if (!isBound(inside, e, known)) return "good";
  const value = evaluate(inside, e);
  if (value.kind === "unknown") return "error";
  return sizeOf(value) === size ? "good" : "mismatch";
}

/** The parameter's shape with what is bound so far: `[h = 56, w = 56, 96]`. */
function expectedShape(u: Unification, type: ShapeType): string {
  const dims = type.dims.map((d) => {
    if (d.kind === "rest") return u.rest.sizes ? u.rest.sizes.join(", ") : "...";
    const text = textOf(u.inside, d.value.span);
    const bound = d.value.kind === "name" ? u.inside.scope.names.get(d.value.text) : undefined;
    return bound?.value.kind === "number" ? `${text} = ${showNumber(bound.value)}` : text;
  });
  return `[${dims.join(", ")}]`;
}

/** The sizes of a written shape: of an input, a result, an annotated `let`. null after a report. */
export function sizesOfType(
  frame: Frame,
  type: ShapeType,
  rest: Rest | null,
  owner: string,
  span: Span,
): Shape | null {
  if (!restIsFirst(frame, type)) return null;
  const sizes: number[] = [];
  for (const dim of type.dims) {
    if (dim.kind === "rest") {
      if (!rest?.sizes) {
        const instead = "here every size must be written";
        report(frame, "misplaced", dim.span, { what: "`...`", where: "in this shape", instead });
        return null;
      }
      sizes.push(...rest.sizes);
      continue;
    }
    const value = evaluate(frame, dim.value);
    if (value.kind === "unknown") return null;
    const size = sizeOf(value);
    if (size === null) {
      reportSize(frame, dim.value, value, owner, span);
      return null;
    }
    sizes.push(size);
  }
  return sizes;
}

function reportSize(frame: Frame, e: Expr, value: Val, owner: string, span: Span): void {
  if (value.kind !== "number") {
    report(frame, "argument-type", e.span, {
      argument: "a size",
      expected: "a whole number",
      found: describe(value),
    });
    return;
  }
  if (isInt(towardZero(value)) && isExact(value)) {
    report(frame, "out-of-range", e.span, {
      argument: "a size",
      found: showNumber(value),
      allowed: "a whole number from 1 to 2^31",
    });
    return;
  }
  if (e.kind === "binary" && e.operator === "/") {
    const part = (side: Expr): string => {
      const v = evaluate(frame, side);
      return v.kind === "number" ? showNumber(v) : textOf(frame, side.span);
    };
    const needs = textOf(frame, e.span);
    report(frame, "not-divisible", span, { top: part(e.left), bottom: part(e.right), layer: owner, needs });
    return;
  }
  report(frame, "not-an-int", e.span, {
    argument: "a size",
    text: textOf(frame, e.span),
    value: showNumber(value),
  });
}
