/** Parametrised weights as Python: the formulas of src/graph/constraints/, which say and prove what each guarantees. */
import { budget, densities, squarings } from "../../../graph/constraints/symbol.ts";
import type { Constraint, Weight } from "../../../model/model.ts";
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

const within: Helper = {
  name: "within",
  source: `
def within(weight: Tensor, bound: float, norm) -> Tensor:
    """The weight, scaled down where norm says that it may be longer than bound. norm sees entries in [-1, 1] and gives
    1e-12 or more; the divisor cancels, so no gradient flows through it."""
    m = weight.abs().amax().detach().clamp_min(1e-12)
    small = weight / m
    return small * torch.minimum(bound / norm(small), m)`.trim(),
};

const frobenius: Helper = {
  name: "frobenius",
  needs: [within],
  source: `
def frobenius(weight: Tensor, bound: float) -> Tensor:
    """The nearest weight whose Frobenius norm is at most bound."""
    return within(weight, bound, lambda w: w.square().sum().clamp_min(1e-12).sqrt())`.trim(),
};

/** Products of matrices in bfloat16 would be off by up to 0.4 %. */
const fullPrecision: Helper = {
  name: "full_precision",
  source: `
def full_precision(constraint):
    """Runs a parametrisation outside of autocast, whatever the layers compute in."""

    def constrained(weight: Tensor, *args) -> Tensor:
        with torch.autocast(weight.device.type, enabled=False):
            return constraint(weight, *args)

    return constrained`.trim(),
};

const gram: Helper = {
  name: "gram",
  source: `
def gram(w: Tensor) -> Tensor:
    """The smaller of WᵀW and WWᵀ."""
    return w @ w.T if w.shape[0] < w.shape[1] else w.T @ w`.trim(),
};

const bjorck: Helper = {
  name: "bjorck",
  source: `
def bjorck(x: Tensor, g: Tensor) -> Tensor:
    """X(3I - XᵀX)/2, given the smaller Gram matrix: singular values s become (3s - s³)/2 (Björck & Bowie 1971)."""
    return 1.5 * x - 0.5 * (g @ x if x.shape[0] < x.shape[1] else x @ g)`.trim(),
};

const polar: Helper = {
  name: "polar",
  needs: [matrixOf, fullPrecision, gram, bjorck],
  source: `
@full_precision
def polar(weight: Tensor, steps: int) -> Tensor:
    """The matrix, scaled to norm √2 or less, after Björck steps towards its polar factor: norm at most 1."""
    w = as_matrix(weight)
    w = w / (w.abs().amax().detach() * 1e-12).clamp_min(1.0)
    g = gram(w)
    square = (g.abs().sum(1).amax() * 0.5).clamp_min(1.0)
    w = bjorck(w / square.sqrt(), g / square)
    for _ in range(steps - 1):
        w = bjorck(w, gram(w))
    return w.reshape(weight.shape)`.trim(),
};

const spectralBound: Helper = {
  name: "spectral_bound",
  needs: [gram],
  source: `
def spectral_bound(w: Tensor) -> Tensor:
    """A number that the largest singular value is never above, by Gram iteration (Delattre et al. 2023,
    arXiv 2305.16173). Divisors only keep numbers in range: they cancel, so no gradient flows through them."""
    g = gram(w)
    sizes = []
    for _ in range(5):
        sizes.append(g.square().sum().clamp_min(1e-30).sqrt().detach())
        g = g / sizes[-1]
        g = g @ g
    root = torch.minimum(g.square().sum().clamp_min(1e-30).sqrt(), g.abs().sum(1).amax()).clamp_min(1e-30)
    for n in reversed(sizes):
        root = n * root.sqrt()
    return root.clamp_min(1e-12).sqrt()`.trim(),
};

const spectral: Helper = {
  name: "spectral",
  needs: [matrixOf, fullPrecision, within, spectralBound],
  source: `
@full_precision
def spectral(weight: Tensor, bound: float) -> Tensor:
    """The weight, scaled down where its largest singular value as a matrix may be above bound."""
    return within(weight, bound, lambda w: spectral_bound(as_matrix(w)))`.trim(),
};

const rms: Helper = {
  name: "rms",
  needs: [matrixOf, fullPrecision, within, spectralBound],
  source: `
@full_precision
def rms(weight: Tensor, bound: float) -> Tensor:
    """As spectral, with the norm counted between root mean squares: times √(in/out)."""
    rows, columns = as_matrix(weight).shape
    return within(weight, bound, lambda w: (spectral_bound(as_matrix(w)).square() * columns / rows).sqrt())`.trim(),
};

const frequencyGrid: Helper = {
  name: "frequency_grid",
  source: `
def frequency_grid(n: int, rows: int, columns: int) -> tuple[Tensor, float] | None:
    """cos + sin of θ·t for one of each frequency θ and -θ of a grid and all shifts t, and how far the norm of a symbol may
    rise between its points: 1/cos² per axis (Bernstein, Szegő). None where so many products of matrices would cost too much."""
    shifts = rows * columns
    for density in (${densities.join(", ")}):
        down, across = (max(1, density * (s - 1) // 2) for s in (rows, columns))
        half = [(y, x) for y in range(down) for x in range(across) if (y, x) <= (-y % down, -x % across)]
        count = len(half)
        if count * (${2 * squarings} * n**3 + shifts * n**2) <= ${budget.products} and count * shifts <= ${budget.phases}:
            break
    else:
        return None
    y, x = torch.tensor(half).T.unsqueeze(2)
    vertical = y * torch.arange(-(rows // 2), rows // 2 + 1) % down / float(down)
    horizontal = x * torch.arange(-(columns // 2), columns // 2 + 1) % across / float(across)
    angles = 2 * math.pi * (vertical.double()[:, :, None] + horizontal.double()[:, None, :]).flatten(1)
    axes = (rows > 1) + (columns > 1)
    return angles.cos() + angles.sin(), math.cos(math.pi / (2 * density)) ** (-2 * axes) * (1 + shifts * 2**-44)`.trim(),
};

