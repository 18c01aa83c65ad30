/**
 * Upper bound of a convolution's norm by its frequencies, as graph nodes.
 *
 * The convolution C with stride 1 on the whole grid has the norm max_θ ‖F(θ)‖₂ of its symbol F(θ) = Σ_t W_t e^{iθ·t}
 * (Plancherel), and ‖F(θ)‖₂² = ‖G(θ)‖₂ with G(θ) = Σ_t A(t)e^{iθ·t} the symbol of the autocorrelation A, Hermitian.
 *
 * Between the points of a grid: |uᴴF(θ)v| is along each axis the modulus of a trigonometric polynomial of degree
 * (k − 1)/2, so with M points the maximum is at most 1/cos(π(k − 1)/(2M)) times the largest value on the grid, for each
 * axis (Bernstein, Szegő; proof in docs/gains.md, "Conv"). With M = p(k − 1) that is 1/cos(π/(2p)).
 *
 * One real matrix holds a Hermitian one: H = Re G + Im G has Re G as its symmetric part and Im G as its antisymmetric one,
 * so ‖H‖_F = ‖G‖_F, and G² is H·Re G + Hᵀ·Im G. It is the Hartley transform H(θ) = Σ_t A(t)·(cos θ·t + sin θ·t).
 *
 * Rounding of the phases: engines store the nearest float32 to what was computed for cos θ·t + sin θ·t, off by at most
 * 2⁻²⁴ + 125u < 2⁻²³·0.51, which moves G by at most 2⁻²³·1.02·Σ_t‖A(t)‖₂ ≤ 2⁻²³·1.02·T·‖C‖², T the number of shifts.
 * `between` is raised for that, and for its own rounding to float32.
 */
import { addUp, divUp, mulUp, nextDown } from "../../gain/up.ts";
import type { Builder, Tensor } from "../builder.ts";
import { least } from "./scale.ts";

/** Squarings of each G(θ). The Schatten norm of order 128 of F(θ) is left: at most n^(1/128) too large. */
export const squarings = 5;

/** Divisors stay normal float32 numbers; only a (nearly) zero matrix has less. */
const tiny = 1e-30;

/** Points for each degree of freedom of an axis, k − 1: 8 keep 98 % per axis, 4 keep 92 %. */
export const densities = [8, 7, 6, 5, 4];

/** What the frequencies of one kernel may cost: multiply-adds, and phases to store. */
export const budget = { products: 6e9, phases: 2 ** 20 };

/**
 * b ≥ ‖C‖₂, a scalar, from the autocorrelation (n, n, 2h − 1, 2w − 1) of a kernel with entries in [−1, 1]; at least 10⁻⁶.
 * null where the frequencies would cost too much.
 *
 * The gradient is that of the largest frequency alone: its matrix is made and squared once more, and autodiff passes
 * through that, so no other one has a backward pass.
 */
export function symbolBound(builder: Builder, autocorrelation: Tensor): Tensor | null {
  const [n, , rows, columns] = autocorrelation.shape;
  const grid = gridOf(n, rows, columns);
  if (!grid) return null;
  const shifts = builder.reshape(autocorrelation, [n * n, rows * columns]);
  const norms = (phases: Tensor): Tensor => {
    const symbols = builder.matmul(phases, shifts, false, true);
    return hermitianNorms(builder, builder.reshape(symbols, [phases.shape[0], n, n]));
  };
  const bound = (square: Tensor): Tensor =>
    builder.sqrt(builder.maximum(builder.mul(builder.max(square, [0]), grid.between), least));
  const phases = builder.constant(grid.phases, [grid.count, rows * columns]);
  const squares = norms(phases);
  const standIn = bound(norms(builder.matmul(firstLargest(builder, squares), phases)));
  return builder.differentiatedAs(bound(squares), standIn);
}

/**
 * ≥ ‖G‖₂ for each Hermitian G of a batch of H (count, n, n): Gram iteration as in gram.ts. Z = H/m holds G/m, and
 * Z(Z + Zᵀ) + Zᵀ(Z − Zᵀ) holds 2(G/m)², so ‖G‖₂ = m·√(‖that‖₂/2), whatever number m > 0 is.
 */
