import { divUp, mulUp, sqrtDown, sqrtUp } from "../gain/up.ts";
import { defineLayer, type ParamSignature } from "./layer.ts";
import { mappedThroughEps, storedNumber, tokenwiseRange } from "./pointwise.ts";

export const epsParam = (value: string): ParamSignature => ({
  name: "eps",
  type: "real",
  default: value,
  doc: "added inside the root; the gain rests on it",
});

/** γ of a norm, read by Call.scales. */
export const gammaParam: ParamSignature = {
  name: "gamma",
  type: "Coefficient",
  optional: true,
  doc: "learned(…) of the scales, with their range; else as the weights policy says",
};

/**
 * LayerNorm (Ba et al., 2016, arXiv 1607.06450): γ ⊙ (x − mean)/√(var + ε) + β over the d channels of a token, var the
 * mean of (x − mean)². `gains.md`, "LayerNorm and RMSNorm".
 *
 * Gain: l2 and token ‖γ‖∞/√ε, ε the stored number. Proof: with z = Cx, C the orthogonal projection I − 11ᵀ/d, the
 * normalised value is n(z) = z/√(‖z‖²/d + ε). Its derivative is r⁻¹(I − zzᵀ/(d·r²)) with r² = ‖z‖²/d + ε, symmetric
 * with eigenvalues r⁻¹ and r⁻¹·ε/r² (because 1 − ‖z‖²/(d·r²) = ε/r²), all in (0, 1/√ε]. Integrate along the segment
 * between two inputs. Attained at a token with equal channels. The same with the unbiased variance, whose r² is
 * larger. ε = 0 is refused: equal channels would give 0/0. Only ε makes the layer Lipschitz: 316 at 1e−5; counting it
 * as 1 is a known defect of tools.
 *
 * Range: |n_c| ≤ √(d−1), because z_c² ≤ (d−1)·Σ_{j≠c} z_j² for Σz = 0, so z_c²·d/(d−1) ≤ ‖z‖² and
 * n_c² ≤ d·z_c²/‖z‖² ≤ d − 1; ‖n‖ ≤ √d. The spread forgets β, which is one constant token.
 */
export const layerNorm = defineLayer<{ eps: number }>({
  name: "LayerNorm",
  summary: "each token normalised over its channels, then γ and β",
  signature: { tensors: ["x"], params: [epsParam("1e-5"), gammaParam], shape: "[..., c] -> [..., c]" },
  infer: (call) => {
    const { shape } = call.inputs[0];
    const channels = shape[shape.length - 1];
    // With eps 0 some tokens give 0/0, and no claim can be about that.
    const eps = storedNumber(
      call,
      "eps",
      "above 0, and not so small that float32 makes 0 of it",
      (x) => x > 0,
    );
    if (eps === undefined) return undefined;
    const gamma = call.scales(channels);
    const beta = call.weight("beta", { shape: [channels], role: "bias", init: { kind: "zeros" } });
    return { config: { eps }, outputs: [shape], weights: { gamma, beta } };
  },
  macs: () => 0,
  rules: {
    gain: (context, [input]) =>
      mappedThroughEps(context, input, context.weight("gamma"), context.config.eps, "LayerNorm and RMSNorm"),
    range: ({ config: { eps }, ranges: [input], outputs: [shape], weight }) => {
      const [gamma, beta] = [weight("gamma"), weight("beta")];
      const d = shape[shape.length - 1];
      const gain = divUp(gamma.maxAbs, sqrtDown(eps));
      const gains = { token: gain, linf: Infinity };
      const bias = { token: beta.frobenius, linf: beta.maxAbs };
      const always = { token: mulUp(gamma.maxAbs, sqrtUp(d)), linf: mulUp(gamma.maxAbs, sqrtUp(d - 1)) };
      return [tokenwiseRange(input, shape, gains, bias, always, gamma.why ?? beta.why)];
    },
  },
  lower: ({ builder: b, inputs: [x], config: { eps }, weight }) => {
    const axis = x.shape.length - 1;
    const d = x.shape[axis];
    const centred = b.sub(x, b.div(b.sum(x, [axis], true), d));
    const variance = b.div(b.sum(b.mul(centred, centred), [axis], true), d);
    const normal = b.div(centred, b.sqrt(b.add(variance, eps)));
    return [b.add(b.mul(normal, weight("gamma")), weight("beta"))];
  },
});
