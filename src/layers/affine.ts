/**
 * What the gain and range rules of affine maps y = A x + b share: everything follows from stated entries of
 * A.
 */
import type { WeightFacts } from "../gain/facts.ts";
import { closed, through, tokensOf, type Reason, type Stated } from "../gain/gain.ts";
import { closeRange } from "../gain/range.ts";
import { addUp, minBound, mulUp, sqrtUp } from "../gain/up.ts";
import type { Config, GainContext, LayerRules } from "./layer.ts";

export interface Affine {
  /** Entries of the gain matrix of A. */
  readonly stated: Stated;
  /**
   * A takes a constant token to a constant token, and moves no token further than this factor times the
   * largest distance of an input token from the constant. Left out: A does not (zero padding, say).
   */
  readonly spread?: number;
  /** Facts of b, one number per output channel; null or left out: no bias. */
  readonly bias?: WeightFacts | null;
  /**
   * Every output entry is an input entry, or a mean of such: it stays in their interval (or may be a new
   * zero).
   */
  readonly entries?: "kept" | "kept or zero";
  /** Why stated entries are ∞. */
  readonly why?: Reason | null;
}

/**
 * Gain and range of an affine map. A bias costs nothing in the gain and in the spread R°, but counts in the
 * range (docs/gains.md, "Ranges"): R_q(y) ≤ min over p of G_A[p→q]·R_p(x), plus ‖b‖∞ (linf), ‖b‖₂ (token),
 * √N·‖b‖₂ (l2).
 */
export function affineRules<C extends Config>(
  rule: string,
  describe: (context: GainContext<C>) => Affine,
): LayerRules<C> {
  return {
    gain(context, [input]) {
      const { stated, why = null } = describe(context);
      return [{ gain: through(input, closed(stated, context.shapes[0], context.outputs[0]), why), rule }];
    },
    range(context) {
      const map = describe(context);
      const [input] = context.ranges;
      const shape = context.outputs[0];
      const gain = closed(map.stated, context.shapes[0], shape);
      const from = [input.l2, input.token, input.linf];
      const bounds = [0, 1, 2].map((q) =>
        from.reduce((least, r, p) => minBound(least, mulUp(r, gain[3 * p + q])), Infinity),
      );
      const bias = map.bias ?? null;
      const biasNorm = bias ? bias.frobenius : 0;
      const moved = map.spread === undefined ? Infinity : mulUp(map.spread, input.spread);
      const stated = {
        l2: addUp(bounds[0], mulUp(sqrtUp(tokensOf(shape)), biasNorm)),
        token: addUp(bounds[1], biasNorm),
        linf: addUp(bounds[2], bias ? bias.maxAbs : 0),
        spread: minBound(moved, bounds[1]),
        ...intervalOf(map, input.low, input.high),
      };
      return [closeRange(stated, shape, input.why ?? map.why ?? bias?.why ?? null)];
    },
  };
}

function intervalOf(map: Affine, low: number, high: number): { low?: number; high?: number } {
  if (map.bias || map.entries === undefined) return {};
  return map.entries === "kept" ? { low, high } : { low: Math.min(low, 0), high: Math.max(high, 0) };
}
