import { divUp, mulUp } from "../gain/up.ts";
import { centreMatrix, diagonalMatrix, productOf } from "../gain/matrix.ts";
import { gammaParam } from "./layer-norm.ts";
import { defineLayer } from "./layer.ts";
import { mapped, tokenwiseRange } from "./pointwise.ts";
import { showShape } from "./check.ts";

/**
 * CenterNorm (Qi et al., 2023, arXiv 2304.09856): γ ⊙ d/(d−1)·(x − mean) + β, the mean over the d ≥ 2 channels.
 * `gains.md`, "CenterNorm".
 *
 * Gain: l2 and token ‖γ‖∞·d/(d−1); linf 2·‖γ‖∞. Proof: C = I − 11ᵀ/d is an orthogonal projection, of norm 1, so
 * ‖γ ⊙ d/(d−1)·Cδ‖ ≤ ‖γ‖∞·d/(d−1)·‖δ‖ for each token; squares add up over tokens. The absolute row sum of
 * d/(d−1)·C is d/(d−1)·((d−1)/d + (d−1)/d) = 2. Both are attained where |γ_c| is the same for all c.
 * The lowering divides by d and by d − 1, which float32 holds exactly, so the rule is about the stored numbers.
 */
export const centerNorm = defineLayer({
  name: "CenterNorm",
  summary: "channels minus their mean, times d/(d − 1), then γ and β",
  signature: { tensors: ["x"], params: [gammaParam], shape: "[..., c] -> [..., c], c at least 2" },
  infer: (call) => {
    const { shape } = call.inputs[0];
    const channels = shape[shape.length - 1];
    if (!(channels >= 2)) {
      call.fail("too-few-channels", { layer: "CenterNorm", least: 2, found: showShape(shape) });
      return undefined;
    }
    const gamma = call.scales(channels);
    const beta = call.weight("beta", { shape: [channels], role: "bias", init: { kind: "zeros" } });
    return { config: {}, outputs: [shape], weights: { gamma, beta } };
  },
  macs: () => 0,
  rules: {
    gain: (context, [input]) => {
      const [shape] = context.shapes;
      const gamma = context.weight("gamma");
      const { token, linf } = gains(shape[shape.length - 1], gamma.maxAbs);
      return mapped(context, input, { l2: token, token, linf }, "CenterNorm", gamma.why);
    },
    range: ({ ranges: [input], outputs: [shape], weight }) => {
      const [gamma, beta] = [weight("gamma"), weight("beta")];
      const bias = { token: beta.frobenius, linf: beta.maxAbs };
      const why = input.why ?? gamma.why ?? beta.why;
      return [
        tokenwiseRange(input, shape, gains(shape[shape.length - 1], gamma.maxAbs), bias, undefined, why),
      ];
    },
  },
  tokenwise({ shapes: [shape], weight }) {
    const d = shape[shape.length - 1];
    return [[{ input: 0, matrix: productOf(diagonalMatrix(d, weight("gamma")), centreMatrix(d)) }]];
  },
  lower: ({ builder: b, inputs: [x], weight }) => {
    const axis = x.shape.length - 1;
    const d = x.shape[axis];
    const centred = b.sub(x, b.div(b.sum(x, [axis], true), d));
    const gamma = b.div(b.mul(weight("gamma"), d), d - 1);
    return [b.add(b.mul(centred, gamma), weight("beta"))];
  },
});

function gains(d: number, gamma: number): { token: number; linf: number } {
  return { token: mulUp(gamma, divUp(d, d - 1)), linf: mulUp(2, gamma) };
}
