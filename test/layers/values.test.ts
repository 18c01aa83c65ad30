/** Layers that bring numbers in or join values: Normalize, Embedding, Learned, Add, Subtract, Offset. */
import { describe, expect, it } from "vitest";
import { Builder } from "../../src/graph/builder.ts";
import { array64, interpret } from "../../src/graph/interpret.ts";
import { expectGradients, expectMeaning, fill } from "../rig/differences.ts";
import { infer, macs, place, type Placed } from "../rig/place.ts";
import { boundOf, expectSound, expectTight, rangeOf } from "../rig/planted.ts";
import { lower, search } from "../rig/search.ts";
import { Sketch } from "../rig/sketch.ts";

const mean = [0.485, 0.456, 0.406];
const std = [0.229, 0.224, 0.225];

describe("Normalize", () => {
  const placed = place("Normalize", [[4, 5, 3]], { mean, std }, { domain: { kind: "box", low: 0, high: 1 } });

  it("is (x − mean)/std with the stored numbers", () => {
    const scale = std.map((s) => Math.fround(1 / s));
    expect(placed.plan.config).toEqual({ mean: mean.map(Math.fround), scale });
    expectMeaning(placed, ([x]) => [
      fill([4, 5, 3], (i, j, c) => (x.at(i, j, c) - Math.fround(mean[c])) * scale[c]),
    ]);
    expectGradients(placed);
    expect(macs("Normalize", [[4, 5, 3]], { mean, std })).toBe(0);
  });

  it("gains 1/min std in all three norms", () => {
    for (const normIn of ["l2", "token", "linf"] as const) {
      const question = { from: placed.inputs[0], to: placed.outputs[0], normIn };
      expectTight(placed.sketch, { ...question, truth: Math.fround(1 / 0.224), layer: "Normalize" });
      const { attained } = search(placed.sketch, { ...question, steps: 200 });
      expect(attained).toBeGreaterThan(0.97 * Math.fround(1 / 0.224));
      expectSound(placed.sketch, { ...question, attained });
    }
  });

  it("moves the interval channel by channel", () => {
    const range = rangeOf(placed.sketch, placed.outputs[0]);
    expect(range.low).toBeCloseTo(-0.485 / 0.229, 6);
    expect(range.high).toBeCloseTo(0.594 / 0.225, 6);
    const corner = [0.515 / 0.229, 0.544 / 0.224, 0.594 / 0.225];
    expect(range.token).toBeCloseTo(Math.hypot(...corner), 6);
    const lone = place(
      "Normalize",
      [[3, 1]],
      { mean: [2], std: [0.5] },
      { domain: { kind: "box", low: 2, high: 2 } },
    );
    expect(rangeOf(lone.sketch, lone.outputs[0]).linf).toBeLessThan(1e-300);
  });

  it("wants one number > 0 per channel", () => {
    expect(infer("Normalize", [[4, 4, 1]], { mean, std }).failures.map((f) => f.name)).toEqual([
      "list-length",
      "list-length",
    ]);
    expect(infer("Normalize", [[4, 4, 1]], { mean: [0], std: [0] }).failures[0].name).toBe("out-of-range");
    expect(infer("Normalize", [[4, 4, 1]], { mean: [0], std: [1e-60] }).failures[0].name).toBe(
      "out-of-range",
    );
  });
});

describe("Embedding", () => {
  it("looks rows up", () => {
    const { plan, weights } = infer("Embedding", [[4]], { width: 3 }, { tokens: 5 });
    expect(plan).toMatchObject({ config: { width: 3, count: 5 }, outputs: [[4, 3]] });
    expect(weights).toEqual([{ name: "weight", shape: [5, 3], role: "table" }]);
    const placed = place("Embedding", [[4]], { width: 3 }, { tokens: 5 });
    const builder = new Builder();
    const ids = builder.input("ids", [2, 4]);
    const table = builder.input("table", [5, 3]);
    const values = lower(placed.sketch.model(), builder, 2, new Map([[placed.inputs[0], ids]]), [table]);
    const y = values.get(placed.outputs[0]);
    if (!y) throw new Error("no output");
    const picked = [0, 4, 2, 2, 1, 0, 3, 4];
    const { weight } = placed.weights;
    const found = interpret(builder.graph("embedding", [{ name: "y", tensor: y }]), {
      ids: array64([2, 4], picked),
      table: array64([5, 3], weight),
    });
    expect([...found.y.data]).toEqual(picked.flatMap((id) => weight.slice(3 * id, 3 * id + 3)));
  });

  it("has no gain from the ids, and a range from its rows", () => {
    const domain = { kind: "tokens", count: 5 } as const;
    const placed = place("Embedding", [[4]], { width: 3 }, { tokens: 5, domain });
    expect(boundOf(placed.sketch, { from: placed.inputs[0], to: placed.outputs[0], normIn: "l2" })).toBe(
      Infinity,
    );
    const { weight } = placed.weights;
    const rows = [0, 1, 2, 3, 4].map((r) => Math.hypot(...weight.slice(3 * r, 3 * r + 3)));
    const range = rangeOf(placed.sketch, placed.outputs[0]);
    expect(range.token).toBeCloseTo(Math.max(...rows), 12);
    expect(range.low).toBe(Math.min(...weight));
    expect(range.high).toBe(Math.max(...weight));
  });

  it("is for token ids only", () => {
    expect(infer("Embedding", [[4]], { width: 3 }).failures[0].name).toBe("not-token-ids");
    expect(infer("Embedding", [[4, 4]], { width: 3 }, { tokens: 5 }).failures[0].name).toBe("not-token-ids");
  });
});

