/** Parametrised weights: what the optimiser moves is the free tensor, what the network uses is computed from it here. */
import { diagnostic } from "../diagnostics/diagnostic.ts";
import { bad, good, type Result } from "../diagnostics/result.ts";
import type { Constraint, Weight } from "../model/model.ts";
import type { Builder, Tensor } from "./builder.ts";
import { sizeOf } from "./primitives/arrays.ts";

/** Below this a row or column counts as zero: its norm's square is still a normal float32. */
const tiny = 1e-30;

/** The weight that the network uses, in the free tensor's shape. */
export function effectiveWeight(builder: Builder, weight: Weight, free: Tensor): Result<Tensor> {
  const { constraint } = weight;
  if (constraint.kind === "none" || sizeOf(weight.shape) === 0) return good(free);
  const rows = weight.shape[0] ?? 1;
  const matrix = builder.reshape(free, [rows, sizeOf(weight.shape) / rows]);
  const made = constrain(builder, constraint, matrix);
  if (made) return good(builder.reshape(made, weight.shape));
  const what = `The constraint \`${constraint.kind}\` of \`${weight.path}\``;
  const reason = "no parametrisation of it is compiled so far";
  return bad(
    diagnostic(
      "not-executable",
      weight.span,
      { what, reason },
      { help: "use aol, frobenius, unit_rows or none" },
    ),
  );
}

/** On the weight reshaped to (out, everything else); null where there is no lowering yet. */
function constrain(builder: Builder, constraint: Constraint, w: Tensor): Tensor | null {
  switch (constraint.kind) {
    case "frobenius": {
      // Onto the ball: ‖W‖₂ ≤ ‖W‖_F ≤ bound.
      const norm = builder.sqrt(builder.sum(builder.mul(w, w), [0, 1]));
      return builder.mul(w, builder.div(constraint.bound, builder.maximum(norm, constraint.bound)));
    }
    case "unit_rows":
      return builder.mul(w, inverseRoot(builder, builder.sum(builder.mul(w, w), [1], true)));
    case "unit_rms":
      return builder.mul(w, inverseRoot(builder, builder.mean(builder.mul(w, w), [1], true)));
    case "aol": {
      // Columns scaled by d_j = (Σ_i |WᵀW|_ij)^(−1/2): Prach & Lampert 2022, arXiv 2208.03160; zero columns stay zero.
      const [out, inner] = w.shape;
      const sums = builder.sum(builder.abs(builder.matmul(w, w, true, false)), [0], true);
      return inner === 0 || out === 0 ? w : builder.mul(w, inverseRoot(builder, sums));
    }
    default:
      return null;
  }
}

/** 1/√s where s is not tiny, else 0; gradients stay finite in both cases. */
function inverseRoot(builder: Builder, s: Tensor): Tensor {
  const safe = builder.maximum(s, tiny);
  return builder.select(builder.greater(s, tiny), builder.div(1, builder.sqrt(safe)), 0);
}
