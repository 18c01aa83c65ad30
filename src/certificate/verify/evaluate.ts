/**
 * Matrices made of stored weights, in float64, with a number `error` ≥ ‖computed − exact‖_F: a product of inner dimension k
 * adds γ_(k+2)‖A‖_F‖B‖_F and what its factors' errors can do (Higham 2002, (3.13)), a diagonal one rounding per entry,
 * centring 2γ_(d+8)·d/(d − 1)·‖M‖_F, a sum of n matrices γ_(n+2)·Σ|factor|·‖M‖_F.
 */
import type { MatrixDocument } from "./document.ts";
import { channelNorms } from "./frequencies.ts";
import {
  frobenius,
  gamma,
  maxAbs,
  rowNorm,
  rowSum,
  spectralAtMost,
  transposed,
  type Dense,
} from "./numeric.ts";
import { addProducts } from "./products.ts";
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
      return { rows, columns, entries: new Float64Array(weights(m.weight).data), error: 0 };
    case "rows": {
      if (m.of.kind === "weight") {
        const { data } = weights(m.of.weight);
        const part = data.subarray(m.from * columns, (m.from + rows) * columns);
        return { rows, columns, entries: new Float64Array(part), error: 0 };
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
      return centred(unit(rows), "columns");
    case "diagonal":
    case "channels":
      return scaled(unit(rows), diagonalOf(m, weights), "columns");
  }
}

/** Diagonal and centring matrices act on the other factor, and are never written out. */
function productOf(left: Matrix, right: Matrix, weights: Weights): Inexact {
  if (left.kind === "product" && isLight(left.left))
    return applied(left.left, productOf(left.right, right, weights), weights, "columns");
  if (isLight(left)) return applied(left, evaluate(right, weights), weights, "columns");
  if (right.kind === "product" && isLight(right.left)) {
    const { rows, left: light, right: rest } = { ...right, rows: left.rows };
    return productOf({ kind: "product", rows, columns: light.columns, left, right: light }, rest, weights);
  }
  if (isLight(right)) return applied(right, evaluate(left, weights), weights, "rows");
  return multiply(evaluate(left, weights), evaluate(right, weights));
}

type Light = Matrix & { readonly kind: "diagonal" | "channels" | "centre" };
const isLight = (m: Matrix): m is Light =>
  m.kind === "diagonal" || m.kind === "channels" || m.kind === "centre";

/** L·M, which acts on the columns of M, or M·L, on its rows. */
function applied(light: Light, m: Inexact, weights: Weights, to: "rows" | "columns"): Inexact {
  return light.kind === "centre" ? centred(m, to) : scaled(m, diagonalOf(light, weights), to);
}

function diagonalOf(m: Exclude<Light, { readonly kind: "centre" }>, weights: Weights): ArrayLike<number> {
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
  const out = { entries, at: 0, step: columns };
  const turned = { entries: transposed(y), at: 0, step: inner };
  addProducts(out, [rows, columns, inner], { entries: x.entries, at: 0, step: inner }, turned);
  const [sizeX, sizeY] = [frobenius(x), frobenius(y)];
  const carried = sizeX * y.error + x.error * sizeY + x.error * y.error;
  const error = upwards(carried + gamma(inner + 2) * sizeX * sizeY, rows * columns * inner);
  return { rows, columns, entries, error };
}

/** Each column, or each row, times d entry by entry; one number stands for all. */
function scaled(m: Inexact, d: ArrayLike<number>, each: "rows" | "columns"): Inexact {
  const { rows, columns } = m;
  const factor = (i: number): number => d[d.length === 1 ? 0 : i];
  const entries = new Float64Array(rows * columns);
  let most = 0;
  for (let i = 0; i < (each === "columns" ? rows : columns); i++) most = Math.max(most, Math.abs(factor(i)));
  for (let r = 0, i = 0; r < rows; r++)
    for (let c = 0; c < columns; c++, i++) entries[i] = m.entries[i] * factor(each === "columns" ? r : c);
  const size = frobenius({ rows, columns, entries });
  return { rows, columns, entries, error: upwards(most * m.error + 2 * u * size, rows * columns) };
}

/** Each column, or each row, of d numbers less its mean, times d/(d − 1). */
function centred(m: Inexact, each: "rows" | "columns"): Inexact {
  const { rows, columns } = m;
  const [d, lines] = each === "columns" ? [rows, columns] : [columns, rows];
  const line = (r: number, c: number): number => (each === "columns" ? c : r);
  const means = new Float64Array(lines);
  for (let r = 0, i = 0; r < rows; r++)
    for (let c = 0; c < columns; c++, i++) means[line(r, c)] += m.entries[i];
  for (let i = 0; i < lines; i++) means[i] /= d;
  const factor = d / (d - 1);
  const entries = new Float64Array(rows * columns);
  for (let r = 0, i = 0; r < rows; r++)
    for (let c = 0; c < columns; c++, i++) entries[i] = (m.entries[i] - means[line(r, c)]) * factor;
  const error = factor * (1 + 4 * u) * (m.error + 2 * gamma(d + 8) * frobenius(m));
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
