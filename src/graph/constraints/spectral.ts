/**
 * `spectral(c)` and `rms(c)`: W·c/max(c, b) with b ≥ ‖W‖₂ by Gram iteration (gram.ts); for rms c·√(out/in) stands for c,
 * because ‖Wx‖_rms/‖x‖_rms ≤ ‖W‖₂·√(in/out). A kernel counts as its matrix (out, everything else).
 *
 * Fact: ‖W‖₂ ≤ c. Proof: ‖W‖₂·c/max(c, b) ≤ b·c/max(c, b) ≤ c.
 *
 * A ball, not a sphere: a weight shorter than c stays as it is, so that weight decay and small starts mean what they say.
 * The gradient flows through b. Taken as a constant, b would hide that the longest direction can't grow: the optimiser
 * would go on pushing it, and the division would shrink all others until the matrix has rank one.
 */
import type { Builder, Tensor } from "../builder.ts";
import type { Parametrisation } from "./constraint.ts";
import { spectralBound } from "./gram.ts";

export const spectral: Parametrisation<{ kind: "spectral"; bound: number }> = {
  effective: (builder, w, { bound }) => within(builder, w, spectralBound(builder, w), bound),
};

export const rms: Parametrisation<{ kind: "rms"; bound: number }> = {
  effective(builder, w, { bound }) {
    const [rows, columns] = w.shape;
    return within(builder, w, spectralBound(builder, w), bound * Math.sqrt(rows / columns));
  },
};

/** W·c/max(c, b): into the ball of radius c of a norm of which b is an upper bound. */
export function within(builder: Builder, w: Tensor, b: Tensor, c: number): Tensor {
  return builder.mul(w, builder.div(c, builder.maximum(b, c)));
}
