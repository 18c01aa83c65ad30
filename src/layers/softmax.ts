import type { Coefficient } from "../model/model.ts";
import { closeRange } from "../gain/range.ts";
import { channelsOf, tokensOf } from "../gain/gain.ts";
import { mulUp, sqrtUp } from "../gain/up.ts";
import { defineLayer } from "./layer.ts";
import { allNorms, mapped, weightsOf } from "./pointwise.ts";

/**
 * Softmax of τ·x over the channels of each token. `gains.md`, "Softmax".
 *
 * Gain: l2, token and linf |τ|/2; one channel: 0. Proof (Nair, 2025, arXiv 2510.23012): the derivative at one token is
 * τ(diag P − PPᵀ), symmetric, with absolute row sums |τ|·2p_i(1 − p_i) ≤ |τ|/2; for a symmetric matrix that bounds
 * the linf and l1 norms, and the l2 norm lies below their geometric mean. Attained at P = (1/2, 1/2). Softmax over
 * positions would be another layer: there the token norm can grow.
 * Range: entries in [0, 1] that add up to 1, so a token's norm is at most 1.
 */
export const softmax = defineLayer<{ tau: Coefficient }>({
  name: "Softmax",
  summary: "positive channels that add up to 1",
  signature: {
    tensors: ["x"],
    params: [{ name: "tau", type: "Coefficient", default: "1", doc: "factor of the logits" }],
    shape: "[..., c] -> [..., c]",
  },
  infer: (call) => {
    const tau = call.coefficient("tau", [[]], "toward-zero");
    const weights = weightsOf("tau", tau);
    return { config: { tau }, outputs: [call.inputs[0].shape], weights };
  },
  macs: () => 0,
  rules: {
    gain: (context, [input]) => {
      const facts = context.coefficient(context.config.tau);
      const gain = channelsOf(context.shapes[0]) === 1 ? 0 : mulUp(0.5, facts.maxAbs);
      return mapped(context, input, allNorms(gain), "Softmax", facts.why);
    },
    range: ({ outputs: [shape] }) => [
      closeRange({ low: 0, high: 1, token: 1, l2: sqrtUp(tokensOf(shape)) }, shape),
    ],
  },
  lower: ({ builder: b, inputs: [x], config: { tau }, coefficient }) => {
    const one = tau.kind === "constant" && tau.value === 1;
    return [b.softmax(one ? x : b.mul(x, coefficient(tau)))];
  },
});
