/** All constraints, and what the training graph does with the weights that have one. trust: T14 */
import type { Constraint, Weight } from "../../model/model.ts";
import type { Builder, Tensor } from "../builder.ts";
import { sizeOf } from "../primitives/arrays.ts";
import { aol } from "./aol.ts";
import type { Parametrisation } from "./constraint.ts";
import { frobenius } from "./frobenius.ts";
import { l1 } from "./l1.ts";
import { operator } from "./operator.ts";
import { orthogonal } from "./orthogonal.ts";
import { rms, spectral } from "./spectral.ts";
import { unitRms, unitRows } from "./unit-rows.ts";

type Kind = Exclude<Constraint["kind"], "none">;

const parametrisations: { readonly [K in Kind]: Parametrisation<never> } = {
  aol,
  frobenius,
  l1,
  operator,
  orthogonal,
  rms,
  spectral,
  unit_rms: unitRms,
  unit_rows: unitRows,
};

/** The weight that the network uses, in the free tensor's shape. */
export function effectiveWeight(builder: Builder, { constraint, shape }: Weight, free: Tensor): Tensor {
  if (constraint.kind === "none" || sizeOf(shape) === 0) return free;
  const { effective } = parametrisations[constraint.kind];
  return onMatrix(builder, free, (w) => effective(builder, w, constraint as never, shape));
}

/** The free tensor after a step of the optimiser: retracted where its constraint wants that, else as it is. */
export function retracted(builder: Builder, { constraint, shape }: Weight, free: Tensor): Tensor {
  if (constraint.kind === "none" || sizeOf(shape) === 0) return free;
  const { retract } = parametrisations[constraint.kind];
  return retract ? onMatrix(builder, free, (w) => retract(builder, w)) : free;
}

/** Applies to a tensor as the matrix (out, everything else); a scalar is 1 × 1. */
function onMatrix(builder: Builder, free: Tensor, apply: (w: Tensor) => Tensor): Tensor {
  const rows = free.shape[0] ?? 1;
  const matrix = builder.reshape(free, [rows, sizeOf(free.shape) / rows]);
  return builder.reshape(apply(matrix), free.shape);
}
