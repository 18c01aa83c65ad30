import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  bounds,
  boundsBelow,
  compare,
  dyadic,
  enclosures as a,
  numberAbove,
  numberBelow,
  type Enclosure,
} from "../../src/certificate/verify/enclosure.ts";

const finite = fc.double({ noNaN: true, noDefaultInfinity: true });
const positive = fc.double({ noNaN: true, noDefaultInfinity: true, min: 1e-300, max: 1e300 });
const exact = (x: Enclosure): boolean => compare(x.lo, x.hi) === 0;
const within = (x: Enclosure, low: number, high: number): boolean =>
  compare(dyadic(low), x.lo) <= 0 && compare(x.hi, dyadic(high)) <= 0;
/** Narrower than 2⁻³⁶⁰ of its size. */
function narrow(x: Enclosure): boolean {
  const width = a.sub({ lo: x.hi, hi: x.hi }, { lo: x.lo, hi: x.lo });
  return compare(width.hi, a.mul(a.abs(x), { lo: { m: 1n, e: -360 }, hi: { m: 1n, e: -360 } }).hi) <= 0;
}

describe("exact arithmetic of the checker", () => {
  it("takes every float64 as it is, and gives it back", () => {
    fc.assert(
      fc.property(finite, (x) => {
        expect(numberAbove(a.num(x))).toBe(x + 0);
        expect(numberBelow(a.num(x))).toBe(x + 0);
      }),
    );
    for (const x of [5e-324, 2 ** -1022, Number.MAX_VALUE, -5e-324, 0, 1 / 3])
      expect(numberAbove(a.num(x))).toBe(x);
  });

  it("adds and multiplies exactly, as whole numbers do", () => {
    fc.assert(
      fc.property(fc.bigInt(-(2n ** 90n), 2n ** 90n), fc.bigInt(-(2n ** 90n), 2n ** 90n), (x, y) => {
        const of = (m: bigint): Enclosure => ({ lo: { m, e: 0 }, hi: { m, e: 0 } });
        for (const [got, want] of [
          [a.add(of(x), of(y)), x + y],
          [a.sub(of(x), of(y)), x - y],
          [a.mul(of(x), of(y)), x * y],
        ] as const) {
          expect(exact(got)).toBe(true);
          expect(compare(got.lo, { m: want, e: 0 })).toBe(0);
        }
      }),
    );
  });

  it("encloses quotients and roots: multiplying back meets the number", () => {
    fc.assert(
      fc.property(positive, positive, (x, y) => {
        const [quotient, root] = [a.div(a.num(x), a.num(y)), a.sqrt(a.num(x))];
        const [back, squared] = [a.mul(quotient, a.num(y)), a.mul(root, root)];
        for (const z of [back, squared])
          expect(compare(z.lo, dyadic(x)) <= 0 && compare(z.hi, dyadic(x)) >= 0).toBe(true);
        expect(narrow(quotient) && narrow(root)).toBe(true);
      }),
    );
  });

  it("knows squares and even quotients exactly", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 26 }), fc.integer({ min: -300, max: 300 }), (n, e) => {
        const square = a.num(n * n * 4 ** e);
        expect(exact(a.sqrt(square))).toBe(true);
        expect(numberAbove(a.sqrt(square))).toBe(n * 2 ** e);
        expect(exact(a.div(a.num(n), a.num(2 ** (e % 50))))).toBe(true);
      }),
    );
  });

  it("encloses exp and log narrowly", () => {
    // e, ln 2 and e^−20 to more digits than a float64 has.
    expect(within(a.exp(a.num(1)), 2.718281828459045, 2.7182818284590455)).toBe(true);
    expect(within(a.log(a.num(2)), 0.6931471805599453, 0.6931471805599454)).toBe(true);
    expect(within(a.exp(a.num(-20)), 2.061153622438557e-9, 2.0611536224385583e-9)).toBe(true);
    fc.assert(
      fc.property(fc.double({ min: -700, max: 700, noNaN: true }), (x) => {
        const power = a.exp(a.num(x));
        const back = a.log(power);
        expect(compare(back.lo, dyadic(x)) <= 0 && compare(back.hi, dyadic(x)) >= 0).toBe(true);
        // Math.exp errs by less than one unit.
        expect(within(power, Math.exp(x) * (1 - 2 ** -51), Math.exp(x) * (1 + 2 ** -51))).toBe(true);
      }),
      { numRuns: 50 },
    );
    expect(numberAbove(a.exp(a.num(-Infinity)))).toBe(0);
    expect(numberAbove(a.exp(a.num(-1e6)))).toBe(5e-324);
  });

  it("knows nothing where nothing is known, and never makes a number of it", () => {
    const unknown = a.num(Infinity);
    for (const x of [
      a.div(a.num(1), unknown),
      a.div(a.num(1), a.num(0)),
      a.sub(unknown, unknown),
      a.add(unknown, a.num(-Infinity)),
      a.num(NaN),
      a.sqrt(a.num(-1)),
      a.log(a.num(0)),
      a.mul(unknown, a.num(1e-300)),
      // What may be no number stays so, even times 0: a convex residual once took 0·(α²/0) for a bound.
      a.mul(a.num(0), a.div(a.num(1), a.num(0))),
      a.mul(a.num(0), a.sub(unknown, unknown)),
    ])
      expect(numberAbove(x)).toBe(Infinity);
    expect(numberAbove(a.mul(unknown, a.num(0)))).toBe(0);
    expect(numberAbove(a.min(unknown, a.num(2)))).toBe(2);
  });

  it("accepts the next number above a root, and refuses the next below", () => {
    const root = a.sqrt(a.num(2));
    expect(bounds(Math.SQRT2, root)).toBe(Math.SQRT2 ** 2 >= 2);
    expect(bounds(1.4142135623730951, root)).toBe(true);
    expect(bounds(1.414213562373095, root)).toBe(false);
    expect(bounds(NaN, root)).toBe(false);
    expect(boundsBelow(1.414213562373095, root)).toBe(true);
    expect(boundsBelow(NaN, root)).toBe(false);
  });
});
