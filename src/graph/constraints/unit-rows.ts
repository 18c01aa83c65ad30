/**
 * `unit_rows` and `unit_rms`: every row (the weights of one output) divided by its l2 norm, or by the root of the mean
 * of its squares. Zero rows stay zero.
 *
 * Fact: every row has l2 norm ≤ 1, or ≤ √columns; so ‖W‖₂ ≤ ‖W‖_F ≤ √rows times that. Salimans & Kingma 2016
 * (arXiv 1602.07868) with the length fixed.
 */
import type { Parametrisation } from "./constraint.ts";
import { inverseRoot, sized } from "./scale.ts";

export const unitRows: Parametrisation = {
  effective(builder, w) {
    const small = sized(builder, w, "rows");
    return builder.mul(small, inverseRoot(builder, builder.sum(builder.mul(small, small), [1], true)));
  },
};

export const unitRms: Parametrisation = {
  effective(builder, w) {
    const small = sized(builder, w, "rows");
    return builder.mul(small, inverseRoot(builder, builder.mean(builder.mul(small, small), [1], true)));
  },
};
