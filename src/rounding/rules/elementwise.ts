/** Elementwise primitives under running error analysis. */
import type { Dims } from "../../graph/graph.ts";
import { sizeOf } from "../../graph/primitives/size.ts";
import { addUp, divUp, expUp, maxUp, minBound, mulUp, sqrtDown, sqrtUp, subDown } from "../../gain/up.ts";
import {
  broadcast,
  closed,
  either,
  entries,
  infinite,
  isZero,
  plus,
  product,
  tighter,
  times,
  zero,
  type Deviation,
} from "../deviation.ts";
import type { Value } from "../value.ts";
import { absolute, rounded, type Rule, type Step } from "./rule.ts";

type Partly = Omit<Step, "reach">;

/** A difference or a size of an operand, in the result's shape. */
function spreadTo(d: Deviation, of: Value, shape: Dims): Deviation {
  return broadcast(d, of.shape, shape);
}

/** What a product that this is added to may round along with its partial sums: every one of them once more. */
function withTerms(step: Step, u: number): Deviation {
  const [a, b] = step.inputs;
  const beside = (terms: number, other: Value): Deviation =>
    terms === 0 ? zero : times(terms * u * (1 + 2 ** -10), spreadTo(other.reach, other, step.shape));
  return plus(beside(a.terms, b), beside(b.terms, a));
}

const sumRule = (low: (a: number, b: number) => number): Rule<"add"> & Rule<"sub"> => ({
  through: ({ inputs: [a, b], shape }, [da, db]) => plus(spreadTo(da, a, shape), spreadTo(db, b, shape)),
  local: (step, a) => plus(rounded(step, 1, a), withTerms(step, a.u)),
  low: ({ inputs: [a, b] }) => low(lowOf(a), lowOf(b)),
  // Adding a constant may be a part of the product; what is added to that may be too.
  terms: ({ inputs: [a, b] }) => Math.max(b.constant ? a.terms : 0, a.constant ? b.terms : 0),
});

/** Rounding is monotone: a sum of numbers ≥ l is computed as ≥ fl(l). */
const below = (x: number): number => (x > 0 ? x * (1 - 2 ** -20) : x === 0 ? 0 : -Infinity);

export const add = sumRule((a, b) => below(a + b));
export const sub: Rule<"sub"> = sumRule(() => -Infinity);

export const mul: Rule<"mul"> = {
  through({ inputs: [a, b], shape }, [da, db]) {
    const sizes = [a, b].map((x) => spreadTo(x.reach, x, shape));
    const [forA, forB] = [spreadTo(da, a, shape), spreadTo(db, b, shape)];
    return plus(product(forA, sizes[1]), product(forB, sizes[0]));
  },
  local: (step, a) => rounded(step, 1, a),
  cap({ inputs: [a, b], shape }) {
    // x·(factor/length of x)
    const over = b.made?.op === "div" ? b.made.inputs : null;
    return over?.[0].constant ? capOf(a, over[1], over[0].reach.linf, shape) : null;
  },
  low: ({ inputs: [a, b] }) => (a === b ? 0 : a.low >= 0 && b.low >= 0 ? 0 : -Infinity),
  terms: ({ inputs: [a, b] }) => Math.max(a.terms, b.terms),
};

/** Below this, underflow in a sum of squares could matter beside what is added to it. */
const smallest = 2 ** -90;

/**
 * c where b = √(Σx²/c + ε) or √max(Σx²/c, ε) over the rows of x, ε > 0: then ‖row of x/b‖₂ < √c in every evaluation, up
 * to the rounding of b. null where b is something else.
 */
function lengthOf(b: Value, x: Value): number | null {
  const guarded = b.made?.op === "sqrt" ? b.made.inputs[0].made : null;
  if (!guarded || (guarded.op !== "add" && guarded.op !== "maximum")) return null;
  const [squares, eps] = guarded.inputs;
  if (!eps.constant || !(eps.least >= smallest)) return null;
  let [inner, count] = [squares.made, 1];
  if (inner?.op === "div" || inner?.op === "mul") {
    const [sum, by] = inner.inputs;
    if (!by.constant || by.centre.length !== 1 || !(by.centre[0] > 0)) return null;
    count = inner.op === "div" ? by.centre[0] : 1 / by.centre[0];
    inner = sum.made;
  }
  const last = x.shape[x.shape.length - 1];
  if (inner?.op !== "sum" || squares.shape[squares.shape.length - 1] !== 1) return null;
  // Summed along the last axis alone.
  if (sizeOf(squares.shape) * last !== sizeOf(x.shape) || last > 4096) return null;
  const square = inner.inputs[0].made;
  const same = square?.op === "mul" && square.inputs[0] === x && square.inputs[1] === x;
  return same ? count * (1 + 2 ** -20) : null;
}

