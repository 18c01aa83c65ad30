/**
 * Matrices that act on every token alike, written down by what they are made of. Their norms are facts: stated, and to be
 * proven from the bytes (../evaluate.ts).
 */

interface Size {
  readonly rows: number;
  readonly columns: number;
}

export type Matrix = Size &
  (
    | { readonly kind: "weight"; readonly weight: number }
    | { readonly kind: "identity" }
    /** d/(d − 1)·(I − 11ᵀ/d). */
    | { readonly kind: "centre" }
    /** Given numbers, or the entries of a weight: one for each row, or one for all. */
    | { readonly kind: "diagonal"; readonly entries: readonly number[] | number }
    /** diag(n), n_c ≥ the l2 norm of channel c's part of a depthwise convolution with stride 1 on this torus. */
    | {
        readonly kind: "channels";
        readonly weight: number;
        readonly torus: readonly number[];
        readonly dilation: number;
      }
    | { readonly kind: "rows"; readonly of: Matrix; readonly from: number }
    | { readonly kind: "product"; readonly left: Matrix; readonly right: Matrix }
    | { readonly kind: "sum"; readonly terms: readonly Scaled[] }
  );

export interface Scaled {
  readonly factor: number;
  readonly of: Matrix;
}

export const identityMatrix = (size: number): Matrix => ({ kind: "identity", rows: size, columns: size });

/** The weights that a matrix is made of. */
export function weightsIn(m: Matrix): readonly number[] {
  switch (m.kind) {
    case "weight":
    case "channels":
      return [m.weight];
    case "diagonal":
      return typeof m.entries === "number" ? [m.entries] : [];
    case "rows":
      return weightsIn(m.of);
    case "product":
      return [...weightsIn(m.left), ...weightsIn(m.right)];
    case "sum":
      return m.terms.flatMap(({ of }) => weightsIn(of));
    default:
      return [];
  }
}

export function isDiagonal(m: Matrix): boolean {
  if (m.kind === "product") return isDiagonal(m.left) && isDiagonal(m.right);
  if (m.kind === "sum") return m.terms.every(({ of }) => isDiagonal(of));
  return m.kind === "identity" || m.kind === "diagonal" || m.kind === "channels";
}

export function rowsOf(of: Matrix, from: number, rows: number): Matrix {
  if (from === 0 && rows === of.rows) return of;
  if (of.kind === "rows") return rowsOf(of.of, of.from + from, rows);
  // Rows of AB are rows of A, times B.
  if (of.kind === "product" && (of.left.kind === "weight" || of.left.kind === "rows"))
    return productOf(rowsOf(of.left, from, rows), of.right);
  return { kind: "rows", rows, columns: of.columns, of, from };
}

export function productOf(left: Matrix, right: Matrix): Matrix {
  if (left.columns !== right.rows) throw new Error(`${left.columns} columns times ${right.rows} rows`);
  if (left.kind === "identity") return right;
  if (right.kind === "identity") return left;
  if (left.kind === "rows" && left.of.kind === "identity") return rowsOf(right, left.from, left.rows);
  return { kind: "product", rows: left.rows, columns: right.columns, left, right };
}

export function sumOf(terms: readonly Scaled[]): Matrix {
  const [{ factor, of }] = terms;
  if (terms.length === 1 && factor === 1) return of;
  return { kind: "sum", rows: of.rows, columns: of.columns, terms };
}
