/**
 * `frobenius(c)`: W·c/max(c, ‖W‖_F), the projection onto the ball of Frobenius norm c.
 *
 * Fact: ‖W‖₂ ≤ ‖W‖_F ≤ c. Proof: if ‖W‖_F ≤ c the factor is 1, else the norm becomes c. Norms of rows and entries
 * don't grow, because the factor is at most 1.
 */
import type { Parametrisation } from "./constraint.ts";
import { least, within } from "./scale.ts";

export const frobenius: Parametrisation<{ kind: "frobenius"; bound: number }> = {
  effective: (builder, w, { bound }) =>
    within(builder, w, bound, (small) =>
      builder.sqrt(builder.maximum(builder.sum(builder.mul(small, small), [0, 1]), least)),
    ),
};
