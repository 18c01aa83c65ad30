import { describe, expect, it } from "vitest";
import { parseRational, rational, type Rational } from "../../src/elaborate/rational.ts";
import { Builder } from "../../src/graph/builder.ts";
import { array64, interpret } from "../../src/graph/interpret.ts";
import { storedDown, storedUp, towardZero } from "../../src/layers/pointwise.ts";
import { layers } from "../../src/layers/registry.ts";
import type { Node } from "../../src/model/model.ts";
import { expectGradients, expectMeaning, fill } from "../rig/differences.ts";
import { seeded } from "../rig/matrix.ts";
import { infer, macs, place, type Placed } from "../rig/place.ts";
import { boundOf, expectSound, expectTight, rangeOf } from "../rig/planted.ts";
import { run, search } from "../rig/search.ts";
import { Sketch } from "../rig/sketch.ts";

const norms = ["l2", "token", "linf"] as const;
const finite = { kind: "box", low: -2, high: 3 } as const;

/** A layer whose coefficient is a learned weight. */
function learned(
  layer: string,
  name: string,
  shape: readonly number[],
  data: readonly number[],
  domain = finite,
): Placed {
  const sketch = new Sketch();
  const x = sketch.input([3, 4], domain);
  const weight = sketch.weight({ shape, data });
  const config: Node["config"] = { [name]: { kind: "learned", weight } };
  const outputs = sketch.node({ layer, inputs: [x], config });
  return { sketch, inputs: [x], outputs, plan: { config, outputs: [[3, 4]] }, weights: { [name]: data } };
}

describe("stored arguments", () => {
  const exact = (text: string): Rational => parseRational(text) as Rational;
  const minus = (r: Rational): Rational => ({ n: -r.n, d: r.d });

  it("are rounded towards zero, downwards, upwards", () => {
    const twelfth = rational(1n, 12n) as Rational;
    expect(Math.fround(1 / 12)).toBeGreaterThan(1 / 12);
    expect(towardZero(twelfth)).toBeLessThan(1 / 12);
    expect(1 / 12 - towardZero(twelfth)).toBeLessThan(1e-8);
    expect(towardZero(minus(twelfth))).toBe(-towardZero(twelfth));
    for (const text of ["0.1", "0.2", "0.3", "1e-40", "7", "1e-3", "3.4e38"]) {
      for (const r of [exact(text), minus(exact(text))]) {
        const value = Number(r.n) / Number(r.d);
        expect(storedDown(r)).toBeLessThanOrEqual(value);
        expect(storedUp(r)).toBeGreaterThanOrEqual(value);
        expect(Math.fround(storedDown(r))).toBe(storedDown(r));
        expect(storedUp(r) - storedDown(r)).toBeLessThanOrEqual(Math.max(2e-45, Math.abs(value) * 2 ** -23));
      }
    }
    expect(storedDown(exact("7"))).toBe(7);
    expect(storedUp(exact("0"))).toBe(0);
  });
});

