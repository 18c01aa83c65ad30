import { describe, expect, it } from "vitest";
import type { WeightFacts } from "../../src/gain/facts.ts";
import { constantFacts } from "../../src/gain/weights.ts";
import { convexEntry } from "../../src/layers/residual/gain.ts";
import type { ResidualConfig } from "../../src/layers/residual.ts";
import type { Domain, Norm, Shape, ValueId } from "../../src/model/model.ts";
import { Builder } from "../../src/graph/builder.ts";
import { array64, interpret } from "../../src/graph/interpret.ts";
import { layers } from "../../src/layers/registry.ts";
import { isometry, normal, seeded, spectralNorm } from "../rig/matrix.ts";
import { boundOf, expectSound, expectTight, rangeOf } from "../rig/planted.ts";
import { run, search } from "../rig/search.ts";
import { Sketch, type SketchWeight } from "../rig/sketch.ts";

type Alpha =
  number | { readonly data?: number[]; readonly shape: Shape; readonly facts?: Partial<WeightFacts> };
const norms: readonly Norm[] = ["l2", "token", "linf"];

/** x and a linear branch f = W x, joined by a Residual. */
function branched(shape: Shape, W: number[], alpha: Alpha, form: "additive" | "convex", domain?: Domain) {
  const sketch = new Sketch();
  const x = sketch.input(shape, domain);
  const d = shape[shape.length - 1];
  const weight: SketchWeight = { shape: [d, d], data: W };
  const [f] = sketch.node({
    layer: "Linear",
    inputs: [x],
    config: { width: d, bias: false },
    weights: { weight },
  });
  const coefficient =
    typeof alpha === "number"
      ? ({ kind: "constant", value: alpha } as const)
      : ({ kind: "learned", weight: sketch.weight(alpha), shape: alpha.shape } as const);
  const config: ResidualConfig = { alpha: coefficient, form, drop: 0 };
  const [y] = sketch.node({ layer: "Residual", inputs: [x, f], config: { ...config } });
  return { sketch, x, y };
}

const rotation = (angle: number): number[] => [
  Math.cos(angle),
  -Math.sin(angle),
  Math.sin(angle),
  Math.cos(angle),
];

describe("additive residual", () => {
  it("x + a·x is tight in every norm", () => {
    const { sketch, x, y } = branched([3, 2], [1, 0, 0, 1], -0.25, "additive");
    // f = x, so 1 + |a|·1 is the bound though x − x/4 is smaller: only signs that agree attain it.
    for (const norm of norms) expect(boundOf(sketch, { from: x, to: y, normIn: norm })).toBe(1.25);
    const same = branched([3, 2], [1, 0, 0, 1], 0.25, "additive");
    for (const norm of norms)
      expectTight(same.sketch, { from: same.x, to: same.y, normIn: norm, truth: 1.25, layer: "Residual" });
  });

  it("a vector counts with its largest entry", () => {
    const alpha = { shape: [2], data: [0.5, -2] };
    const { sketch, x, y } = branched([3, 2], [-1, 0, 0, -1], alpha, "additive");
    for (const norm of norms)
      expectTight(sketch, { from: x, to: y, normIn: norm, truth: 3, layer: "Residual" });
  });

  it("an unknown alpha gives no bound, but a branch that doesn't depend on the source costs nothing", () => {
    const sketch = new Sketch();
    const x = sketch.input([2, 2]);
    const z = sketch.input([2, 2]);
    const alpha = { kind: "learned", weight: sketch.weight({ shape: [2] }), shape: [2] } as const;
    const [y] = sketch.node({
      layer: "Residual",
      inputs: [x, z],
      config: { alpha, form: "additive", drop: 0 },
    });
    expect(boundOf(sketch, { from: z, to: y, normIn: "l2" })).toBe(Infinity);
    expect(boundOf(sketch, { from: x, to: y, normIn: "l2" })).toBe(1);
  });
});

