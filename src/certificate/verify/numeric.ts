/**
 * Norms of stored matrices, proven from their entries in float64 with every rounding counted (u = 2⁻⁵³,
 * γ_k = k·u/(1 − k·u); Higham 2002, chapters 3 and 10). Each answers whether a stated number is an upper bound for certain.
 * Shares no code with src/measure.
 */

import { choleskyEnds, gramOf } from "./products.ts";

const u = 2 ** -53;

/** Read from memory, so that no compiler decides it beforehand. */
const smallest = Float64Array.of(2 ** -1074);

/** Whether numbers below 2⁻¹⁰²² are numbers, as all of this page takes for granted: a native library can turn them off. trust: T1 */
export const keepsSubnormals = (): boolean => smallest[0] > 0 && smallest[0] / 2 === 0;

/** A little above γ_k, as a float64. */
export function gamma(k: number): number {
  const ku = k * u;
  return ku < 0.01 ? (ku / (1 - ku)) * (1 + 4 * u) : Infinity;
}

/** Rows of a matrix one after the other. */
export interface Dense {
  readonly rows: number;
  readonly columns: number;
  readonly entries: Float64Array | Float32Array;
}

/** ≥ a·(1 + γ) for a sum of k rounded terms that are each ≥ 0, itself rounded once more; each may have underflown. */
function raised(sum: number, k: number): number {
  return sum * (1 + gamma(k + 4)) * (1 + 4 * u) + (k + 4) * Number.MIN_VALUE;
}

/** A bias at its start: its norms are 0 exactly, and a certificate may say so. */
const isZero = ({ entries }: Dense): boolean => entries.every((x) => x === 0);

function largest(rows: number, of: (row: number) => number): number {
  let most = 0;
  for (let r = 0; r < rows; r++) {
    const x = of(r);
    // What is no number has no largest.
    if (Number.isNaN(x)) return NaN;
    if (x > most) most = x;
  }
  return most;
}

/** ≥ √x. */
const rootAbove = (x: number): number => Math.sqrt(x) * (1 + 4 * u);

export function transposed({ rows, columns, entries }: Dense): Float64Array {
  const turned = new Float64Array(rows * columns);
  for (let r = 0; r < rows; r++)
    for (let c = 0; c < columns; c++) turned[c * rows + r] = entries[r * columns + c];
  return turned;
}

/** The largest absolute entry, exactly. */
export function maxAbs({ entries }: Dense): number {
  return largest(entries.length, (i) => Math.abs(entries[i]));
}

/** ≥ the largest l1 norm of a row; exact for columns. */
export function rowSum(m: Dense): number {
  const { rows, columns, entries } = m;
  if (columns === 1 || isZero(m)) return maxAbs(m);
  return largest(rows, (r) => {
    let sum = 0;
    for (let c = 0; c < columns; c++) sum += Math.abs(entries[r * columns + c]);
    return raised(sum, columns);
  });
}

/** ≥ Σx² of a row. */
function squareOf({ columns, entries }: Dense, row: number): number {
  let sum = 0;
  for (let c = 0; c < columns; c++) sum += entries[row * columns + c] ** 2;
  return raised(sum, columns + 1);
}

/** ≥ the largest l2 norm of a row; exact for columns. */
export function rowNorm(m: Dense): number {
  return m.columns === 1 || isZero(m) ? maxAbs(m) : rootAbove(largest(m.rows, (r) => squareOf(m, r)));
}

/** ≥ the Frobenius norm: sums of rows first, so that few roundings follow each other. Exact for one entry. */
export function frobenius(m: Dense): number {
  if (m.entries.length === 1 || isZero(m)) return maxAbs(m);
  let sum = 0;
  for (let r = 0; r < m.rows; r++) sum += squareOf(m, r);
  return rootAbove(raised(sum, m.rows));
}

/** ≥ the largest distance of two rows. */
export function rowDistance({ rows, columns, entries }: Dense): number {
  const most = largest(rows, (i) =>
    largest(i, (j) => {
      let sum = 0;
      for (let c = 0; c < columns; c++) sum += (entries[i * columns + c] - entries[j * columns + c]) ** 2;
      return sum;
    }),
  );
  return most === 0 && isZero({ rows, columns, entries }) ? 0 : rootAbove(raised(most, columns + 3));
}

/** ≥ the largest distance of two entries of one column. */
export function columnSpread({ rows, columns, entries }: Dense): number {
  return largest(columns, (c) => {
    let [low, high] = [Infinity, -Infinity];
    for (let r = 0; r < rows; r++) {
      low = Math.min(low, entries[r * columns + c]);
      high = Math.max(high, entries[r * columns + c]);
    }
    return (high - low) * (1 + 2 * u);
  });
}

/**
 * Whether ‖M‖₂ ≤ bound for certain, M the matrix whose entries are given up to an error of Frobenius norm ≤ `error`.
 *
 * Let N be the given matrix times 1/t, t a power of two near the bound (exact), A its smaller Gram matrix as computed, n × n,
 * from sums of k products in any order; b = (bound − error)/t, rounded down. If Cholesky's algorithm runs to its end in float64 on
 * B = s·I − A, then B + Δ = RᵀR with |Δ| ≤ γ_(n+1)|Rᵀ||R|, and ‖|Rᵀ||R|‖ ≤ ‖R‖_F² ≤ tr(B)/(1 − γ_(n+1)), so
 *   λmax(NᵀN) ≤ s + u·(s + max A) + γ_(n+1)/(1 − γ_(n+1))·tr(B) + γ_(k+1)·‖N‖_F² + underflow,
 * where the second term is the rounding of B's diagonal and the fourth that of A (|A − NᵀN| ≤ γ_k|N|ᵀ|N|). s is chosen so that
 * the right side is at most b². (Demmel; Rump 2006, "Verification of positive definiteness".)
 */
export function spectralAtMost(m: Dense, bound: number, error = 0): boolean {
  if (!(bound >= error) || !Number.isFinite(bound)) return bound === Infinity;
  if (m.rows * m.columns === 0) return true;
  // A matrix that small in the Frobenius norm needs no more.
  if (frobenius(m) * (1 + 4 * u) + error <= bound) return true;
  if (bound === 0) return false;
  // trust: T3
  const t = 2 ** Math.ceil(Math.log2(bound));
  if (!(t > 2 ** -500 && t < 2 ** 500)) return false;
  const [n, k] = m.rows <= m.columns ? [m.rows, m.columns] : [m.columns, m.rows];
  // Its rows are those of the smaller side.
  const scaled = m.rows <= m.columns ? new Float64Array(m.entries) : transposed(m);
  for (let i = 0; i < scaled.length; i++) scaled[i] /= t;
  const gram = gramOf(scaled, n, k);
  const whole = frobenius({ rows: n, columns: k, entries: scaled });
  const b = ((bound - error) / t) * (1 - 4 * u);
  let diagonal = 0;
  for (let i = 0; i < n; i++) diagonal = Math.max(diagonal, gram[i * n + i]);
  // tr(B) ≤ n·s ≤ 2n, as b ≤ 1 makes s ≤ 1.
  const g = gamma(n + 1);
  const lost = u * (2 + diagonal) + (g / (1 - g)) * 2 * n + gamma(k + 1) * whole * whole + n * n * 2 ** -900;
  const s = b * b * (1 - 8 * u) - lost * (1 + 2 ** -20);
  if (!(s > 0)) return false;
  for (let i = 0; i < n * n; i++) gram[i] = -gram[i];
  for (let i = 0; i < n; i++) gram[i * n + i] += s;
  return choleskyEnds(gram, n);
}
