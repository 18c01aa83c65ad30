import fc from "fast-check";
import { describe, expect, it } from "vitest";
import * as up from "../../src/gain/up.ts";

/** A finite float64 as an exact multiple of 2^-1200 … of 2^-1074, that is: x·2^1074 as a whole number. */
const one = 1n << 1074n;
function exact(x: number): bigint {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, x);
  const bits = view.getBigUint64(0);
  const exponent = (bits >> 52n) & 0x7ffn;
  const fraction = bits & ((1n << 52n) - 1n);
  const size = exponent === 0n ? fraction : (fraction | (1n << 52n)) << (exponent - 1n);
  return bits >> 63n ? -size : size;
}

const special = [
  0,
  Number.MIN_VALUE,
  2 * Number.MIN_VALUE,
  2.2250738585072014e-308,
  2.225073858507201e-308,
  1e-300,
  1e-162,
  1e-140,
  1e-139,
  1e-17,
  2 ** -53,
  1 / 3,
  0.1,
  1 - 2 ** -53,
  1,
  1 + 2 ** -52,
  Math.SQRT2,
  2,
  3,
  1 / 12,
  1e8,
  2 ** 53,
  1e139,
  1e140,
  1e154,
  1.4e154,
  1e300,
  1.7e308,
  Number.MAX_VALUE,
];
const plain = fc.double({ min: 0, max: 1e6, noNaN: true });
/** Any magnitude equally likely: uniform bits. */
const anyBits = fc.bigInt({ min: 0n, max: 0x7fefffffffffffffn }).map((bits) => {
  const view = new DataView(new ArrayBuffer(8));
  view.setBigUint64(0, bits);
  return view.getFloat64(0);
});
const ordinary = fc.oneof(
  plain,
  fc.double({ min: 0.5, max: 2, noNaN: true }),
  fc.integer({ min: 0, max: 4096 }),
);
const positive = fc.oneof(ordinary, anyBits, fc.constantFrom(...special));
const signed = fc.tuple(positive, fc.boolean()).map(([x, minus]) => (minus ? -x : x));

const runs = { numRuns: 20_000 };

/** result ≥ exact; where the exact value is a float64 of ordinary size, equal to it. */
function check(result: number, isAtLeast: (r: bigint) => boolean, ordinarySize: boolean): void {
  expect(result).not.toBeNaN();
  if (result === Infinity) return;
  expect(isAtLeast(exact(result))).toBe(true);
  // No more than one step above: the number below must be under the exact value.
  if (ordinarySize)
    expect(isAtLeast(exact(up.nextDown(result))) && isAtLeast(exact(up.nextDown(up.nextDown(result))))).toBe(
      false,
    );
}
const usual = (...xs: number[]): boolean => xs.every((x) => x > 1e-130 && x < 1e130);

describe("arithmetic that rounds up", () => {
  it("adds, whatever the signs and sizes", () => {
    fc.assert(
      fc.property(signed, signed, (a, b) => {
        check(up.addUp(a, b), (r) => r >= exact(a) + exact(b), usual(a, b));
        check(up.subUp(a, b), (r) => r >= exact(a) - exact(b), false);
        const down = up.subDown(a, b);
        if (Number.isFinite(down)) expect(exact(down) <= exact(a) - exact(b)).toBe(true);
        else expect(down).toBe(-Infinity);
      }),
      runs,
    );
  });

  it("multiplies", () => {
    fc.assert(
      fc.property(positive, positive, (a, b) => {
        const p = up.mulUp(a, b);
        check(p, (r) => r * one >= exact(a) * exact(b), usual(a, b, a * b));
        if (a > 0 && b > 0) expect(p).toBeGreaterThan(0);
      }),
      runs,
    );
  });

  it("divides", () => {
    fc.assert(
      fc.property(positive, positive, (a, b) => {
        const q = up.divUp(a, b);
        if (b === 0) {
          expect(q).toBe(Infinity);
          return;
        }
        check(q, (r) => r * exact(b) >= exact(a) * one, usual(a, b, a / b));
      }),
      runs,
    );
  });

  it("takes roots, up and down", () => {
    fc.assert(
      fc.property(positive, (a) => {
        check(up.sqrtUp(a), (r) => r * r >= exact(a) * one, usual(a));
        const down = exact(up.sqrtDown(a));
        expect(down >= 0n && down * down <= exact(a) * one).toBe(true);
      }),
      runs,
    );
  });

  it("takes the root of a sum of squares", () => {
    fc.assert(
      fc.property(fc.array(signed, { minLength: 1, maxLength: 6 }), (xs) => {
        const h = up.hypotUp(...xs);
        if (h === Infinity) {
          expect(Math.max(...xs.map(Math.abs))).toBeGreaterThan(1e300);
          return;
        }
        expect(exact(h) ** 2n >= xs.reduce((s, x) => s + exact(x) ** 2n, 0n)).toBe(true);
        if (usual(...xs.map(Math.abs))) expect(h).toBeLessThanOrEqual(Math.hypot(...xs) * (1 + 1e-14));
      }),
      runs,
    );
  });

  it("is exact where the exact result is a float64", () => {
    expect(up.addUp(0.5, 0.25)).toBe(0.75);
    expect(up.mulUp(1, 1 / 3)).toBe(1 / 3);
    expect(up.mulUp(0.5, 3)).toBe(1.5);
    expect(up.divUp(1, 4)).toBe(0.25);
    expect(up.sqrtUp(49)).toBe(7);
    expect(up.sqrtDown(49)).toBe(7);
    expect(up.hypotUp(3, 4)).toBe(5);
    expect(up.hypotUp(0, 0.1)).toBe(0.1);
    expect(up.sumUp([0.25, 0.25, 0.5])).toBe(1);
  });

  it("steps through the float64 numbers", () => {
    fc.assert(
      fc.property(signed, (x) => {
        const next = up.nextUp(x);
        if (next === Infinity) {
          expect(x).toBe(Number.MAX_VALUE);
          return;
        }
        expect(next).toBeGreaterThan(x);
        expect(up.nextDown(next) === x).toBe(true);
      }),
      runs,
    );
    expect(up.nextUp(-Number.MIN_VALUE) === 0).toBe(true);
    expect(up.nextUp(-Infinity)).toBe(-Number.MAX_VALUE);
  });

  it("encloses the exponential and the logarithm", () => {
    fc.assert(
      fc.property(fc.double({ min: -740, max: 700, noNaN: true }), (x) => {
        expect(up.expUp(x)).toBeGreaterThanOrEqual(Math.exp(x));
        expect(up.expDown(x)).toBeLessThanOrEqual(Math.exp(x));
        // e^x·e^-x = 1
        if (Math.abs(x) < 700) expect(up.mulUp(up.expUp(x), up.expUp(-x))).toBeGreaterThanOrEqual(1);
        if (Math.abs(x) < 700) expect(up.expDown(x) * up.expDown(-x)).toBeLessThanOrEqual(1);
      }),
      { numRuns: 2000 },
    );
    expect(up.expUp(0)).toBe(1);
    expect(up.expDown(0)).toBe(1);
    expect(up.logUp(1)).toBe(0);
    expect(up.logUp(Math.E)).toBeGreaterThanOrEqual(1);
  });
});

