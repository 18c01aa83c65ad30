/** Scales that a layer multiplies by and divides by again, stored as logarithms. */
import type { Builder, Tensor } from "../graph/builder.ts";

/** Where logarithms end in the graph: e^(2·20) is far from the ends of float32. */
const largestLog = 20;

/**
 * e^log > 0, the logarithm cut at ±20: a stored −104 would make it 0 in float32, and a layer whose proof lets such a scale
 * cancel would divide by nothing.
 */
export function positiveScale(b: Builder, log: Tensor): Tensor {
  return b.exp(b.minimum(b.maximum(log, -largestLog), largestLog));
}
