/**
 * Gain and range rules of `Residual`, entry by entry: a = G(x)[p→q], b = G(f)[p→q].
 *
 * **Residual, additive**: y = x + α ⊙ f. ‖δy‖_q ≤ ‖δx‖_q + max_c|α_c|·‖δf‖_q ≤ (a + max|α|·b)·‖δs‖_p, because
 * a diagonal map has gain max|α_c| in all three norms.
 *
 * **Residual, convex**: y = (1 − α) ⊙ x + α ⊙ f. With u = ‖δx‖, v = ‖δf‖:
 *   simple   max_c|1 − α_c|·a + max_c|α_c|·b, in every q.
 *   scalar   one α for all channels, in [lo, hi]: |1 − α|·a + |α|·b is convex in α, so the larger of its two
 *            ends; in every q. At α in [0, 1] and b ≤ a it is a: a convex residual keeps a network at 1.
 *   linf     one entry belongs to one channel: max_c(|1 − α_c|·a + |α_c|·b); convex in α_c, so the larger end.
 *   vector   q = l2, token; any t > 0. Per channel and position, by Cauchy-Schwarz with weights,
 *            ((1 − α)u + αv)² = ((1 − α)·u + (α/√t)·(√t·v))² ≤ ((1 − α)² + α²/t)·(u² + t·v²).
 *            Summed over what the norm sums over: ‖δy‖² ≤ max_c((1 − α_c)² + α_c²/t)·(‖δx‖² + t‖δf‖²), so
 *            G ≤ √(max_c((1 − α_c)² + α_c²/t)·(a² + t·b²)).
 *            (1 − α)² + α²/t is convex in α, so its maximum over channels and over a range is at an end, lo
 *            or hi. Every t is sound. (A_k + B_k/t)(a² + t·b²), A = (1 − α)², B = α², is convex in t with its
 *            minimum at t = (a/b)·√(B_k/A_k), and the maximum of two has its minimum there or where they cross.
 * The smallest of what holds is taken. Source: direct; the vector rule is attained at α ∈ {0, 0.2}, b = a
 * (1.0541 where the simple rule gives 1.2).
 *
 * At inference drop path is the identity; its probability is no factor of a bound.
 */
import type { Range, WeightFacts } from "../../gain/facts.ts";
import { gainOf, isNothing, nothing, plus, times, type Gain, type Reason } from "../../gain/gain.ts";
import { closeRange } from "../../gain/range.ts";
import { addUp, divUp, maxUp, minBound, mulUp, nextUp, sqrtUp } from "../../gain/up.ts";
import type { GainContext, Ruled } from "../layer.ts";
import type { ResidualConfig } from "../residual.ts";

export function residualGain(
  context: GainContext<ResidualConfig>,
  inputs: readonly Gain[],
): readonly Ruled[] {
  const [x, f] = inputs;
  const facts = context.coefficient(context.config.alpha);
  if (context.config.form === "additive") {
    if (isNothing(f)) return [{ gain: x, rule: "residual, additive" }];
    return [{ gain: plus(x, times(facts.maxAbs, f, facts.why)), rule: "residual, additive" }];
  }
  if (isNothing(x) && isNothing(f)) return [{ gain: nothing, rule: "residual, convex" }];
  const scalar = isScalar(context, facts);
  const entries = x.entries.map((a, i) => convexEntry(a, f.entries[i], facts, scalar, i % 3 === 2));
  return [
    { gain: gainOf(entries, x.why, f.why, facts.why, noRange(context, facts)), rule: "residual, convex" },
  ];
}

/** Whether α is the same for all channels: a fixed number, a learned scalar, or entries that are known to be equal. */
function isScalar(context: GainContext<ResidualConfig>, facts: WeightFacts): boolean {
  const { alpha } = context.config;
  return alpha.kind === "constant" || alpha.shape?.length === 0 || facts.low === facts.high;
}

function noRange(context: GainContext<ResidualConfig>, facts: WeightFacts): Reason {
  const fix = facts.low > -Infinity && facts.high < Infinity ? {} : { fix: "alpha: learned(…, in: [0, 1])" };
  return {
    text: "alpha of the convex residual has no proven range",
    path: context.node.path,
    because: [],
    ...fix,
  };
}

/** |1 − α|, rounded up. */
function rest(alpha: number): number {
  return alpha <= 1 ? addUp(1, -alpha) : addUp(alpha, -1);
}

