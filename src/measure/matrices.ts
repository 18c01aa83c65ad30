/** Matrix expressions of gain/ computed from stored weights, and the norms that follow. */
import type { MatrixNorms, MatrixOracle } from "../gain/facts.ts";
import type { Matrix } from "../gain/matrix.ts";
import type { Weight } from "../model/model.ts";
import { addAll, centreColumns, multiply, normsOf, scaleColumns, scaleRows, type Dense } from "./dense.ts";
import { channelNorms, onMap, tapsOf } from "./symbol.ts";

/** Stored entries by the weight's path, as the file holds them. */
export type Tensors = ReadonlyMap<string, ArrayLike<number>>;

/** Proven norms of matrices made of these tensors; each expression is computed once. */
export function matrixOracle(tensors: Tensors): MatrixOracle {
  const known = new Map<Matrix, MatrixNorms | null>();
  return (matrix) => {
    let norms = known.get(matrix);
    if (norms === undefined) {
      const dense = evaluate(matrix, tensors);
      known.set(matrix, (norms = dense && normsOf(dense)));
    }
    return norms;
  };
}

/** The network's own entries; null for a constrained weight, whose stored tensor is the free one. */
function entriesOf(weight: Weight, tensors: Tensors): ArrayLike<number> | null {
  return weight.constraint.kind === "none" ? (tensors.get(weight.path) ?? null) : null;
}

/** The matrix in float64 with its error; null where a weight in it isn't known. */
export function evaluate(matrix: Matrix, tensors: Tensors): Dense | null {
  const { rows, columns } = matrix;
  switch (matrix.kind) {
    case "weight": {
      const entries = entriesOf(matrix.weight, tensors);
      return entries && { rows, columns, data: Float64Array.from(entries), error: 0 };
    }
    case "rows": {
      if (matrix.of.kind === "weight") {
        const entries = entriesOf(matrix.of.weight, tensors);
        const at = matrix.from * columns;
        const data = entries && Float64Array.from({ length: rows * columns }, (_, i) => entries[at + i]);
        return data && { rows, columns, data, error: 0 };
      }
      const of = evaluate(matrix.of, tensors);
      const from = matrix.from * columns;
      return of && { rows, columns, data: of.data.subarray(from, from + rows * columns), error: of.error };
    }
    case "product":
      return product(matrix.left, matrix.right, tensors);
    case "sum": {
      const terms: { factor: number; of: Dense }[] = [];
      for (const { factor, of } of matrix.terms) {
        const dense = evaluate(of, tensors);
        if (!dense) return null;
        terms.push({ factor, of: dense });
      }
      return addAll(terms);
    }
    case "identity":
      return unit(rows);
    case "diagonal":
    case "channels":
    case "centre":
      return product(matrix, { kind: "identity", rows: columns, columns }, tensors);
  }
}

function unit(size: number): Dense {
  const data = new Float64Array(size * size);
  for (let i = 0; i < size; i++) data[i * size + i] = 1;
  return { rows: size, columns: size, data, error: 0 };
}

/** Diagonal and centring matrices act on the other one's rows; nothing is gained from writing them out. */
function product(left: Matrix, right: Matrix, tensors: Tensors): Dense | null {
  if (left.kind === "product") {
    const { left: outer, right: inner } = left;
    if (outer.kind === "diagonal" || outer.kind === "centre")
      return product(
        outer,
        { ...left, kind: "product", left: inner, right, columns: right.columns },
        tensors,
      );
  }
  if (right.kind === "diagonal" || right.kind === "channels") {
    const dense = left.kind === "identity" ? unit(left.rows) : evaluate(left, tensors);
    const list = diagonalOf(right, tensors);
    return dense && list && scaleColumns((column) => list[list.length === 1 ? 0 : column], dense);
  }
  const of = evaluate(right, tensors);
  if (!of) return null;
  if (left.kind === "identity") return of;
  if (left.kind === "centre") return centreColumns(of);
  if (left.kind === "diagonal" || left.kind === "channels") {
    const list = diagonalOf(left, tensors);
    return list && scaleRows((row) => list[list.length === 1 ? 0 : row], of);
  }
  const dense = evaluate(left, tensors);
  return dense && multiply(dense, of);
}

/** The entries of a diagonal matrix: one for each row, or one for all. */
function diagonalOf(
  matrix: Matrix & { readonly kind: "diagonal" | "channels" },
  tensors: Tensors,
): ArrayLike<number> | null {
  if (matrix.kind === "diagonal")
    return isWeight(matrix.entries) ? entriesOf(matrix.entries, tensors) : matrix.entries;
  const { weight, torus, dilation } = matrix;
  const kernel = entriesOf(weight, tensors);
  return kernel && channelNorms(kernel, tapsOf(weight.shape), onMap(torus), dilation, 1);
}

function isWeight(entries: Weight | readonly number[]): entries is Weight {
  return !Array.isArray(entries);
}
