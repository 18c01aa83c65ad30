/** The bound of LipsFormer-Swin-Tiny as a whole, in l2, with every spectral norm 1: the numbers of docs/gains.md. */
import { describe, expect, it } from "vitest";
import { Analysis } from "../../src/gain/analyze.ts";
import type { WeightFacts, WeightOracle } from "../../src/gain/facts.ts";
import { closeValue, entry, gainOf, type Gain } from "../../src/gain/gain.ts";
import { ourConstant, paperConstant } from "../../src/gain/paper/lipsformer.ts";
import { constantFacts, weightFacts } from "../../src/gain/weights.ts";
import type { Layer } from "../../src/layers/layer.ts";
import { layers } from "../../src/layers/registry.ts";
import type { Model } from "../../src/model/model.ts";
import { modelOf } from "../helpers/elaborated.ts";

const example = "test/fixtures/examples/lipsformer.lips";

function swin(tau: number, eps = "1"): Model {
  const set = { score: `cosine(tau: ${tau}, eps: ${eps})`, values: `unit(nu: 1, eps: ${eps})` };
  return modelOf(example, "LipsFormerSwin", set);
}

/** Spectral norms 1 and depthwise convolutions of norm 1 in every norm; everything else as it starts. */
const ones: WeightOracle = (weight, phase): WeightFacts => {
  if (weight.role === "depthwise") {
    const facts = constantFacts([1]);
    return { ...facts, maxAbs: 1 / 49, low: -1 / 49, high: 1 / 49, values: null };
  }
  if (weight.path.endsWith(".position")) return constantFacts([0]);
  return weightFacts(weight, phase);
};

/** log10 of the l2 bound from after the input normalisation to the logits. */
function bound(model: Model, table: ReadonlyMap<string, Layer> = layers, oracle = ones): number {
  const normalize = model.nodes.find((node) => node.layer === "Normalize");
  if (!normalize) throw new Error("the model normalises its input");
  const analysis = new Analysis(model, "init", { oracle, layers: table });
  return Math.log10(entry(analysis.from(normalize.outputs[0]).gain(model.outputs[0].value), "l2", "l2"));
}

/** The same analysis, with l2 → l2 only and a given constant in place of Attend's rule: `of` the l2 gains of q, k and v. */
function withConstant(of: (q: number, k: number, v: number) => number): ReadonlyMap<string, Layer> {
  const attend = layers.get("Attend");
  if (!attend || "none" in attend.rules) throw new Error("Attend has a rule");
  const gain = (
    context: { readonly outputs: readonly (readonly number[])[] },
    [q, k, v]: readonly Gain[],
  ) => {
    const entries = [0, 1, 2].flatMap((p) => [
      of(q.entries[3 * p], k.entries[3 * p], v.entries[3 * p]),
      Infinity,
      Infinity,
    ]);
    const why = { text: "l2 only", path: null, because: [] };
    return [{ gain: closeValue(gainOf(entries, why), context.outputs[0]), rule: "constant" }];
  };
  return new Map([...layers, ["Attend", { ...attend, rules: { ...attend.rules, gain } }]]);
}

describe("LipsFormer-Swin-Tiny at init, l2, all spectral norms 1, eps 1", () => {
  it("is 10^2.1 by the coupled rule at tau 1", () => {
    const found = bound(swin(1));
    expect(found).toBeCloseTo(2.09, 2);
  });

  it("is 10^4.9 by the plain rule: the sum of the paths, column sums N", () => {
    const plain = withConstant((q, k, v) => q + 7 * k + 7 * v);
    expect(bound(swin(1), plain)).toBeCloseTo(4.89, 2);
  });

  it("is 10^43.9 by the paper's theorem at tau 10", () => {
    const layer = { tokens: 49, tau: 10, nu: 1, eps: 1, valueEps: 1, offsets: 0 };
    const paper = withConstant((query, key, value) => paperConstant({ ...layer, query, key, value }));
    expect(bound(swin(10), paper)).toBeCloseTo(43.9, 1);
  });

  it("is 10^9.3 by the coupled rule at tau 10 in l2 alone, and 10^9.0 with all three norms", () => {
    const layer = { tokens: 49, tau: 10, nu: 1, eps: 1, valueEps: 1, offsets: 0 };
    const alone = withConstant((query, key, value) => ourConstant({ ...layer, query, key, value }));
    expect(bound(swin(10), alone)).toBeCloseTo(9.31, 2);
    // From l2 to the largest token the last block's columns cost nothing, and the mean of tokens is at most the largest.
    expect(bound(swin(10))).toBeCloseTo(9.0, 1);
  });

  it("counts the tables of positions as they start", () => {
    const starts: WeightOracle = (weight, phase) =>
      weight.path.endsWith(".position") ? weightFacts(weight, phase) : ones(weight, phase);
    const counted = bound(swin(1), layers, starts);
    expect(counted).toBeGreaterThan(bound(swin(1)) + 0.01);
    expect(counted).toBeLessThan(2.2);
  });
});

describe("the released form", () => {
  const model = modelOf(example, "LipsFormerSwinTinyReleased");
  const parameters = model.weights.reduce((n, w) => n + w.shape.reduce((a, b) => a * b, 1), 0);
  it("has 30 908 578 parameters", () => {
    expect(parameters).toBe(30_908_578);
  });

  it("has no bound on an unbounded domain, with both reasons in the chain", () => {
    const open: Model = {
      ...model,
      inputs: model.inputs.map((input) => ({ ...input, domain: { kind: "unbounded" } })),
    };
    const gain = new Analysis(open, "init").from(open.inputs[0].value).gain(open.outputs[0].value);
    expect(entry(gain, "l2", "l2")).toBe(Infinity);
    const chain = JSON.stringify(gain.why);
    expect(chain).toContain("values of unbounded size");
    expect(chain).toContain("max(‖·‖, 1e-12)");
    expect(chain).toContain("values: unit(eps: 1e-2)");
  });

  it("has a finite one in a box, of no use, with the same reasons as a caution", () => {
    const analysis = new Analysis(model, "init");
    const gain = analysis.from(model.inputs[0].value).gain(model.outputs[0].value);
    const found = entry(gain, "l2", "l2");
    expect(found).toBeGreaterThan(1e100);
    const cautions = JSON.stringify([...analysis.cautions.values()]);
    expect(cautions).toContain("max(‖·‖, 1e-12)");
    expect(cautions).toContain("values: unit(eps: 1e-2)");
  });
});
