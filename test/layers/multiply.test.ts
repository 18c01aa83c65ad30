import { describe, expect, it } from "vitest";
import type { Domain, Norm } from "../../src/model/model.ts";
import { entry } from "../../src/gain/gain.ts";
import { expectGradients, expectMeaning } from "../rig/differences.ts";
import { seeded } from "../rig/matrix.ts";
import { infer, macs, place } from "../rig/place.ts";
import { analysisOf, boundOf, expectSound, expectTight, rangeOf } from "../rig/planted.ts";
import { run, search } from "../rig/search.ts";
import { Sketch } from "../rig/sketch.ts";

const norms: readonly Norm[] = ["l2", "token", "linf"];
const box = (low: number, high: number): Domain => ({ kind: "box", low, high });

/** x ⊙ x on a domain. */
function square(domain: Domain, shape = [3, 4]) {
  const sketch = new Sketch();
  const from = sketch.input(shape, domain);
  const [to] = sketch.node({ layer: "Multiply", inputs: [from, from] });
  return { sketch, from, to };
}

describe("Multiply", () => {
  it("takes two values of one shape", () => {
    expect(
      infer("Multiply", [
        [3, 4],
        [3, 4],
      ]).plan?.outputs,
    ).toEqual([[3, 4]]);
    expect(
      infer("Multiply", [
        [3, 4],
        [4, 3],
      ]).failures.map((f) => f.name),
    ).toEqual(["different-shapes"]);
    expect(
      macs("Multiply", [
        [3, 4],
        [3, 4],
      ]),
    ).toBe(0);
  });

  it("multiplies entries", () => {
    const placed = place("Multiply", [
      [3, 4],
      [3, 4],
    ]);
    expectMeaning(placed, ([a, b]) => [Array.from(a.data, (v, i) => v * b.data[i])]);
    expectGradients(placed);
  });

  it("x ⊙ x has gain 2R on a box, in every norm, and that is reached", () => {
    const { sketch, from, to } = square(box(-3, 3));
    for (const normIn of norms) {
      expectTight(sketch, { from, to, normIn, truth: 6, layer: "Multiply" });
      const domain = (x: Float64Array): void =>
        x.forEach((v, i) => void (x[i] = Math.min(3, Math.max(-3, v))));
      const hunt = { from, to, normIn, steps: 200, size: 2, distances: [1e-2], domain };
      const { attained } = search(sketch, hunt);
      expect(expectSound(sketch, { from, to, normIn, attained })).toBe(6);
      expect(attained).toBeGreaterThan(5.5);
    }
  });

  it("uses the l2 range against linf perturbations: ‖a ⊙ δ‖ ≤ ‖a‖·‖δ‖∞", () => {
    const { sketch, from, to } = square({ kind: "ball", norm: "l2", radius: 1 });
    const gain = analysisOf(sketch).from(from).gain(to);
    // Through closing alone it would be 2·√12.
    expect(entry(gain, "linf", "l2")).toBe(2);
    expect(entry(gain, "linf", "token")).toBe(2);
    const x = Array.from({ length: 12 }, () => 1 / Math.sqrt(12));
    const y = x.map((v) => v * (1 - 1e-6));
    const domain = (v: Float64Array): void => {
      const size = Math.hypot(...v);
      if (size > 1) v.forEach((e, i) => void (v[i] = e / size));
    };
    const hunt = { from, to, normIn: "linf", normOut: "l2", domain } as const;
    const { attained } = search(sketch, { ...hunt, starts: 1, steps: 40, points: [[x, y]] });
    expect(attained).toBeGreaterThan(1.99);
    expectSound(sketch, { from, to, normIn: "linf", normOut: "l2", attained });
    expectTight(sketch, { from, to, normIn: "linf", normOut: "l2", truth: 2, layer: "Multiply" });
  });

  it("needs both ranges, and says which is missing", () => {
    const { sketch, from, to } = square({ kind: "unbounded" });
    const gain = analysisOf(sketch).from(from).gain(to);
    expect(gain.entries.every((x) => x === Infinity)).toBe(true);
    expect(gain.why?.text).toMatch(/range of a factor is not bounded/);
    expect(gain.why?.because[0].text).toMatch(/declared without a range/);
    expect(gain.why?.fix).toMatch(/Clamp/);
  });

  it("takes a factor that the source doesn't move as it is, also an unbounded other one", () => {
    const sketch = new Sketch();
    const a = sketch.input([2, 2], { kind: "unbounded" });
    const b = sketch.input([2, 2], box(-2, 1));
    const [to] = sketch.node({ layer: "Multiply", inputs: [a, b] });
    expectTight(sketch, { from: a, to, normIn: "l2", truth: 2, layer: "Multiply" });
    expect(boundOf(sketch, { from: b, to, normIn: "l2" })).toBe(Infinity);
  });

  it("a clamped gate is bounded by the product rule and withstands a search", () => {
    const sketch = new Sketch();
    const from = sketch.input([2, 3], { kind: "unbounded" });
    const [clamped] = sketch.node({ layer: "Clamp", inputs: [from], config: { low: -2, high: 2 } });
    const [gate] = sketch.node({ layer: "Sigmoid", inputs: [clamped] });
    const [to] = sketch.node({ layer: "Multiply", inputs: [clamped, gate] });
    for (const normIn of norms) {
      const { attained } = search(sketch, { from, to, normIn, steps: 150 });
      const bound = expectSound(sketch, { from, to, normIn, attained });
      // R(clamped)·¼ + R(gate)·1 = ½ + sigmoid(2)
      expect(bound).toBeCloseTo(0.5 + 1 / (1 + Math.exp(-2)), 9);
      expect(attained).toBeGreaterThan(0.75 * bound);
    }
  });

  it("encloses products of intervals", () => {
    const random = seeded(2);
    for (let round = 0; round < 50; round++) {
      const [a, b] = [0, 1].map(() => [6 * random() - 3, 6 * random() - 3].sort((p, q) => p - q));
      const placed = new Sketch();
      const inputs = [placed.input([3, 4], box(a[0], a[1])), placed.input([3, 4], box(b[0], b[1]))];
      const [to] = placed.node({ layer: "Multiply", inputs });
      const range = rangeOf(placed, to);
      for (let i = 0; i < 30; i++) {
        const pick = (e: readonly number[]) =>
          Array.from({ length: 12 }, () =>
            random() < 0.5 ? e[0] : random() < 0.5 ? e[1] : e[0] + random() * (e[1] - e[0]),
          );
        const y = run(placed, new Map(inputs.map((v, k) => [v, pick(k === 0 ? a : b)])), to);
        expect(Math.min(...y)).toBeGreaterThanOrEqual(range.low);
        expect(Math.max(...y)).toBeLessThanOrEqual(range.high);
        expect(Math.hypot(...y)).toBeLessThanOrEqual(range.l2 * (1 + 1e-15));
      }
    }
  });
});

