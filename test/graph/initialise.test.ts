import { describe, expect, it } from "vitest";
import { gramIteration, spectralNormUpper } from "../../src/gain/spectral.ts";
import { initialWeight } from "../../src/graph/initialise.ts";
import type { Init, Weight } from "../../src/model/model.ts";
import { generator } from "../../src/runtime/random.ts";

const weight = (shape: number[], init: Init, path = "layer.weight"): Weight => ({
  path,
  shape,
  role: shape.length === 4 ? "kernel" : "matrix",
  init,
  constraint: { kind: "none" },
  range: null,
  span: { file: "test", start: 0, end: 0 },
});

/** Largest singular value by power iteration in float64 until it stands still: a lower bound that converges. */
function sigma(w: ArrayLike<number>, rows: number, columns: number, rounds = 3000): number {
  const next = generator(17);
  let v = Float64Array.from({ length: columns }, () => next() - 0.5);
  let best = 0;
  for (let round = 0; round < rounds; round++) {
    const length = Math.hypot(...v);
    v = v.map((x) => x / length);
    const y = new Float64Array(rows);
    const back = new Float64Array(columns);
    for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) y[i] += w[i * columns + j] * v[j];
    for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) back[j] += w[i * columns + j] * y[i];
    const now = Math.hypot(...y);
    if (round > 50 && now <= best * (1 + 1e-15)) return Math.max(best, now);
    best = Math.max(best, now);
    v = back;
  }
  return best;
}

/** U·diag(s)·Vᵀ with reflections U = I − 2aaᵀ, V = I − 2bbᵀ: known singular values, up to rounding. */
function planted(rows: number, columns: number, singular: (i: number) => number, seed: number): Float64Array {
  const next = generator(seed);
  const unit = (n: number) => {
    const x = Float64Array.from({ length: n }, () => next() - 0.5);
    const length = Math.hypot(...x);
    return x.map((v) => v / length);
  };
  const a = unit(rows);
  const b = unit(columns);
  const out = new Float64Array(rows * columns);
  for (let k = 0; k < Math.min(rows, columns); k++) {
    for (let i = 0; i < rows; i++) {
      const left = (i === k ? 1 : 0) - 2 * a[i] * a[k];
      for (let j = 0; j < columns; j++)
        out[i * columns + j] += left * singular(k) * ((j === k ? 1 : 0) - 2 * b[j] * b[k]);
    }
  }
  return out;
}

describe("spectral norm bounds", () => {
  const next = generator(1);
  const random = (size: number, scale = 1) =>
    Float64Array.from({ length: size }, () => scale * (next() - 0.5));
  it.each([
    [1, 1],
    [1, 9],
    [9, 1],
    [5, 7],
    [64, 33],
    [40, 160],
    [96, 288],
  ])("random %d × %d: never below, within 1e-4", (rows, columns) => {
    for (const scale of [1, 1e-150, 1e150]) {
      const w = random(rows * columns, scale);
      const normal = w.map((x) => x / scale);
      const true_ = sigma(normal, rows, columns) * scale;
      const bound = spectralNormUpper(w, rows, columns);
      expect(bound).toBeGreaterThanOrEqual(true_ * (1 - 1e-14));
      expect(bound / true_).toBeLessThan(1.0001);
      const gram = gramIteration(w, rows, columns);
      expect(gram).toBeGreaterThanOrEqual(true_ * (1 - 1e-14));
      expect(gram / true_).toBeLessThan(1.01);
    }
  });
  it("known singular values: rank one, clusters, orthogonal, wide spread", () => {
    const cases: [number, number, (i: number) => number][] = [
      [30, 20, (i) => (i === 0 ? 3 : 0)],
      [30, 20, () => 1],
      [20, 30, (i) => (i < 5 ? 2 : 2 - 1e-9 * i)],
      [25, 25, (i) => 10 ** -i],
    ];
    cases.forEach(([rows, columns, singular], seed) => {
      const w = planted(rows, columns, singular, seed + 1);
      const top = singular(0);
      for (const bound of [spectralNormUpper(w, rows, columns), gramIteration(w, rows, columns, 14)]) {
        expect(bound).toBeGreaterThanOrEqual(top * (1 - 1e-14));
        expect(bound / top).toBeLessThan(1.001);
      }
    });
  });
  it("an estimate that misses the largest singular value is found out", () => {
    // I + c·ppᵀ with p orthogonal to the estimate's own start vector: Lanczos sees the identity only. p is spread over
    // many entries, so that no single diagonal entry gives it away.
    const n = 64;
    const q = Array.from({ length: n }, (_, i) => Math.sin(12.9898 * (i + 1)) + 0.1);
    const along = q.reduce((sum, x, i) => sum + (i % 2 ? x : -x), 0) / q.reduce((sum, x) => sum + x * x, 0);
    const spread = q.map((x, i) => (i % 2 ? 1 : -1) - along * x);
    const length = Math.hypot(...spread);
    const p = spread.map((x) => x / length);
    for (const c of [1e-5, 1e-3, 0.01, 1]) {
      const w = Float64Array.from({ length: n * n }, (_, i) => {
        const [r, k] = [Math.floor(i / n), i % n];
        return (r === k ? 1 : 0) + c * p[r] * p[k];
      });
      const bound = spectralNormUpper(w, n, n);
      expect(bound).toBeGreaterThanOrEqual((1 + c) * (1 - 1e-14));
      expect(bound).toBeLessThan((1 + c) * 1.02);
    }
  });
  it("exactly known norms are never undercut", () => {
    for (const value of [1, 0.1, 3, 2 ** -1000, 2 ** 1000, 1e200, 1e-200, Number.MAX_VALUE, 5e-324]) {
      for (const n of [1, 2, 5, 16]) {
        const identity = Float64Array.from({ length: n * n }, (_, i) => (i % (n + 1) === 0 ? value : 0));
        for (const bound of [spectralNormUpper(identity, n, n), gramIteration(identity, n, n, 12)]) {
          expect(bound).toBeGreaterThanOrEqual(value);
          if (value < 1e300 && value > 1e-300) expect(bound / value).toBeLessThan(1.001);
        }
      }
    }
    expect(spectralNormUpper([3, 4], 1, 2)).toBeGreaterThanOrEqual(5);
    expect(spectralNormUpper([0, 0, 0, 0], 2, 2)).toBe(0);
    expect(spectralNormUpper([1, NaN], 1, 2)).toBe(Infinity);
    expect(gramIteration([1, -Infinity], 1, 2)).toBe(Infinity);
  });
});

