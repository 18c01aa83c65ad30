import { describe, expect, it } from "vitest";
import { weightFacts, constantFacts } from "../../src/gain/weights.ts";
import type { Constraint, Init, Weight } from "../../src/model/model.ts";
import { factsOfEntries, isometry, normal, seeded } from "../rig/matrix.ts";

const span = { file: "", start: 0, end: 0 };

function weight(part: Partial<Weight>): Weight {
  return {
    path: "w",
    shape: [3, 5],
    role: "matrix",
    init: { kind: "xavier" },
    constraint: { kind: "none" },
    range: null,
    span,
    ...part,
  };
}
const initially = (init: Init, part: Partial<Weight> = {}) => weightFacts(weight({ init, ...part }), "init");
const always = (constraint: Constraint, part: Partial<Weight> = {}) =>
  weightFacts(weight({ constraint, ...part }), "always");

/** Every fact is at least what these entries have. */
function covers(
  facts: ReturnType<typeof weightFacts>,
  shape: readonly number[],
  data: readonly number[],
): void {
  const real = factsOfEntries(shape, data);
  for (const key of ["spectral", "frobenius", "rowSum", "rowNorm", "maxAbs", "high"] as const) {
    expect(facts[key], key).toBeGreaterThanOrEqual(real[key] * (1 - 1e-12));
  }
  expect(facts.low).toBeLessThanOrEqual(real.low + 1e-12);
}

describe("at init", () => {
  it("spectral and orthogonal starts have norm 1, tight", () => {
    for (const kind of ["spectral", "orthogonal"] as const) {
      const facts = initially({ kind });
      covers(facts, [3, 5], isometry(3, 5, seeded(1)));
      expect(facts.spectral).toBe(1);
      expect(facts.frobenius).toBeCloseTo(Math.sqrt(3), 14);
      expect(facts.rowSum).toBeCloseTo(Math.sqrt(5), 14);
    }
    // One row of equal entries attains the row sum, one entry the largest one.
    covers(initially({ kind: "spectral" }, { shape: [1, 4] }), [1, 4], [0.5, 0.5, 0.5, 0.5]);
    covers(initially({ kind: "spectral" }, { shape: [2, 2] }), [2, 2], [1, 0, 0, 1]);
  });
  it("Gaussian starts have no bound, and say so", () => {
    for (const init of [{ kind: "xavier" }, { kind: "kaiming" }, { kind: "normal", std: 0.02 }] as const) {
      const facts = initially(init);
      expect(facts.spectral).toBe(Infinity);
      expect(facts.why?.text).toContain("Gaussian");
    }
  });
  it("a cut Gaussian is bounded by its cut", () => {
    const facts = initially({ kind: "trunc_normal", std: 0.02 });
    expect(facts.maxAbs).toBe(Math.fround(0.04));
    covers(facts, [3, 5], new Array<number>(15).fill(Math.fround(0.04)));
    expect(facts.spectral).toBeCloseTo(0.04 * Math.sqrt(15), 8);
  });
  it("given numbers are known, as stored", () => {
    const facts = initially({ kind: "constant", values: [1 / 12] }, { shape: [4], role: "vector" });
    expect(facts.values).toEqual(new Array(4).fill(Math.fround(1 / 12)));
    expect(facts.maxAbs).toBeGreaterThan(1 / 12);
    expect(initially({ kind: "zeros" }).frobenius).toBe(0);
    expect(initially({ kind: "ones" }, { shape: [] }).values).toEqual([1]);
    const several = initially({ kind: "constant", values: [3, -4] }, { shape: [2], role: "vector" });
    expect(several.frobenius).toBe(5);
    expect([several.low, several.high]).toEqual([-4, 3]);
  });
  it("what a constraint makes of the start counts, not the start", () => {
    expect(initially({ kind: "xavier" }, { constraint: { kind: "aol" } }).spectral).toBe(1);
    expect(initially({ kind: "spectral" }, { constraint: { kind: "spectral", bound: 3 } }).spectral).toBe(3);
  });
});

describe("always", () => {
  const random = seeded(4);
  const free = Array.from({ length: 15 }, () => normal(random));
  const real = factsOfEntries([3, 5], free);
  const scaled = (by: number): number[] => free.map((x) => x / by);

  it("holds what the constraints promise, for weights that meet them exactly", () => {
    covers(always({ kind: "spectral", bound: 2 }), [3, 5], scaled(real.spectral / 2));
    covers(always({ kind: "frobenius", bound: 2 }), [3, 5], scaled(real.frobenius / 2));
    covers(always({ kind: "aol" }), [3, 5], scaled(real.spectral));
    covers(always({ kind: "orthogonal" }), [3, 5], isometry(3, 5, seeded(9)));
    // From rms to rms the norm is σ·√(columns/rows).
    covers(always({ kind: "rms", bound: 1 }), [3, 5], scaled(real.spectral / Math.sqrt(3 / 5)));
    const rows = (norm: number): number[] =>
      free.map(
        (x, i) => (norm * x) / Math.hypot(...free.slice(5 * Math.floor(i / 5), 5 * Math.floor(i / 5) + 5)),
      );
    covers(always({ kind: "unit_rows" }), [3, 5], rows(1));
    covers(always({ kind: "unit_rms" }), [3, 5], rows(Math.sqrt(5)));
    // Equal rows: the spectral norm of unit rows is √rows, attained.
    covers(always({ kind: "unit_rows" }), [3, 2], [1, 0, 1, 0, 1, 0]);
  });
  it("takes declared ranges, and nothing else", () => {
    const ranged = weightFacts(weight({ shape: [4], role: "vector", range: [0, 0.2] }), "always");
    expect([ranged.low, ranged.high, ranged.maxAbs]).toEqual([0, 0.2, 0.2]);
    const facts = weightFacts(weight({ init: { kind: "spectral" } }), "always");
    expect(facts.spectral).toBe(Infinity);
    expect(facts.why?.kind).toBe("free-weight");
    expect(weightFacts(weight({}), "checkpoint").spectral).toBe(Infinity);
  });
});

it("facts of written numbers", () => {
  expect(constantFacts([-2])).toMatchObject({ spectral: 2, maxAbs: 2, low: -2, high: -2 });
});
