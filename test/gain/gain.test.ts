import fc from "fast-check";
import { describe, expect, it } from "vitest";
import * as g from "../../src/gain/gain.ts";
import { isometry, normal, seeded } from "../rig/matrix.ts";
import { normOf } from "../rig/search.ts";

const reason: g.Reason = { text: "no rule", path: "a.b", because: [] };
const bound = fc.oneof(
  fc.double({ min: 0, max: 1e9, noNaN: true }),
  fc.constantFrom(0, 1, Infinity, 1e-300, 1e300),
);
const gains = fc.array(bound, { minLength: 9, maxLength: 9 }).map((entries) => g.gainOf(entries, reason));
const shapes = fc.array(fc.integer({ min: 1, max: 6 }), { minLength: 0, maxLength: 3 });

describe("conversions between norms", () => {
  it("are attained: one hot, one token, all ones", () => {
    const shape = [2, 3, 4];
    const oneHot = Float64Array.from({ length: 24 }, (_, i) => (i === 5 ? 1 : 0));
    const ones = new Float64Array(24).fill(1);
    const oneToken = Float64Array.from({ length: 24 }, (_, i) => (i < 4 ? 1 : 0));
    const k = g.conversion(shape);
    const attained = g.norms.map((p) =>
      g.norms.map((q) =>
        Math.max(...[oneHot, ones, oneToken].map((v) => normOf(v, shape, q) / normOf(v, shape, p))),
      ),
    );
    attained.flat().forEach((ratio, i) => expect(k[i]).toBeCloseTo(ratio, 12));
    attained.flat().forEach((ratio, i) => expect(k[i]).toBeGreaterThanOrEqual(ratio * (1 - 1e-15)));
  });
  it("hold for random values", () => {
    const random = seeded(7);
    fc.assert(
      fc.property(shapes, (shape) => {
        const v = Float64Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => normal(random));
        for (const p of g.norms) {
          for (const q of g.norms) {
            const ratio = normOf(v, shape, q) / normOf(v, shape, p);
            expect(g.entry(g.identity(shape), p, q)).toBeGreaterThanOrEqual(ratio * (1 - 1e-14));
          }
        }
      }),
    );
  });
  it("are closed already: converting twice changes nothing (beyond rounding up)", () => {
    fc.assert(
      fc.property(shapes, (shape) => {
        const once = g.identity(shape);
        const twice = g.closeValue(once, shape);
        twice.entries.forEach((x, i) => expect(x).toBe(once.entries[i]));
      }),
    );
  });
});

describe("closing a rule's entries", () => {
  it("fills in what follows, and keeps what is stated", () => {
    const m = g.closed({ l2: 3 }, [4, 2], [4, 2]);
    expect(m[0]).toBe(3);
    expect(m[1]).toBe(3);
    expect(m[3]).toBe(6);
    expect(g.entry({ entries: m, why: null }, "linf", "l2")).toBeCloseTo(3 * Math.sqrt(8), 12);
  });
  it("never exceeds a smaller stated entry", () => {
    const m = g.closed({ l2: 10, "l2->token": 1, token: 2 }, [9, 2], [9, 2]);
    expect(m[0]).toBe(3);
    expect(m[1]).toBe(1);
    expect(m[4]).toBe(2);
  });
  it("of nothing is no proof", () => {
    expect(g.closed({}, [4], [4]).every((x) => x === Infinity)).toBe(true);
    expect(g.closed({ l2: NaN }, [4], [4]).every((x) => x === Infinity)).toBe(true);
  });
});

