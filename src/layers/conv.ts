/**
 * Conv: a convolution over one or two position axes with zero padding; weight (width, c, k, k), or (width, c,
 * k) for sequences, as in PyTorch. Output (o) = b + Σ_taps W_t x_(o·stride + t·dilation − padding), zero
 * outside of the map.
 *
 * Gain ("Conv"). σ ≥ ‖K‖₂ of the kernel reshaped to (width, c·k·k); k_a taps, s stride, δ dilation along axis
 * a; m_a = ⌈k_a·g/s⌉ with g = gcd(s, δ), and never more than the number of outputs along a:
 *   l2: √(∏m_a)·σ     token: √(∏k_a)·σ     l2→token: σ
 *   linf: largest row sum of |K|     l2→linf: largest row norm     token→linf: √(∏k_a) times it
 * Proof. An output token is K applied to the patch of positions that its window reads (zeros in the padding),
 * so its norm is at most σ‖patch‖. ‖patch‖ ≤ ‖δx‖ gives l2→token; a patch has at most ∏k_a tokens (and at
 * most all of the map), so ‖patch‖ ≤ √(∏k_a)·‖δx‖_token. Σ over outputs of ‖patch‖² counts every position as
 * often as windows read it. Output o and tap t read position e iff o·s + t·δ = e; that fixes t modulo s/g,
 * and k consecutive t hold at most ⌈k/(s/g)⌉ of a residue class. Rows: Hölder and Cauchy–Schwarz. The
 * spectral norm of the reshaped kernel being 1 does not make the operator norm 1: 7×7 at stride 1 can reach
 * 7. With k = s (patch embedding) l2 is σ. Where the kernel's constraint bounds the map itself (`spectral(c)` on windows
 * that overlap), l2 is also at most that (src/graph/constraints/operator.ts).
 * Range: zero padding takes a constant map to one that differs at the border, so R° passes only without
 * padding.
 * Source: Sedghi, Gupta & Long 2019 (arXiv 1805.10408) for the operator, Singla & Feizi 2021 (arXiv
 * 1911.10258) for bounds by reshaped kernels; the count with dilation: proof above.
 */
import type { KernelFacts } from "../gain/facts.ts";
import { channelsOf, tokensOf } from "../gain/gain.ts";
import { weightMatrix } from "../gain/matrix.ts";
import { addUp, hypotUp, minBound, mulUp, sqrtUp, sumUp } from "../gain/up.ts";
import type { Tensor } from "../graph/builder.ts";
import type { Shape } from "../model/model.ts";
import { affineRules } from "./affine.ts";
import { requireRank } from "./check.ts";
import { lowerLinear, spectralOf, weightParams } from "./linear.ts";
import { defineLayer, type Call, type LowerContext, type ParamSignature } from "./layer.ts";
import { mostReads, mostTaps, overlap, overPositions, slide, type Windows } from "./windows.ts";

export const windowParams: readonly ParamSignature[] = [
  { name: "kernel", type: "int", doc: "taps along each position axis" },
  { name: "stride", type: "int", default: "1", doc: "positions from one window to the next" },
  {
    name: "padding",
    type: "int",
    optional: true,
    doc: "zeros on each side; (kernel - 1) / 2 · dilation unless given",
  },
  { name: "dilation", type: "int", default: "1", doc: "positions from one tap to the next" },
];

/** The windows of a convolution; the default padding keeps an odd kernel centred. */
export function windowsOf(call: Call): Windows {
  const kernel = call.int("kernel");
  const stride = call.int("stride");
  const dilation = call.int("dilation");
  if (call.has("padding")) return { kernel, stride, dilation, padding: call.int("padding", 0) };
  const twice = (kernel - 1) * dilation;
  if (twice % 2 !== 0) call.fail("even-kernel", { kernel, default: `(${kernel} - 1) / 2 = ${twice / 2}` });
  return { kernel, stride, dilation, padding: Math.floor(twice / 2) };
}