describe("no proof", () => {
  const { addUp, subUp, mulUp, divUp, sqrtUp, maxUp, hypotUp, sumUp, expUp, logUp, nextUp } = up;
  it("is what NaN and ∞ become", () => {
    for (const f of [addUp, subUp, mulUp, divUp, maxUp, hypotUp]) {
      expect(f(NaN, 1), f.name).toBe(Infinity);
      expect(f(1, NaN), f.name).toBe(Infinity);
    }
    for (const f of [addUp, mulUp, maxUp, hypotUp]) {
      expect(f(Infinity, 1)).toBe(Infinity);
      expect(f(1, Infinity)).toBe(Infinity);
      expect(f(Infinity, Infinity)).toBe(Infinity);
    }
    for (const f of [sqrtUp, expUp, logUp, nextUp]) expect(f(NaN), f.name).toBe(Infinity);
    expect(sumUp([1, NaN])).toBe(Infinity);
    expect(mulUp(-1, 2)).toBe(Infinity);
    expect(divUp(-1, 2)).toBe(Infinity);
    expect(sqrtUp(-1)).toBe(Infinity);
    expect(divUp(Infinity, Infinity)).toBe(Infinity);
    expect(divUp(1, 0)).toBe(Infinity);
    expect(divUp(0, 0)).toBe(Infinity);
    expect(divUp(1, Infinity)).toBeGreaterThan(0);
  });
  it("is overruled only by a factor that is exactly zero", () => {
    expect(mulUp(0, Infinity)).toBe(0);
    expect(mulUp(Infinity, 0)).toBe(0);
    expect(mulUp(Number.MIN_VALUE, Infinity)).toBe(Infinity);
    expect(mulUp(Number.MIN_VALUE, Number.MIN_VALUE)).toBeGreaterThan(0);
  });
  it("never wins as the smaller of two bounds", () => {
    expect(up.minBound(NaN, 3)).toBe(3);
    expect(up.minBound(3, NaN)).toBe(3);
    expect(up.minBound(NaN, NaN)).toBe(Infinity);
    expect(up.minBound(2, 3)).toBe(2);
  });
});

describe("stored numbers", () => {
  it("are float32, and those for range ends never lie beyond the number", () => {
    expect(up.stored(1 / 12)).toBeGreaterThan(1 / 12);
    fc.assert(
      fc.property(signed, (x) => {
        const f = up.storedTowardZero(x);
        expect(Math.fround(f)).toBe(f);
        expect(Math.abs(f)).toBeLessThanOrEqual(Math.abs(x));
        const nearest = Math.fround(x);
        if (Number.isFinite(nearest))
          expect(Math.abs(nearest - f)).toBeLessThanOrEqual(
            Math.max(Math.abs(nearest) * 2 ** -22, 2 ** -149),
          );
      }),
      runs,
    );
  });
});
