/** What the running error analysis knows of one primitive. */
import type { Dims, Op, OpAttributes } from "../../graph/graph.ts";
import { addUp, divUp, mulUp, subDown } from "../../gain/up.ts";
import type { Arithmetic } from "../arithmetic.ts";
import { entries, infinite, plus, times, type Deviation } from "../deviation.ts";
import type { Value } from "../value.ts";

/** One application of a primitive. */
export interface Step<O extends Op = Op> {
  readonly inputs: readonly Value[];
  readonly attributes: OpAttributes[O];
  readonly shape: Dims;
  readonly centre: Float64Array;
  /** Of sums and products: the same with the absolute values of all terms. */
  readonly absolute: Float64Array | null;
  /** Norms of the centre, and of every evaluation before its own rounding. */
  readonly size: Deviation;
  readonly reach: Deviation;
}

export interface Rule<O extends Op> {
  /** The tensor in float64, where it isn't the interpreter's: with the sums of absolute terms. */
  readonly evaluate?: (
    inputs: readonly Value[],
    attributes: OpAttributes[O],
    shape: Dims,
  ) => { readonly centre: Float64Array; readonly absolute: Float64Array };
  /**
   * A bound of f(a) − f(b) in real arithmetic, for operands a, b that both lie within reach and differ by at most
   * `differences`.
   */
  through(step: Omit<Step<O>, "reach">, differences: readonly Deviation[]): Deviation;
  /** A bound of computed − f(a) for every a within reach. Left out: nothing is rounded. */
  readonly local?: (step: Step<O>, arithmetic: Arithmetic) => Deviation;
  /** Norms that no evaluation exceeds, whatever its operands are: null where there is no such thing. */
  readonly cap?: (step: Omit<Step<O>, "reach">) => Deviation | null;
  /** No entry lies below, in any evaluation. */
  readonly low?: (step: Omit<Step<O>, "reach">) => number;
  /** How many partial sums of a product may hold something that is added to the result (see `Value.terms`). */
  readonly terms?: (step: Omit<Step<O>, "reach">) => number;
}

/** A result rounded `units` times: relative to its size, and what underflow does to operands and result. */
export function rounded({ reach, inputs, shape }: Step, units: number, a: Arithmetic): Deviation {
  if (!(reach.linf <= a.largest)) return infinite;
  // A subnormal operand may count as 0: it is lost, times whatever it is multiplied by.
  const lost = inputs.reduce((sum, x) => addUp(sum, x.reach.linf), 1);
  return plus(times(mulUp(units * (1 + 2 ** -10), a.u), reach), entries(mulUp(4 * a.tiny, lost), shape));
}

/** Errors of absolute size in every entry. */
export function absolute({ shape }: Step, units: number, a: Arithmetic): Deviation {
  return entries(addUp(mulUp(units, a.u), 4 * a.tiny), shape);
}

/** γ_k = ku/(1 − ku); ∞ beyond its range. */
export function gamma(k: number, u: number): number {
  const ku = mulUp(k, u);
  return ku < 0.5 ? divUp(ku, subDown(1, ku)) : Infinity;
}

/**
 * Rounding of sums of k products p_j, in any order, in blocks, fused or not. With S = Σ|p|, s = Σp:
 *   |computed − s| ≤ u·S + (k − 1)·u·((S + |s|)/2 + γ_k·S).
 * Proof: the sum is a tree whose leaves are products (each rounded once, or not at all where it is fused) and whose k − 1
 * inner nodes t round l + r once: computed = Σ p_j(1 + δ_j) + Σ_t δ_t·(l + r)_t. The value (l + r)_t differs from the
 * exact sum s_t of its leaves by at most γ_k·S (Higham 2002, section 4.2), and |s_t| is at most the larger one of the sum
 * of positive terms and the sum of negative ones, (S + |s|)/2. Zeros add nothing and round nothing. A factor of the
 * product that an engine takes inside costs each term two roundings more, a bias one more inner node, and S and s are
 * themselves float64 sums, which for k < 2²⁶ changes less than u·S: 5u·S in place of u·S.
 * `sums` and `total` bound norms of S and of s over all entries.
 */
export function accumulated(
  step: Step,
  k: number,
  sums: Deviation,
  total: Deviation,
  a: Arithmetic,
): Deviation {
  if (!(sums.linf <= a.largest) || k >= 2 ** 26) return infinite;
  const half = times(0.5, plus(sums, total));
  const partial = plus(half, times(gamma(k + 2, a.u), sums));
  const lost = step.inputs.reduce((sum, x) => addUp(sum, x.reach.linf), 1);
  const underflow = entries(mulUp(8 * k * a.tiny, lost), step.shape);
  return plus(plus(times(5 * a.u, sums), times((k - 1) * a.u, partial)), underflow);
}