describe("convex residual", () => {
  it("keeps a network at 1 with one alpha, also over its whole range", () => {
    for (const alpha of [0.3, { shape: [], facts: { low: 0, high: 1, maxAbs: 1 } }]) {
      const { sketch, x, y } = branched([3, 2], [1, 0, 0, 1], alpha, "convex");
      for (const norm of norms)
        expectTight(sketch, { from: x, to: y, normIn: norm, truth: 1, layer: "Residual" });
    }
  });

  it("alpha in {0, 0.2}: the vector rule is attained at sqrt(10/9)", () => {
    // Maximise cos² + (0.8 sin + 0.2)²: sin = 4/9, and the branch turns u to (0, 1).
    const s = 4 / 9;
    const u = Math.atan2(s, Math.sqrt(1 - s * s));
    const { sketch, x, y } = branched(
      [1, 2],
      rotation(Math.PI / 2 - u),
      { shape: [2], data: [0, 0.2] },
      "convex",
    );
    const truth = Math.sqrt(10 / 9);
    expectTight(sketch, { from: x, to: y, normIn: "l2", truth, layer: "Residual" });
    expectTight(sketch, { from: x, to: y, normIn: "token", truth, layer: "Residual" });
    const found = search(sketch, { from: x, to: y, normIn: "l2", steps: 300 });
    expect(found.attained).toBeGreaterThan(truth * (1 - 1e-4));
  });

  it("is sound for random vectors, also outside [0, 1]", () => {
    const random = seeded(5);
    for (let round = 0; round < 40; round++) {
      const d = 2 + Math.floor(random() * 3);
      const W = [...isometry(d, d, random, 0.2 + 2 * random())];
      const data = Array.from({ length: d }, () => (round % 4 === 0 ? normal(random) : random()));
      const { sketch, x, y } = branched([1, d], W, { shape: [d], data }, "convex");
      const J = W.map(
        (w, i) => data[Math.floor(i / d)] * w + (i % (d + 1) === 0 ? 1 - data[Math.floor(i / d)] : 0),
      );
      const bound = expectSound(sketch, { from: x, to: y, normIn: "l2", attained: spectralNorm(J, d, d) });
      const simple =
        Math.max(...data.map((a) => Math.abs(1 - a))) +
        Math.max(...data.map(Math.abs)) * spectralNorm(W, d, d);
      expect(bound).toBeLessThanOrEqual(simple * (1 + 1e-12));
    }
  });

  it("no worse than the simple rule, and every range is the worst of its ends", () => {
    const facts = (low: number, high: number): WeightFacts => ({
      ...constantFacts([low, high]),
      values: null,
      low,
      high,
    });
    for (const [a, b] of [
      [1, 1],
      [3, 0.5],
      [0.1, 7],
    ]) {
      const range = convexEntry(a, b, facts(0.1, 0.6), false, false);
      expect(range).toBeLessThanOrEqual(0.9 * a + 0.6 * b + 1e-12);
      for (const alpha of [0.1, 0.3, 0.6])
        expect(range).toBeGreaterThanOrEqual(convexEntry(a, b, facts(alpha, alpha), true, false) - 1e-12);
    }
    expect(convexEntry(2, Infinity, facts(0, 0), false, false)).toBe(2);
    expect(convexEntry(1, 1, { ...facts(0, 1), high: Infinity }, false, false)).toBe(Infinity);
  });
});

describe("ranges", () => {
  it("holds the values that random inputs give", () => {
    const random = seeded(9);
    for (const form of ["additive", "convex"] as const) {
      for (let round = 0; round < 20; round++) {
        const W = Array.from({ length: 4 }, () => normal(random));
        const data = [random() * 2 - 0.5, random() * 2 - 0.5];
        const domain: Domain = { kind: "box", low: -0.5, high: 2 };
        const { sketch, x, y } = branched([2, 2], W, { shape: [2], data }, form, domain);
        const range = rangeOf(sketch, y);
        for (let k = 0; k < 10; k++) {
          const point = Array.from({ length: 4 }, () =>
            random() < 0.7 ? (random() < 0.5 ? -0.5 : 2) : -0.5 + 2.5 * random(),
          );
          const out = run(sketch, new Map<ValueId, number[]>([[x, point]]), y);
          expect(Math.max(...out)).toBeLessThanOrEqual(range.high + 1e-12);
          expect(Math.min(...out)).toBeGreaterThanOrEqual(range.low - 1e-12);
          expect(Math.hypot(...out)).toBeLessThanOrEqual(range.l2 + 1e-12);
          expect(Math.max(Math.hypot(out[0], out[1]), Math.hypot(out[2], out[3]))).toBeLessThanOrEqual(
            range.token + 1e-12,
          );
        }
      }
    }
  });
});

describe("drop path", () => {
  const built = (training: boolean, uniform: number[]): Float64Array => {
    const layer = layers.get("Residual");
    if (!layer || typeof layer.lower !== "function") throw new Error("Residual has a lowering");
    const builder = new Builder();
    const [x, f, u] = ["x", "f", "u"].map((name) =>
      builder.input(name, name === "u" ? [2, 1, 1] : [2, 1, 2]),
    );
    const config: ResidualConfig = { alpha: { kind: "constant", value: 0.5 }, form: "additive", drop: 0.25 };
    const [y] = layer.lower({
      builder,
      config: { ...config },
      batch: 2,
      training,
      inputs: [x, f],
      shapes: [
        [1, 2],
        [1, 2],
      ],
      outputs: [[1, 2]],
      weight: () => x,
      coefficient: (c) => builder.constant(c.kind === "constant" ? c.value : NaN),
      random: (shape) => {
        expect(shape).toEqual([2, 1, 1]);
        return u;
      },
      step: () => x,
    });
    const feeds = {
      x: array64([2, 1, 2], [1, 2, 3, 4]),
      f: array64([2, 1, 2], [3, 3, 3, 3]),
      u: array64([2, 1, 1], uniform),
    };
    return interpret(builder.graph("test", [{ name: "y", tensor: y }]), feeds).y.data;
  };
  it("leaves out whole samples with probability p and divides the others by 1 − p", () => {
    expect([...built(true, [0.2, 0.25])]).toEqual([1, 2, 5, 6]);
    expect([...built(true, [0.9, 0])]).toEqual([3, 4, 3, 4]);
  });
  it("is the identity at inference", () => {
    expect([...built(false, [0, 0])]).toEqual([2.5, 3.5, 4.5, 5.5]);
  });
});