/** The cap of x/√(Σx²/c + ε) times a factor: rounding adds less than a hundredth. */
function capOf(x: Value, b: Value, factor: number, shape: Dims): Deviation | null {
  const count = lengthOf(b, x);
  return count === null ? null : closed({ row: mulUp(mulUp(1.01, factor), sqrtUp(count)) }, shape);
}

/** a/b − a'/b' = (a − a')/b' + (a/b)·(b' − b)/b'. */
export const div: Rule<"div"> = {
  through({ inputs: [a, b], shape, size }, [da, db]) {
    if (isZero(da) && isZero(db)) return zero;
    const least = leastSize(b);
    if (!(least > 0)) return infinite;
    const over = (d: Deviation, of: Value): Deviation => times(divUp(1, least), spreadTo(d, of, shape));
    // Quotients within reach, from the one at the centre.
    const far = plus(over(a.spread, a), product(over(b.spread, b), size));
    const cap = capOf(a, b, 1, shape);
    const quotient = cap ? tighter(cap, plus(size, far)) : plus(size, far);
    return plus(over(da, a), product(over(db, b), quotient));
  },
  cap: ({ inputs: [a, b], shape }) => capOf(a, b, 1, shape),
  local: (step, a) => rounded(step, a.relative.div, a),
  low: ({ inputs: [a, b] }) => (a.low >= 0 && b.least > 0 ? 0 : -Infinity),
};

/** ≤ every |entry|. */
function leastSize(x: Value): number {
  const positive = x.least;
  if (positive > 0) return positive;
  let least = Infinity;
  for (const entry of x.centre) {
    const size = Math.abs(entry);
    if (!(size >= least)) least = size >= 0 ? size : 0;
  }
  return subDown(least, x.spread.linf);
}

const extremum = (low: (a: number, b: number) => number) => ({
  through: ({ inputs: [a, b], shape }: Partly, [da, db]: readonly Deviation[]): Deviation =>
    either(spreadTo(da, a, shape), spreadTo(db, b, shape)),
  low: ({ inputs: [a, b] }: Partly): number => low(lowOf(a), lowOf(b)),
});

/** A constant's least entry bounds it. */
function lowOf(x: Value): number {
  return Math.max(x.low, x.constant ? x.least : -Infinity);
}
export const maximum: Rule<"maximum"> = extremum(Math.max);
export const minimum: Rule<"minimum"> = extremum(Math.min);

/** Comparisons are exact where no two evaluations can differ in the answer; else an entry may flip. */
function comparison({ inputs: [a, b], shape }: Partly): Deviation {
  const reach = addUp(a.spread.linf, b.spread.linf);
  if (reach === 0) return zero;
  const [xs, ys] = [a.centre, b.centre];
  const same = xs.length === ys.length;
  if (!same && xs.length !== 1 && ys.length !== 1) return entries(1, shape);
  const count = Math.max(xs.length, ys.length);
  for (let i = 0; i < count; i++) {
    const gap = Math.abs(xs[xs.length === 1 ? 0 : i] - ys[ys.length === 1 ? 0 : i]);
    if (!(gap * (1 - 2 ** -50) > reach)) return entries(1, shape);
  }
  return zero;
}
export const greater: Rule<"greater"> = { through: comparison };
export const equal: Rule<"equal"> = { through: comparison };

export const select: Rule<"select"> = {
  through({ inputs: [condition, a, b], shape }, [, da, db]) {
    const moved = either(spreadTo(da, a, shape), spreadTo(db, b, shape));
    if (isZero(condition.spread)) return moved;
    return plus(spreadTo(a.reach, a, shape), spreadTo(b.reach, b, shape));
  },
  low: ({ inputs: [, a, b] }) => Math.min(lowOf(a), lowOf(b)),
};

