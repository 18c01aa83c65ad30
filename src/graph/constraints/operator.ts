/**
 * `operator(c)`: what `spectral(c)` is on the kernel of a convolution whose windows overlap: K·c/max(c, b) with b ≥ the
 * norm of the convolution as a map of whole images, not of the kernel's matrix.
 *
 * Fact: on maps of any size, with zero padding, any stride and any dilation, the convolution has l2 norm ≤ c; and so has
 * the kernel's matrix. b is the smallest of three bounds of the norm of C, the convolution with stride 1 on the whole grid:
 *
 * 1. √(taps)·‖K‖₂, K the matrix (out, in·taps): each position is read by at most `taps` windows (docs/gains.md, "Conv").
 * 2. √(max_i Σ_j,t |A_ij(t)|), A_ij(t) = Σ_o,s K_oi(s)·K_oj(s + t) the autocorrelation over all shifts, or the same on the
 *    side of outputs where that is smaller. Proof: A is the kernel of CᵀC (or of CCᵀ), which is symmetric, so its norm is
 *    at most its largest absolute row sum, and ‖C‖² = ‖CᵀC‖. This is the sum that AOL for convolutions divides by (Prach &
 *    Lampert 2022, arXiv 2208.03160), which is exact where the shifted kernels are orthogonal.
 *
 * A padded and strided convolution is R·C·E with E extending a map by zeros to the grid and R leaving positions out, both of
 * norm 1; dilation splits the grid into parts on each of which it is C. The matrix K is C seen from one patch by one output.
 */
import type { Builder, Tensor } from "../builder.ts";
import { sizeOf } from "../primitives/arrays.ts";
import type { Dims } from "../graph.ts";
import type { Parametrisation } from "./constraint.ts";
import { spectralBound } from "./gram.ts";
import { least, within } from "./scale.ts";
import { symbolBound } from "./symbol.ts";

export const operator: Parametrisation<{ kind: "operator"; bound: number }> = {
  effective: (builder, w, { bound }, shape) =>
    within(builder, w, bound, (small) =>
      Object.values(operatorBounds(builder, small, shape)).reduce((a, b) => builder.minimum(a, b)),
    ),
};

/** ≥ the norm of the convolution, of a kernel with entries in [−1, 1] as a matrix: each of the bounds that there are. */
export function operatorBounds(
  builder: Builder,
  small: Tensor,
  shape: Dims,
): { readonly matrix: Tensor; readonly rowSum: Tensor; readonly frequencies?: Tensor } {
  const taps = sizeOf(shape.slice(2));
  const b = spectralBound(builder, small);
  // √taps is no float32: the root is taken in the graph, of the squares.
  const matrix = builder.sqrt(builder.mul(builder.mul(b, b), taps));
  const correlation = autocorrelation(builder, builder.reshape(small, kernelOf(shape)));
  const rowSum = rowSumBound(builder, correlation);
  const frequencies = symbolBound(builder, correlation);
  return { matrix, rowSum, ...(frequencies ? { frequencies } : {}) };
}

/** (out, in, height, width); a sequence's kernel has height 1. */
function kernelOf([out, inner, ...taps]: Dims): Dims {
  return taps.length === 1 ? [out, inner, 1, taps[0]] : [out, inner, ...taps];
}

/** A_ij(t) of the side with fewer channels, (n, n, 2·height − 1, 2·width − 1). */
function autocorrelation(builder: Builder, kernel: Tensor): Tensor {
  const [out, inner, height, width] = kernel.shape;
  // One "image" per output (or input) channel, convolved with every other, at all shifts.
  const side = out <= inner ? kernel : builder.transpose(kernel, [1, 0, 2, 3]);
  return builder.conv(side, side, {
    stride: [1, 1],
    padding: [height - 1, width - 1, height - 1, width - 1],
    dilation: [1, 1],
    groups: 1,
  });
}

function rowSumBound(builder: Builder, correlation: Tensor): Tensor {
  const sums = builder.sum(builder.abs(correlation), [1, 2, 3]);
  return builder.sqrt(builder.maximum(builder.max(sums, [0]), least));
}