/** x as [batch, c, h, w] (h = 1 for sequences), convolved, and back to channels last. */
export function convolve(
  { builder, batch, outputs }: LowerContext<{}>,
  x: Tensor,
  kernel: Tensor,
  w: Windows,
  groups: number,
): Tensor {
  const { stride, padding, dilation } = w;
  if (x.shape.length === 3) {
    const [, n, c] = x.shape;
    const map = builder.reshape(builder.transpose(x, [0, 2, 1]), [batch, c, 1, n]);
    const [out, depth, k] = kernel.shape;
    const y = builder.conv(map, builder.reshape(kernel, [out, depth, 1, k]), {
      stride: [1, stride],
      padding: [0, padding, 0, padding],
      dilation: [1, dilation],
      groups,
    });
    return builder.transpose(builder.reshape(y, [batch, out, outputs[0][0]]), [0, 2, 1]);
  }
  const y = builder.conv(builder.transpose(x, [0, 3, 1, 2]), kernel, {
    stride: [stride, stride],
    padding: [padding, padding, padding, padding],
    dilation: [dilation, dilation],
    groups,
  });
  return builder.transpose(y, [0, 2, 3, 1]);
}

/** Patches that don't overlap, each flattened as the kernel is: [batch, positions…, c·k·k] (c slowest). */
function patches({ builder, batch, outputs }: LowerContext<{}>, x: Tensor, k: number): Tensor {
  const positions = outputs[0].slice(0, -1);
  let whole = x;
  positions.forEach((count, axis) => (whole = builder.slice(whole, axis + 1, 0, count * k)));
  const c = x.shape[x.shape.length - 1];
  if (positions.length === 1) {
    const cut = builder.reshape(whole, [batch, positions[0], k, c]);
    return builder.reshape(builder.transpose(cut, [0, 1, 3, 2]), [batch, positions[0], c * k]);
  }
  const [h, w] = positions;
  const cut = builder.reshape(whole, [batch, h, k, w, k, c]);
  return builder.reshape(builder.transpose(cut, [0, 1, 3, 5, 2, 4]), [batch, h, w, c * k * k]);
}

/** Every stride-th position. */
function sampled({ builder }: LowerContext<{}>, x: Tensor, stride: number): Tensor {
  let y = x;
  for (let axis = 1; axis < x.shape.length - 1; axis++) y = builder.slice(y, axis, 0, x.shape[axis], stride);
  return y;
}

export function kernelShape(out: number, depth: number, kernel: number, rank: number): Shape {
  return [out, depth, ...new Array<number>(rank - 1).fill(kernel)];
}

/**
 * ≥ the l2 norm from the taps themselves, known at a checkpoint: the convolution written out as a matrix where its map is
 * small; else by classes of taps that read positions of one residue modulo the stride, and by the frequencies of the
 * circular convolution on a torus large enough (proofs in docs/gains.md, "Conv").
 */
export function byTaps(kernel: KernelFacts, shape: Shape, w: Windows, together: number): number {
  const written = kernel.onMap(shape.slice(0, -1), w, together);
  if (written < Infinity) return written;
  return minBound(
    byClasses(kernel.taps(together), shape.length - 1, w),
    kernel.circular(torusOf(shape, w), w.dilation, together),
  );
}

/** Positions per axis of a torus on which the zero-padded map doesn't meet itself. */
export function torusOf(shape: Shape, w: Windows): readonly number[] {
  return shape.slice(0, -1).map((n) => n + Math.min(w.padding, (w.kernel - 1) * w.dilation));
}

/** (Σ over classes of (Σ of the class's ‖W_t‖₂)²)^½. */
function byClasses(taps: readonly number[], axes: number, { kernel, stride, dilation }: Windows): number {
  const sums = new Map<string, number>();
  taps.forEach((norm, t) => {
    const at = axes === 1 ? [t] : [Math.floor(t / kernel), t % kernel];
    const key = at.map((i) => (i * dilation) % stride).join();
    sums.set(key, addUp(sums.get(key) ?? 0, norm));
  });
  return hypotUp(...sums.values());
}

