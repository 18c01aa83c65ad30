import { describe, expect, it } from "vitest";
import { Analysis } from "../../src/gain/analyze.ts";
import { verdictOf, marginBetween, gainBetween } from "../../src/gain/claims.ts";
import { entry, isNothing } from "../../src/gain/gain.ts";
import { linksOf } from "../../src/gain/reasons.ts";
import { layers } from "../../src/layers/registry.ts";
import type { Claim, Model } from "../../src/model/model.ts";
import { isometry, seeded, spectralNorm } from "../rig/matrix.ts";
import { analysisOf, boundOf, expectSound } from "../rig/planted.ts";
import { search } from "../rig/search.ts";
import { nowhere, Sketch } from "../rig/sketch.ts";

function linear(sketch: Sketch, x: number, width: number, data: readonly number[]): number {
  const shape = sketch.shape(x);
  const columns = shape[shape.length - 1];
  const weights = { weight: { shape: [width, columns], data } };
  const outputs = [[...shape.slice(0, -1), width]];
  return sketch.node({ layer: "Linear", inputs: [x], config: { width, bias: false }, outputs, weights })[0];
}

function claim(part: Partial<Claim>): Claim {
  const base = { kind: "gain", text: "", phase: "init", from: 0, to: 0, fromName: "x", toName: "y" } as const;
  return { ...base, normIn: "l2", normOut: "l2", limit: 1, instance: "", span: nowhere, ...part };
}

describe("the forward pass", () => {
  it("gives 0 to values that don't depend on the source, and starts from any value", () => {
    const sketch = new Sketch();
    const [a, b] = [sketch.input([3, 4]), sketch.input([3, 4])];
    const fa = linear(sketch, a, 4, isometry(4, 4, seeded(1), 2));
    const fb = linear(sketch, b, 4, isometry(4, 4, seeded(2), 3));
    const [sum] = sketch.node({ layer: "Add", inputs: [fa, fb] });
    const analysis = analysisOf(sketch);
    expect(isNothing(analysis.from(a).gain(fb))).toBe(true);
    expect(entry(analysis.from(a).gain(sum), "l2", "l2")).toBeCloseTo(2, 12);
    expect(entry(analysis.from(b).gain(sum), "l2", "l2")).toBeCloseTo(3, 12);
    expect(entry(analysis.from(fb).gain(sum), "l2", "l2")).toBe(1);
  });

  it("fails closed for a layer without a rule, and says where", () => {
    const sketch = new Sketch();
    const x = sketch.input([3, 4]);
    const [y] = sketch.node({ layer: "Nowhere", inputs: [x] });
    const z = linear(sketch, y, 2, isometry(2, 4, seeded(1)));
    const gain = analysisOf(sketch).from(x).gain(z);
    expect(gain.entries.every((g) => g === Infinity)).toBe(true);
    expect(linksOf(gain.why ?? { text: "", path: null, because: [] })[0]).toMatchObject({
      paths: ["nowhere_0"],
    });
    expect(analysisOf(sketch).range(z).linf).toBe(Infinity);
  });

  it("turns a NaN of a rule into no proof", () => {
    const sketch = new Sketch();
    const x = sketch.input([3, 4]);
    const y = linear(sketch, x, 4, isometry(4, 4, seeded(1)));
    const broken = layers.get("Linear");
    if (!broken || "none" in broken.rules) throw new Error("Linear has no rule");
    const rules = {
      ...broken.rules,
      gain: () => [{ gain: { entries: new Array<number>(9).fill(NaN), why: null }, rule: "broken" }],
    };
    const bound = boundOf(sketch, {
      from: x,
      to: y,
      normIn: "l2",
      layers: new Map([...layers, ["Linear", { ...broken, rules }]]),
    });
    expect(bound).toBe(Infinity);
  });
});

