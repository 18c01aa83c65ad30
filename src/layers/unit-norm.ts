import { divUp, minBound, mulUp, sqrtDown, sqrtUp, stored } from "../gain/up.ts";
import { closeRange } from "../gain/range.ts";
import { tokensOf } from "../gain/gain.ts";
import { defineLayer } from "./layer.ts";
import { mappedThroughEps, storedNumber } from "./pointwise.ts";

/** `floor` is ε for the root guard and ε² (stored) for the max guard: what is added to, or the least of, ‖x‖². */
interface UnitNormConfig {
  readonly [key: string]: string | number;
  readonly guard: "root" | "max";
  readonly floor: number;
}

/** Gains above 1000 deserve a caution. */
const smallFloor = 1e-6;

/**
 * Each token divided by its length: x/√(‖x‖² + ε) (guard root) or x/max(‖x‖, ε) (guard max). `gains.md`, "Unit norm".
 *
 * Gain: l2 and token 1/√ε (root), 1/ε (max). Proof, root: with r² = ‖x‖² + ε the derivative r⁻¹(I − xxᵀ/r²) is
 * symmetric with eigenvalues r⁻¹ and ε/r³, both in (0, 1/√ε]; attained at x = 0. max: x/max(‖x‖, ε) is 1/ε times the
 * projection onto the ball of radius ε, and projections onto convex sets don't expand; attained inside the ball.
 * The max guard is stored as m = ε² and computed as x/√max(‖x‖², m), so its gain is 1/√m.
 * Range: a token's norm is at most 1, whatever x is, and at most gain·‖x‖.
 */
export const unitNorm = defineLayer<UnitNormConfig>({
  name: "UnitNorm",
  summary: "each token divided by its length, guarded by eps",
  signature: {
    tensors: ["x"],
    params: [
      {
        name: "eps",
        type: "real",
        default: "1e-6",
        doc: "keeps the length away from 0; the gain rests on it",
      },
      {
        name: "guard",
        type: "Word",
        words: ["root", "max"],
        default: "root",
        doc: "√(‖x‖² + eps) or max(‖x‖, eps)",
      },
    ],
    shape: "[..., c] -> [..., c]",
  },
  infer: (call) => {
    const guard = call.word("guard") === "max" ? "max" : "root";
    const floorOf = (eps: number): number => (guard === "max" ? stored(eps * eps) : eps);
    const eps = storedNumber(
      call,
      "eps",
      "above 0, and not so small that float32 makes 0 of it",
      (x) => x > 0 && floorOf(x) > 0,
    );
    if (eps === undefined) return undefined;
    return { config: { guard, floor: floorOf(eps) }, outputs: [call.inputs[0].shape] };
  },
  macs: () => 0,
  rules: {
    gain: (context, [input]) => {
      const { floor } = context.config;
      const ruled = mappedThroughEps(
        context,
        input,
        { maxAbs: 1, why: null },
        floor,
        "Unit norm",
        "UnitNorm(eps: 1e-2)",
      );
      // Small eps only: an ordinary one is the point of the layer.
      return floor < smallFloor ? ruled : ruled.map(({ gain, rule }) => ({ gain, rule }));
    },
    range: ({ config: { floor }, ranges: [input], outputs: [shape] }) => {
      const gain = divUp(1, sqrtDown(floor));
      const stated = {
        token: minBound(1, mulUp(gain, input.token)),
        l2: minBound(sqrtUp(tokensOf(shape)), mulUp(gain, input.l2)),
        spread: mulUp(gain, input.spread),
        low: input.low >= 0 ? 0 : undefined,
        high: input.high <= 0 ? 0 : undefined,
      };
      return [closeRange(stated, shape)];
    },
  },
  lower: ({ builder: b, inputs: [x], config: { guard, floor } }) => {
    const square = b.sum(b.mul(x, x), [x.shape.length - 1], true);
    return [b.div(x, b.sqrt(guard === "max" ? b.maximum(square, floor) : b.add(square, floor)))];
  },
});
