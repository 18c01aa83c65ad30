import { describe, expect, it } from "vitest";
import { layers } from "../../src/layers/registry.ts";
import { isometry, seeded, singularValues, spectralNorm } from "./matrix.ts";
import { expectTight } from "./planted.ts";
import { normOf, run, search } from "./search.ts";
import { Sketch } from "./sketch.ts";

/** A linear layer with a known norm. */
function linear(): { sketch: Sketch; x: number; y: number; data: number[] } {
  const data = isometry(6, 4, seeded(3), 2.5);
  data[0] += 0.7;
  const sketch = new Sketch();
  const x = sketch.input([3, 4]);
  const [y] = sketch.node({
    layer: "Linear",
    inputs: [x],
    config: { width: 6, bias: false },
    outputs: [[3, 6]],
    weights: { weight: { shape: [6, 4], data } },
  });
  return { sketch, x, y, data };
}

describe("small linear algebra", () => {
  it("finds singular values", () => {
    expect(singularValues([3, 0, 0, 4], 2, 2)).toEqual([4, 3]);
    expect(spectralNorm([1, 1, 1, 1, 1, 1], 2, 3)).toBeCloseTo(Math.sqrt(6), 14);
    const wide = singularValues(isometry(3, 7, seeded(1), 1.5), 3, 7);
    for (const s of wide) expect(s).toBeCloseTo(1.5, 13);
  });
});

describe("adversarial search", () => {
  it("reaches the norm of a matrix", () => {
    const { sketch, x, y, data } = linear();
    const truth = spectralNorm(data, 6, 4);
    for (const norm of ["l2", "token"] as const) {
      const found = search(sketch, { from: x, to: y, normIn: norm, steps: 300 });
      expect(found.attained).toBeLessThanOrEqual(truth * (1 + 1e-12));
      expect(found.attained).toBeGreaterThan(truth * (1 - 1e-3));
      const [fx, fy] = [found.x, found.y].map((p) => run(sketch, new Map([[x, p]]), y));
      const apart = normOf(
        found.y.map((v, i) => v - found.x[i]),
        [3, 4],
        norm,
      );
      expect(
        normOf(
          fy.map((v, i) => v - fx[i]),
          [3, 6],
          norm,
        ) / apart,
      ).toBeCloseTo(found.attained, 6);
    }
    const rowSum = Math.max(
      ...[0, 1, 2, 3, 4, 5].map((r) => data.slice(4 * r, 4 * r + 4).reduce((s, v) => s + Math.abs(v), 0)),
    );
    const found = search(sketch, { from: x, to: y, normIn: "linf", steps: 300 });
    expect(found.attained).toBeLessThanOrEqual(rowSum * (1 + 1e-12));
    expect(found.attained).toBeGreaterThan(rowSum * 0.98);
  });

  it("finds bad weights, too", () => {
    const sketch = new Sketch();
    const x = sketch.input([2, 3]);
    const weight = { shape: [3, 3], facts: { spectral: 0.5 } };
    const [y] = sketch.node({
      layer: "Linear",
      inputs: [x],
      config: { width: 3, bias: false },
      weights: { weight },
    });
    const found = search(sketch, { from: x, to: y, normIn: "l2", weights: [0], starts: 2, steps: 200 });
    expect(found.attained).toBeGreaterThan(0.49);
    expect(found.attained).toBeLessThanOrEqual(0.5 * (1 + 1e-9));
  });
});

describe("planted truths", () => {
  it("meet the analysis, and notice a lowered rule", () => {
    expect(layers.has("Linear")).toBe(true);
    const { sketch, x, y, data } = linear();
    expectTight(sketch, { from: x, to: y, normIn: "l2", truth: spectralNorm(data, 6, 4), layer: "Linear" });
  });
});
