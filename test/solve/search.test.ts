import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  compare,
  exactText,
  fromNumber,
  parseRational,
  readExact,
  toNumber,
  type Rational,
} from "../../src/elaborate/rational.ts";
import { digitsAbove, digitsBelow, nextDigits } from "../../src/solve/digits.ts";
import { search, type Found } from "../../src/solve/search.ts";

const of = (text: string): Rational => readExact(text) as Rational;
const inside = (a: string, b: string) => [of(a), of(b)] as const;

/** Runs the search on a bound f with the claim f(x) ≤ 1. */
function solve(low: Rational, high: Rational, bound: (x: number) => number): Found<null> {
  return search(low, high, (value) => {
    if (compare(value, low) < 0 || compare(value, high) > 0) throw new Error("outside of the interval");
    const excess = bound(toNumber(value));
    return { value, holds: excess <= 1, excess, made: null };
  });
}

const threeDigits = fc
  .tuple(fc.integer({ min: 100, max: 999 }), fc.integer({ min: -9, max: 6 }))
  .map(([m, e]) => of(`${m}e${e}`));

describe("numbers of three digits", () => {
  it("lie on the side that is asked for, less than a unit away", () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, min: -1e9, max: 1e9 }), (x) => {
        const exact = fromNumber(x);
        const [below, above] = [digitsBelow(exact), digitsAbove(exact)];
        if (!below || !above) throw new Error("past the cap");
        expect(compare(below, exact)).toBeLessThanOrEqual(0);
        expect(compare(above, exact)).toBeGreaterThanOrEqual(0);
        for (const y of [below, above]) {
          expect(
            exactText(y)
              .replace(/e.*|[-.]|^0\.0*/g, "")
              .replace(/^0+|0+$/g, "").length,
          ).toBeLessThanOrEqual(3);
          expect(Math.abs(toNumber(y) - x)).toBeLessThanOrEqual(Math.abs(x) / 99);
        }
      }),
    );
  });

  it("follow one another: 99.9, 100, 101; down from 100 to 99.9", () => {
    const walk = (text: string, up: boolean): string => exactText(nextDigits(of(text), up) as Rational);
    expect([
      walk("99.9", true),
      walk("100", true),
      walk("100", false),
      walk("-100", true),
      walk("0.001", false),
    ]).toEqual(["100", "101", "99.9", "-99.9", "0.000999"]);
    fc.assert(
      fc.property(threeDigits, (x) => {
        const next = nextDigits(x, true) as Rational;
        expect(compare(next, x)).toBe(1);
        expect(compare(nextDigits(next, false) as Rational, x)).toBe(0);
      }),
    );
  });
});

describe("the search", () => {
  it("finds the largest number of three digits where the bound grows, whatever its form", () => {
    fc.assert(
      fc.property(
        threeDigits,
        fc.double({ min: 0, max: 0.0099, noNaN: true }),
        fc.constantFrom(0.25, 1, 3, 17),
        (answer, more, power) => {
          // The border lies between the answer and the next number of three digits.
          const border = toNumber(answer) * (1 + Math.min(more, 0.00099));
          const found = solve(of("0"), of("1e10"), (x) => (x / border) ** power);
          if (found.kind !== "found") throw new Error(found.kind);
          expect(exactText(found.at.value)).toBe(exactText(answer));
          expect(found.side).toBe("largest");
          expect(found.beyond?.holds).toBe(false);
        },
      ),
      { numRuns: 200 },
    );
  });

  it("finds the smallest where the bound falls", () => {
    fc.assert(
      fc.property(threeDigits, (answer) => {
        const border = toNumber(answer) * (1 - 0.0005);
        const found = solve(of("1e-9"), of("1e10"), (x) => Math.sqrt(border / x));
        if (found.kind !== "found") throw new Error(found.kind);
        expect([exactText(found.at.value), found.side, found.at.holds]).toEqual([
          exactText(answer),
          "smallest",
          true,
        ]);
      }),
      { numRuns: 200 },
    );
  });

  it("takes the end of the interval where every value meets the claims", () => {
    const [low, high] = inside("1/8", "1/3");
    const largest = solve(low, high, (x) => x);
    const smallest = solve(low, high, (x) => 0.1 / x);
    expect(largest.kind === "found" && [exactText(largest.at.value), largest.side, largest.beyond]).toEqual([
      "1/3",
      "largest",
      null,
    ]);
    expect(smallest.kind === "found" && [exactText(smallest.at.value), smallest.side]).toEqual([
      "0.125",
      "smallest",
    ]);
    expect(solve(low, high, () => 0.5).kind).toBe("idle");
  });

  it("never answers with a number that fails, for any two-sided or ragged set", () => {
    const borders = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 1, maxLength: 5 });
    fc.assert(
      fc.property(borders, fc.boolean(), (ends, first) => {
        const sorted = [...ends].sort((a, b) => a - b);
        const bound = (x: number): number =>
          (sorted.filter((end) => end < x).length % 2 === 0) === first ? 0.5 : 2;
        const found = solve(of("0"), of("1"), bound);
        if (found.kind !== "found") return;
        expect(bound(toNumber(found.at.value))).toBeLessThanOrEqual(1);
      }),
      { numRuns: 300 },
    );
  });

  it("sees a hole, and an island in the middle, and names where claims hold", () => {
    const holds = (found: Found<null>): string[] =>
      found.kind === "not-one-sided"
        ? found.holds.map(({ from, to }) => `${exactText(from)} ${exactText(to)}`)
        : [found.kind];
    const [low, high] = inside("0", "1");
    expect(holds(solve(low, high, (x) => (x < 0.3 || x > 0.7 ? 0.9 : 2)))).toEqual(["0 0.299", "0.701 1"]);
    expect(holds(solve(low, high, (x) => 1 + 10 * (Math.abs(x - 0.5) - 0.2)))).toEqual(["0.3 0.7"]);
    // Between two points of the grid: found by going down to where the bound is least.
    expect(holds(solve(low, high, (x) => 1 + Math.abs(x - 0.4371) - 0.001))).toEqual(["0.437 0.438"]);
  });

  it("says none, with the value that comes nearest", () => {
    const [low, high] = inside("0", "20");
    const found = solve(low, high, (x) => 4.1 + x);
    expect(found.kind === "none" && exactText(found.nearest.value)).toBe("0");
    expect(solve(low, high, () => Infinity).kind).toBe("none");
    // NaN passes nothing.
    expect(solve(low, high, () => NaN).kind).toBe("none");
  });

  it("knows intervals of one number, of irrational ends, below 0, and answers of 0", () => {
    const one = solve(of("0.3"), of("0.3"), (x) => x);
    expect(one.kind === "found" && exactText(one.at.value)).toBe("0.3");
    const long = { n: 1414213562373095048n, d: 10n ** 18n };
    const root = solve(of("0"), long, (x) => x / 2);
    expect(root.kind === "found" && exactText(root.at.value)).toBe("1.41");
    const negative = solve(of("-2"), of("-1/2"), (x) => -x);
    expect(negative.kind === "found" && [exactText(negative.at.value), negative.side]).toEqual([
      "-1",
      "smallest",
    ]);
    const nothing = solve(of("0"), of("1"), (x) => (x === 0 ? 1 : 1.1));
    expect(nothing.kind === "found" && exactText(nothing.at.value)).toBe("0");
    expect(parseRational("0.3")).toEqual(of("0.3"));
  });
});