/** One entry of the convex rule; `linf` where the value's norm looks at one entry at a time. */
export function convexEntry(
  a: number,
  b: number,
  alpha: WeightFacts,
  scalar: boolean,
  linf: boolean,
): number {
  const { low, high } = alpha;
  if (!Number.isFinite(low) || !Number.isFinite(high)) return a === 0 && b === 0 ? 0 : Infinity;
  const at = (end: number): number => addUp(mulUp(rest(end), a), mulUp(Math.abs(end), b));
  const ends = maxUp(at(low), at(high));
  if (scalar || linf) return ends;
  const simple = addUp(mulUp(maxUp(rest(low), rest(high)), a), mulUp(alpha.maxAbs, b));
  if (a === Infinity || b === Infinity || a === 0 || b === 0) return simple;
  return bestWeight(low, high, a, b).reduce(
    (best, t) => minBound(best, weighted(low, high, a, b, t)),
    simple,
  );
}

/** √(max over the ends of ((1 − α)² + α²/t)·(a² + t·b²)), rounded up. */
function weighted(low: number, high: number, a: number, b: number, t: number): number {
  if (!(t > 0) || !Number.isFinite(t)) return Infinity;
  const square = (x: number): number => mulUp(x, x);
  const at = (end: number): number => addUp(square(rest(end)), divUp(square(Math.abs(end)), t));
  return sqrtUp(mulUp(maxUp(at(low), at(high)), addUp(square(a), mulUp(t, square(b)))));
}

/** Where the minimum over t can lie: the two minima and the crossing. Any of them is sound, so plain arithmetic will do. */
function bestWeight(low: number, high: number, a: number, b: number): number[] {
  const squares = (end: number): [number, number] => [(1 - end) ** 2, end ** 2];
  const [a1, b1] = squares(low);
  const [a2, b2] = squares(high);
  return [(a / b) * Math.sqrt(b1 / a1), (a / b) * Math.sqrt(b2 / a2), (b2 - b1) / (a1 - a2), a / b];
}

/**
 * Ranges: the triangle inequality with the same factors; the spread round (1 − α)·t_x + α·t_f, where t_x and
 * t_f are the constant tokens of x and f (α is the same for all tokens). Entries: interval arithmetic.
 */
export function residualRange(context: GainContext<ResidualConfig>): readonly Range[] {
  const [x, f] = context.ranges;
  const facts = context.coefficient(context.config.alpha);
  const convex = context.config.form === "convex";
  const why = x.why ?? f.why ?? facts.why;
  const norm = (a: number, b: number): number => {
    if (!convex) return addUp(a, mulUp(facts.maxAbs, b));
    return isScalar(context, facts)
      ? convexEntry(a, b, facts, true, false)
      : convexEntry(a, b, facts, false, false);
  };
  // The vector rule holds for norms of values as for those of perturbations: it is about two vectors u and v.
  const stated: Partial<Range> = {
    l2: norm(x.l2, f.l2),
    token: norm(x.token, f.token),
    linf: convex ? convexEntry(x.linf, f.linf, facts, false, true) : norm(x.linf, f.linf),
    spread: norm(x.spread, f.spread),
    ...interval(x, f, facts, convex),
  };
  return [closeRange(stated, context.outputs[0], why)];
}

/**
 * Ends of x + α·f or (1 − α)x + α·f: affine in α for fixed entries and affine in the entries for fixed α, so
 * its extremes over a box are at corners.
 */
function interval(x: Range, f: Range, alpha: WeightFacts, convex: boolean): { low: number; high: number } {
  if (![x.low, x.high, f.low, f.high, alpha.low, alpha.high].every(Number.isFinite))
    return { low: -Infinity, high: Infinity };
  const highest = (xs: readonly number[], fs: readonly number[]): number => {
    const corners = [alpha.low, alpha.high].map((end) => {
      const keeps = convex ? [addUp(1, -end), -addUp(end, -1)] : [1];
      const kept = Math.max(...keeps.flatMap((keep) => xs.map((entry) => signedUp(keep, entry))));
      return addUp(kept, Math.max(...fs.map((entry) => signedUp(end, entry))));
    });
    return Math.max(...corners);
  };
  return {
    low: -highest([-x.low, -x.high], [-f.low, -f.high]),
    high: highest([x.low, x.high], [f.low, f.high]),
  };
}

/** ≥ a·b for any signs. */
function signedUp(a: number, b: number): number {
  const size = mulUp(Math.abs(a), Math.abs(b));
  if (size === 0 || Math.sign(a) === Math.sign(b)) return size;
  return nextUp(-Math.abs(a * b));
}
