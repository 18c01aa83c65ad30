/** Sums, maxima, softmax, matrix products and convolutions under running error analysis. */
import type { Dims, OpAttributes } from "../../graph/graph.ts";
import { sizeOf } from "../../graph/primitives/size.ts";
import { conv as convPrimitive } from "../../graph/primitives/conv.ts";
import { sum as sumPrimitive } from "../../graph/primitives/reduce.ts";
import { addUp, minBound, mulUp, sqrtUp } from "../../gain/up.ts";
import {
  closed,
  infinite,
  isZero,
  normsOf,
  plus,
  rowLength,
  tighter,
  times,
  zero,
  type Deviation,
} from "../deviation.ts";
import type { Value } from "../value.ts";
import { matrixProducts } from "./products.ts";
import { accumulated, type Rule, type Step } from "./rule.ts";

/** Absolute entries, in an array that the interpreter's primitives take. */
function magnitudes({ shape, centre }: Value): { shape: Dims; data: Float64Array } {
  return { shape, data: centre.map(Math.abs) };
}

function reducedCount({ shape }: Value, axes: readonly number[]): number {
  return axes.reduce((n, axis) => n * shape[axis], 1);
}

export const sum: Rule<"sum"> = {
  evaluate: ([x], attributes, shape) => ({
    centre: sumPrimitive.evaluate([{ shape: x.shape, data: x.centre }], attributes, shape),
    absolute: sumPrimitive.evaluate([magnitudes(x)], attributes, shape),
  }),
  through({ inputs: [x], attributes: { axes }, shape }, [d]) {
    const count = reducedCount(x, axes);
    const last = x.shape.length - 1;
    const alone = axes.length === 1 && axes[0] === last;
    const linf = minBound(mulUp(count, d.linf), alone ? mulUp(sqrtUp(count), d.row) : Infinity);
    return closed(
      { linf, row: axes.includes(last) ? Infinity : mulUp(count, d.row), l2: mulUp(sqrtUp(count), d.l2) },
      shape,
    );
  },
  local(step, a) {
    const [x] = step.inputs;
    const count = reducedCount(x, step.attributes.axes);
    const sums = plus(normsOf(step.absolute as Float64Array, step.shape), sum.through(step, [x.spread]));
    return accumulated(step, count, sums, step.reach, a);
  },
  low: ({ inputs: [x] }) => (x.low >= 0 ? 0 : -Infinity),
};

/** |max a − max b| ≤ max|a − b|; each entry of the result is one of the operand. */
export const max: Rule<"max"> = {
  through: ({ shape }, [{ linf, l2 }]) => closed({ linf, l2 }, shape),
  low: ({ inputs: [x] }) => x.low,
};

/**
 * Slopes: docs/gains.md, "Softmax". Rounding of p_j = e^(−t_j)/Z, t_j = max − x_j ≥ 0, Z ≥ 1 the sum of n exponentials:
 * each of them is off by u·t_j (its argument) and the units of exp, relatively; their sum by that on average and by
 * (n − 1)u; the quotient by its own units. With p_j·t_j ≤ 1/e and Σ p_j·t_j = −Σ p_j ln p_j − ln Z ≤ ln n, the absolute
 * errors of a row add up to at most 1.1u(n + 2 ln n + 2·exp + div + 2) ≤ 1.1u(2n + 4 + 2·exp + div), its l2 norm too.
 */
export const softmax: Rule<"softmax"> = {
  through: (_, [d]) => times(0.5, d),
  local({ inputs: [x], shape }, a) {
    if (!(x.reach.linf <= a.largest)) return infinite;
    const n = rowLength(shape);
    const units = mulUp(1.1 * (2 * n + 4 + 2 * a.relative.exp + a.relative.div), a.u);
    return units < 0.01 ? closed({ row: addUp(units, 8 * n * a.tiny) }, shape) : infinite;
  },
  // Rounding adds less than a hundredth, or the row is lost anyway.
  cap: ({ shape }) => closed({ row: 1.01 }, shape),
  low: () => 0,
};

interface Sides {
  /** Multiply-adds of one entry. */
  readonly inner: number;
  /** How often each operand's matrices are used. */
  readonly uses: readonly [a: number, b: number];
  readonly transposeA: boolean;
  readonly transposeB: boolean;
}

function sidesOf([a, b]: readonly Value[], attributes: OpAttributes["matmul"], shape: Dims): Sides {
  const { transposeA, transposeB } = attributes;
  const count = (of: Dims): number => sizeOf(of.slice(0, -2));
  const inner = a.shape[a.shape.length - (transposeA ? 2 : 1)];
  return {
    inner,
    uses: [count(shape) / count(a.shape), count(shape) / count(b.shape)],
    transposeA,
    transposeB,
  };
}

/** ≥ ‖·‖₂ of the matrices of a value, or of their absolute values. */
function matrixNorm(x: Value, absolute: boolean): number {
  const [rows, columns] = x.shape.slice(-2);
  return x.spectral(sizeOf(x.shape.slice(0, -2)), rows, columns, absolute);
}

/** ≥ the l2 norm of every vector of x that enters an inner product: rows as they lie, else columns. */
function vectorNorm(x: Value, rows: boolean): number {
  return rows ? x.reach.row : x.columnNorm(x.shape[x.shape.length - 2], rowLength(x.shape));
}

