import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { channelNorms } from "../../src/certificate/verify/frequencies.ts";
import { normHolds } from "../../src/certificate/verify/maps.ts";
import {
  frobenius,
  rowDistance,
  rowNorm,
  rowSum,
  spectralAtMost,
} from "../../src/certificate/verify/numeric.ts";
import { addProducts, choleskyEnds, gramOf } from "../../src/certificate/verify/products.ts";
import { depthwiseNorm } from "../../src/measure/symbol.ts";
import { singularValues } from "../helpers/singular.ts";
import { spectralNorm } from "../rig/matrix.ts";
import { generator } from "./mutations.ts";

function random(rows: number, columns: number, seed: number): Float64Array {
  const draw = generator(seed);
  return Float64Array.from({ length: rows * columns }, () => Math.fround((draw(2001) - 1000) / 777));
}

describe("norms that the checker proves from bytes", () => {
  it("a spectral norm a little above the singular value is accepted, one a little below never", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 12 }),
        fc.integer({ min: 1, max: 12 }),
        fc.nat(),
        fc.integer({ min: -60, max: 60 }),
        (rows, columns, seed, e) => {
          const entries = random(rows, columns, seed).map((x) => x * 2 ** e);
          const [sigma] = singularValues(entries, rows, columns);
          const m = { rows, columns, entries };
          expect(spectralAtMost(m, sigma * (1 + 1e-10))).toBe(true);
          expect(spectralAtMost(m, sigma * (1 - 1e-10))).toBe(sigma === 0);
          // An error of the entries counts in full.
          expect(spectralAtMost(m, sigma * 1.05, sigma * 0.04)).toBe(true);
          expect(spectralAtMost(m, sigma * 1.05, sigma * 0.06)).toBe(sigma === 0);
        },
      ),
      { numRuns: 60 },
    );
  });

  it("sums of products are what they stand for, whole tiles, bands and stretches or not", () => {
    const draw = generator(3);
    const whole = (size: number): Float64Array => Float64Array.from({ length: size }, () => draw(17) - 8);
    for (const [rows, columns, count] of [
      [1, 1, 1],
      [2, 5, 3],
      [4, 3, 257],
      [49, 50, 96],
      [97, 7, 600],
    ] as const) {
      const [x, y] = [whole(rows * (count + 2)), whole(columns * count)];
      const out = { entries: new Float64Array(rows * (columns + 1)).fill(7), at: 0, step: columns + 1 };
      const expected = out.entries.map((start, place) => {
        const [i, j] = [Math.floor(place / (columns + 1)), place % (columns + 1)];
        if (j === columns) return start;
        let sum = 0;
        for (let c = 0; c < count; c++) sum += x[i * (count + 2) + c + 2] * y[j * count + c];
        return start - sum;
      });
      const from = { entries: x, at: 2, step: count + 2 };
      addProducts(out, [rows, columns, count], from, { entries: y, at: 0, step: count }, -1);
      expect(out.entries).toEqual(expected);
    }
  });

  it("Cholesky's algorithm finds the triangle that a matrix was made of, and the pivot that isn't positive", () => {
    const draw = generator(4);
    for (const n of [1, 2, 47, 48, 49, 100, 145]) {
      const triangle = Float64Array.from({ length: n * n }, (_, place) => {
        const [i, j] = [Math.floor(place / n), place % n];
        return i === j ? 2 ** draw(3) : j < i ? draw(7) - 3 : 0;
      });
      const made = gramOf(triangle, n, n);
      const found = made.slice();
      expect(choleskyEnds(found, n)).toBe(true);
      for (let i = 0; i < n; i++)
        for (let j = 0; j <= i; j++) expect(found[i * n + j]).toBe(triangle[i * n + j]);
      const last = n * n - 1;
      made[last] -= triangle[last] ** 2;
      expect(choleskyEnds(made, n)).toBe(false);
    }
  });

  it("a spectral norm of hundreds of rows, wide or tall, is bounded as closely", () => {
    for (const [rows, columns] of [
      [49, 300],
      [130, 97],
      [150, 150],
    ] as const) {
      const entries = random(rows, columns, rows);
      const [sigma] = singularValues(entries, rows, columns);
      const m = { rows, columns, entries };
      expect(spectralAtMost(m, sigma * (1 + 1e-9))).toBe(true);
      expect(spectralAtMost(m, sigma * (1 - 1e-9))).toBe(false);
    }
  });

  it("nothing passes with a number that isn't one", () => {
    const m = { rows: 2, columns: 2, entries: Float64Array.from([1, NaN, 0, 1]) };
    expect(spectralAtMost(m, 1e9)).toBe(false);
    expect(rowSum(m) <= 1e9).toBe(false);
    expect(rowNorm(m) <= 1e9).toBe(false);
    expect(frobenius(m) <= 1e9).toBe(false);
    expect(rowDistance(m) <= 1e9).toBe(false);
    expect(spectralAtMost({ rows: 1, columns: 1, entries: Float64Array.from([1]) }, NaN)).toBe(false);
    expect(spectralAtMost({ rows: 2, columns: 2, entries: Float64Array.from([1, 1, -1, -1]) }, 0)).toBe(
      false,
    );
  });

  it("a matrix of zeros has norms 0, one whose squares underflow hasn't", () => {
    const of = (x: number) => ({ rows: 3, columns: 3, entries: new Float64Array(9).fill(x) });
    for (const norm of [rowSum, rowNorm, frobenius, rowDistance]) expect(norm(of(0))).toBe(0);
    expect(spectralAtMost(of(0), 0)).toBe(true);
    expect(rowNorm(of(1e-170))).toBeGreaterThan(Math.sqrt(3) * 1e-170);
    expect(frobenius(of(1e-170))).toBeGreaterThan(3e-170);
    expect(spectralAtMost(of(1e-170), 2e-170)).toBe(false);
  });

  it("sums are at least the exact ones, and hardly more", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 9 }),
        fc.integer({ min: 1, max: 9 }),
        fc.nat(),
        (rows, columns, seed) => {
          const entries = random(rows, columns, seed);
          const m = { rows, columns, entries };
          // Entries are whole multiples of 2⁻⁶⁰: sums of BigInts are exact.
          const whole = [...entries].map((x) => BigInt(x * 2 ** 60));
          const sums = Array.from({ length: rows }, (_, r) =>
            whole.slice(r * columns, (r + 1) * columns).reduce((sum, x) => sum + (x < 0n ? -x : x), 0n),
          );
          const most = sums.reduce((a, b) => (a > b ? a : b));
          expect(BigInt(rowSum(m) * 2 ** 60) >= most).toBe(true);
          expect(rowSum(m)).toBeLessThan((Number(most) / 2 ** 60) * (1 + 1e-13) + 1e-300);
          const squares = whole.reduce((sum, x) => sum + x * x, 0n);
          const norm = BigInt(Math.floor(frobenius(m) * 2 ** 60));
          expect((norm + 1n) * (norm + 1n) >= squares).toBe(true);
        },
      ),
    );
  });

  it("norms of depthwise convolutions agree with the analysis, which computes them in another way", () => {
    fc.assert(
      fc.property(
        fc.constantFrom(3, 5),
        fc.integer({ min: 3, max: 9 }),
        fc.integer({ min: 3, max: 9 }),
        fc.constantFrom(1, 2),
        fc.nat(),
        (k, h, w, dilation, seed) => {
          const data = Float32Array.from(random(2, k * k, seed));
          const own = channelNorms({ shape: [2, 1, k, k], data }, [h, w], dilation);
          const other = depthwiseNorm(data, { height: k, width: k }, [h, w], dilation, 1);
          expect(Math.max(...own) / other).toBeCloseTo(1, 10);
        },
      ),
      { numRuns: 40 },
    );
  });

  it("norms of convolutions on a map are borne out down to the truth, and nothing below it", () => {
    const axis = fc.record({ k: fc.constantFrom(1, 2, 3), n: fc.integer({ min: 1, max: 5 }) });
    const slides = fc.record({
      stride: fc.constantFrom(1, 2, 3),
      padding: fc.constantFrom(0, 1, 2),
      dilation: fc.constantFrom(1, 2),
    });
    fc.assert(
      fc.property(
        axis,
        fc.integer({ min: 1, max: 5 }),
        slides,
        fc.boolean(),
        fc.boolean(),
        fc.nat(),
        (ax, m, w, flat, diagonal, seed) => {
          const positions = flat ? [ax.n] : [m, ax.n];
          const outputs = positions.map(
            (n) => Math.floor((n + 2 * w.padding - (ax.k - 1) * w.dilation - 1) / w.stride) + 1,
          );
          fc.pre(outputs.every((n) => n >= 1));
          const [out, depth] = diagonal ? [3, 1] : [2, 2];
          const taps = ax.k ** positions.length;
          const data = Float32Array.from(random(out * depth, taps, seed));
          // The convolution of every unit vector, straight from its definition.
          const unitsOf = (sizes: readonly number[]): number[][] =>
            sizes.reduce<number[][]>(
              (all, n) => all.flatMap((at) => Array.from({ length: n }, (_, i) => [...at, i])),
              [[]],
            );
          const [reads, makes, tapsAt] = [positions, outputs, positions.map(() => ax.k)].map(unitsOf);
          const dense = (channels: readonly number[]) =>
            Float64Array.from(
              channels.flatMap((o) =>
                makes.flatMap((to) =>
                  Array.from({ length: depth }, (_, i) => i).flatMap((i) =>
                    reads.map((from) =>
                      tapsAt.reduce((sum, tap, t) => {
                        const hits = from.every(
                          (p, a) => p === to[a] * w.stride + tap[a] * w.dilation - w.padding,
                        );
                        return hits ? sum + data[(o * depth + i) * taps + t] : sum;
                      }, 0),
                    ),
                  ),
                ),
              ),
            );
          const groups = diagonal ? [[0], [1], [2]] : [[0, 1]];
          const truth = Math.max(
            ...groups.map((group) =>
              spectralNorm(dense(group), group.length * makes.length, depth * reads.length),
            ),
          );
          const shape = [out, depth, ...positions.map(() => ax.k)];
          const holds = (norm: number): boolean =>
            normHolds({ shape, data }, { positions, ...w, norm }, diagonal);
          expect(holds(truth * (1 + 1e-6))).toBe(true);
          if (truth > 1e-9) expect(holds(truth * (1 - 1e-6))).toBe(false);
        },
      ),
      { numRuns: 150 },
    );
  });
});
