import { describe, expect, it } from "vitest";
import { comparators } from "../../src/layers/group-sort.ts";
import { expectGradients, expectMeaning, fill } from "../rig/differences.ts";
import { seeded } from "../rig/matrix.ts";
import { infer, macs, place } from "../rig/place.ts";
import { expectSound, expectTight, rangeOf } from "../rig/planted.ts";
import { run, search } from "../rig/search.ts";

const norms = ["l2", "token", "linf"] as const;

describe("MaxMin", () => {
  it("keeps the shape of even channels, and refuses odd ones", () => {
    expect(infer("MaxMin", [[7, 7, 6]]).plan?.outputs).toEqual([[7, 7, 6]]);
    expect(infer("MaxMin", [[5]]).failures.map((f) => f.name)).toEqual(["not-divisible"]);
    expect(macs("MaxMin", [[7, 7, 6]])).toBe(0);
  });

  for (const shape of [[4], [3, 6], [2, 2, 2]]) {
    it(`gives maxima, then minima of two halves on [${shape}]`, () => {
      const placed = place("MaxMin", [shape]);
      const half = shape[shape.length - 1] / 2;
      expectMeaning(placed, ([x]) => [
        fill(shape, (...index) => {
          const [at, c] = [index.slice(0, -1), index[index.length - 1]];
          const pair = [x.at(...at, c % half), x.at(...at, (c % half) + half)];
          return c < half ? Math.max(...pair) : Math.min(...pair);
        }),
      ]);
      expectGradients(placed);
    });
  }

  it("has gain 1 in all norms, and withstands a search", () => {
    const { sketch, inputs, outputs } = place("MaxMin", [[3, 4]]);
    for (const normIn of norms) {
      const question = { from: inputs[0], to: outputs[0], normIn };
      expectTight(sketch, { ...question, truth: 1, layer: "MaxMin" });
      expect(
        expectSound(sketch, { ...question, attained: search(sketch, { ...question, steps: 60 }).attained }),
      ).toBe(1);
    }
  });
});

describe("GroupSort", () => {
  it("sorts with a network of comparisons, for any size", () => {
    const random = seeded(3);
    for (let n = 1; n <= 24; n++) {
      // By the 0-1 principle a network sorts everything if it sorts every 0-1 word; words for small n, samples beyond.
      const words = n <= 12 ? 2 ** n : 500;
      for (let w = 0; w < words; w++) {
        const word = Array.from({ length: n }, (_, i) => (n <= 12 ? (w >> i) & 1 : random() < 0.5 ? 0 : 1));
        for (const [i, j] of comparators(n)) if (word[i] > word[j]) [word[i], word[j]] = [word[j], word[i]];
        expect(word).toEqual([...word].sort((a, b) => a - b));
      }
    }
  });

  it("keeps the shape, and refuses groups that don't divide or are too large", () => {
    expect(infer("GroupSort", [[7, 6]], { n: 3 }).plan?.outputs).toEqual([[7, 6]]);
    expect(infer("GroupSort", [[7, 6]], { n: 4 }).failures.map((f) => f.name)).toEqual(["not-divisible"]);
    expect(infer("GroupSort", [[7, 4096]], { n: 2048 }).failures.map((f) => f.name)).toEqual([
      "out-of-range",
    ]);
  });

  for (const [shape, n] of [
    [[6], 6],
    [[3, 6], 3],
    [[2, 2, 10], 5],
    [[2, 4], 1],
    [[2, 4], 2],
  ] as const) {
    it(`sorts groups of ${n} on [${shape}]`, () => {
      const placed = place("GroupSort", [shape], { n });
      expectMeaning(placed, ([x]) => [
        fill(shape, (...index) => {
          const [at, c] = [index.slice(0, -1), index[index.length - 1]];
          const first = c - (c % n);
          const group = Array.from({ length: n }, (_, i) => x.at(...at, first + i)).sort((a, b) => a - b);
          return group[c - first];
        }),
      ]);
      expectGradients(placed);
    });
  }

  it("has gain 1 in all norms, and withstands a search", () => {
    const { sketch, inputs, outputs } = place("GroupSort", [[3, 6]], { n: 3 });
    for (const normIn of norms) {
      const question = { from: inputs[0], to: outputs[0], normIn };
      expectTight(sketch, { ...question, truth: 1, layer: "GroupSort" });
      expect(
        expectSound(sketch, { ...question, attained: search(sketch, { ...question, steps: 60 }).attained }),
      ).toBe(1);
    }
  });

  it("keeps the range", () => {
    const { sketch, outputs } = place(
      "GroupSort",
      [[3, 6]],
      { n: 3 },
      { domain: { kind: "box", low: -1, high: 4 } },
    );
    expect(rangeOf(sketch, outputs[0])).toMatchObject({ low: -1, high: 4, linf: 4 });
  });
});

