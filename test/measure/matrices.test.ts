/** Products and sums of stored weights: never below SVD of the same in float64, and tight. */
import { describe, expect, it } from "vitest";
import {
  centreMatrix,
  diagonalMatrix,
  identityMatrix,
  productOf,
  rowsOf,
  sumOf,
  weightMatrix,
  type Matrix,
} from "../../src/gain/matrix.ts";
import { effectiveWeights } from "../../src/measure/effective.ts";
import { evaluate, matrixOracle } from "../../src/measure/matrices.ts";
import type { Weight } from "../../src/model/model.ts";
import { factsOfEntries, normal, seeded } from "../rig/matrix.ts";

const random = seeded(11);
const tensors = new Map<string, Float32Array>();

function weight(path: string, shape: readonly number[], scale = 1, part: Partial<Weight> = {}): Weight {
  const size = shape.reduce((a, b) => a * b, 1);
  tensors.set(
    path,
    Float32Array.from({ length: size }, () => scale * normal(random)),
  );
  return {
    path,
    shape,
    role: "matrix",
    init: { kind: "zeros" },
    constraint: { kind: "none" },
    range: null,
    span: { file: "", start: 0, end: 0 },
    ...part,
  };
}

/** Entry (i, j) of an expression, written down once more, in exact sums of a few terms. */
function entry(m: Matrix, i: number, j: number): number {
  switch (m.kind) {
    case "weight":
      return (tensors.get(m.weight.path) as Float32Array)[i * m.columns + j];
    case "identity":
      return i === j ? 1 : 0;
    case "centre":
      return (m.rows / (m.rows - 1)) * ((i === j ? 1 : 0) - 1 / m.rows);
    case "diagonal": {
      const list = Array.isArray(m.entries)
        ? (m.entries as readonly number[])
        : (tensors.get((m.entries as Weight).path) as Float32Array);
      return i === j ? list[list.length === 1 ? 0 : i] : 0;
    }
    case "channels":
      throw new Error("tested with convolutions");
    case "rows":
      return entry(m.of, i + m.from, j);
    case "product":
      return Array.from(
        { length: m.left.columns },
        (_, k) => entry(m.left, i, k) * entry(m.right, k, j),
      ).reduce((a, b) => a + b, 0);
    case "sum":
      return m.terms.reduce((sum, { factor, of }) => sum + factor * entry(of, i, j), 0);
  }
}

const [w1, w2, alpha, scalar] = [
  weight("w1", [12, 5]),
  weight("w2", [5, 12]),
  weight("alpha", [5]),
  weight("scalar", []),
].map((w) => w);
const mlp = productOf(diagonalMatrix(5, alpha), productOf(weightMatrix(w2), weightMatrix(w1)));
const expressions: [string, Matrix][] = [
  ["a product", productOf(weightMatrix(w2), weightMatrix(w1))],
  [
    "a residual",
    sumOf([
      { factor: 1, of: identityMatrix(5) },
      { factor: 0.5, of: mlp },
    ]),
  ],
  [
    "a centred residual",
    productOf(
      centreMatrix(5),
      sumOf([
        { factor: 1, of: identityMatrix(5) },
        { factor: -0.5, of: mlp },
      ]),
    ),
  ],
  ["rows of a product", rowsOf(productOf(weightMatrix(w1), weightMatrix(w2)), 3, 4)],
  ["rows of a split projection", productOf(rowsOf(identityMatrix(12), 4, 4), weightMatrix(w1))],
  ["rows of a scaled one", rowsOf(productOf(diagonalMatrix(5, scalar), weightMatrix(w2)), 1, 2)],
  [
    "a scalar times a centred matrix",
    productOf(diagonalMatrix(5, [-2.5]), productOf(centreMatrix(5), weightMatrix(w2))),
  ],
  [
    "a convex skip",
    sumOf([
      { factor: 1, of: identityMatrix(5) },
      { factor: -1, of: diagonalMatrix(5, alpha) },
    ]),
  ],
  [
    "a convolution's matrix",
    productOf(weightMatrix(weight("k", [4, 2, 2, 2])), weightMatrix(weight("p", [8, 3]))),
  ],
  [
    "huge and tiny",
    productOf(weightMatrix(weight("huge", [4, 6], 1e30)), weightMatrix(weight("tiny", [6, 4], 1e-38))),
  ],
];

describe("matrices of stored weights", () => {
  it.each(expressions)("%s", (_, matrix) => {
    const { rows, columns } = matrix;
    const data = Array.from({ length: rows * columns }, (_, i) =>
      entry(matrix, Math.floor(i / columns), i % columns),
    );
    const truth = factsOfEntries([rows, columns], data);
    const norms = matrixOracle(effectiveWeights(tensors))(matrix);
    for (const key of ["spectral", "rowSum", "rowNorm"] as const) {
      const ratio = (norms?.[key] ?? 0) / truth[key];
      expect(ratio, key).toBeGreaterThanOrEqual(1 - 1e-13);
      expect(ratio, key).toBeLessThan(1.0001);
    }
  });

  it("says how far it may be off, and is no further", () => {
    for (const [name, matrix] of expressions) {
      const dense = evaluate(matrix, effectiveWeights(tensors));
      let off = 0;
      dense?.data.forEach((x, i) => {
        const exact = entry(matrix, Math.floor(i / matrix.columns), i % matrix.columns);
        off += (x - exact) ** 2;
      });
      // `entry` rounds as well, in another order.
      expect(Math.sqrt(off), name).toBeLessThanOrEqual(2 * (dense?.error ?? 0));
    }
  });

  it("cancellation doesn't fool it: W − W is 0 up to a proven rest", () => {
    const w = weightMatrix(w1);
    const norms = matrixOracle(effectiveWeights(tensors))(
      sumOf([
        { factor: 1, of: w },
        { factor: -1, of: w },
      ]),
    );
    expect(norms?.spectral).toBeGreaterThan(0);
    expect(norms?.spectral).toBeLessThan(1e-12);
  });

  it("NaN and overflow prove nothing; a constrained weight is what its constraint makes of it", () => {
    const nan = weight("nan", [2, 2]);
    tensors.set("nan", Float32Array.from([1, NaN, 0, 1]));
    expect(matrixOracle(effectiveWeights(tensors))(weightMatrix(nan))?.spectral).toBe(Infinity);
    let power: Matrix = weightMatrix(weight("big", [3, 3], 1e38));
    for (let i = 0; i < 4; i++) power = productOf(power, power);
    expect(matrixOracle(effectiveWeights(tensors))(power)?.spectral).toBe(Infinity);
    const made = weight("aol", [2, 2], 9, { constraint: { kind: "aol" } });
    const norms = matrixOracle(effectiveWeights(tensors))(weightMatrix(made));
    expect(norms?.spectral).toBeLessThan(1.000001);
    expect(norms?.spectral).toBeGreaterThan(0.5);
    expect(matrixOracle(effectiveWeights(new Map()))(weightMatrix(w1))).toBe(null);
  });
});