describe("initialisers", () => {
  it.each(["spectral", "orthogonal"] as const)(
    "%s: the stored matrix has norm at most 1, nearly reached",
    (kind) => {
      for (const shape of [
        [48, 64],
        [64, 48],
        [192, 64],
        [1, 10],
        [24, 1, 7, 7],
        [16, 3, 4, 4],
        [2, 2],
      ]) {
        const rows = shape[0];
        const columns = shape.slice(1).reduce((a, b) => a * b, 1);
        for (let seed = 0; seed < 5; seed++) {
          const w = initialWeight(weight(shape, { kind }), seed);
          const found = sigma(w, rows, columns);
          expect(found).toBeLessThanOrEqual(1);
          expect(found).toBeGreaterThan(1 - 1e-4);
        }
      }
    },
  );
  it("orthogonal: rows or columns are orthonormal", () => {
    for (const [rows, columns] of [
      [12, 30],
      [30, 12],
      [9, 9],
    ]) {
      const w = initialWeight(weight([rows, columns], { kind: "orthogonal" }), 3);
      const short = Math.min(rows, columns);
      for (let a = 0; a < short; a++) {
        for (let b = 0; b < short; b++) {
          let s = 0;
          for (let k = 0; k < Math.max(rows, columns); k++) {
            s +=
              rows <= columns
                ? w[a * columns + k] * w[b * columns + k]
                : w[k * columns + a] * w[k * columns + b];
          }
          expect(s).toBeCloseTo(a === b ? 1 : 0, 5);
        }
      }
    }
  });
  it("normal ones have the right deviation", () => {
    const cases: [Init, number[], number][] = [
      [{ kind: "xavier" }, [200, 100], Math.sqrt(2 / 300)],
      [{ kind: "xavier" }, [40, 20, 5, 5], Math.sqrt(2 / (25 * 60))],
      [{ kind: "kaiming" }, [200, 100], Math.sqrt(2 / 100)],
      [{ kind: "normal", std: 0.3 }, [200, 100], 0.3],
      // Standard deviation of a normal number cut at ±2.
      [{ kind: "trunc_normal", std: 0.02 }, [200, 100], 0.02 * 0.87962566],
    ];
    for (const [init, shape, deviation] of cases) {
      const w = initialWeight(weight(shape, init), 1);
      const mean = w.reduce((a, b) => a + b, 0) / w.length;
      const found = Math.sqrt(w.reduce((a, b) => a + (b - mean) ** 2, 0) / w.length);
      expect(Math.abs(mean)).toBeLessThan((5 * deviation) / Math.sqrt(w.length));
      expect(Math.abs(found / deviation - 1)).toBeLessThan(5 / Math.sqrt(2 * w.length));
    }
    const cut = initialWeight(weight([500, 100], { kind: "trunc_normal", std: 0.02 }), 1);
    expect(Math.max(...cut.map(Math.abs))).toBeLessThanOrEqual(Math.fround(0.04));
  });
  it("constants, ranges, seeds and paths", () => {
    expect([...initialWeight(weight([3], { kind: "constant", values: [0.1] }), 0)]).toEqual(
      [0.1, 0.1, 0.1].map(Math.fround),
    );
    expect([...initialWeight(weight([], { kind: "ones" }), 0)]).toEqual([1]);
    expect([...initialWeight(weight([2], { kind: "constant", values: [1, 2] }), 0)]).toEqual([1, 2]);
    const ranged = initialWeight({ ...weight([50], { kind: "normal", std: 1 }), range: [0, 0.5] }, 0);
    expect(Math.min(...ranged)).toBe(0);
    expect(Math.max(...ranged)).toBe(0.5);
    const normal: Init = { kind: "normal", std: 1 };
    const one = initialWeight(weight([8], normal), 1);
    expect(initialWeight(weight([8], normal), 1)).toEqual(one);
    expect(initialWeight(weight([8], normal), 2)).not.toEqual(one);
    expect(initialWeight(weight([8], normal, "other.weight"), 1)).not.toEqual(one);
  });
});