describe("Scale", () => {
  it("keeps the shape and costs nothing", () => {
    expect(infer("Scale", [[2, 3, 4]], { by: 0.5 }).plan?.outputs).toEqual([[2, 3, 4]]);
    expect(macs("Scale", [[3, 4]], { by: 0.5 })).toBe(0);
  });

  for (const [title, placed, factors] of [
    ["a constant", place("Scale", [[3, 4]], { by: -2.5 }), [-2.5, -2.5, -2.5, -2.5]],
    ["a learned number", learned("Scale", "by", [], [0.7]), [0.7, 0.7, 0.7, 0.7]],
    ["a learned vector", learned("Scale", "by", [4], [0.5, -3, 1, 0]), [0.5, -3, 1, 0]],
  ] as const) {
    it(`multiplies by ${title}`, () => {
      expectMeaning(placed, ([x]) => [fill([3, 4], (t, c) => factors[c] * x.at(t, c))]);
      expectGradients(placed);
    });

    it(`has the largest factor as gain: ${title}`, () => {
      const truth = Math.max(...factors.map(Math.abs));
      for (const normIn of norms) {
        const question = { from: placed.inputs[0], to: placed.outputs[0], normIn };
        expectTight(placed.sketch, { ...question, truth, layer: "Scale" });
        const { attained } = search(placed.sketch, { ...question, starts: 4, steps: 100 });
        expectSound(placed.sketch, { ...question, attained });
        expect(attained).toBeGreaterThan(0.98 * truth);
      }
    });
  }

  it("gives the exact interval of a constant and of a vector", () => {
    const { sketch, outputs } = place("Scale", [[3, 4]], { by: -2.5 }, { domain: finite });
    const range = rangeOf(sketch, outputs[0]);
    expect(range.low).toBeCloseTo(-7.5, 12);
    expect(range.high).toBeCloseTo(5, 12);
    const vector = learned("Scale", "by", [4], [0.5, -3, 1, 0]);
    const wide = rangeOf(vector.sketch, vector.outputs[0]);
    expect(wide.low).toBeCloseTo(-9, 12);
    expect(wide.high).toBeCloseTo(6, 12);
  });

  it("two factors √γ stored towards zero stay within a claim of γ", () => {
    const root = Math.fround(Math.sqrt(5));
    const below = towardZero(parseRational("2.2360679774997896964") as Rational);
    const chain = (by: number): number => {
      const sketch = new Sketch();
      const x = sketch.input([3, 4]);
      const config = { by: { kind: "constant", value: by } };
      const [y] = sketch.node({ layer: "Scale", inputs: [x], config });
      const [z] = sketch.node({ layer: "Scale", inputs: [y], config });
      return boundOf(sketch, { from: x, to: z, normIn: "l2" });
    };
    expect(chain(root)).toBeGreaterThan(5);
    expect(chain(below)).toBeLessThanOrEqual(5);
    expect(chain(below)).toBeGreaterThan(4.999999);
  });
});

describe("PReLU", () => {
  for (const [shape, data] of [
    [[], [0.25]],
    [[4], [0.25, -2, 1, 0]],
  ] as const) {
    const placed = learned("PReLU", "slope", shape, data);
    const slope = (c: number): number => data[data.length === 1 ? 0 : c];
    it(`has slopes [${data}] below 0`, () => {
      expectMeaning(placed, ([x]) => [
        fill([3, 4], (t, c) => (x.at(t, c) > 0 ? x.at(t, c) : slope(c) * x.at(t, c))),
      ]);
      expectGradients(placed);
      const truth = Math.max(1, ...data.map(Math.abs));
      for (const normIn of norms) {
        const question = { from: placed.inputs[0], to: placed.outputs[0], normIn };
        expectTight(placed.sketch, { ...question, truth, layer: "PReLU" });
        expectSound(placed.sketch, {
          ...question,
          attained: search(placed.sketch, { ...question, steps: 80 }).attained,
        });
      }
      const range = rangeOf(placed.sketch, placed.outputs[0]);
      expect(range.low).toBeCloseTo(Math.min(-2 * Math.max(...data), 0), 12);
      expect(range.high).toBeCloseTo(Math.max(3, -2 * Math.min(...data)), 12);
    });
  }
});

