/**
 * DepthwiseConv: every channel convolved with its own kernels; weight (c·multiplier, 1, k, k), output channel
 * c·multiplier + j from input channel c, as in PyTorch.
 *
 * Gain ("DepthwiseConv"). w_c the kernel of channel c, m_a as in Conv; ‖w_c‖ₚ over its taps:
 *   l2: min(max_c ‖w_c‖₁, √(∏m_a)·max_c ‖w_c‖₂)     l2→token: max_c ‖w_c‖₂
 *   token: min(√(∏k_a)·max_c ‖w_c‖₂, Σ_t max_c |w_c,t|)     linf: max_c ‖w_c‖₁     l2→linf: max_c ‖w_c‖₂
 * With multiplier M, in l2, token and l2→token ‖w_c‖ stands for (Σ_{j≤M} ‖w_cj‖²)^½, at most √M times the
 * largest kernel's and at most the Frobenius norm. Σ_t max_c |w_c,t| is bounded by ∏k_a·max|w|.
 * Proof. Channels don't mix, so l2 is the largest norm of one channel's operator. That is at most ‖w_c‖₁
 * (Young, or the sum of its taps, each a restriction of norm 1) and, by Conv's proof with σ = ‖w_c‖₂, at most
 * √(∏m_a)‖w_c‖₂. One output token: Σ_c (Σ_t w_ct x_tc)² ≤ Σ_c ‖w_c‖₂² Σ_t x_tc² ≤ max‖w_c‖₂²·‖patch‖², with
 * ‖patch‖ as in Conv. By taps: ‖Σ_t diag(w_t) x_t‖ ≤ Σ_t max_c|w_ct|·max_t‖x_t‖. The M outputs of a channel
 * add in squares (all entries but linf).
 * Source: proof above; one kernel per channel: Sedghi et al. 2019 (arXiv 1805.10408).
 */
import { channelsOf, tokensOf } from "../gain/gain.ts";
import { minBound, mulUp, sqrtUp, sumUp } from "../gain/up.ts";
import { affineRules } from "./affine.ts";
import { requireRank } from "./check.ts";
import { byTaps, convolve, kernelShape, torusOf, windowParams, windowsOf } from "./conv.ts";
import { spectralOf, weightParams } from "./linear.ts";
import { defineLayer } from "./layer.ts";
import { mixPositions, paysAsMatrix } from "./toeplitz.ts";
import { mostReads, mostTaps, overlap, overPositions, slide } from "./windows.ts";

type DepthwiseConfig = {
  readonly kernel: number;
  readonly stride: number;
  readonly padding: number;
  readonly dilation: number;
  readonly multiplier: number;
  readonly bias: boolean;
};

export const depthwiseConv = defineLayer<DepthwiseConfig>({
  name: "DepthwiseConv",
  summary: "A convolution of every channel with its own kernel, zero padded.",
  signature: {
    tensors: ["x"],
    params: [
      ...windowParams,
      { name: "multiplier", type: "int", default: "1", doc: "kernels per channel" },
      ...weightParams,
    ],
    shape: "[h, w, c] -> [h', w', multiplier * c]",
  },
  infer(call) {
    const w = windowsOf(call);
    const multiplier = call.int("multiplier");
    if (!requireRank(call, "DepthwiseConv", [2, 3], "a map or a sequence", "[h, w, c] or [n, c]"))
      return undefined;
    const shape = call.inputs[0].shape;
    const positions = slide(call, "DepthwiseConv", shape, w);
    if (!positions) return undefined;
    const width = channelsOf(shape) * multiplier;
    const bias = call.wantsBias();
    const kernel = kernelShape(width, 1, w.kernel, shape.length);
    const weights: Record<string, number> = {
      weight: call.weight("weight", { shape: kernel, role: "depthwise", overlapping: overlap(shape, w) }),
    };
    if (bias) weights.bias = call.weight("bias", { shape: [width], role: "bias" });
    return { config: { ...w, multiplier, bias }, outputs: [[...positions, width]], weights };
  },
  macs: ({ config, shapes, outputs }) =>
    tokensOf(outputs[0]) * channelsOf(outputs[0]) * config.kernel ** (shapes[0].length - 1),
  rules: affineRules("DepthwiseConv", ({ config, shapes, ...context }) => {
    const weight = context.weight("weight");
    const norm = minBound(weight.rowNorm, spectralOf(weight));
    const several = sqrtUp(config.multiplier);
    const joint = minBound(mulUp(several, norm), weight.frobenius);
    const reads = sqrtUp(overPositions(shapes[0], (size) => mostReads(size, config)));
    const count = overPositions(shapes[0], (size) => mostTaps(size, config));
    const sum = minBound(weight.rowSum, mulUp(sqrtUp(config.kernel ** (shapes[0].length - 1)), norm));
    const kernel = weight.stored?.kernel;
    const together = config.multiplier;
    const everyTap = mulUp(mulUp(several, count), weight.maxAbs);
    const tapSum = kernel ? minBound(everyTap, sumUp(kernel.taps(together))) : everyTap;
    const l2 = minBound(mulUp(several, sum), mulUp(reads, joint));
    return {
      stated: {
        l2: kernel ? minBound(l2, byTaps(kernel, shapes[0], config, together)) : l2,
        token: minBound(mulUp(sqrtUp(count), joint), tapSum),
        "l2->token": joint,
        linf: sum,
        "l2->linf": norm,
      },
      ...(config.padding === 0 ? { spread: minBound(mulUp(sqrtUp(count), joint), tapSum) } : {}),
      bias: config.bias ? context.weight("bias") : null,
      why: weight.why,
    };
  }),
  channels: ({ config, shapes: [shape], weight }) =>
    config.multiplier === 1
      ? {
          kind: "channels",
          rows: channelsOf(shape),
          columns: channelsOf(shape),
          weight: weight("weight"),
          torus: torusOf(shape, config),
          dilation: config.dilation,
        }
      : undefined,
  lower(context) {
    const { builder, config, inputs, shapes, outputs } = context;
    const y =
      config.multiplier === 1 && paysAsMatrix(shapes[0], outputs[0])
        ? mixPositions(builder, inputs[0], context.weight("weight"), config)
        : convolve(context, inputs[0], context.weight("weight"), config, channelsOf(shapes[0]));
    return [config.bias ? builder.add(y, context.weight("bias")) : y];
  },
});
