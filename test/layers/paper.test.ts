import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ourConstant, paperConstant, type CosineAttention } from "../../src/gain/paper/lipsformer.ts";

const swin: CosineAttention = {
  tokens: 49,
  tau: 10,
  nu: 1,
  eps: 1,
  valueEps: 1,
  query: 1,
  key: 1,
  value: 1,
  offsets: 0,
};

describe("the LipsFormer paper's theorem beside ours", () => {
  it("is the formula of the paper", () => {
    expect(paperConstant(swin)).toBe(2 * 49 * 48 * 10 + 2 * 48 * 10 + 2 * 49);
    expect(paperConstant({ ...swin, tau: 1, eps: 0.25, valueEps: 0.25, nu: 3, key: 2 })).toBeCloseTo(
      6 * (2 * 49 * 48 * 2 + 96 + 98),
      9,
    );
  });

  it("ours is smaller by at least 100 times on 49-token windows", () => {
    for (const tau of [1, 10, 20]) {
      for (const eps of [1e-6, 1e-2, 1]) {
        for (const offsets of [0, 0.08, Infinity]) {
          const layer = { ...swin, tau, eps, valueEps: eps, offsets };
          expect(paperConstant(layer) / ourConstant(layer)).toBeGreaterThan(100);
        }
      }
    }
  });

  it("ours is the coupled formula", () => {
    const c = 49 / (1 + 48 * Math.exp(-2));
    expect(ourConstant({ ...swin, tau: 1 })).toBeCloseTo(Math.sqrt(1 + c + c), 12);
    expect(ourConstant(swin)).toBeCloseTo(Math.sqrt(100 + 24.5 * 100 + 49 / (1 + 48 * Math.exp(-20))), 10);
  });

  it("ours is never larger, for N >= 2", () => {
    const positive = (max: number): fc.Arbitrary<number> => fc.double({ min: 0, max, noNaN: true });
    fc.assert(
      fc.property(
        fc.integer({ min: 2, max: 4096 }),
        positive(100),
        fc.double({ min: 1e-12, max: 1e3, noNaN: true }),
        fc.double({ min: 1e-12, max: 1e3, noNaN: true }),
        positive(10),
        fc.tuple(positive(50), positive(50), positive(50)),
        fc.oneof(positive(10), fc.constant(Infinity)),
        (tokens, tau, eps, valueEps, nu, [query, key, value], offsets) => {
          const layer = { tokens, tau, nu, eps, valueEps, query, key, value, offsets };
          // Both are rounded: ours up, the paper's to nearest; equality is possible only where both are 0.
          return ourConstant(layer) <= paperConstant(layer) * (1 + 1e-12) + 1e-300;
        },
      ),
      { numRuns: 3000 },
    );
  });
});
