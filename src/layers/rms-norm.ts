import { divUp, mulUp, sqrtDown, sqrtUp } from "../gain/up.ts";
import { defineLayer } from "./layer.ts";
import { epsParam, gammaParam } from "./layer-norm.ts";
import { mappedThroughEps, storedNumber, tokenwiseRange } from "./pointwise.ts";

/**
 * RMSNorm (Zhang and Sennrich, 2019, arXiv 1910.07467): γ ⊙ x/√(mean of x² + ε) over the d channels of a token.
 * `gains.md`, "LayerNorm and RMSNorm".
 *
 * Gain: l2 and token ‖γ‖∞/√ε: the proof of LayerNorm with z = x. Attained at the token 0.
 * Range: |y_c| ≤ |γ_c|√d and ‖y‖ ≤ ‖γ‖∞√d, because ‖x‖²/(‖x‖²/d + ε) < d. ε = 0 is refused: the token 0 would
 * give 0/0.
 */
export const rmsNorm = defineLayer<{ eps: number }>({
  name: "RMSNorm",
  summary: "each token divided by the root of its mean square, then γ",
  signature: { tensors: ["x"], params: [epsParam("1e-6"), gammaParam], shape: "[..., c] -> [..., c]" },
  infer: (call) => {
    const { shape } = call.inputs[0];
    // With eps 0 some tokens give 0/0, and no claim can be about that.
    const eps = storedNumber(
      call,
      "eps",
      "above 0, and not so small that float32 makes 0 of it",
      (x) => x > 0,
    );
    if (eps === undefined) return undefined;
    const gamma = call.scales(shape[shape.length - 1]);
    return { config: { eps }, outputs: [shape], weights: { gamma } };
  },
  macs: () => 0,
  rules: {
    gain: (context, [input]) =>
      mappedThroughEps(context, input, context.weight("gamma"), context.config.eps, "LayerNorm and RMSNorm"),
    range: ({ config: { eps }, ranges: [input], outputs: [shape], weight }) => {
      const gamma = weight("gamma");
      const gains = { token: divUp(gamma.maxAbs, sqrtDown(eps)), linf: Infinity };
      const size = mulUp(gamma.maxAbs, sqrtUp(shape[shape.length - 1]));
      return [
        tokenwiseRange(input, shape, gains, { token: 0, linf: 0 }, { token: size, linf: size }, gamma.why),
      ];
    },
  },
  lower: ({ builder: b, inputs: [x], config: { eps }, weight }) => {
    const axis = x.shape.length - 1;
    const square = b.div(b.sum(b.mul(x, x), [axis], true), x.shape[axis]);
    return [b.mul(b.div(x, b.sqrt(b.add(square, eps))), weight("gamma"))];
  },
});
