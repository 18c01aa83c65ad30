/** All constraints, and what the training graph does with the weights that have one. */
import { diagnostic } from "../../diagnostics/diagnostic.ts";
import { bad, good, type Result } from "../../diagnostics/result.ts";
import type { Constraint, Weight } from "../../model/model.ts";
import type { Builder, Tensor } from "../builder.ts";
import { sizeOf } from "../primitives/arrays.ts";
import { aol } from "./aol.ts";
import type { Parametrisation } from "./constraint.ts";
import { frobenius } from "./frobenius.ts";
import { orthogonal } from "./orthogonal.ts";
import { unitRms, unitRows } from "./unit-rows.ts";

type Kind = Exclude<Constraint["kind"], "none">;

const parametrisations: Partial<Record<Kind, Parametrisation<never>>> = {
  aol,
  frobenius,
  orthogonal,
  unit_rms: unitRms,
  unit_rows: unitRows,
};

/** The weight that the network uses, in the free tensor's shape. */
export function effectiveWeight(builder: Builder, weight: Weight, free: Tensor): Result<Tensor> {
  const { constraint } = weight;
  if (constraint.kind === "none" || sizeOf(weight.shape) === 0) return good(free);
  const made = parametrisations[constraint.kind];
  if (made) return good(onMatrix(builder, free, (w) => made.effective(builder, w, constraint as never)));
  const what = `The constraint \`${constraint.kind}\` of \`${weight.path}\``;
  const reason = "no parametrisation of it is compiled so far";
  return bad(
    diagnostic(
      "not-executable",
      weight.span,
      { what, reason },
      { help: "use orthogonal, aol, frobenius, unit_rows or none" },
    ),
  );
}

/** The free tensor after a step of the optimiser: retracted where its constraint wants that, else as it is. */
export function retracted(builder: Builder, { constraint, shape }: Weight, free: Tensor): Tensor {
  if (constraint.kind === "none" || sizeOf(shape) === 0) return free;
  const retract = parametrisations[constraint.kind]?.retract;
  return retract ? onMatrix(builder, free, (w) => retract(builder, w)) : free;
}

/** Applies to a tensor as the matrix (out, everything else); a scalar is 1 × 1. */
function onMatrix(builder: Builder, free: Tensor, apply: (w: Tensor) => Tensor): Tensor {
  const rows = free.shape[0] ?? 1;
  const matrix = builder.reshape(free, [rows, sizeOf(free.shape) / rows]);
  return builder.reshape(apply(matrix), free.shape);
}
