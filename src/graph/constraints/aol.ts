/**
 * `aol`: W·D with D = diag(d), d_j = (Σ_i |WᵀW|_ij)^(−1/2) (Prach & Lampert 2022, arXiv 2208.03160). A zero column stays
 * zero. Of a kernel it is the reshaped matrix that is scaled, not the convolution.
 *
 * Fact: ‖WD‖₂ ≤ 1. Proof: let G = WᵀW and a = |G|, S = diag(Σ_i a_ij). S − G is symmetric and in each row the diagonal
 * entry S_jj − G_jj = Σ_{i≠j} a_ij ≥ the sum of the absolute others, so it is positive semidefinite (Gershgorin), and
 * D(S − G)D = I − (WD)ᵀ(WD) on the columns that aren't zero.
 */
import type { Parametrisation } from "./constraint.ts";
import { inverseRoot, sized } from "./scale.ts";

export const aol: Parametrisation = {
  effective(builder, w) {
    // (W/m)·D(W/m) = W·D(W).
    const small = sized(builder, w);
    const sums = builder.sum(builder.abs(builder.matmul(small, small, true, false)), [0], true);
    return builder.mul(small, inverseRoot(builder, sums));
  },
};