type ConvConfig = {
  readonly width: number;
  readonly kernel: number;
  readonly stride: number;
  readonly padding: number;
  readonly dilation: number;
  readonly bias: boolean;
};

export const conv = defineLayer<ConvConfig>({
  name: "Conv",
  summary: "A convolution over the position axes, zero padded.",
  signature: {
    tensors: ["x"],
    params: [{ name: "width", type: "int", doc: "channels of the result" }, ...windowParams, ...weightParams],
    shape: "[h, w, c] -> [h', w', width]",
  },
  infer(call) {
    const width = call.int("width");
    const w = windowsOf(call);
    if (!requireRank(call, "Conv", [2, 3], "a map or a sequence", "[h, w, c] or [n, c]")) return undefined;
    const shape = call.inputs[0].shape;
    const positions = slide(call, "Conv", shape, w);
    if (!positions) return undefined;
    const bias = call.wantsBias();
    const kernel = kernelShape(width, channelsOf(shape), w.kernel, shape.length);
    const weights: Record<string, number> = {
      weight: call.weight("weight", { shape: kernel, role: "kernel", overlapping: overlap(shape, w) }),
    };
    if (bias) weights.bias = call.weight("bias", { shape: [width], role: "bias" });
    return { config: { width, ...w, bias }, outputs: [[...positions, width]], weights };
  },
  // Taps in the padding are counted, as everywhere in the literature.
  macs: ({ config, shapes, outputs }) =>
    tokensOf(outputs[0]) * config.width * channelsOf(shapes[0]) * config.kernel ** (shapes[0].length - 1),
  rules: affineRules("Conv", ({ config, shapes, ...context }) => {
    const weight = context.weight("weight");
    const sigma = spectralOf(weight);
    const reads = sqrtUp(overPositions(shapes[0], (size) => mostReads(size, config)));
    const taps = sqrtUp(overPositions(shapes[0], (size) => mostTaps(size, config)));
    const kernel = weight.stored?.kernel;
    const l2 = minBound(mulUp(reads, sigma), weight.operator ?? Infinity);
    // Windows that don't overlap and lie inside of the map are the kernel's matrix and nothing else.
    const slides = reads > 1 || config.padding > 0;
    return {
      stated: {
        l2: slides && kernel ? minBound(l2, byTaps(kernel, shapes[0], config, 1)) : l2,
        token: taps > 1 && kernel ? minBound(mulUp(taps, sigma), sumUp(kernel.taps(1))) : mulUp(taps, sigma),
        "l2->token": sigma,
        linf: weight.rowSum,
        "l2->linf": weight.rowNorm,
        "token->linf": mulUp(taps, weight.rowNorm),
      },
      ...(config.padding === 0 ? { spread: mulUp(taps, sigma) } : {}),
      bias: config.bias ? context.weight("bias") : null,
      why: weight.why,
    };
  }),
  tokenwise: ({ config: { kernel, stride, padding }, weight }) =>
    kernel === 1 && stride === 1 && padding === 0
      ? [[{ input: 0, matrix: weightMatrix(weight("weight")) }]]
      : undefined,
  lower(context) {
    const { builder, config, inputs } = context;
    const [x] = inputs;
    const weight = context.weight("weight");
    const { kernel, stride, padding } = config;
    if (padding === 0 && (kernel === 1 || (kernel === stride && config.dilation === 1))) {
      // A matrix on each patch: one matrix product is faster than a convolution with its two transpositions.
      const tokens = kernel === 1 ? sampled(context, x, stride) : patches(context, x, kernel);
      const matrix = builder.reshape(weight, [config.width, tokens.shape[tokens.shape.length - 1]]);
      return [lowerLinear(context, tokens, matrix, config.bias)];
    }
    const y = convolve(context, x, weight, config, 1);
    return [config.bias ? builder.add(y, context.weight("bias")) : y];
  },
});