const pass = (_: Partly, [d]: readonly Deviation[]): Deviation => d;

export const neg: Rule<"neg"> = { through: pass, terms: ({ inputs: [x] }) => x.terms };
export const abs: Rule<"abs"> = { through: pass, low: () => 0 };

/** |e^a − e^b| ≤ e^max·|a − b|. */
export const exp: Rule<"exp"> = {
  through: ({ inputs: [x] }, [d]) => times(expUp(x.most), d),
  local: (step, a) => rounded(step, a.relative.exp, a),
  low: () => 0,
};

export const log: Rule<"log"> = {
  through({ inputs: [x] }, [d]) {
    const least = x.least;
    return isZero(d) ? zero : least > 0 ? times(divUp(1, least), d) : infinite;
  },
  local(step, a) {
    if (!(step.inputs[0].least > 4 * a.tiny)) return infinite;
    return plus(rounded(step, a.relative.log, a), absolute(step, a.absolute.log, a));
  },
};

/** |√a − √b| ≤ |a − b|/(2√min), and ≤ √|a − b|. */
export const sqrt: Rule<"sqrt"> = {
  through({ inputs: [x], shape }, [d]) {
    if (isZero(d)) return zero;
    const least = x.least;
    if (!(least >= 0)) return infinite;
    const steep = least > 0 ? times(divUp(0.5, sqrtDown(least)), d) : infinite;
    const linf = minBound(steep.linf, sqrtUp(d.linf));
    return closed({ linf, row: steep.row, l2: steep.l2 }, shape);
  },
  // A subnormal operand may count as 0: √tiny.
  local: (step, a) =>
    step.inputs[0].least > 4 * a.tiny
      ? rounded(step, a.relative.sqrt, a)
      : plus(rounded(step, a.relative.sqrt, a), entries(sqrtUp(4 * a.tiny), step.shape)),
  low: ({ inputs: [x] }) => (x.low > 0 ? below(sqrtDown(x.low)) : 0),
};

/** A function with slopes in [−slope, slope], computed to within some units of 1. */
const smooth = (
  slope: number,
  kind: "erf" | "tanh" | "sigmoid",
  low: number,
): Rule<"erf"> & Rule<"tanh"> & Rule<"sigmoid"> => ({
  through: (_, [d]) => times(slope, d),
  local: (step, a) => absolute(step, a.absolute[kind], a),
  low: () => low,
});
/** erf' ≤ 2/√π < 1.12838. */
export const erf = smooth(1.12838, "erf", -Infinity);
export const tanh = smooth(1, "tanh", -Infinity);
export const sigmoid = smooth(0.25, "sigmoid", 0);

/** Both forms have slopes below 1.129 (docs/gains.md, "Pointwise"), and |gelu(x)| ≤ |x|. */
export const gelu: Rule<"gelu"> = {
  through: (_, [d]) => times(1.129, d),
  local: (step, a) => {
    const [x] = step.inputs;
    return plus(times(mulUp(a.absolute.gelu, a.u), x.reach), entries(4 * a.tiny, step.shape));
  },
};

/** Steps: exact where no evaluation can be on another one. */
export const sign: Rule<"sign"> = {
  through({ inputs: [x], shape }) {
    if (isZero(x.spread)) return zero;
    return leastSize(x) > 0 ? zero : entries(2, shape);
  },
};
export const floor: Rule<"floor"> = {
  through({ inputs: [x], shape }, [d]) {
    if (isZero(x.spread)) return zero;
    const apart = x.centre.every(
      (v) => Math.abs(v) < 2 ** 40 && Math.min(v - Math.floor(v), Math.floor(v) + 1 - v) > x.spread.linf,
    );
    return apart ? zero : entries(maxUp(addUp(d.linf, 1)), shape);
  },
};

/** Truth values as numbers; numbers as whole ones only where they are exact. */
export const cast: Rule<"cast"> = {
  through: ({ inputs: [x], attributes: { to }, shape }, [d]) =>
    isZero(x.spread) ? zero : to === "f32" ? d : entries(addUp(x.spread.linf, 1), shape),
  // Whole numbers up to 2²⁴ are float32 numbers.
  local: ({ inputs: [x] }) => (x.reach.linf <= 2 ** 24 ? zero : infinite),
};