describe("Softmax", () => {
  const softmax = (z: readonly number[]): number[] => {
    const e = z.map((v) => Math.exp(v - Math.max(...z)));
    return e.map((v) => v / e.reduce((a, b) => a + b, 0));
  };

  it.each([1, 2.5, -3])("is the softmax of τ·x over the channels, τ = %f", (tau) => {
    const placed = place("Softmax", [[3, 4]], { tau });
    expectMeaning(placed, ([x]) => [
      [0, 1, 2].flatMap((t) => softmax([0, 1, 2, 3].map((c) => tau * x.at(t, c)))),
    ]);
    expectGradients(placed);
  });

  it.each([1, -3])("has gain |τ|/2, reached between two equal logits, τ = %f", (tau) => {
    const { sketch, inputs, outputs } = place("Softmax", [[3, 2]], { tau });
    for (const normIn of norms) {
      const question = { from: inputs[0], to: outputs[0], normIn };
      expectTight(sketch, { ...question, truth: Math.abs(tau) / 2, layer: "Softmax" });
      const x = new Array<number>(6).fill(0);
      const y = x.map((_, i) => (i % 2 === 0 ? 1e-5 : -1e-5));
      const planted = search(sketch, { ...question, starts: 1, steps: 2, points: [[x, y]] }).attained;
      const { attained } = search(sketch, { ...question, steps: 100 });
      const bound = expectSound(sketch, { ...question, attained: Math.max(attained, planted) });
      expect(planted / bound).toBeGreaterThan(0.999);
    }
  });

  it("withstands a search over many channels", () => {
    const { sketch, inputs, outputs } = place("Softmax", [[2, 9]], { tau: 4 });
    for (const normIn of norms) {
      const question = { from: inputs[0], to: outputs[0], normIn };
      const { attained } = search(sketch, { ...question, starts: 16, steps: 200 });
      const bound = expectSound(sketch, { ...question, attained });
      expect(attained).toBeGreaterThan(0.8 * bound);
    }
  });

  it("of one channel is constant; entries lie in [0, 1], tokens in the unit ball", () => {
    const one = place("Softmax", [[3, 1]]);
    expect(boundOf(one.sketch, { from: one.inputs[0], to: one.outputs[0], normIn: "l2" })).toBe(0);
    const { sketch, outputs } = place("Softmax", [[3, 4]]);
    expect(rangeOf(sketch, outputs[0])).toMatchObject({ low: 0, high: 1, token: 1 });
  });
});