describe.each(["Dropout", "DropPath"])("%s", (name) => {
  it("takes a probability in [0, 1)", () => {
    expect(infer(name, [[3, 4]], { p: 0.3 }).plan?.outputs).toEqual([[3, 4]]);
    for (const p of [1, -0.1, 2])
      expect(infer(name, [[3, 4]], { p }).failures.map((f) => f.name)).toEqual(["out-of-range"]);
  });

  it("is the identity at inference, with gain 1: the keep probability is not multiplied in", () => {
    const placed = place(name, [[3, 4]], { p: 0.4 }, { domain: finite });
    expectMeaning(placed, ([x]) => [Array.from(x.data)]);
    for (const normIn of norms) {
      expectTight(placed.sketch, {
        from: placed.inputs[0],
        to: placed.outputs[0],
        normIn,
        truth: 1,
        layer: name,
      });
    }
    expect(rangeOf(placed.sketch, placed.outputs[0])).toEqual(rangeOf(placed.sketch, placed.inputs[0]));
  });

  it("drops with probability p in training and keeps the mean", () => {
    const layer = layers.get(name);
    if (!layer || typeof layer.lower !== "function") throw new Error("no lowering");
    const b = new Builder();
    const [batch, p] = [4000, Math.fround(0.3)];
    const x = b.input("x", [batch, 2, 3]);
    let noiseShape: readonly number[] = [];
    const random = (shape: readonly number[]) => {
      noiseShape = shape;
      return b.input("noise", shape);
    };
    const refuse = (): never => {
      throw new Error("not needed");
    };
    const context = {
      batch,
      training: true,
      shapes: [[2, 3]],
      outputs: [[2, 3]],
      weight: refuse,
      coefficient: refuse,
      step: refuse,
    };
    const [y] = layer.lower({ builder: b, config: { p }, inputs: [x], random, ...context });
    expect(noiseShape).toEqual(name === "Dropout" ? [batch, 2, 3] : [batch, 1, 1]);
    const uniform = seeded(5);
    const noise = Float64Array.from({ length: noiseShape.reduce((a, n) => a * n, 1) }, uniform);
    const out = interpret(b.graph("drop", [{ name: "y", tensor: y }]), {
      x: array64([batch, 2, 3], 1),
      noise: array64(noiseShape, noise),
    }).y.data;
    const kept = out.filter((v) => v !== 0);
    expect(kept.every((v) => Math.abs(v - 1 / (1 - p)) < 1e-12)).toBe(true);
    expect(Math.abs(kept.length / out.length - 0.7)).toBeLessThan(0.03);
    for (let s = 0; s < batch; s++) {
      for (let i = 0; i < 6; i++) {
        const at = name === "Dropout" ? 6 * s + i : s;
        expect(out[6 * s + i] === 0).toBe(noise[at] < p);
      }
    }
  });

  it("with p = 0 asks for no numbers in training", () => {
    const layer = layers.get(name);
    if (!layer || typeof layer.lower !== "function") throw new Error("no lowering");
    const b = new Builder();
    const x = b.input("x", [2, 3]);
    const refuse = (): never => {
      throw new Error("not needed");
    };
    const rest = {
      batch: 2,
      training: true,
      shapes: [[3]],
      outputs: [[3]],
      weight: refuse,
      coefficient: refuse,
      step: refuse,
    };
    expect(layer.lower({ builder: b, config: { p: 0 }, inputs: [x], random: refuse, ...rest })).toEqual([x]);
  });
});

describe("Clamp", () => {
  it("stores its ends rounded inwards", () => {
    const { plan } = infer("Clamp", [[3, 4]], { low: "-1/10", high: "1/10" });
    const { low, high } = plan?.config as { low: number; high: number };
    expect(high).toBeLessThanOrEqual(0.1);
    expect(low).toBeGreaterThanOrEqual(-0.1);
    expect(high).toBeGreaterThan(0.0999999);
    expect(infer("Clamp", [[4]], { low: "1/10", high: "1/10" }).plan?.config).toEqual({
      low: Math.fround(0.1),
      high: Math.fround(0.1),
    });
    expect(infer("Clamp", [[4]], { low: 1, high: 0 }).failures.map((f) => f.name)).toEqual(["out-of-range"]);
  });

  const placed = place("Clamp", [[3, 4]], { low: -0.5, high: 0.75 });
  it("limits entries, with gain 1", () => {
    expectMeaning(placed, ([x]) => [Array.from(x.data, (v) => Math.min(Math.max(v, -0.5), 0.75))]);
    expectGradients(placed);
    for (const normIn of norms) {
      const question = { from: placed.inputs[0], to: placed.outputs[0], normIn };
      expectTight(placed.sketch, { ...question, truth: 1, layer: "Clamp" });
      expectSound(placed.sketch, {
        ...question,
        attained: search(placed.sketch, { ...question, size: 0.3, steps: 60 }).attained,
      });
    }
  });

  it("makes a range from nothing, and keeps a smaller one", () => {
    expect(rangeOf(placed.sketch, placed.outputs[0])).toMatchObject({
      low: -0.5,
      high: 0.75,
      linf: 0.75,
      token: 1.5,
    });
    const inside = place(
      "Clamp",
      [[3, 4]],
      { low: -0.5, high: 0.75 },
      { domain: { kind: "box", low: 0, high: 0.25 } },
    );
    expect(rangeOf(inside.sketch, inside.outputs[0])).toMatchObject({ low: 0, high: 0.25 });
  });
});

