/**
 * `orthogonal`: one Björck step towards the polar factor of the free matrix (see polar.ts): semi-orthogonal where the
 * free matrix is, and never longer than that. A kernel counts as its matrix (out, everything else).
 *
 * Fact: ‖W‖₂ ≤ 1 for every finite free matrix. Proof: in polar.ts. That the other singular values are near 1 too is
 * training's business: after each step of the optimiser the free matrix is retracted, so it is orthogonal up to rounding
 * when the next forward pass reads it, and the gradient through the one step is the projection onto the tangent space,
 * dX − X·sym(XᵀdX).
 */
import type { Parametrisation } from "./constraint.ts";
import { polar } from "./polar.ts";

export const orthogonal: Parametrisation = {
  effective: (builder, w) => polar(builder, w, 1),
  retract: (builder, w) => polar(builder, w, 2),
};
