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