describe("Project", () => {
  const reference = (norm: string, x: readonly number[], radius: number): number[] => {
    if (norm === "linf") return x.map((v) => Math.min(Math.max(v, -radius), radius));
    if (norm === "l2") return x.map((v) => v * Math.min(1, radius / Math.hypot(...x)));
    return x.map((v, i) => {
      const token = x.slice(i - (i % 4), i - (i % 4) + 4);
      return v * Math.min(1, radius / Math.hypot(...token));
    });
  };

  it.each(["l2", "token", "linf"] as const)("gives the nearest point of the %s ball", (norm) => {
    for (const radius of [0.5, 1.5, 8]) {
      const placed = place("Project", [[3, 4]], { norm, radius });
      expectMeaning(placed, ([x]) => [reference(norm, Array.from(x.data), radius)]);
      expectGradients(placed);
      const range = rangeOf(placed.sketch, placed.outputs[0]);
      expect(range[norm]).toBe(radius);
      const zero = run(
        placed.sketch,
        new Map([[placed.inputs[0], new Array<number>(12).fill(0)]]),
        placed.outputs[0],
      );
      expect(Array.from(zero)).toEqual(new Array<number>(12).fill(0));
    }
  });

  it.each(["l2", "token", "linf"] as const)("never expands: %s", (norm) => {
    const placed = place("Project", [[3, 4]], { norm, radius: 1 });
    for (const normIn of norms) {
      const question = { from: placed.inputs[0], to: placed.outputs[0], normIn };
      const { attained } = search(placed.sketch, { ...question, steps: 120, size: 0.5 });
      const bound = expectSound(placed.sketch, { ...question, attained });
      const stated = norm === "linf" || normIn === "l2" || (norm === "token" && normIn === "token");
      if (stated) expectTight(placed.sketch, { ...question, truth: 1, layer: "Project" });
      else expect(bound).toBeGreaterThan(1);
    }
  });

  it("the l2 ball does expand single tokens: its token gain is above 1", () => {
    // One long token and 15 short ones on the sphere: when the short ones shrink, the common factor grows.
    const placed = place("Project", [[16, 2]], { norm: "l2", radius: 5.5 });
    const question = { from: placed.inputs[0], to: placed.outputs[0], normIn: "token" } as const;
    const x = Array.from({ length: 32 }, (_, i) => (i % 2 === 1 ? 0 : i === 0 ? 4.1 : 1.02));
    const y = x.map((v, i) => (i % 2 === 1 ? 0 : i === 0 ? v + 1e-3 : v - 1e-3));
    const { attained } = search(placed.sketch, { ...question, starts: 1, steps: 20, points: [[x, y]] });
    expect(attained).toBeGreaterThan(2);
    expectSound(placed.sketch, { ...question, attained });
  });

  it("rms is the token ball of radius r√c, rounded down", () => {
    const { plan } = infer("Project", [[3, 3]], { norm: "rms", radius: 2 });
    const { norm, radius } = plan?.config as { norm: string; radius: number };
    expect(norm).toBe("token");
    expect(radius).toBeLessThanOrEqual(2 * Math.sqrt(3));
    expect(radius).toBeGreaterThan(2 * Math.sqrt(3) - 1e-6);
    expect(infer("Project", [[3, 3]], { norm: "token", radius: 0 }).failures.map((f) => f.name)).toEqual([
      "out-of-range",
    ]);
  });
});
