/**
 * `spectral(c)` and `rms(c)`: W·c/max(c, b) with b ≥ ‖W‖₂ by Gram iteration (gram.ts); for rms b·√(in/out) stands for b,
 * because ‖Wx‖_rms/‖x‖_rms ≤ ‖W‖₂·√(in/out). A kernel counts as its matrix (out, everything else).
 *
 * Fact: ‖W‖₂ ≤ c, for rms c·√(out/in). Proof: scale.ts, `within`. The root is taken in the graph: as a constant of it,
 * c·√(out/in) would be stored as the nearest float32, which may lie above.
 *
 * A ball, not a sphere: a weight shorter than c stays as it is, so that weight decay and small starts mean what they say.
 * The gradient flows through b. Taken as a constant, b would hide that the longest direction can't grow: the optimiser
 * would go on pushing it, and the division would shrink all others until the matrix has rank one.
 */
import type { Parametrisation } from "./constraint.ts";
import { spectralBound } from "./gram.ts";
import { within } from "./scale.ts";

export const spectral: Parametrisation<{ kind: "spectral"; bound: number }> = {
  effective: (builder, w, { bound }) => within(builder, w, bound, (small) => spectralBound(builder, small)),
};

export const rms: Parametrisation<{ kind: "rms"; bound: number }> = {
  effective(builder, w, { bound }) {
    const [rows, columns] = w.shape;
    return within(builder, w, bound, (small) => {
      const b = spectralBound(builder, small);
      return builder.sqrt(builder.div(builder.mul(builder.mul(b, b), columns), rows));
    });
  },
};