function hermitianNorms(builder: Builder, symbols: Tensor): Tensor {
  const [count] = symbols.shape;
  let h = symbols;
  const sizes: Tensor[] = [];
  for (let i = 0; i < squarings; i++) {
    const m = builder.arbitrary(frobeniusNorms(builder, h));
    sizes.unshift(m);
    const z = builder.div(h, builder.reshape(m, [count, 1, 1]));
    const turned = builder.transpose(z, [0, 2, 1]);
    h = builder.add(
      builder.matmul(z, builder.add(z, turned)),
      builder.matmul(z, builder.sub(z, turned), true),
    );
  }
  let norm = frobeniusNorms(builder, h);
  for (const m of sizes) norm = builder.mul(m, builder.sqrt(builder.mul(norm, 0.5)));
  return norm;
}

function frobeniusNorms(builder: Builder, h: Tensor): Tensor {
  return builder.sqrt(builder.maximum(builder.sum(builder.mul(h, h), [1, 2]), tiny));
}

/** (1, count): 1 at the first of the largest entries, else 0. */
function firstLargest(builder: Builder, x: Tensor): Tensor {
  const [count] = x.shape;
  const among = (y: Tensor): Tensor => builder.cast(builder.equal(y, builder.max(y, [0], true)), "f32");
  const places = builder.constant(
    Float64Array.from({ length: count }, (_, i) => count - i),
    [count],
  );
  return builder.reshape(among(builder.mul(among(x), places)), [1, count]);
}

interface Grid {
  readonly count: number;
  /** cos θ·t + sin θ·t for each frequency and shift, row-major. */
  readonly phases: Float64Array;
  /** How far ‖G‖₂ may rise between the points, as a factor. */
  readonly between: number;
}

const grids = new Map<string, Grid | null>();

/** Equal kernels share one grid, so that a graph stores its phases once. */
function gridOf(n: number, rows: number, columns: number): Grid | null {
  const key = `${n} ${rows} ${columns}`;
  let grid = grids.get(key);
  if (grid === undefined) grids.set(key, (grid = densestGrid(n, [rows, columns])));
  return grid;
}

function densestGrid(n: number, shifts: readonly [number, number]): Grid | null {
  const [rows, columns] = shifts;
  const taps = rows * columns;
  for (const density of densities) {
    // k taps have 2k − 1 shifts.
    const points = shifts.map((s) => Math.max(1, (density * (s - 1)) / 2)) as [number, number];
    const frequencies = halfOf(points);
    const count = frequencies.length;
    const products = count * (2 * squarings * n ** 3 + taps * n ** 2);
    if (products > budget.products || count * taps > budget.phases) continue;
    return { count, phases: phasesOf(frequencies, points, shifts), between: betweenOf(density, shifts) };
  }
  return null;
}

/** One of each θ and −θ: a real kernel's F(−θ) is the conjugate of F(θ). */
function halfOf([down, across]: readonly [number, number]): [number, number][] {
  const all: [number, number][] = [];
  for (let y = 0; y < down; y++)
    for (let x = 0; x < across; x++) {
      const [oppositeY, oppositeX] = [(down - y) % down, (across - x) % across];
      if (y < oppositeY || (y === oppositeY && x <= oppositeX)) all.push([y, x]);
    }
  return all;
}

function phasesOf(
  frequencies: readonly (readonly [number, number])[],
  [down, across]: readonly [number, number],
  [rows, columns]: readonly [number, number],
): Float64Array {
  const phases = new Float64Array(frequencies.length * rows * columns);
  let at = 0;
  for (const [y, x] of frequencies)
    for (let t = 0; t < rows; t++)
      for (let s = 0; s < columns; s++) {
        const turns = turn(y * (t - (rows - 1) / 2), down) + turn(x * (s - (columns - 1) / 2), across);
        const angle = 2 * Math.PI * turns;
        // trust: T2
        phases[at++] = Math.cos(angle) + Math.sin(angle);
      }
  return phases;
}

/** j/points without its whole turns. */
function turn(j: number, points: number): number {
  return (((j % points) + points) % points) / points;
}

/**
 * ≥ g·1/(1 − 2⁻²³·1.02·T·g) with g = ∏1/cos²(π/(2p)) over the axes that have more than one tap, also as the nearest float32:
 * g < 1.38, so 1 + 2⁻²²·T is enough for the phases of up to 2²⁰ shifts (`budget`), and 2⁻²² more for the rounding.
 */
function betweenOf(density: number, shifts: readonly [number, number]): number {
  // trust: T2
  const cosine = nextDown(Math.cos(Math.PI / (2 * density)) - 2 ** -48);
  const axis = divUp(1, nextDown(cosine * cosine));
  const gaps = shifts.reduce((product, s) => (s === 1 ? product : mulUp(product, axis)), 1);
  return mulUp(gaps, addUp(1, (shifts[0] * shifts[1] + 1) * 2 ** -22));
}