describe("Householder", () => {
  /** Reference by the paper's formula, with real sines. */
  const activate = (a: number, b: number, θ: number): [number, number] =>
    a * Math.sin(θ / 2) - b * Math.cos(θ / 2) > 0
      ? [a, b]
      : [Math.cos(θ) * a + Math.sin(θ) * b, Math.sin(θ) * a - Math.cos(θ) * b];

  it("has one angle per pair of channels", () => {
    expect(infer("Householder", [[5, 8]]).weights).toEqual([{ name: "theta", shape: [4], role: "vector" }]);
    expect(infer("Householder", [[5, 7]]).failures.map((f) => f.name)).toEqual(["not-divisible"]);
  });

  it("reflects one side, at every angle, within 1e-12 of the exact sine", () => {
    const angles = Array.from({ length: 41 }, (_, i) => -13 + 0.65 * i);
    const { sketch, inputs, outputs } = place("Householder", [[82]], {}, { data: { theta: angles } });
    const random = seeded(8);
    const x = Array.from({ length: 82 }, () => 4 * random() - 2);
    const y = run(sketch, new Map([[inputs[0], x]]), outputs[0]);
    angles.forEach((θ, i) => {
      const [a, b] = activate(x[i], x[41 + i], θ);
      expect(Math.abs(y[i] - a)).toBeLessThan(1e-12);
      expect(Math.abs(y[41 + i] - b)).toBeLessThan(1e-12);
    });
  });

  it("has gradients for inputs and angles", () => {
    expectGradients(place("Householder", [[3, 4]], {}, { data: { theta: [1, 2.5] } }), 1e-6);
  });

  it("has gain 1 in l2 and token, √2 in linf (θ = π/4), and withstands a search", () => {
    const { sketch, inputs, outputs } = place(
      "Householder",
      [[3, 2]],
      {},
      { data: { theta: [Math.PI / 4] } },
    );
    for (const normIn of norms) {
      const question = { from: inputs[0], to: outputs[0], normIn };
      const truth = normIn === "linf" ? Math.SQRT2 : 1;
      expectTight(sketch, { ...question, truth, layer: "Householder" });
      const { attained } = search(sketch, { ...question, steps: 100 });
      expectSound(sketch, { ...question, attained });
      expect(attained).toBeGreaterThan(0.999 * truth);
    }
  });

  it("keeps norms, not entries", () => {
    const domain = { kind: "box", low: -1, high: 1 } as const;
    const { sketch, inputs, outputs } = place(
      "Householder",
      [[3, 2]],
      {},
      { data: { theta: [Math.PI / 4] }, domain },
    );
    const range = rangeOf(sketch, outputs[0]);
    expect(range.token).toBeCloseTo(Math.SQRT2, 12);
    const random = seeded(4);
    for (let i = 0; i < 200; i++) {
      const x = Array.from({ length: 6 }, () => (random() < 0.5 ? -1 : 1));
      const y = run(sketch, new Map([[inputs[0], x]]), outputs[0]);
      expect(Math.max(...y.map(Math.abs))).toBeLessThanOrEqual(range.linf + 1e-12);
    }
  });
});
