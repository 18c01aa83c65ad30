/**
 * MeanPool: the mean of all tokens.
 *
 * Gain ("MeanPool"), N tokens: l2→l2 1/√N, token→l2 1 (the result is one token), linf 1.
 * Proof. ‖(1/N)Σ_t δx_t‖ ≤ (1/N)Σ‖δx_t‖, which is at most the largest ‖δx_t‖ and, by Cauchy–Schwarz, at most
 * ‖δx‖₂/√N.
 * Attained when all tokens are perturbed alike. The graph divides the sum by N itself, not by a rounded 1/N.
 */
import { tokensOf } from "../gain/gain.ts";
import { divUp, sqrtDown } from "../gain/up.ts";
import { channelsOf } from "../gain/gain.ts";
import { affineRules } from "./affine.ts";
import { requireRank } from "./check.ts";
import { defineLayer } from "./layer.ts";

export const meanPool = defineLayer<Record<never, never>>({
  name: "MeanPool",
  summary: "The mean of all tokens.",
  signature: { tensors: ["x"], params: [], shape: "[..., c] -> [c]" },
  infer(call) {
    if (!requireRank(call, "MeanPool", [2, 3], "a map or a sequence", "[h, w, c] or [n, c]"))
      return undefined;
    return { config: {}, outputs: [[channelsOf(call.inputs[0].shape)]] };
  },
  macs: () => 0,
  rules: affineRules("MeanPool", ({ shapes }) => ({
    stated: { l2: divUp(1, sqrtDown(tokensOf(shapes[0]))), "token->l2": 1, linf: 1 },
    spread: 1,
    entries: "kept",
  })),
  lower({ builder, inputs, shapes }) {
    const [x] = inputs;
    const positions = x.shape.slice(1, -1).map((_, i) => i + 1);
    return [builder.div(builder.sum(x, positions), tokensOf(shapes[0]))];
  },
});
