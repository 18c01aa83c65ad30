/** The WebAssembly kernel: the same bits as a plain loop that adds in the same order. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { addInnerProducts } from "../../src/gain/products.ts";
import { normal, seeded } from "../rig/matrix.ts";

/** Sums of at most 256 products from the left, added up block by block. */
function plain(v: Float64Array, i: number, j: number, length: number, start: number, sign: 1 | -1): number {
  let total = start;
  for (let from = 0; from < length; from += 256) {
    let sum = 0;
    for (let k = from; k < Math.min(length, from + 256); k++) sum += v[i * length + k] * v[j * length + k];
    total += sign * sum;
  }
  return total;
}

test("every product below the diagonal, to the last bit, and nothing above it", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 23 }),
      fc.oneof(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 250, max: 530 })),
      fc.constantFrom(1 as const, -1 as const),
      fc.constantFrom(1, 1e160, 1e-160, 1e-310),
      fc.nat(),
      (count, length, sign, scale, seed) => {
        const random = seeded(seed + 1);
        const v = Float64Array.from({ length: count * length }, () => scale * normal(random));
        const target = Float64Array.from({ length: count * count }, () => scale * scale * normal(random));
        const before = target.slice();
        const whole = { data: target, at: 0, stride: count };
        addInnerProducts(whole, { data: v, at: 0, stride: length }, count, length, sign);
        for (let i = 0; i < count; i++) {
          for (let j = 0; j < count; j++) {
            const at = i * count + j;
            const want = j > i ? before[at] : plain(v, i, j, length, before[at], sign);
            expect(Object.is(target[at], want) || target[at] === want).toBe(true);
          }
        }
      },
    ),
    { numRuns: 60 },
  );
});

test("a part of a larger matrix, with vectors of the same matrix beside it", () => {
  const random = seeded(3);
  const n = 11;
  const from = 4;
  const data = Float64Array.from({ length: n * n }, () => normal(random));
  const before = data.slice();
  // What a Cholesky factorisation does: columns 0 to 3 of rows 4 … taken from the square right of them.
  const target = { data, at: from * n + from, stride: n };
  addInnerProducts(target, { data, at: from * n, stride: n }, n - from, from, -1);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) {
      let sum = 0;
      for (let k = 0; k < from; k++) sum += before[i * n + k] * before[j * n + k];
      const inside = i >= from && j >= from && j <= i;
      expect(data[i * n + j]).toBe(inside ? before[i * n + j] - sum : before[i * n + j]);
    }
  }
});

test("what is not finite stays so", () => {
  const data = new Float64Array(1);
  for (const x of [Infinity, NaN]) {
    data[0] = 0;
    const v = { data: Float64Array.of(x, 0), at: 0, stride: 2 };
    addInnerProducts({ data, at: 0, stride: 1 }, v, 1, 2);
    expect(Number.isFinite(data[0])).toBe(false);
  }
});
