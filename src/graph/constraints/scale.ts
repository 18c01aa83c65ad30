/** Scalings that parametrisations share. */
import type { Builder, Tensor } from "../builder.ts";

/** Below this a sum of squares counts as zero: a normal float32 still. */
const tiny = 1e-30;

/** 1/√s where s is not tiny, else 0; gradients stay finite in both cases. */
export function inverseRoot(builder: Builder, s: Tensor): Tensor {
  const safe = builder.maximum(s, tiny);
  return builder.select(builder.greater(s, tiny), builder.div(1, builder.sqrt(safe)), 0);
}

/** The largest absolute entry of a matrix, a scalar. Taken as a constant by autodiff: callers use it where it cancels. */
export function largestEntry(builder: Builder, w: Tensor): Tensor {
  return builder.fixed(builder.max(builder.abs(w), [0, 1]));
}

/**
 * W/m with m > 0 the largest absolute entry, of the matrix or of each row: for what doesn't depend on the size of W, or of its
 * rows. Squares of the result stay in float32; autodiff takes m as a constant, which is exact because m cancels.
 */
export function sized(builder: Builder, w: Tensor, of: "matrix" | "rows" = "matrix"): Tensor {
  const most = builder.max(builder.abs(w), of === "rows" ? [1] : [0, 1], true);
  return builder.div(w, builder.fixed(builder.maximum(most, least)));
}

/** Floor of divisors and norms in `within`: their squares, and quotients by them, stay in float32. */
export const least = 1e-12;

/**
 * Into the ball of radius c of a norm: (W/m)·min(m, c/r), that is W·c/max(c, m·r), with m the largest absolute entry and
 * r ≥ the norm of W/m. Proof: ‖W‖ ≤ m·r, so ‖W‖·c/max(c, m·r) ≤ c. Weights shorter than c stay as they are.
 *
 * Whatever number m > 0 is, the result is the same: it keeps all else in float32 for weights of any size, and autodiff takes
 * it as a constant. `norm` gives r of a matrix with entries in [−1, 1], at least `least`: a scalar, or one per row.
 */
export function within(builder: Builder, w: Tensor, c: number, norm: (small: Tensor) => Tensor): Tensor {
  const m = builder.fixed(builder.maximum(largestEntry(builder, w), least));
  const small = builder.div(w, m);
  return builder.mul(small, builder.minimum(builder.div(c, norm(small)), m));
}