describe("a product of two parts of one value (a gated unit)", () => {
  const domain = (point: Float64Array): void =>
    point.forEach((v, i) => (point[i] = Math.min(2, Math.max(-2, v))));

  /** u ⊙ g of the two halves of x in [−2, 2]; both read `parts[0]` where `same`. */
  function gated(same: boolean): { sketch: Sketch; x: number; y: number } {
    const sketch = new Sketch();
    const x = sketch.input([3, 4], { kind: "box", low: -2, high: 2 });
    const halves = [
      [3, 2],
      [3, 2],
    ];
    const [u, g] = sketch.node({ layer: "Split", inputs: [x], config: { parts: 2 }, outputs: halves });
    const [y] = sketch.node({ layer: "Multiply", inputs: [u, same ? u : g] });
    return { sketch, x, y };
  }

  it("costs the root of squares, and that is attained", () => {
    const { sketch, x, y } = gated(false);
    for (const norm of ["l2", "token"] as const) {
      const bound = boundOf(sketch, { from: x, to: y, normIn: norm });
      expect(bound).toBeCloseTo(2 * Math.SQRT2, 10);
      const { attained } = search(sketch, { from: x, to: y, normIn: norm, steps: 300, domain });
      expectSound(sketch, { from: x, to: y, normIn: norm, attained });
      expect(attained).toBeGreaterThan(0.98 * bound);
    }
  });

  it("costs the sum where both are the same part: the square of a number", () => {
    const { sketch, x, y } = gated(true);
    expect(boundOf(sketch, { from: x, to: y, normIn: "l2" })).toBeCloseTo(4, 10);
    const { attained } = search(sketch, { from: x, to: y, normIn: "l2", steps: 300, domain });
    expect(attained).toBeGreaterThan(0.98 * 4);
  });
});

describe("Split and Concat", () => {
  /** Two maps on two halves of the channels, side by side; `second` says what the second one reads. */
  function halves(own: boolean): { sketch: Sketch; x: number; y: number; truth: number } {
    const sketch = new Sketch();
    const x = sketch.input([3, 8]);
    const data = isometry(8, 8, seeded(3), 1.5);
    const z = linear(sketch, x, 8, data);
    const [a, b] = sketch.node({
      layer: "Split",
      inputs: [z],
      config: { parts: 2 },
      outputs: [
        [3, 4],
        [3, 4],
      ],
    });
    const fa = linear(sketch, a, 4, isometry(4, 4, seeded(4), 2));
    const fb = linear(sketch, own ? b : a, 4, isometry(4, 4, seeded(5), 2));
    const [y] = sketch.node({
      layer: "Concat",
      inputs: [fa, fb],
      config: { axis: "channels" },
      outputs: [[3, 8]],
    });
    return { sketch, x, y, truth: 1.5 * 2 };
  }

  it("costs the larger part only, where the parts read different channels", () => {
    const { sketch, x, y, truth } = halves(true);
    for (const norm of ["l2", "token"] as const) {
      expect(boundOf(sketch, { from: x, to: y, normIn: norm })).toBeCloseTo(truth, 10);
      const { attained } = search(sketch, { from: x, to: y, normIn: norm, steps: 150 });
      expectSound(sketch, { from: x, to: y, normIn: norm, attained });
      expect(attained).toBeGreaterThan(0.999 * truth);
    }
    expect(boundOf(sketch, { from: x, to: y, normIn: "l2", normOut: "token" })).toBeCloseTo(truth, 10);
    expect(analysisOf(sketch).from(x).rule(y)).toBe("Split and Concat");
  });

  it("costs the root of squares, where they read the same channels", () => {
    const { sketch, x, y, truth } = halves(false);
    expect(boundOf(sketch, { from: x, to: y, normIn: "l2" })).toBeCloseTo(truth * Math.SQRT2, 10);
    const { attained } = search(sketch, { from: x, to: y, normIn: "l2", steps: 150 });
    expect(attained).toBeGreaterThan(0.999 * truth * Math.SQRT2);
  });

  it("is not taken where a part reads something else as well", () => {
    const sketch = new Sketch();
    const x = sketch.input([3, 8]);
    const [a, b] = sketch.node({
      layer: "Split",
      inputs: [x],
      config: { parts: 2 },
      outputs: [
        [3, 4],
        [3, 4],
      ],
    });
    const side = linear(sketch, x, 4, isometry(4, 8, seeded(6), 5));
    const [sum] = sketch.node({ layer: "Add", inputs: [b, side] });
    const [y] = sketch.node({
      layer: "Concat",
      inputs: [a, sum],
      config: { axis: "channels" },
      outputs: [[3, 8]],
    });
    const { attained } = search(sketch, { from: x, to: y, normIn: "l2", steps: 200 });
    expectSound(sketch, { from: x, to: y, normIn: "l2", attained });
    expect(analysisOf(sketch).from(x).rule(y)).toBe("Concatenation");
  });
});

