/** Numbers of the whole LipsFormer-Swin-Tiny that were derived by hand. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { nodeHost } from "../../src/cli/host-node.ts";
import { countMacs, countParameters } from "../../src/cli/report/figures.ts";
import { Diagnostics } from "../../src/diagnostics/diagnostic.ts";
import { elaborateFile } from "../../src/elaborate/elaborate.ts";
import { Analysis } from "../../src/gain/analyze.ts";
import { spineOf } from "../../src/gain/causes.ts";
import { entry } from "../../src/gain/gain.ts";
import { fixesOf } from "../../src/gain/reasons.ts";
import { weightFacts } from "../../src/gain/weights.ts";
import type { Host } from "../../src/host.ts";
import type { Model } from "../../src/model/model.ts";

const file = "test/fixtures/examples/lipsformer.lips";

function models(edit: (text: string) => string = (text) => text): Map<string, Model> {
  const host: Host = {
    ...nodeHost,
    readText: (path) => (path === file ? edit(readFileSync(file, "utf8")) : nodeHost.readText(path)),
  };
  const diagnostics = new Diagnostics();
  const { models } = elaborateFile(host, file, diagnostics);
  expect(diagnostics.all).toEqual([]);
  return new Map(models.map((model) => [model.name, model]));
}

/** log10 of the l2 bound from what Normalize gives, with τ and ε as said and depthwise operators of norm 1. */
function exponentOf(tau: number, eps: number): number {
  const text = (source: string): string =>
    source.replace(
      "score: Score = cosine(tau: 10, eps: 1e-2), values: Values = unit(nu: 1, eps: 1e-2)",
      `score: Score = cosine(tau: ${tau}, eps: ${eps}), values: Values = unit(nu: 1, eps: ${eps})`,
    );
  const model = models(text).get("LipsFormerSwin") as Model;
  const analysis = new Analysis(model, "init", {
    oracle: (weight, phase) => {
      const facts = weightFacts(weight, phase);
      return weight.role === "depthwise" ? { ...facts, rowSum: 1 } : facts;
    },
  });
  const normalize = model.nodes.find((node) => node.layer === "Normalize");
  const gain = analysis.from(normalize?.outputs[0] as number).gain(model.outputs[0].value);
  return Math.log10(entry(gain, "l2", "l2"));
}

describe("LipsFormer-Swin", () => {
  it("has the parameters of the authors' code", () => {
    const all = models();
    const count = (name: string): number => countParameters(all.get(name) as Model);
    expect(count("LipsFormerSwin")).toBe(30_908_578);
    expect(count("LipsFormerSwinTiny")).toBe(30_908_578);
    expect(count("LipsFormerSwinSmall")).toBe(54_479_794);
    expect(count("LipsFormerSwinBase")).toBe(96_011_168);
    // 4·N·d² of each attention, its windows' two products, the convolutions and perceptrons, patches and head.
    expect(countMacs(all.get("LipsFormerSwin") as Model)).toBe(4_977_524_736);
  });

  it("has the bounds of the coupled rule", () => {
    expect(exponentOf(1, 1)).toBeGreaterThan(1.95);
    expect(exponentOf(1, 1)).toBeLessThan(2.15);
    expect(exponentOf(10, 1)).toBeGreaterThan(9.1);
    expect(exponentOf(10, 1)).toBeLessThan(9.35);
  });

  it("has causes whose product is the bound", () => {
    const model = models().get("LipsFormerSwin") as Model;
    const analysis = new Analysis(model, "init");
    for (const [p, q] of [
      ["l2", "l2"],
      ["linf", "l2"],
      ["token", "linf"],
    ] as const) {
      const { causes, bound } = spineOf(analysis, model.inputs[0].value, model.outputs[0].value, p, q);
      const product = causes.reduce((log, cause) => log + Math.log(cause.factor), 0);
      expect(product).toBeCloseTo(Math.log(bound), 9);
    }
  });

  it("is not Lipschitz in its released form, for the reason that its values are not normalised", () => {
    const name = "LipsFormerSwinTinyReleased";
    const free = models((text) => text.replaceAll(" in [0, 1]", "")).get(name) as Model;
    const { why, entries } = new Analysis(free, "init")
      .from(free.inputs[0].value)
      .gain(free.outputs[0].value);
    expect(entries.every((x) => x === Infinity)).toBe(true);
    expect(why && fixesOf(why)).toContain("values: unit(eps: 1e-2)");
    // On the unit box it has a bound, which is of no use and says so.
    const model = models().get(name) as Model;
    const analysis = new Analysis(model, "init");
    expect(
      entry(analysis.from(model.inputs[0].value).gain(model.outputs[0].value), "l2", "l2"),
    ).toBeGreaterThan(1e100);
    expect(analysis.cautions.size).toBe(12);
  });

  it("of the paper keeps its bound without a domain", () => {
    const free = models((text) => text.replaceAll(" in [0, 1]", "")).get("LipsFormerSwin") as Model;
    const gain = new Analysis(free, "init").from(free.inputs[0].value).gain(free.outputs[0].value);
    expect(entry(gain, "l2", "l2")).toBeLessThan(1e25);
  });
});
