/** Facts from stored entries: never below float64 SVD, within 1 % above, whatever the entries are. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { storedFacts } from "../../src/measure/weights.ts";
import type { Weight } from "../../src/model/model.ts";
import { factsOfEntries, isometry, normal, seeded, spectralNorm } from "../rig/matrix.ts";

function weight(part: Partial<Weight>): Weight {
  return {
    path: "w",
    shape: [3, 5],
    role: "matrix",
    init: { kind: "xavier" },
    constraint: { kind: "none" },
    range: null,
    span: { file: "", start: 0, end: 0 },
    ...part,
  };
}

/** float32 entries of an ugly or plain matrix. */
function entries(kind: string, rows: number, columns: number, seed: number): Float32Array {
  const random = seeded(seed);
  const size = rows * columns;
  const free = Float32Array.from({ length: size }, () => normal(random));
  switch (kind) {
    case "rank one":
      return free.map((_, i) => free[i % columns] * free[Math.floor(i / columns) * columns]);
    case "zero-sum": {
      const mean = free.reduce((a, b) => a + b, 0) / size;
      return free.map((x) => x - mean);
    }
    case "alternating":
      return free.map((_, i) => ((i + Math.floor(i / columns)) % 2 === 0 ? 1 : -1));
    case "tiny":
      return free.map((x) => x * 1e-38);
    case "subnormal":
      return free.map((x) => x * 1e-44);
    case "huge":
      return free.map((x) => x * 1e30);
    case "all equal":
      return free.fill(1 / 3);
    case "wide spread":
      return free.map((x, i) => x * 10 ** ((i % 60) - 30));
    case "orthogonal":
      return Float32Array.from(isometry(rows, columns, random));
    case "one entry":
      return free.map((x, i) => (i === size - 1 ? x : 0));
    case "zero":
      return free.fill(0);
    default:
      return free;
  }
}
const kinds = [
  "random",
  "rank one",
  "zero-sum",
  "alternating",
  "tiny",
  "subnormal",
  "huge",
  "all equal",
  "wide spread",
  "orthogonal",
  "one entry",
  "zero",
];

describe("facts of stored entries", () => {
  it.each(kinds)("%s: at least the truth, and within 1 % of it", (kind) => {
    for (const [rows, columns] of [
      [1, 1],
      [1, 9],
      [9, 1],
      [6, 4],
      [4, 33],
      [24, 24],
      [48, 12],
    ]) {
      const data = entries(kind, rows, columns, 31 * rows + columns);
      const facts = storedFacts(weight({ shape: [rows, columns] }), data);
      const truth = factsOfEntries([rows, columns], data);
      for (const key of ["spectral", "frobenius", "rowSum", "rowNorm", "maxAbs"] as const) {
        const name = `${key} of ${rows} × ${columns}`;
        // The truth is a float64 computation, too: good to some 1e-14.
        expect(facts[key], name).toBeGreaterThanOrEqual(truth[key] * (1 - 1e-13));
        expect(facts[key], name).toBeLessThanOrEqual(truth[key] * 1.01);
      }
      expect([facts.low, facts.high]).toEqual([truth.low, truth.high]);
    }
  });

  it("holds for any small matrix (fast-check)", () => {
    const number = fc.oneof(
      fc.float({ noNaN: true, noDefaultInfinity: true }),
      fc.constantFrom(0, 1, -1, 1e-38, 3e38),
    );
    fc.assert(
      fc.property(
        fc.array(number, { minLength: 6, maxLength: 6 }),
        fc.constantFrom([2, 3], [3, 2], [1, 6]),
        (list, shape) => {
          const data = Float32Array.from(list);
          const facts = storedFacts(weight({ shape }), data);
          // Scaled, so that Jacobi's squares don't leave the range of float64.
          const scale = Math.max(...data.map(Math.abs)) || 1;
          const truth = factsOfEntries(
            shape,
            Array.from(data, (x) => x / scale),
          );
          for (const key of ["spectral", "frobenius", "rowSum", "rowNorm"] as const)
            expect(facts[key] / scale).toBeGreaterThanOrEqual(truth[key] * (1 - 1e-12));
          expect(facts.spectral / scale).toBeLessThanOrEqual(truth.spectral * 1.01 + 1e-300);
        },
      ),
    );
  });

  it("numbers that are not finite, or outside of the declared range, prove nothing and say why", () => {
    for (const bad of [NaN, Infinity, -Infinity]) {
      const facts = storedFacts(weight({ shape: [2, 2] }), [1, bad, 0, 0]);
      expect(facts.spectral).toBe(Infinity);
      expect(facts.maxAbs).toBe(Infinity);
      expect(facts.why?.text).toBe("`w` holds a number that is not finite");
    }
    const ranged = weight({ shape: [3], role: "vector", range: [0, 0.25] });
    expect(storedFacts(ranged, [0, 0.25, 0.1]).maxAbs).toBe(0.25);
    expect(storedFacts(ranged, [0, 0.26, 0.1]).why?.text).toContain("outside of its declared range");
    expect(storedFacts(weight({ shape: [2, 2] }), [1, 2, 3]).maxAbs).toBe(Infinity);
  });

  it("a constrained weight has what its constraint guarantees, since the file holds the free tensor", () => {
    const free = Float32Array.from({ length: 15 }, () => 100);
    expect(storedFacts(weight({ constraint: { kind: "aol" } }), free).spectral).toBe(1);
    expect(storedFacts(weight({ constraint: { kind: "frobenius", bound: 2 } }), free).spectral).toBe(2);
    // Inside of the ball the projection leaves it as it is.
    const small = free.map(() => 0.1);
    const facts = storedFacts(weight({ constraint: { kind: "frobenius", bound: 2 } }), small);
    expect(facts.spectral).toBeCloseTo(Math.fround(0.1) * Math.sqrt(15), 6);
  });

  it("distances of rows and spreads of columns, exactly", () => {
    const { stored } = storedFacts(weight({ shape: [3, 2] }), [0, 0, 3, 4, 1, -5]);
    expect(stored?.rowDistance).toBeCloseTo(Math.hypot(2, 9), 12);
    expect(stored?.rowDistance).toBeGreaterThanOrEqual(Math.hypot(2, 9));
    expect(stored?.columnSpread).toBeGreaterThanOrEqual(9);
    expect(stored?.columnSpread).toBeCloseTo(9, 12);
  });

  it("taps of kernels", () => {
    const random = seeded(3);
    const kernel = Float32Array.from({ length: 4 * 3 * 9 }, () => normal(random));
    const taps = storedFacts(weight({ shape: [4, 3, 3, 3], role: "kernel" }), kernel).stored?.kernel?.taps(1);
    taps?.forEach((norm, t) => {
      const matrix = Array.from({ length: 12 }, (_, i) => kernel[9 * i + t]);
      expect(norm / spectralNorm(matrix, 4, 3)).toBeGreaterThanOrEqual(1 - 1e-14);
      expect(norm / spectralNorm(matrix, 4, 3)).toBeLessThan(1.001);
    });
    expect(taps).toHaveLength(9);
  });
});
