/** A symbol at another value: the same bound as that of the spec in which the number is written so. */
import { describe, expect, it } from "vitest";
import { collect } from "../../src/cli/report/collect.ts";
import { waterfallOf } from "../../src/cli/report/waterfall.ts";
import { Analysis } from "../../src/gain/analyze.ts";
import { symbolsOf, type Symbol } from "../../src/gain/symbols.ts";
import { WhatIf } from "../../src/gain/what-if.ts";
import { initialise } from "../../src/graph/initialise.ts";
import { measure } from "../../src/measure/measure.ts";
import type { Model, Phase } from "../../src/model/model.ts";
import { modelsOf } from "../helpers/elaborated.ts";

const template = (numbers: Readonly<Record<string, string>>): string => {
  const { alpha, tau, nu, eps, epsOfValues, sigma, gamma, by, share } = {
    alpha: "0.25",
    tau: "4",
    nu: "0.5",
    eps: "0.5",
    epsOfValues: "0.125",
    sigma: "1",
    gamma: "0.75",
    by: "0.625",
    share: "0.25",
    ...numbers,
  };
  return `lips 1
model M {
  input x: [9, 8] in [0, 1]
  weights { constraint: spectral(${sigma}), bias: false }
  let [q, k, v] = [x |> Linear(8), x |> Linear(8), x |> Linear(8)]
  let attended = Attend(q, k, v, heads: 2, score: cosine(tau: ${tau}, eps: ${eps}), values: unit(nu: ${nu}, eps: ${epsOfValues}))
  let g = learned(${gamma}, in: [0, ${gamma}])
  output y = attended |> Residual(Linear(8) |> GELU |> Linear(8), alpha: ${alpha}) |> Residual(Linear(8), alpha: learned(${share}, in: [0, ${share}]), form: convex) |> Scale(g) |> Scale(${by}) |> MeanPool
}
`;
};

function modelOf(numbers: Readonly<Record<string, string>> = {}): Model {
  return modelsOf("m.lips", {}, { "m.lips": template(numbers) })[0];
}

const base = modelOf();
const all = base.nodes.flatMap((node) => symbolsOf(node, base));

function boundsOf(analysis: Analysis): readonly number[] {
  const { inputs, outputs } = analysis.model;
  return analysis.from(inputs[0].value).gain(outputs[0].value).entries;
}

/** All symbols of a letter; `of`: of this place. */
const named = (letter: string, of?: string): Symbol[] =>
  all.filter((symbol) => symbol.letter === letter && (of === undefined || symbol.of === of));

describe("what if", () => {
  const cases: readonly [string, readonly Symbol[], (t: number) => Readonly<Record<string, string>>][] = [
    ["α", named("α").slice(0, 1), (t) => ({ alpha: `${0.25 * t}` })],
    ["τ", named("τ"), (t) => ({ tau: `${4 * t}` })],
    ["ν", named("ν"), (t) => ({ nu: `${0.5 * t}` })],
    ["ε of the score", named("ε", "score"), (t) => ({ eps: `${0.5 * t}` })],
    ["ε of the values", named("ε", "values"), (t) => ({ epsOfValues: `${0.125 * t}` })],
    ["all σ", named("σ"), (t) => ({ sigma: `${t}` })],
    [
      "a fixed scale",
      named("c").filter(({ place }) => place.kind === "config"),
      (t) => ({ by: `${0.625 * t}` }),
    ],
    [
      "a learned scale by its range",
      named("c").filter(({ place }) => place.kind === "weight"),
      (t) => ({ gamma: `${0.75 * t}` }),
    ],
    ["the α of a convex residual by its range", named("α").slice(1), (t) => ({ share: `${0.25 * t}` })],
  ];
  it.each(cases)(
    "%s at half and twice gives the bounds of the spec with that number",
    (_, symbols, numbers) => {
      expect(symbols.length).toBeGreaterThan(0);
      const phases: readonly Phase[] = ["always"];
      for (const phase of phases) {
        const whatIf = new WhatIf(new Analysis(base, phase));
        const plain = boundsOf(new Analysis(base, phase));
        expect(boundsOf(whatIf.times(symbols, 1))).toEqual(plain);
        for (const factor of [0.5, 2]) {
          const [found, written] = [
            boundsOf(whatIf.times(symbols, factor)),
            boundsOf(new Analysis(modelOf(numbers(factor)), phase)),
          ];
          found.forEach((bound, i) => expect(bound / written[i]).toBeCloseTo(1, 12));
          expect(found).not.toEqual(plain);
        }
      }
    },
  );

  it("at a checkpoint: the bound of the weights times that factor, products of weights included", () => {
    const text = `lips 1
model M {
  input x: [4, 6] in [0, 1]
  output y = x |> CenterNorm |> Linear(6) |> Linear(6) |> Residual(Linear(8) |> GELU |> Linear(6), alpha: learned(0.5)) |> Linear(3)
}
`;
    const [model] = modelsOf("m.lips", {}, { "m.lips": text });
    const tensors = initialise(model, 3);
    const options = measure(tensors);
    const whatIf = new WhatIf(new Analysis(model, "checkpoint", options), options);
    for (const [id, weight] of model.weights.entries()) {
      if (weight.role === "bias") continue;
      for (const factor of [0.5, 2]) {
        const symbol: Symbol = { letter: "σ", of: "", place: { kind: "weight", weight: id } };
        const scaled = new Map(
          [...tensors].map(([path, data]) => [
            path,
            path === weight.path ? data.map((x) => x * factor) : data,
          ]),
        );
        const [found, measured] = [
          boundsOf(whatIf.times([symbol], factor)),
          boundsOf(new Analysis(model, "checkpoint", measure(scaled))),
        ];
        // Each norm is proven to about 1e-6 of the truth, by itself.
        found.forEach((bound, i) =>
          expect(Math.abs(bound / measured[i] - 1), `${weight.path} ×${factor}`).toBeLessThan(1e-5),
        );
      }
    }
  });
});

describe("the waterfall", () => {
  it("names for each row the symbol that the bound depends on most, with bounds of whole analyses", () => {
    const report = collect(base);
    const matrix = report.matrices.find(({ phase }) => phase === "always");
    if (!matrix) throw new Error("no matrix");
    const { rows, whole, bound } = waterfallOf(report, matrix, new Map());
    expect(rows.reduce((product, row) => product * row.cause.factor ** row.times, 1)).toBeCloseTo(bound, 10);
    const alpha = whole.find(({ name, value }) => name === "α" && value === 0.25);
    const tau = whole.find(({ name }) => name === "τ");
    const twice = boundsOf(new Analysis(modelOf({ tau: "8" }), "always"))[0];
    expect([tau?.value, tau?.twice]).toEqual([4, twice]);
    expect(alpha?.count).toBe(2);
    // A smaller eps loosens, a larger one tightens.
    const eps = whole.find(({ name }) => name === "ε(score)");
    expect(eps && eps.half > bound && eps.twice < bound).toBe(true);
  });
});
