/**
 * Matrices in float64 that know how far they may be from the exact ones: `error` ≥ ‖computed − exact‖_F. Products and
 * sums carry the errors of their parts along (docs/gains.md, "Matrices of stored weights").
 */
import { spectralNormUpper } from "../gain/spectral.ts";
import { addUp, divUp, maxUp, mulUp, sqrtUp } from "../gain/up.ts";
import type { MatrixNorms } from "../gain/facts.ts";
import { frobeniusNorm, gamma, oneNorm, roundoff, twoNorm, underflow } from "./rounding.ts";

/** Row-major. */
export interface Dense {
  readonly rows: number;
  readonly columns: number;
  readonly data: Float64Array;
  readonly error: number;
}

/** Proven norms of the exact matrix: those of the computed one, plus what its error can add. */
export function normsOf({ rows, columns, data, error }: Dense): MatrixNorms {
  let rowSum = 0;
  let rowNorm = 0;
  for (let r = 0; r < rows; r++) {
    rowSum = maxUp(rowSum, oneNorm(data, r * columns, columns));
    rowNorm = maxUp(rowNorm, twoNorm(data, r * columns, columns));
  }
  return {
    spectral: addUp(spectralNormUpper(data, rows, columns), error),
    // One row of the error has l2 norm ≤ error, so l1 norm ≤ √columns·error.
    rowSum: addUp(rowSum, mulUp(sqrtUp(columns), error)),
    rowNorm: addUp(rowNorm, error),
  };
}

/**
 * ÂB̂ in float64: |fl(ÂB̂) − ÂB̂| ≤ γ_k|Â||B̂| entry by entry for any order of summation (Higham 2002, (3.13)), so
 * γ_k‖Â‖_F‖B̂‖_F in the Frobenius norm; AB − ÂB̂ = ÂE_B + E_A B̂ + E_A E_B.
 */
export function multiply(a: Dense, b: Dense): Dense {
  const { rows, columns: inner } = a;
  const { columns } = b;
  const data = new Float64Array(rows * columns);
  const whole = rows - (rows % 4);
  for (let from = 0; from < inner; from += 64) {
    const to = Math.min(inner, from + 64);
    for (let i = 0; i < whole; i += 4) fourRows(a.data, b.data, data, inner, columns, i, from, to);
    for (let i = whole; i < rows; i++) {
      for (let k = from; k < to; k++) {
        const x = a.data[i * inner + k];
        for (let j = 0; j < columns; j++) data[i * columns + j] += x * b.data[k * columns + j];
      }
    }
  }
  const [sizeA, sizeB] = [frobeniusNorm(a.data), frobeniusNorm(b.data)];
  const carried = addUp(
    addUp(mulUp(sizeA, b.error), mulUp(a.error, sizeB)),
    addUp(mulUp(a.error, b.error), mulUp(rows * inner * columns, underflow)),
  );
  return { rows, columns, data, error: addUp(carried, mulUp(gamma(inner + 1), mulUp(sizeA, sizeB))) };
}

/** Four rows of the product at once: every number of b that is read serves four times. */
function fourRows(
  a: Float64Array,
  b: Float64Array,
  out: Float64Array,
  inner: number,
  columns: number,
  i: number,
  from: number,
  to: number,
): void {
  const [o0, o1, o2, o3] = [i * columns, (i + 1) * columns, (i + 2) * columns, (i + 3) * columns];
  let k = from;
  for (; k + 1 < to; k += 2) {
    const at = i * inner + k;
    const [x0, x1, x2, x3] = [a[at], a[at + inner], a[at + 2 * inner], a[at + 3 * inner]];
    const [y0, y1, y2, y3] = [a[at + 1], a[at + inner + 1], a[at + 2 * inner + 1], a[at + 3 * inner + 1]];
    const p = k * columns;
    const q = p + columns;
    for (let j = 0; j < columns; j++) {
      const u = b[p + j];
      const v = b[q + j];
      out[o0 + j] += x0 * u + y0 * v;
      out[o1 + j] += x1 * u + y1 * v;
      out[o2 + j] += x2 * u + y2 * v;
      out[o3 + j] += x3 * u + y3 * v;
    }
  }
  for (; k < to; k++) {
    for (let row = i; row < i + 4; row++) {
      const x = a[row * inner + k];
      for (let j = 0; j < columns; j++) out[row * columns + j] += x * b[k * columns + j];
    }
  }
}

/** diag(d)·M with exact d: each entry is rounded once. */
export function scaleRows(d: (row: number) => number, m: Dense): Dense {
  return scale((row) => d(row), m);
}

/** M·diag(d). */
export function scaleColumns(d: (column: number) => number, m: Dense): Dense {
  return scale((_, column) => d(column), m);
}

function scale(d: (row: number, column: number) => number, { rows, columns, data, error }: Dense): Dense {
  const out = new Float64Array(rows * columns);
  let most = 0;
  for (let r = 0; r < rows; r++) {
    for (let j = 0; j < columns; j++) {
      const factor = d(r, j);
      const size = Math.abs(factor);
      if (!(size <= most)) most = size < Infinity ? size : Infinity;
      out[r * columns + j] = factor * data[r * columns + j];
    }
  }
  const rounded = addUp(mulUp(2 * roundoff, frobeniusNorm(out)), mulUp(4 * rows * columns, underflow));
  return { rows, columns, data: out, error: addUp(mulUp(most, error), rounded) };
}

/**
 * d/(d − 1)·(I − 11ᵀ/d)·M: every column less its mean. A mean of d entries is off by at most γ_{d+1}·Σ|m|/d, and
 * √d times the norm of all Σ|m|/d is at most ‖M‖_F (Cauchy–Schwarz); two more roundings on m and on the mean each.
 * Altogether ≤ d/(d − 1)·γ_{d+8}·2‖M‖_F.
 */
export function centreColumns({ rows, columns, data, error }: Dense): Dense {
  const means = new Float64Array(columns);
  for (let r = 0; r < rows; r++) for (let j = 0; j < columns; j++) means[j] += data[r * columns + j];
  for (let j = 0; j < columns; j++) means[j] /= rows;
  const out = new Float64Array(rows * columns);
  const factor = rows / (rows - 1);
  for (let r = 0; r < rows; r++)
    for (let j = 0; j < columns; j++) out[r * columns + j] = (data[r * columns + j] - means[j]) * factor;
  const gain = divUp(rows, rows - 1);
  const rounded = addUp(
    mulUp(mulUp(2, gamma(rows + 8)), frobeniusNorm(data)),
    mulUp(4 * rows * columns, underflow),
  );
  return { rows, columns, data: out, error: mulUp(gain, addUp(error, rounded)) };
}

/** Σ factor·M. */
export function addAll(terms: readonly { readonly factor: number; readonly of: Dense }[]): Dense {
  const [{ of: first }] = terms;
  const { rows, columns } = first;
  const data = new Float64Array(rows * columns);
  let error = 0;
  let size = 0;
  for (const { factor, of } of terms) {
    for (let i = 0; i < data.length; i++) data[i] += factor * of.data[i];
    error = addUp(error, mulUp(Math.abs(factor), of.error));
    size = addUp(size, mulUp(Math.abs(factor), frobeniusNorm(of.data)));
  }
  const rounded = addUp(
    mulUp(gamma(terms.length + 2), size),
    mulUp(terms.length * rows * columns, underflow),
  );
  return { rows, columns, data, error: addUp(error, rounded) };
}