describe("claims", () => {
  const rows = [0.6, 0.8, 0, 0, 0, 0, 0.6, -0.8, 0, 0, 0, 0];
  const sketch = new Sketch();
  const x = sketch.input([6], { kind: "ball", norm: "l2", radius: 2 });
  const features = linear(sketch, x, 4, isometry(4, 6, seeded(8), 1));
  const logits = linear(sketch, features, 3, rows);
  const analysis = analysisOf(sketch);

  it("pass at the bound, and not a rounding below it", () => {
    const { upper } = gainBetween(analysis, x, logits, "l2", "l2");
    const at = (limit: number): string =>
      verdictOf(claim({ from: x, to: logits, limit }), () => analysis).status;
    expect(at(upper)).toBe("proven");
    expect(at(upper * (1 - 2 ** -52))).toBe("refused");
    expect(at(NaN)).toBe("refused");
    expect(
      verdictOf(claim({ from: x, to: logits, phase: "checkpoint", limit: 1e9 }), () => analysis).status,
    ).toBe("open");
  });

  it("of margins use the rows of the last layer where that is better", () => {
    const sigma = spectralNorm(rows, 3, 4);
    const { upper } = marginBetween(analysis, x, logits, "l2");
    expect(upper).toBeCloseTo(Math.min(2, Math.SQRT2 * sigma), 12);
    // The largest difference of two rows, attained by an isometry before it.
    expect(upper).toBeGreaterThanOrEqual(Math.hypot(0.6, 1.6 - 0.8) * (1 - 1e-12));
    expect(marginBetween(analysis, x, logits, "rms").upper).toBeCloseTo(upper * Math.sqrt(6), 10);
  });

  it("in rms are token claims in units of the channels", () => {
    const { upper } = gainBetween(analysis, x, logits, "rms", "rms");
    expect(upper).toBeCloseTo(spectralNorm(rows, 3, 4) * Math.sqrt(6 / 3), 12);
  });

  it("of radii are about ranges", () => {
    const status = (limit: number): string =>
      verdictOf(claim({ kind: "radius", from: features, to: features, limit }), () => analysis).status;
    expect(status(2.0000001)).toBe("proven");
    expect(status(1.99)).toBe("refused");
  });

  it("about several tokens have no margin", () => {
    const wide = new Sketch();
    const input = wide.input([2, 4]);
    const y = linear(wide, input, 3, isometry(3, 4, seeded(2)));
    expect(marginBetween(analysisOf(wide), input, y, "l2").upper).toBe(Infinity);
  });
});

describe("a step", () => {
  it("that reads a value from outside of it has no bound", () => {
    const sketch = new Sketch();
    const [x, other] = [sketch.input([5, 3]), sketch.input([3])];
    const [state, drive] = [sketch.value([3]), sketch.value([3])];
    const inner = sketch.loose({ layer: "Add", inputs: [state, other] });
    const [y] = sketch.node({
      layer: "Scan",
      inputs: [x],
      config: { emit: "after", start: "zeros" },
      outputs: [[5, 3]],
      body: { parameters: [state, drive], nodes: [inner], result: inner.outputs[0] },
    });
    const model: Model = sketch.model();
    const analysis = new Analysis(model, "init", { oracle: sketch.oracle });
    expect(analysis.from(x).gain(y).entries.some(Number.isFinite)).toBe(false);
    expect(analysis.gainFrom(state, inner.outputs[0]).entries.some(Number.isFinite)).toBe(false);
    expect(analysis.gainFrom(state, y).entries.some(Number.isFinite)).toBe(false);
  });
});
