/**
 * Matrices made of stored weights, in float64, with a number `error` ≥ ‖computed − exact‖_F: a product of inner dimension k
 * adds γ_(k+2)‖A‖_F‖B‖_F and what its factors' errors can do (Higham 2002, (3.13)), a diagonal one rounding per entry,
 * centring 2γ_(d+8)·d/(d − 1)·‖M‖_F, a sum of n matrices γ_(n+2)·Σ|factor|·‖M‖_F.
 */
import type { MatrixDocument } from "./document.ts";
import { channelNorms } from "./frequencies.ts";
import { frobenius, gamma, maxAbs, rowNorm, rowSum, spectralAtMost, type Dense } from "./numeric.ts";
import { isDiagonal, type Matrix } from "./rules/matrix.ts";

export interface Inexact extends Dense {
  readonly entries: Float64Array;
  readonly error: number;
}

/** A weight's entries and shape by its number. */
export type Weights = (id: number) => { readonly shape: readonly number[]; readonly data: Float32Array };

const u = 2 ** -53;
/** The sums of bounds below are themselves rounded a few times; products of entries may underflow. */
const upwards = (x: number, entries: number): number => x * (1 + 64 * u) + entries * 2 ** -1000;

/** Whether the stated norms of a matrix are upper bounds for certain; the name of one that isn't. */
export function unproven(doc: MatrixDocument, weights: Weights): "spectral" | "rowSum" | "rowNorm" | null {
  const m = evaluate(doc.matrix, weights);
  const roomy = (norm: number, error: number): number => (norm + error) * (1 + 8 * u);
  if (doc.rowSum !== null && !(roomy(rowSum(m), Math.sqrt(m.columns) * (1 + 4 * u) * m.error) <= doc.rowSum))
    return "rowSum";
  if (doc.rowNorm !== null && !(roomy(rowNorm(m), m.error) <= doc.rowNorm)) return "rowNorm";
  if (doc.spectral === null) return null;
  // The norm of a diagonal matrix is its largest entry.
  const proven = isDiagonal(doc.matrix)
    ? roomy(maxAbs(m), m.error) <= doc.spectral
    : spectralAtMost(m, doc.spectral, m.error);
  return proven ? null : "spectral";
}

function evaluate(m: Matrix, weights: Weights): Inexact {
  const { rows, columns } = m;
  switch (m.kind) {
    case "weight":
      return { rows, columns, entries: Float64Array.from(weights(m.weight).data), error: 0 };
    case "rows": {
      if (m.of.kind === "weight") {
        const { data } = weights(m.of.weight);
        const part = data.subarray(m.from * columns, (m.from + rows) * columns);
        return { rows, columns, entries: Float64Array.from(part), error: 0 };
      }
      const of = evaluate(m.of, weights);
      const entries = of.entries.subarray(m.from * columns, (m.from + rows) * columns);
      return { rows, columns, entries, error: of.error };
    }
    case "product":
      return productOf(m.left, m.right, weights);
    case "sum":
      return sumOf(m.terms.map(({ factor, of }) => ({ factor, of: evaluate(of, weights) })));
    case "identity":
      return unit(rows);
    case "centre":
      return centred(unit(rows));
    case "diagonal":
    case "channels":
      return scaled(unit(rows), diagonalOf(m, weights), "rows");
  }
}

/** Diagonal and centring matrices act on the other factor, and are never written out. */
function productOf(left: Matrix, right: Matrix, weights: Weights): Inexact {
  if (left.kind === "product" && isLight(left.left)) {
    const inner: Matrix = {
      kind: "product",
      rows: left.right.rows,
      columns: right.columns,
      left: left.right,
      right,
    };
    return productOf(left.left, inner, weights);
  }
  if (left.kind === "centre") return centred(evaluate(right, weights));
  if (left.kind === "diagonal" || left.kind === "channels")
    return scaled(evaluate(right, weights), diagonalOf(left, weights), "rows");
  if (right.kind === "diagonal" || right.kind === "channels")
    return scaled(evaluate(left, weights), diagonalOf(right, weights), "columns");
  return multiply(evaluate(left, weights), evaluate(right, weights));
}

const isLight = ({ kind }: Matrix): boolean =>
  kind === "diagonal" || kind === "channels" || kind === "centre";

function diagonalOf(
  m: Matrix & { readonly kind: "diagonal" | "channels" },
  weights: Weights,
): ArrayLike<number> {
  if (m.kind === "channels") return channelNorms(weights(m.weight), m.torus, m.dilation);
  return typeof m.entries === "number" ? weights(m.entries).data : m.entries;
}

function unit(size: number): Inexact {
  const entries = new Float64Array(size * size);
  for (let i = 0; i < size; i++) entries[i * size + i] = 1;
  return { rows: size, columns: size, entries, error: 0 };
}

function multiply(x: Inexact, y: Inexact): Inexact {
  const { rows, columns: inner } = x;
  const { columns } = y;
  const entries = new Float64Array(rows * columns);
  for (let i = 0; i < rows; i++) {
    const out = entries.subarray(i * columns, (i + 1) * columns);
    for (let k = 0; k < inner; k++) {
      const factor = x.entries[i * inner + k];
      if (factor === 0) continue;
      const at = k * columns;
      for (let j = 0; j < columns; j++) out[j] += factor * y.entries[at + j];
    }
  }
  const [sizeX, sizeY] = [frobenius(x), frobenius(y)];
  const carried = sizeX * y.error + x.error * sizeY + x.error * y.error;
  const error = upwards(carried + gamma(inner + 2) * sizeX * sizeY, rows * columns * inner);
  return { rows, columns, entries, error };
}

/** diag(d)·M or M·diag(d); one number stands for all. */
function scaled(m: Inexact, d: ArrayLike<number>, along: "rows" | "columns"): Inexact {
  const { rows, columns } = m;
  const at = (i: number): number => d[d.length === 1 ? 0 : i];
  let most = 0;
  const entries = m.entries.map((x, i) => {
    const factor = at(along === "rows" ? Math.floor(i / columns) : i % columns);
    most = Math.max(most, Math.abs(factor));
    return x * factor;
  });
  const size = frobenius({ rows, columns, entries });
  return { rows, columns, entries, error: upwards(most * m.error + 2 * u * size, rows * columns) };
}

/** Every column less its mean, times d/(d − 1). */
function centred(m: Inexact): Inexact {
  const { rows, columns } = m;
  const means = new Float64Array(columns);
  for (let i = 0; i < m.entries.length; i++) means[i % columns] += m.entries[i];
  const factor = rows / (rows - 1);
  const entries = m.entries.map((x, i) => (x - means[i % columns] / rows) * factor);
  const error = factor * (1 + 4 * u) * (m.error + 2 * gamma(rows + 8) * frobenius(m));
  return { rows, columns, entries, error: upwards(error, rows * columns) };
}

function sumOf(terms: readonly { readonly factor: number; readonly of: Inexact }[]): Inexact {
  const { rows, columns } = terms[0].of;
  const entries = new Float64Array(rows * columns);
  let [carried, size] = [0, 0];
  for (const { factor, of } of terms) {
    for (let i = 0; i < entries.length; i++) entries[i] += factor * of.entries[i];
    carried += Math.abs(factor) * of.error;
    size += Math.abs(factor) * frobenius(of);
  }
  const error = upwards(carried + gamma(terms.length + 2) * size, rows * columns * terms.length);
  return { rows, columns, entries, error };
}
