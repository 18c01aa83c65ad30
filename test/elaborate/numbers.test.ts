import fc from "fast-check";
import { describe, expect, test } from "vitest";
import * as n from "../../src/elaborate/numbers.ts";
import {
  compare,
  divide,
  fromInt,
  fromNumber,
  multiply,
  parseRational,
  power,
  rational,
  subtract,
  toNumber,
  type Rational,
} from "../../src/elaborate/rational.ts";
import { editDistance, nearest, snakeCase } from "../../src/elaborate/words.ts";

const must = (r: Rational | null): Rational => {
  if (!r) throw new Error("no number");
  return r;
};
const of = (text: string): n.Interval => n.exact(must(parseRational(text)));

/** e to 60 digits, ln 2 and √2 likewise (OEIS A001113, A002162, A002193). */
const known: readonly (readonly [string, n.Interval | null, string])[] = [
  ["exp(1)", n.exp(of("1")), "2.71828182845904523536028747135266249775724709369995957496696"],
  ["log(2)", n.log(of("2")), "0.693147180559945309417232121458176568075500134360255254120680"],
  ["sqrt(2)", n.sqrt(of("2")), "1.41421356237309504880168872420969807856967187537694807317667"],
];

describe("enclosures hold the number and are narrow", () => {
  test.each(known)("%s", (_, interval, digits) => {
    if (!interval) throw new Error("no interval");
    const value = must(parseRational(digits));
    // The digits are cut off or rounded in the 59th place.
    const slack = must(rational(1n, 10n ** 58n));
    expect(compare(must(subtract(interval.low, slack)), value)).toBe(-1);
    expect(compare(must(subtract(value, slack)), interval.high)).toBe(-1);
    const width = must(subtract(interval.high, interval.low));
    expect(width.n).toBeGreaterThan(0n);
    expect(toNumber(width)).toBeLessThan(2 ** -120);
  });

  test("roots of squares are exact", () => {
    expect(n.sqrt(of("0.0625"))).toEqual(of("0.25"));
    expect(n.isExact(n.sqrt(of("50"))!)).toBe(false);
  });

  test("squares of the ends of a root stand on both sides", () => {
    fc.assert(
      fc.property(
        fc.bigInt({ min: 1n, max: 10n ** 30n }),
        fc.bigInt({ min: 1n, max: 10n ** 30n }),
        (a, b) => {
          const x = must(rational(a, b));
          const root = n.sqrt(n.exact(x))!;
          expect(compare(must(power(root.low, fromInt(2))), x)).not.toBe(1);
          expect(compare(must(power(root.high, fromInt(2))), x)).not.toBe(-1);
        },
      ),
    );
  });

  test("exp and log undo each other", () => {
    fc.assert(
      fc.property(fc.integer({ min: -60_000, max: 60_000 }), (thousandths) => {
        const x = must(divide(fromInt(thousandths), fromInt(1000)));
        const back = n.log(n.exp(n.exact(x))!)!;
        expect(compare(back.low, x)).not.toBe(1);
        expect(compare(back.high, x)).not.toBe(-1);
        expect(toNumber(must(subtract(back.high, back.low)))).toBeLessThan(2 ** -100);
      }),
      { numRuns: 60 },
    );
  });

  test("they agree with float64 where that is enough", () => {
    for (const x of [-20, -1, -0.001, 0.5, 3, 100]) {
      const value = n.exp(n.exact(fromNumber(x)))!;
      expect(Math.abs(toNumber(value.low) / Math.exp(x) - 1)).toBeLessThan(1e-15);
    }
    for (const x of [1e-9, 0.3, 0.999, 1.001, 2, 7, 1e30]) {
      const value = n.log(n.exact(fromNumber(x)))!;
      expect(Math.abs(toNumber(value.low) - Math.log(x))).toBeLessThan(
        1e-14 * Math.max(1, Math.abs(Math.log(x))),
      );
    }
  });

  test("arithmetic keeps the number inside", () => {
    const root = n.sqrt(of("2"))!;
    for (const value of [
      n.multiply(root, root),
      n.subtract(n.power(root, of("4"))!, of("2")),
      n.divide(n.multiply(root, of("4"))!, n.multiply(root, of("2"))!),
    ]) {
      expect(compare(value!.low, fromInt(2))).not.toBe(1);
      expect(compare(value!.high, fromInt(2))).not.toBe(-1);
    }
    expect(n.compare(n.multiply(root, root)!, of("2"))).toBeNull();
    expect(n.compare(root, of("1.5"))).toBe(-1);
    expect(n.floor(n.multiply(root, of("100"))!)).toEqual(of("141"));
    expect(n.floor(n.multiply(root, root)!)).toBeNull();
  });

  test("what has no value", () => {
    expect(n.sqrt(n.negate(of("2")))).toBeNull();
    expect(n.log(of("0"))).toBeNull();
    expect(n.exp(of("1e9"))).toBeNull();
    expect(n.divide(of("1"), n.subtract(n.sqrt(of("2"))!, n.sqrt(of("2"))!)!)).toBeNull();
  });
});

