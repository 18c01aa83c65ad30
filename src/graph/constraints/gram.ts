/**
 * Upper bounds of operator norms by Gram iteration (Delattre et al. 2023, arXiv 2305.16173), as graph nodes. Power
 * iteration would bound from below and prove nothing.
 */
import type { Builder, Tensor } from "../builder.ts";
import { gram, largestRowSum } from "./polar.ts";
import { least } from "./scale.ts";

/**
 * Matrix products per bound. 6 leave a Gaussian matrix of 64 to 512 rows 99.5 % of its allowed norm or more, one with half
 * of its singular values equal to the largest 97 %.
 */
const products = 6;

/** Divisors stay normal float32 numbers; only a (nearly) zero matrix has less. */
const tiny = 1e-30;

/**
 * b ≥ ‖W‖₂, a scalar, for a matrix with entries in [−1, 1]. G₁ is the smaller Gram matrix of W, Gᵢ₊₁ = (Gᵢ/nᵢ)ᵀ(Gᵢ/nᵢ) with
 * nᵢ = ‖Gᵢ‖_F, and b = √(n₁√(n₂√(… √u))), u = min(‖G_k‖_F, ‖G_k‖_∞); at least 10⁻⁶.
 *
 * Proof. ‖AᵀA‖₂ = ‖A‖₂², so ‖Gᵢ₊₁‖₂ = (‖Gᵢ‖₂/nᵢ)², that is ‖Gᵢ‖₂ = nᵢ√‖Gᵢ₊₁‖₂, whatever number nᵢ > 0 is; and
 * ‖G_k‖₂ ≤ ‖G_k‖_F and ≤ the largest absolute row sum ‖G_k‖_∞. ‖W‖₂ = √‖G₁‖₂. The nᵢ only keep the numbers where float32
 * has them: they cancel, so autodiff takes them as constants and the gradient is still exact.
 *
 * With u the Frobenius norm it is the Schatten norm of order 2^(k+1), at most n^(1/2^(k+1)) too large. The row sum is
 * exact for orthogonal matrices, where that is worst.
 */
export function spectralBound(builder: Builder, w: Tensor): Tensor {
  let g = gram(builder, w);
  const sizes: Tensor[] = [];
  for (let i = 1; i < products; i++) {
    const n = builder.arbitrary(builder.maximum(frobeniusNorm(builder, g), tiny));
    sizes.unshift(n);
    const small = builder.div(g, n);
    g = gram(builder, small);
  }
  let root = builder.maximum(builder.minimum(frobeniusNorm(builder, g), largestRowSum(builder, g)), tiny);
  for (const n of sizes) root = builder.mul(n, builder.sqrt(root));
  return builder.sqrt(builder.maximum(root, least));
}

/** ‖A‖_F; its gradient at 0 is 0. */
function frobeniusNorm(builder: Builder, a: Tensor): Tensor {
  return builder.sqrt(builder.maximum(builder.sum(builder.mul(a, a), [0, 1]), tiny));
}