/** x + Learned, as a position embedding. */
function withPositions(data: number[]): { sketch: Sketch; x: number; p: number; y: number } {
  const sketch = new Sketch();
  const x = sketch.input([2, 3], { kind: "box", low: -1, high: 1 });
  const value = { shape: [2, 3], role: "value", data } as const;
  const [p] = sketch.node({ layer: "Learned", inputs: [], outputs: [[2, 3]], weights: { value } });
  const [y] = sketch.node({ layer: "Add", inputs: [x, p] });
  return { sketch, x, p, y };
}

describe("Learned", () => {
  const data = [3, 4, 0, 1, -1, 1];
  const { sketch, x, p, y } = withPositions(data);

  it("gives its weight to every sample", () => {
    const builder = new Builder();
    const input = builder.input("x", [3, 2, 3]);
    const weight = builder.input("w", [2, 3]);
    const values = lower(sketch.model(), builder, 3, new Map([[x, input]]), [weight]);
    const tensor = values.get(y);
    if (!tensor) throw new Error("no output");
    const zeros = array64([3, 2, 3], 0);
    const found = interpret(builder.graph("learned", [{ name: "y", tensor }]), {
      x: zeros,
      w: array64([2, 3], data),
    });
    expect([...found.y.data]).toEqual([...data, ...data, ...data]);
  });

  it("depends on nothing, and has the range of its entries", () => {
    expect(boundOf(sketch, { from: x, to: p, normIn: "l2" })).toBe(0);
    expect(boundOf(sketch, { from: x, to: y, normIn: "l2" })).toBe(1);
    expect(rangeOf(sketch, p)).toMatchObject({ token: 5, low: -1, high: 4, linf: 4 });
    // Adds its largest token norm to R and R° alike.
    const range = rangeOf(sketch, y);
    expect(range.token).toBeCloseTo(Math.sqrt(3) + 5, 12);
    expect(range.spread).toBeGreaterThan(Math.sqrt(3));
  });

  it("as one token, has the norm of all entries", () => {
    const single = new Sketch();
    const value = { shape: [2], role: "value", data: [3, 4] } as const;
    const [v] = single.node({ layer: "Learned", inputs: [], outputs: [[2]], weights: { value } });
    expect(rangeOf(single, v)).toMatchObject({ l2: 5, token: 5, linf: 4 });
  });
});

describe("Add and Subtract", () => {
  it("work entry by entry on one shape", () => {
    const shapes = [
      [3, 2],
      [3, 2],
    ];
    expectMeaning(place("Add", shapes), ([a, b]) => [fill([3, 2], (t, c) => a.at(t, c) + b.at(t, c))]);
    expectMeaning(place("Subtract", shapes), ([a, b]) => [fill([3, 2], (t, c) => a.at(t, c) - b.at(t, c))]);
    expectGradients(place("Add", shapes));
    expectGradients(place("Subtract", shapes));
    expect(
      infer("Add", [
        [3, 2],
        [3, 3],
      ]).failures,
    ).toEqual([{ name: "different-shapes", params: { layer: "Add", expected: "[3, 2]", found: "[3, 3]" } }]);
  });

  it("add the gains: x + x has 2, and x − (−x) too", () => {
    const twice = (layer: string, sign: number): { placed: Placed; y: number } => {
      const placed = place("Normalize", [[3, 2]], { mean: [0, 0], std: [1, 1] });
      const x = placed.inputs[0];
      const [negative] = placed.sketch.node({
        layer: "Normalize",
        inputs: [x],
        config: { mean: [0, 0], scale: [sign, sign] },
      });
      const [y] = placed.sketch.node({ layer, inputs: [x, negative] });
      return { placed, y };
    };
    for (const normIn of ["l2", "token", "linf"] as const) {
      const sum = twice("Add", 1);
      expectTight(sum.placed.sketch, { from: 0, to: sum.y, normIn, truth: 2, layer: "Add" });
      const { attained } = search(sum.placed.sketch, { from: 0, to: sum.y, normIn, steps: 50 });
      expect(attained).toBeCloseTo(2, 6);
    }
    // The rule doesn't see that x − x is nothing, and may not see less than what x − (−x) needs.
    const difference = twice("Subtract", 1);
    expectTight(difference.placed.sketch, {
      from: 0,
      to: difference.y,
      normIn: "l2",
      truth: 2,
      layer: "Subtract",
    });
  });

  it("add and subtract intervals", () => {
    const domain = { kind: "box", low: 1, high: 3 } as const;
    const sum = place(
      "Add",
      [
        [2, 4],
        [2, 4],
      ],
      {},
      { domain },
    );
    expect(rangeOf(sum.sketch, sum.outputs[0])).toMatchObject({ low: 2, high: 6, token: 12, spread: 4 });
    const difference = place(
      "Subtract",
      [
        [2, 4],
        [2, 4],
      ],
      {},
      { domain },
    );
    expect(rangeOf(difference.sketch, difference.outputs[0])).toMatchObject({
      low: -2,
      high: 2,
      linf: 2,
      token: 4,
    });
  });
});

describe("Offset", () => {
  const placed = place("Offset", [[3, 4]], { by: 2 }, { domain: { kind: "box", low: -1, high: 1 } });

  it("adds a number and costs nothing", () => {
    expectMeaning(placed, ([x]) => [fill([3, 4], (t, c) => x.at(t, c) + 2)]);
    expectGradients(placed);
    for (const normIn of ["l2", "token", "linf"] as const) {
      expectTight(placed.sketch, {
        from: placed.inputs[0],
        to: placed.outputs[0],
        normIn,
        truth: 1,
        layer: "Offset",
      });
    }
    expect(rangeOf(placed.sketch, placed.outputs[0])).toMatchObject({ low: 1, high: 3, token: 6, spread: 2 });
  });
});
