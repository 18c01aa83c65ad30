/** Parametrised weights as Python: the formulas of src/graph/constraints.ts. */
import type { Constraint } from "../../../model/model.ts";
import type { Helper } from "../emission.ts";
import { float } from "../python.ts";

const matrixOf: Helper = {
  name: "as_matrix",
  source: `
def as_matrix(weight: Tensor) -> Tensor:
    """A weight as (out, everything else)."""
    return weight.reshape(weight.shape[0] if weight.dim() > 0 else 1, -1)`.trim(),
};

const inverseRoot: Helper = {
  name: "inverse_root",
  source: `
def inverse_root(x: Tensor) -> Tensor:
    """1/√x, and 0 where x vanishes; its gradient is finite in both cases."""
    return torch.where(x > 1e-30, torch.rsqrt(x.clamp_min(1e-30)), torch.zeros_like(x))`.trim(),
};

const aol: Helper = {
  name: "aol",
  needs: [matrixOf, inverseRoot],
  source: `
def aol(weight: Tensor) -> Tensor:
    """The matrix with columns scaled by (Σ|WᵀW|)^(-1/2): norm at most 1 (Prach & Lampert 2022, arXiv 2208.03160)."""
    w = as_matrix(weight)
    return (w * inverse_root((w.T @ w).abs().sum(0, keepdim=True))).reshape(weight.shape)`.trim(),
};

const unitRows: Helper = {
  name: "unit_rows",
  needs: [matrixOf, inverseRoot],
  source: `
def unit_rows(weight: Tensor) -> Tensor:
    """Every row divided by its length."""
    w = as_matrix(weight)
    return (w * inverse_root(w.square().sum(1, keepdim=True))).reshape(weight.shape)`.trim(),
};

const unitRms: Helper = {
  name: "unit_rms",
  needs: [matrixOf, inverseRoot],
  source: `
def unit_rms(weight: Tensor) -> Tensor:
    """Every row divided by the root of its mean square."""
    w = as_matrix(weight)
    return (w * inverse_root(w.square().mean(1, keepdim=True))).reshape(weight.shape)`.trim(),
};

const frobenius: Helper = {
  name: "frobenius",
  source: `
def frobenius(weight: Tensor, bound: float) -> Tensor:
    """The nearest weight whose Frobenius norm is at most bound."""
    length = weight.square().sum().sqrt()
    return weight * (bound / length.clamp_min(bound))`.trim(),
};

/** A callable from the free to the effective weight; undefined where there is none in PyTorch yet. */
export function constraintOf(
  constraint: Constraint,
  use: (helper: Helper) => string,
): string | null | undefined {
  switch (constraint.kind) {
    case "none":
      return null;
    case "aol":
      return use(aol);
    case "unit_rows":
      return use(unitRows);
    case "unit_rms":
      return use(unitRms);
    case "frobenius":
      return `lambda w: ${use(frobenius)}(w, ${float(constraint.bound)})`;
    default:
      return undefined;
  }
}
