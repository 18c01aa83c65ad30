/**
 * `l1(c)`: every row scaled by c/max(c, ‖row‖₁).
 *
 * Fact: every row has l1 norm ≤ c; so W's gain in linf is ≤ c. Of a depthwise kernel a row is one channel's kernel, and
 * then the l2 and linf gains of the convolution are ≤ c (Young: ‖w ∗ x‖₂ ≤ ‖w‖₁‖x‖₂, padding with zeros and strides only
 * leave entries out). That is why `spectral(c)` on a depthwise kernel whose windows overlap is this constraint.
 */
import type { Parametrisation } from "./constraint.ts";
import { least, within } from "./scale.ts";

export const l1: Parametrisation<{ kind: "l1"; bound: number }> = {
  effective: (builder, w, { bound }) =>
    within(builder, w, bound, (small) => builder.maximum(builder.sum(builder.abs(small), [1], true), least)),
};