describe("ends of ranges are rounded inwards to float32", () => {
  test("by at most one step", () => {
    fc.assert(
      fc.property(
        fc.bigInt({ min: -(10n ** 12n), max: 10n ** 12n }),
        fc.bigInt({ min: 1n, max: 10n ** 12n }),
        (a, b) => {
          const x = must(rational(a, b));
          const up = n.storedNotBelow(x);
          const down = n.storedNotAbove(x);
          expect(Math.fround(up)).toBe(up);
          expect(compare(fromNumber(up), x)).not.toBe(-1);
          expect(compare(fromNumber(down), x)).not.toBe(1);
          const gap = toNumber(must(subtract(fromNumber(up), fromNumber(down))));
          expect(gap).toBeLessThanOrEqual(Math.max(2 ** -149, Math.abs(up) * 2 ** -22));
        },
      ),
    );
  });

  test("numbers that are float32 stay", () => {
    for (const x of [0, 1, -1, 0.25, 2 ** -149, Math.fround(0.1)]) {
      expect(n.storedNotBelow(fromNumber(x))).toBe(x);
      expect(n.storedNotAbove(fromNumber(x))).toBe(x);
    }
  });
});

test("numbers in messages", () => {
  expect(
    ["7/2", "1/3", "10", "1e-3"].map((t) =>
      t.includes("/")
        ? n.showNumber(
            n.exact(
              must(divide(...(t.split("/").map((p) => must(parseRational(p))) as [Rational, Rational]))),
            ),
          )
        : n.showNumber(of(t)),
    ),
  ).toEqual(["3.5", "1/3", "10", "0.001"]);
  expect(n.showNumber(n.sqrt(of("2"))!)).toBe("1.41421…");
  const far = [
    "1e400",
    "1e-400",
    "12e-300",
    "9".repeat(400),
    "3.14159265358979e99",
    "9007199254740993",
    "1e-8",
  ];
  expect(far.map((t) => n.showNumber(of(t)))).toEqual([
    "1e400",
    "1e-400",
    "1.2e-299",
    "9.99999…e399",
    "3.14159265358979e99",
    "9007199254740993",
    "1e-8",
  ]);
  expect(n.showNumber(n.exp(of("1000"))!)).toBe("1.97007…e434");
  expect(toNumber(must(multiply(must(parseRational("1e-400")), must(parseRational("1e400")))))).toBe(1);
});

describe("words", () => {
  test.each([
    ["LipsBlock", "lips_block"],
    ["GELU", "gelu"],
    ["MLPHead", "mlp_head"],
    ["R2DN", "r2dn"],
    ["Block2Norm", "block2_norm"],
    ["CSwinTiny", "c_swin_tiny"],
  ])("%s → %s", (name, snake) => expect(snakeCase(name)).toBe(snake));

  test("distance counts a transposition once", () => {
    expect(editDistance("Linear", "Lineal", 3)).toBe(1);
    expect(editDistance("Linear", "Lienar", 3)).toBe(1);
    expect(editDistance("abc", "xyz", 2)).toBe(3);
  });

  test("the nearest name, or none", () => {
    expect(nearest("Layernorm", ["Linear", "LayerNorm", "RMSNorm"])).toBe("LayerNorm");
    expect(nearest("Quux", ["Linear", "LayerNorm"])).toBeNull();
    expect(nearest("z", ["x", "y"])).toBeNull();
  });
});
