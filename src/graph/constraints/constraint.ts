/**
 * What a constraint is in the graph: a parametrisation. The optimiser moves a free tensor, the network uses what is
 * computed from it here, and that satisfies the constraint in real arithmetic for EVERY finite free tensor. Each file of
 * this folder states the fact and proves it; `src/gain/weights.ts` is where the analysis reads it.
 */
import type { Constraint } from "../../model/model.ts";
import type { Builder, Tensor } from "../builder.ts";
import type { Dims } from "../graph.ts";

export interface Parametrisation<C extends Constraint = Constraint> {
  /**
   * The weight that the network uses, from the free one; both reshaped to (out, everything else), without zero sizes.
   * `shape` is what it was before.
   */
  effective(builder: Builder, free: Tensor, constraint: C, shape: Dims): Tensor;
  /**
   * Where a step of the optimiser has led the free matrix, it is brought back to a place from which `effective` has
   * little left to do. Serves accuracy alone: the fact never rests on it. Left out: the free tensor stays where it is.
   */
  retract?(builder: Builder, free: Tensor): Tensor;
}
