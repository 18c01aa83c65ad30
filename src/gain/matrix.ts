/**
 * Matrices that act on every token alike, written down but not computed: rules say which product or sum of weights they
 * need the norm of, and whoever holds the tensors (src/measure) proves it. gain/ itself never sees an entry.
 */
import type { Coefficient, Model, Weight } from "../model/model.ts";

export type Matrix =
  /** The weight reshaped to (out, everything else). */
  | { readonly kind: "weight"; readonly rows: number; readonly columns: number; readonly weight: Weight }
  | { readonly kind: "identity"; readonly rows: number; readonly columns: number }
  /** CenterNorm's d/(d − 1)·(I − 11ᵀ/d). */
  | { readonly kind: "centre"; readonly rows: number; readonly columns: number }
  /** The entries of a weight, one for each row or one for all, or given numbers. */
  | {
      readonly kind: "diagonal";
      readonly rows: number;
      readonly columns: number;
      readonly entries: Weight | readonly number[];
    }
  /** diag(n), n_c ≥ the l2 norm of channel c's own part of a depthwise convolution (stride 1 on this torus). */
  | {
      readonly kind: "channels";
      readonly rows: number;
      readonly columns: number;
      readonly weight: Weight;
      readonly torus: readonly number[];
      readonly dilation: number;
    }
  /** Rows from, from + 1, … of another matrix. */
  | {
      readonly kind: "rows";
      readonly rows: number;
      readonly columns: number;
      readonly of: Matrix;
      readonly from: number;
    }
  | {
      readonly kind: "product";
      readonly rows: number;
      readonly columns: number;
      readonly left: Matrix;
      readonly right: Matrix;
    }
  | {
      readonly kind: "sum";
      readonly rows: number;
      readonly columns: number;
      readonly terms: readonly { readonly factor: number; readonly of: Matrix }[];
    };

export function identityMatrix(size: number): Matrix {
  return { kind: "identity", rows: size, columns: size };
}

export function centreMatrix(size: number): Matrix {
  return { kind: "centre", rows: size, columns: size };
}

export function weightMatrix(weight: Weight): Matrix {
  const [rows = 1, ...rest] = weight.shape;
  return { kind: "weight", rows, columns: rest.reduce((a, b) => a * b, 1), weight };
}

export function diagonalMatrix(size: number, entries: Weight | readonly number[]): Matrix {
  return { kind: "diagonal", rows: size, columns: size, entries };
}

/** A coefficient, fixed or learned, as a factor of each channel. */
export function coefficientMatrix(size: number, c: Coefficient, { weights }: Pick<Model, "weights">): Matrix {
  return diagonalMatrix(size, c.kind === "constant" ? [c.value] : weights[c.weight]);
}

/** Whether a matrix is diagonal by the way it is written. */
export function isDiagonal(m: Matrix): boolean {
  if (m.kind === "product") return isDiagonal(m.left) && isDiagonal(m.right);
  if (m.kind === "sum") return m.terms.every(({ of }) => isDiagonal(of));
  return m.kind === "identity" || m.kind === "diagonal" || m.kind === "channels";
}

export function rowsOf(of: Matrix, from: number, rows: number): Matrix {
  if (from === 0 && rows === of.rows) return of;
  if (of.kind === "rows") return rowsOf(of.of, of.from + from, rows);
  // Rows of AB are rows of A, times B; rows of a diagonal or centring matrix save nothing.
  if (of.kind === "product" && (of.left.kind === "weight" || of.left.kind === "rows"))
    return productOf(rowsOf(of.left, from, rows), of.right);
  return { kind: "rows", rows, columns: of.columns, of, from };
}

export function productOf(left: Matrix, right: Matrix): Matrix {
  if (left.columns !== right.rows) throw new Error(`${left.rows} × ${left.columns} times ${right.rows} rows`);
  if (left.kind === "identity") return right;
  if (right.kind === "identity") return left;
  if (left.kind === "rows" && left.of.kind === "identity") return rowsOf(right, left.from, left.rows);
  return { kind: "product", rows: left.rows, columns: right.columns, left, right };
}

export function sumOf(terms: readonly { readonly factor: number; readonly of: Matrix }[]): Matrix {
  const [{ factor, of }] = terms;
  if (terms.length === 1 && factor === 1) return of;
  return { kind: "sum", rows: of.rows, columns: of.columns, terms };
}
