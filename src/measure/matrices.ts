/** Matrix expressions of gain/ computed from stored weights, and the norms that follow. */
import type { MatrixNorms, MatrixOracle } from "../gain/facts.ts";
import type { Matrix } from "../gain/matrix.ts";
import { addUp, mulUp, sqrtUp } from "../gain/up.ts";
import type { Weight } from "../model/model.ts";
import { addAll, centreColumns, multiply, normsOf, scaleColumns, scaleRows, type Dense } from "./dense.ts";
import type { EffectiveOracle } from "./effective.ts";
import { channelNorms, onMap, tapsOf } from "./symbol.ts";

/** Proven norms of matrices made of these weights; each expression is computed once. */
export function matrixOracle(weights: EffectiveOracle): MatrixOracle {
  const known = new Map<Matrix, MatrixNorms | null>();
  return (matrix) => {
    let norms = known.get(matrix);
    if (norms === undefined) {
      const dense = evaluate(matrix, weights);
      known.set(matrix, (norms = dense && normsOf(dense)));
    }
    return norms;
  };
}

/** The matrix in float64 with its error; null where a weight in it isn't known. */
export function evaluate(matrix: Matrix, weights: EffectiveOracle): Dense | null {
  const { rows, columns } = matrix;
  switch (matrix.kind) {
    case "weight": {
      const made = weights(matrix.weight);
      return made && { rows, columns, data: Float64Array.from(made.entries), error: made.error.l2 };
    }
    case "rows": {
      if (matrix.of.kind === "weight") {
        const made = weights(matrix.of.weight);
        const at = matrix.from * columns;
        const data = made && Float64Array.from({ length: rows * columns }, (_, i) => made.entries[at + i]);
        return data && { rows, columns, data, error: made.error.l2 };
      }
      const of = evaluate(matrix.of, weights);
      const from = matrix.from * columns;
      return of && { rows, columns, data: of.data.subarray(from, from + rows * columns), error: of.error };
    }
    case "product":
      return product(matrix.left, matrix.right, weights);
    case "sum": {
      const terms: { factor: number; of: Dense }[] = [];
      for (const { factor, of } of matrix.terms) {
        const dense = evaluate(of, weights);
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
      return product(matrix, { kind: "identity", rows: columns, columns }, weights);
  }
}

function unit(size: number): Dense {
  const data = new Float64Array(size * size);
  for (let i = 0; i < size; i++) data[i * size + i] = 1;
  return { rows: size, columns: size, data, error: 0 };
}

/** Diagonal and centring matrices act on the other one's rows; nothing is gained from writing them out. */
function product(left: Matrix, right: Matrix, weights: EffectiveOracle): Dense | null {
  if (left.kind === "product") {
    const { left: outer, right: inner } = left;
    if (outer.kind === "diagonal" || outer.kind === "centre")
      return product(
        outer,
        { ...left, kind: "product", left: inner, right, columns: right.columns },
        weights,
      );
  }
  if (right.kind === "diagonal" || right.kind === "channels") {
    const dense = left.kind === "identity" ? unit(left.rows) : evaluate(left, weights);
    const list = diagonalOf(right, weights);
    return dense && list && scaleColumns((column) => list[list.length === 1 ? 0 : column], dense);
  }
  const of = evaluate(right, weights);
  if (!of) return null;
  if (left.kind === "identity") return of;
  if (left.kind === "centre") return centreColumns(of);
  if (left.kind === "diagonal" || left.kind === "channels") {
    const list = diagonalOf(left, weights);
    return list && scaleRows((row) => list[list.length === 1 ? 0 : row], of);
  }
  const dense = evaluate(left, weights);
  return dense && multiply(dense, of);
}

/** The entries of a diagonal matrix: one for each row, or one for all. */
function diagonalOf(
  matrix: Matrix & { readonly kind: "diagonal" | "channels" },
  weights: EffectiveOracle,
): ArrayLike<number> | null {
  if (matrix.kind === "diagonal") {
    if (!isWeight(matrix.entries)) return matrix.entries;
    // Exact entries only: a factor's error is not carried along.
    const made = weights(matrix.entries);
    return made && made.error.linf === 0 ? made.entries : null;
  }
  const { weight, torus, dilation } = matrix;
  const made = weights(weight);
  if (!made) return null;
  const taps = tapsOf(weight.shape);
  // A channel's kernel is a row: the l1 norm of its error bounds that of the convolution by it.
  const added = mulUp(sqrtUp(taps.height * taps.width), made.error.row);
  return channelNorms(made.entries, taps, onMap(torus), dilation, 1).map((norm) => addUp(norm, added));
}

function isWeight(entries: Weight | readonly number[]): entries is Weight {
  return !Array.isArray(entries);
}