/**
 * Norms of δA·B + A·δB (both in real arithmetic, B at one of the points, A at the other), or of |δA||B| + |A||δB|:
 * ‖XY‖_F ≤ ‖X‖_F·‖Y‖₂, rows likewise, entries by Cauchy–Schwarz.
 */
export function bilinear(
  step: Pick<Step<"matmul">, "inputs" | "attributes" | "shape">,
  [da, db]: readonly Deviation[],
  absolute: boolean,
): Deviation {
  const [a, b] = step.inputs;
  const { inner, uses, transposeA, transposeB } = sidesOf(step.inputs, step.attributes, step.shape);
  let result = zero;
  const root = sqrtUp(inner);
  if (!isZero(da)) {
    const norm = matrixNorm(b, absolute);
    const vector = transposeA ? minBound(da.l2, mulUp(root, da.linf)) : da.row;
    result = plus(
      result,
      closed(
        {
          linf: mulUp(vector, vectorNorm(b, transposeB)),
          row: transposeA ? Infinity : mulUp(da.row, norm),
          l2: mulUp(mulUp(sqrtUp(uses[0]), da.l2), norm),
        },
        step.shape,
      ),
    );
  }
  if (!isZero(db)) {
    const vector = transposeB ? db.row : minBound(db.l2, mulUp(root, db.linf));
    const whole = mulUp(sqrtUp(uses[0]), mulUp(a.reach.l2, db.l2));
    const each = mulUp(sqrtUp(uses[1]), mulUp(matrixNorm(a, absolute), db.l2));
    result = plus(
      result,
      closed(
        {
          linf: mulUp(vectorNorm(a, !transposeA), vector),
          row: transposeA ? Infinity : mulUp(a.reach.row, db.l2),
          l2: minBound(whole, each),
        },
        step.shape,
      ),
    );
  }
  return result;
}

export const matmul: Rule<"matmul"> = {
  evaluate: matrixProducts,
  through: (step, differences) => bilinear(step, differences, false),
  local(step, a) {
    const spreads = step.inputs.map((x) => x.spread);
    // |Â||B̂| − |A||B| at the centre: both differences at once, by reaching values on either side.
    const around = plus(normsOf(step.absolute as Float64Array, step.shape), bilinear(step, spreads, true));
    const { inner, transposeA, transposeB } = sidesOf(step.inputs, step.attributes, step.shape);
    const [x, y] = step.inputs;
    const most = mulUp(vectorNorm(x, !transposeA), vectorNorm(y, transposeB));
    const sums = tighter(around, closed({ linf: most }, step.shape));
    return accumulated(step, inner, sums, tighter(step.reach, sums), a);
  },
  terms: (step) => sidesOf(step.inputs, step.attributes, step.shape).inner,
};

/** ≥ the largest factor from the l2 norm of a map to that of its convolution, and the same for entries. */
function kernelNorms(kernel: Value, groups: number, absolute: boolean): { l2: number; linf: number } {
  const [out, inner, height, width] = kernel.shape;
  const reshaped = kernel.spectral(groups, out / groups, inner * height * width, absolute);
  // Every entry of the map is read by at most height·width positions (docs/gains.md, "Conv").
  return { l2: mulUp(sqrtUp(height * width), reshaped), linf: kernel.rowSum(inner * height * width) };
}

function convolved(
  { inputs: [x, kernel], attributes: { groups }, shape }: Omit<Step<"conv">, "reach">,
  [dx, dk]: readonly Deviation[],
  absolute: boolean,
): Deviation {
  const [, inner, height, width] = kernel.shape;
  const taps = height * width;
  let result = zero;
  if (!isZero(dx)) {
    const norms = kernelNorms(kernel, groups, absolute);
    result = closed({ linf: mulUp(norms.linf, dx.linf), l2: mulUp(norms.l2, dx.l2) }, shape);
  }
  if (!isZero(dk)) {
    const patch = minBound(x.reach.l2, mulUp(sqrtUp(inner * taps), x.reach.linf));
    const patches = mulUp(sqrtUp(taps), x.reach.l2);
    result = plus(result, closed({ linf: mulUp(patch, dk.l2), l2: mulUp(patches, dk.l2) }, shape));
  }
  return result;
}

export const conv: Rule<"conv"> = {
  evaluate: ([x, kernel], attributes, shape) => ({
    centre: convPrimitive.evaluate(
      [
        { shape: x.shape, data: x.centre },
        { shape: kernel.shape, data: kernel.centre },
      ],
      attributes,
      shape,
    ),
    absolute: convPrimitive.evaluate([magnitudes(x), magnitudes(kernel)], attributes, shape),
  }),
  through: (step, differences) => convolved(step, differences, false),
  local(step, a) {
    const [x, kernel] = step.inputs;
    const sums = plus(
      normsOf(step.absolute as Float64Array, step.shape),
      convolved(step, [x.spread, kernel.spread], true),
    );
    return accumulated(step, termsOf(kernel), sums, step.reach, a);
  },
  terms: ({ inputs: [, kernel] }) => termsOf(kernel),
};

function termsOf({ shape: [, inner, height, width] }: Value): number {
  return inner * height * width;
}
