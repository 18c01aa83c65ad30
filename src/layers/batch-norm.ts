import type { WeightFacts } from "../gain/facts.ts";
import { addUp, divUp, maxUp, mulUp, sqrtDown } from "../gain/up.ts";
import { defineLayer } from "./layer.ts";
import { epsParam, gammaParam } from "./layer-norm.ts";
import { allNorms, mapped, reason, storedNumber, tokenwiseRange } from "./pointwise.ts";

/** From 0 to the largest float32: of a variance below 0 the root is no number, and proofs about values after it are void. */
const variances = [0, 2 ** 128 - 2 ** 104] as const;

/**
 * BatchNorm (Ioffe and Szegedy, 2015, arXiv 1502.03167) at inference: per channel γ(x − μ)/√(v + ε) + β with the
 * running mean μ and variance v, which are weights that no gradient touches (role `statistic`, starting at 0 and 1).
 * `gains.md`, "BatchNorm".
 *
 * Gain: l2, token and linf max_c |γ_c|/√(v_c + ε): a diagonal map. In `always` v ≥ 0 is all that is known of it, so the
 * gain is |γ|/√ε where γ has a range, else ∞.
 * Claims are about this inference form; with batch statistics the samples of a batch mix and there is no gain of one
 * sample. The training form needs running statistics to be carried along by the training graph, which it doesn't yet.
 */
export const batchNorm = defineLayer<{ eps: number }>({
  name: "BatchNorm",
  summary: "each channel shifted and scaled by running statistics, then γ and β",
  signature: { tensors: ["x"], params: [epsParam("1e-5"), gammaParam], shape: "[..., c] -> [..., c]" },
  infer: (call) => {
    const { shape } = call.inputs[0];
    const channels = [shape[shape.length - 1]];
    const eps = storedNumber(call, "eps", "above 0", (x) => x > 0);
    if (eps === undefined) return undefined;
    const gamma = call.scales(channels[0]);
    const beta = call.weight("beta", { shape: channels, role: "bias", init: { kind: "zeros" } });
    const mean = call.weight("running_mean", { shape: channels, role: "statistic", init: { kind: "zeros" } });
    const variance = call.weight("running_var", {
      shape: channels,
      role: "statistic",
      init: { kind: "ones" },
      range: variances,
    });
    return {
      config: { eps },
      outputs: [shape],
      weights: { gamma, beta, running_mean: mean, running_var: variance },
    };
  },
  macs: () => 0,
  untrainable: "BatchNorm's running statistics are not carried along by the training graph yet",
  rules: {
    gain: (context, [input]) => {
      const [gamma, variance] = [context.weight("gamma"), context.weight("running_var")];
      const why =
        gamma.why ??
        variance.why ??
        reason("a running variance of `BatchNorm` plus eps may be 0", context, "CenterNorm");
      return mapped(context, input, allNorms(factor(gamma, variance, context.config.eps)), "BatchNorm", why);
    },
    range: ({ config: { eps }, ranges: [input], outputs: [shape], weight }) => {
      const [gamma, beta, mean] = [weight("gamma"), weight("beta"), weight("running_mean")];
      const gain = factor(gamma, weight("running_var"), eps);
      // y = s⊙x + (β − s⊙μ) with |s| ≤ gain.
      const bias = {
        token: addUp(beta.frobenius, mulUp(gain, mean.frobenius)),
        linf: addUp(beta.maxAbs, mulUp(gain, mean.maxAbs)),
      };
      const why = input.why ?? gamma.why ?? weight("running_var").why ?? beta.why ?? mean.why;
      return [tokenwiseRange(input, shape, { token: gain, linf: gain }, bias, undefined, why)];
    },
  },
  lower: ({ builder: b, inputs: [x], config: { eps }, weight, training }) => {
    if (training) throw new Error("BatchNorm can't be lowered for training: see its `untrainable`");
    const scale = b.div(weight("gamma"), b.sqrt(b.add(weight("running_var"), eps)));
    return [b.add(b.mul(b.sub(x, weight("running_mean")), scale), weight("beta"))];
  },
});

/** ≥ max_c |γ_c|/√(v_c + ε): channel by channel where the entries are known. */
function factor(gamma: WeightFacts, variance: WeightFacts, eps: number): number {
  const g = gamma.values;
  const v = variance.values;
  if (g === null || v === null) return over(gamma.maxAbs, variance.low, eps);
  const count = Math.max(g.length, v.length);
  const at = (list: readonly number[], i: number): number => list[list.length === 1 ? 0 : i];
  return maxUp(...Array.from({ length: count }, (_, i) => over(Math.abs(at(g, i)), at(v, i), eps)));
}

function over(gamma: number, variance: number, eps: number): number {
  const sum = -addUp(-variance, -eps);
  return sum > 0 ? divUp(gamma, sqrtDown(sum)) : Infinity;
}