describe("a sequence", () => {
  it("is at most the product in each norm, and the smallest over all norms in between", () => {
    fc.assert(
      fc.property(gains, gains, (a, b) => {
        const both = g.through(a, b.entries);
        for (let p = 0; p < 3; p++) {
          for (let r = 0; r < 3; r++) {
            const ways = [0, 1, 2].map((q) =>
              a.entries[3 * p + q] === 0 || b.entries[3 * q + r] === 0
                ? 0
                : a.entries[3 * p + q] * b.entries[3 * q + r],
            );
            const x = both.entries[3 * p + r];
            expect(x).not.toBeNaN();
            expect(x).toBeGreaterThanOrEqual(Math.min(...ways) * (1 - 1e-15));
            if (Math.min(...ways) < Infinity && Math.min(...ways) > 1e-200)
              expect(x).toBeLessThanOrEqual(Math.min(...ways) * (1 + 1e-15));
          }
        }
      }),
    );
  });
  it("of planted linear maps is not below what they attain", () => {
    const random = seeded(11);
    const a = isometry(5, 5, random, 2);
    const b = isometry(5, 5, random, 0.5);
    const map = (m: number[]) =>
      g.closed({ l2: m === a ? 2 : 0.5, token: m === a ? 2 : 0.5 }, [3, 5], [3, 5]);
    const both = g.through(g.through(g.identity([3, 5]), map(a)), map(b));
    expect(g.entry(both, "l2", "l2")).toBe(1);
    expect(g.entry(both, "token", "token")).toBe(1);
  });
  it("keeps the reason of what is not proven", () => {
    const none = g.unproven(reason, g.identity([3]));
    expect(g.through(none, g.closed({ l2: 1 }, [3], [3])).why?.text).toBe("no rule");
    expect(g.through(g.identity([3]), g.closed({}, [3], [3]), reason).why?.text).toBe("no rule");
    expect(g.isNothing(g.through(g.nothing, g.closed({}, [3], [3]), reason))).toBe(true);
  });
});

describe("sums, multiples and neighbours", () => {
  it("add, multiply and join entry by entry, with ∞ and without NaN", () => {
    fc.assert(
      fc.property(gains, gains, bound, (a, b, factor) => {
        const sum = g.plus(a, b).entries;
        const multiple = g.times(factor, a).entries;
        const joined = g.beside([a, b], "channels").entries;
        const rows = g.beside([a, b], "tokens").entries;
        for (let i = 0; i < 9; i++) {
          const [x, y] = [a.entries[i], b.entries[i]];
          for (const z of [sum[i], multiple[i], joined[i], rows[i]]) expect(z).not.toBeNaN();
          expect(sum[i]).toBeGreaterThanOrEqual(x + y);
          if (factor === 0 || x === 0) expect(multiple[i]).toBe(0);
          else expect(multiple[i]).toBeGreaterThanOrEqual(factor * x);
          const root = Math.hypot(x, y) * (1 - 1e-15);
          expect(joined[i]).toBeGreaterThanOrEqual(i % 3 === 2 ? Math.max(x, y) : root);
          expect(rows[i]).toBeGreaterThanOrEqual(i % 3 === 0 ? root : Math.max(x, y));
        }
      }),
    );
  });
  it("of independent values are zero", () => {
    expect(g.plus(g.nothing, g.identity([2, 3]))).toEqual(g.identity([2, 3]));
    expect(g.isNothing(g.times(0, g.unproven(reason)))).toBe(true);
    expect(g.isNothing(g.times(Infinity, g.nothing))).toBe(true);
    expect(g.isNothing(g.unproven(reason, g.nothing, g.nothing))).toBe(true);
    expect(g.beside([g.identity([2, 3]), g.nothing], "channels")).toEqual(g.identity([2, 3]));
  });
  it("have a reason wherever an entry is ∞", () => {
    expect(g.gainOf([NaN, 0, 0, 0, 0, 0, 0, 0, 0]).why).not.toBeNull();
    expect(g.gainOf([-1, 0, 0, 0, 0, 0, 0, 0, 0]).entries[0]).toBe(Infinity);
    expect(g.times(NaN, g.identity([2])).entries.every((x) => x === Infinity)).toBe(true);
    expect(g.tighter(g.unproven(reason), g.identity([2])).why).toBeNull();
  });
});
