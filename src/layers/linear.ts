/**
 * Linear: y_t = W x_t + b for every token t, W of shape (width, c) as in PyTorch.
 *
 * Gain ("Linear"). With σ ≥ ‖W‖₂:
 *   l2, token: σ          linf: largest row sum of absolute values ‖W‖_∞          token→linf: largest row norm
 * Proof. δy_t = W δx_t, so ‖δy_t‖₂ ≤ σ‖δx_t‖₂ for every token: the maximum over t is the token entry, the
 * root of the sum of squares over t the l2 entry. |δy_tc| = |w_c·δx_t| ≤ ‖w_c‖₁‖δx_t‖_∞ (Hölder) and ≤
 * ‖w_c‖₂‖δx_t‖₂ (Cauchy–Schwarz). The bias cancels in a difference. Attained by the right singular vector of
 * σ on one token.
 * Range: R_q ≤ G·R plus the bias; R° ≤ σR°, because the constant token k goes to the constant token Wk + b.
 * Source: Szegedy et al. 2014 (arXiv 1312.6199) §4.3; Golub & Van Loan §2.3.
 */
import type { WeightFacts } from "../gain/facts.ts";
import { weightMatrix } from "../gain/matrix.ts";
import { channelsOf, tokensOf } from "../gain/gain.ts";
import { minBound } from "../gain/up.ts";
import type { Tensor } from "../graph/builder.ts";
import { affineRules } from "./affine.ts";
import { requireRank } from "./check.ts";
import { defineLayer, type LowerContext, type ParamSignature } from "./layer.ts";

/** Arguments of every layer with a main weight; `bias`, `init` and `constraint` are read by Call.weight. */
export const weightParams: readonly ParamSignature[] = [
  {
    name: "bias",
    type: "bool",
    optional: true,
    doc: "whether a bias is added; else as the weights policy says",
  },
  { name: "init", type: "Init", optional: true, doc: "initialiser; else as the weights policy says" },
  {
    name: "constraint",
    type: "Constraint",
    optional: true,
    doc: "constraint; else as the weights policy says",
  },
];

/** σ of a weight reshaped to (out, everything else). */
export function spectralOf(facts: WeightFacts): number {
  return minBound(facts.spectral, facts.frobenius);
}

/** x Wᵀ + b on the last axis: one matrix product over all leading axes. `weight` is (out, in). */
export function lowerLinear(context: LowerContext<{}>, x: Tensor, weight: Tensor, hasBias: boolean): Tensor {
  const { builder } = context;
  const leading = x.shape.slice(0, -1);
  const rows = leading.reduce((a, b) => a * b, 1);
  const product = builder.matmul(builder.reshape(x, [rows, weight.shape[1]]), weight, false, true);
  const y = hasBias ? builder.add(product, context.weight("bias")) : product;
  return builder.reshape(y, [...leading, weight.shape[0]]);
}

type LinearConfig = { readonly width: number; readonly bias: boolean };

export const linear = defineLayer<LinearConfig>({
  name: "Linear",
  summary: "A matrix applied to each token, plus a bias.",
  signature: {
    tensors: ["x"],
    params: [{ name: "width", type: "int", doc: "channels of the result" }, ...weightParams],
    shape: "[..., c] -> [..., width]",
  },
  infer(call) {
    const width = call.int("width");
    if (!requireRank(call, "Linear", [1, 2, 3], "the channels of each token", "[..., c]")) return undefined;
    const shape = call.inputs[0].shape;
    const bias = call.wantsBias();
    const weights: Record<string, number> = {
      weight: call.weight("weight", { shape: [width, channelsOf(shape)], role: "matrix" }),
    };
    if (bias) weights.bias = call.weight("bias", { shape: [width], role: "bias" });
    return { config: { width, bias }, outputs: [[...shape.slice(0, -1), width]], weights };
  },
  macs: ({ config, shapes }) => tokensOf(shapes[0]) * channelsOf(shapes[0]) * config.width,
  rules: affineRules("Linear", (context) => {
    const weight = context.weight("weight");
    const sigma = spectralOf(weight);
    return {
      stated: { l2: sigma, token: sigma, linf: weight.rowSum, "token->linf": weight.rowNorm },
      spread: sigma,
      bias: context.config.bias ? context.weight("bias") : null,
      why: weight.why,
    };
  }),
  tokenwise: ({ weight }) => [[{ input: 0, matrix: weightMatrix(weight("weight")) }]],
  lower: (context) => [
    lowerLinear(context, context.inputs[0], context.weight("weight"), context.config.bias),
  ],
});