const hermitianNorms: Helper = {
  name: "hermitian_norms",
  source: `
def hermitian_norms(h: Tensor) -> Tensor:
    """Numbers that the spectral norms of Hermitian matrices are never above, by Gram iteration; each given as the sum of its
    real and imaginary part. z(z + zᵀ) + zᵀ(z - zᵀ) is twice the square of z, written so."""
    sizes = []
    for _ in range(${squarings}):
        sizes.append(h.square().sum((1, 2)).clamp_min(1e-30).sqrt().detach())
        z = h / sizes[-1][:, None, None]
        h = z @ (z + z.mT) + z.mT @ (z - z.mT)
    norms = h.square().sum((1, 2)).clamp_min(1e-30).sqrt()
    for size in reversed(sizes):
        norms = size * (norms / 2).sqrt()
    return norms`.trim(),
};

const symbolBound: Helper = {
  name: "symbol_bound",
  needs: [frequencyGrid, hermitianNorms],
  source: `
def symbol_bound(correlation: Tensor) -> Tensor | None:
    """The square of a number that the norm of the convolution is never above, from its autocorrelation, by frequencies.
    Gradients flow through the largest one alone."""
    n, _, rows, columns = correlation.shape
    grid = frequency_grid(n, rows, columns)
    if grid is None:
        return None
    phases, between = grid[0].to(correlation), grid[1]
    shifts = correlation.reshape(n * n, rows * columns)

    def norms(phases: Tensor) -> Tensor:
        return hermitian_norms((phases @ shifts.T).reshape(-1, n, n))

    with torch.no_grad():
        largest = norms(phases).argmax().reshape(1)
    return norms(phases.index_select(0, largest)).amax() * between`.trim(),
};

const convolutionBound: Helper = {
  name: "convolution_bound",
  needs: [matrixOf, spectralBound, symbolBound],
  source: `
def convolution_bound(kernel: Tensor) -> Tensor:
    """A number that the norm of the convolution is never above, on maps of any size: the smallest of √taps times the
    matrix's norm, the root of the largest row sum of the autocorrelation, and the bound by frequencies."""
    by_matrix = spectral_bound(as_matrix(kernel)).square()
    kernel = kernel if kernel.dim() == 4 else kernel.unsqueeze(2)
    height, width = kernel.shape[2:]
    side = kernel if kernel.shape[0] <= kernel.shape[1] else kernel.transpose(0, 1)
    correlation = F.conv2d(side, side, padding=(height - 1, width - 1))
    square = correlation.abs().sum((1, 2, 3)).amax()
    by_frequencies = symbol_bound(correlation)
    if by_frequencies is not None:
        square = torch.minimum(square, by_frequencies)
    return torch.minimum(height * width * by_matrix, square.clamp_min(1e-12)).sqrt()`.trim(),
};

const operator: Helper = {
  name: "operator",
  needs: [fullPrecision, within, convolutionBound],
  source: `
@full_precision
def operator(weight: Tensor, bound: float) -> Tensor:
    """The kernel, scaled down where the norm of its convolution may be above bound."""
    return within(weight, bound, convolution_bound)`.trim(),
};

const l1: Helper = {
  name: "l1",
  needs: [matrixOf, within],
  source: `
def l1(weight: Tensor, bound: float) -> Tensor:
    """Every row scaled down where the sum of its absolute entries is above bound."""
    rows = within(as_matrix(weight), bound, lambda w: w.abs().sum(1, keepdim=True).clamp_min(1e-12))
    return rows.reshape(weight.shape)`.trim(),
};

const aol: Helper = {
  name: "aol",
  needs: [matrixOf, inverseRoot, fullPrecision],
  source: `
@full_precision
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

const bounded: Readonly<Record<string, Helper>> = { frobenius, l1, operator, rms, spectral };

/** A callable from the free to the effective weight; null: the free one itself. */
export function constraintOf(constraint: Constraint, use: (helper: Helper) => string): string | null {
  switch (constraint.kind) {
    case "none":
      return null;
    case "aol":
      return use(aol);
    case "orthogonal":
      return `lambda w: ${use(polar)}(w, 1)`;
    case "unit_rows":
      return use(unitRows);
    case "unit_rms":
      return use(unitRms);
    default:
      return `lambda w: ${use(bounded[constraint.kind])}(w, ${float(constraint.bound)})`;
  }
}

/** The function that retracts a free weight after a step, as an expression of `weight`; null: none. */
export function retractionOf({ constraint }: Weight, use: (helper: Helper) => string): string | null {
  return constraint.kind === "orthogonal" ? `${use(polar)}(weight, 2)` : null;
}
