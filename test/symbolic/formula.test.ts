/** Formulas: worth the certified number, a valid bound for other values too, and fit to be printed. */
import fc from "fast-check";
import { renderToString } from "katex";
import { describe, expect, it, test } from "vitest";
import { collect } from "../../src/cli/report/collect.ts";
import {
  boundsWithFormula,
  formulaFor,
  formulasData,
  formulasLatex,
  formulasText,
} from "../../src/cli/report/formula.ts";
import { checkDocument } from "../../src/cli/report/json.ts";
import { painter } from "../../src/cli/report/table.ts";
import { Analysis } from "../../src/gain/analyze.ts";
import { norms } from "../../src/gain/gain.ts";
import type { Model, Phase } from "../../src/model/model.ts";
import { valueOf } from "../../src/symbolic/algebra.ts";
import { symbolicBound, type SymbolicBound } from "../../src/symbolic/bound.ts";
import { evaluate } from "../../src/symbolic/evaluate.ts";
import { Expressions, type Symbol } from "../../src/symbolic/expression.ts";
import { gainLetters, stagesOf, type Stage } from "../../src/symbolic/factors.ts";
import { initialise } from "../../src/graph/initialise.ts";
import { measure } from "../../src/measure/measure.ts";
import { schemaCheck } from "../cli/schemas.ts";
import { modelsOf } from "../helpers/elaborated.ts";

type SpecPhase = Exclude<Phase, "checkpoint">;

/** All kinds of layers; larger ones have the same and take seconds. */
const specs = [
  "certified-mlp",
  "contracting",
  "deep-ssm",
  "fast",
  "lbdn-digits",
  "lipsformer-fashion",
  "lipsformer-swin-tiny",
  "lrformer",
  "quick-start",
  "two-lipschitz",
  "vit-fashion",
];

const own = (symbol: Symbol): number => symbol.value;

function boundOf(model: Model, phase: SpecPhase, source: number): SymbolicBound {
  const bound = symbolicBound(model, phase, source);
  if ("none" in bound) throw new Error(bound.none);
  return bound;
}

/** A model's first input, or where its first claim starts, if the input has no norm. */
function sourceOf(model: Model): number {
  const [input] = model.inputs;
  return input.domain.kind === "tokens" ? (model.claims[0]?.from ?? input.value) : input.value;
}

describe("with the model's own values", () => {
  it.each(specs)("%s: all nine bounds are those of the analysis, within rounding", (name) => {
    for (const model of modelsOf(`specs/${name}.lips`)) {
      for (const phase of ["init", "always"] as const) {
        const source = sourceOf(model);
        const bound = boundOf(model, phase, source);
        const target = model.outputs[0].value;
        const proven = new Analysis(model, phase).from(source).gain(target).entries;
        const found = bound.gain(target).map((entry) => evaluate(entry, own, bound.conditions));
        found.forEach((value, i) => {
          if (Number.isFinite(proven[i]) && proven[i] > 0)
            expect(Math.abs(value / proven[i] - 1)).toBeLessThan(1e-10);
          else expect(value).toBe(proven[i]);
        });
      }
    }
  });
});

describe("of stored weights", () => {
  it.each(["quick-start", "vit-fashion"])("%s: the bound of layer after layer", (name) => {
    for (const model of modelsOf(`specs/${name}.lips`)) {
      const { oracle } = measure(initialise(model, 1));
      const [source, target] = [sourceOf(model), model.outputs[0].value];
      const bound = symbolicBound(model, "checkpoint", source, (weight) => oracle(weight, "checkpoint"));
      if ("none" in bound) throw new Error(bound.none);
      const proven = new Analysis(model, "checkpoint", { oracle }).from(source).gain(target).entries;
      bound.gain(target).forEach((entry, i) => {
        const value = evaluate(entry, own, bound.conditions);
        // Frequencies of convolutions are not among the checker's rules: the quick start's formula is above.
        expect(value).toBeGreaterThanOrEqual(proven[i] * (1 - 1e-10));
        if (name === "vit-fashion") expect(value).toBeLessThanOrEqual(proven[i] * (1 + 1e-10));
      });
    }
  });
});

/** Layers by whose order models differ; all keep [9, 8]. */
const pieces = [
  "CenterNorm",
  "Linear(8)",
  "Scale(0.7)",
  "GELU",
  "LayerNorm(eps: 0.1)",
  "UnitNorm(eps: 0.3)",
  "Residual(Linear(8) |> GELU |> Linear(8), alpha: 0.25)",
  "Residual(Linear(8), alpha: learned(0.1, in: [0, 0.3]), form: convex)",
  "Residual(Branch(4), alpha: learned(0.2, shape: [8], in: [0, 0.4]))",
  "Residual(Branch(1), alpha: 1/2)",
] as const;

const chains = fc.array(fc.constantFrom(...pieces), { minLength: 1, maxLength: 7 });

function chainModel(layers: readonly string[], sigma = "1"): Model {
  const text = `lips 1
block Branch(x: [n, d], tau: real) -> [n, d] {
  let [q, k, v] = x |> Linear(3 * d) |> Split(3)
  Attend(q, k, v, heads: 2, score: cosine(tau: tau, eps: 0.5), values: unit(nu: 0.8, eps: 0.25)) |> Linear(d)
}
model M {
  input x: [9, 8] in [0, 1]
  weights { init: spectral, constraint: spectral(${sigma}), bias: false }
  output y = x |> ${layers.join(" |> ")}
}
`;
  return modelsOf("m.lips", {}, { "m.lips": text })[0];
}

/** What the printed lines say, line by line. */
function printedValue(stages: readonly Stage[], values: (symbol: Symbol) => number): number {
  let gains: Readonly<Record<string, number>> = {};
  let last = NaN;
  for (const { updates } of stages) {
    const before = gains;
    const at = (symbol: Symbol): number => (symbol.path === "" ? before[symbol.letter] : values(symbol));
    const made = updates.map(({ to, formula }) => [gainLetters[to], valueOf(formula, at)] as const);
    gains = { ...before, ...Object.fromEntries(made) };
    last = made[0][1];
  }
  return last;
}

describe("random models", () => {
  it("are worth the analysis's numbers, and printed lines say the same", () => {
    fc.assert(
      fc.property(
        chains,
        fc.constantFrom<SpecPhase>("init", "always"),
        fc.constantFrom(...norms),
        fc.constantFrom(...norms),
        (layers, phase, from, to) => {
          const model = chainModel(layers);
          const [source, target] = [model.inputs[0].value, model.outputs[0].value];
          const bound = boundOf(model, phase, source);
          const at = 3 * norms.indexOf(from) + norms.indexOf(to);
          const proven = new Analysis(model, phase).from(source).gain(target).entries[at];
          if (!Number.isFinite(proven)) {
            expect(evaluate(bound.gain(target)[at], own)).toBe(Infinity);
            return;
          }
          expect(Math.abs(evaluate(bound.gain(target)[at], own, bound.conditions) / proven - 1)).toBeLessThan(
            1e-10,
          );
          const printed = printedValue(stagesOf(model, bound, source, target, from, to), own);
          expect(Math.abs(printed / proven - 1)).toBeLessThan(1e-9);
        },
      ),
      { numRuns: 60 },
    );
  });

  it("with other values: an expression is the bound of the model with them; what is printed is never below", () => {
    const factor = fc.double({ min: 0.3, max: 3, noNaN: true });
    fc.assert(
      fc.property(chains, fc.func(factor), (layers, factorOf) => {
        const model = chainModel(layers);
        const [source, target] = [model.inputs[0].value, model.outputs[0].value];
        const bound = boundOf(model, "always", source);
        const values = (symbol: Symbol): number => symbol.value * factorOf(`${symbol.letter} ${symbol.path}`);
        const [entry] = bound.gain(target);
        const exact = evaluate(entry, values, bound.conditions);
        if (!Number.isFinite(exact)) return;
        const printed = printedValue(stagesOf(model, bound, source, target, "l2", "l2"), values);
        expect(printed).toBeGreaterThanOrEqual(exact * (1 - 1e-9));
      }),
      { numRuns: 60 },
    );
  });

  it("with all σ at another value: as the spec with that constraint", () => {
    fc.assert(
      fc.property(chains, fc.constantFrom(0.5, 1.25, 3), (layers, sigma) => {
        const [model, other] = [chainModel(layers), chainModel(layers, `${sigma}`)];
        const [source, target] = [model.inputs[0].value, model.outputs[0].value];
        const bound = boundOf(model, "always", source);
        const proven = new Analysis(other, "always").from(source).gain(target).entries;
        bound.gain(target).forEach((entry, i) => {
          const value = evaluate(entry, (s) => (s.letter === "σ" ? sigma : s.value), bound.conditions);
          if (Number.isFinite(proven[i])) expect(Math.abs(value / proven[i] - 1)).toBeLessThan(1e-10);
          else expect(value).toBe(Infinity);
        });
      }),
      { numRuns: 30 },
    );
  });
});

describe("evaluation fails closed", () => {
  const a = new Expressions();
  const x = a.symbol({ letter: "x", path: "x", value: 2 });
  it("a negative or NaN value of a symbol proves nothing", () => {
    const bound = a.add(a.num(1), x);
    expect([evaluate(bound, () => 3), evaluate(bound, () => -1), evaluate(bound, () => NaN)]).toEqual([
      4,
      Infinity,
      Infinity,
    ]);
  });
  it("a quotient whose divisor may be 0 proves nothing; a condition that fails neither", () => {
    const rest = a.sub(a.num(3), x);
    expect(evaluate(a.div(a.num(1), rest), () => 3)).toBe(Infinity);
    expect(evaluate(a.div(a.num(1), rest), () => 2)).toBe(1);
    expect(a.surelyLess(x, a.num(3))).toBe(true);
    expect([evaluate(x, () => 2.5, a.conditions), evaluate(x, () => 3, a.conditions)]).toEqual([
      2.5,
      Infinity,
    ]);
  });
  it("is rounded up, and exact where float64 is", () => {
    const tenth = a.mul(x, a.num(0.1));
    expect(evaluate(tenth, () => 1)).toBe(0.1);
    expect(evaluate(tenth, () => 3)).toBeGreaterThanOrEqual(0.30000000000000004);
    expect(evaluate(a.sqrt(x), () => 2) ** 2).toBeGreaterThanOrEqual(2);
  });
});

/** KaTeX knows all that is used but `\\intertext`: what stands between two of them, and their own text, by itself. */
function displays(latex: string): string[] {
  const between = latex.split(/\\begin\{align\*\}|\\end\{align\*\}/).filter((_, i) => i % 2 === 1);
  return between.flatMap((block) =>
    block
      .split("\n")
      .reduce<string[][]>(
        (parts, line) =>
          line.includes("\\intertext")
            ? [...parts, [line], []]
            : [...parts.slice(0, -1), [...(parts.at(-1) ?? []), line]],
        [[]],
      )
      .map((lines) => lines.join("\n").trim())
      .filter((text) => text !== "")
      .map((text) =>
        text.startsWith("\\intertext")
          ? text.replace("\\intertext", "\\text")
          : `\\begin{align*}${text.replace(/\\\\$/, "")}\\end{align*}`,
      ),
  );
}

const strict = { displayMode: true, throwOnError: true, strict: "error" } as const;

describe("what is printed", () => {
  const paint = painter(false);

  it("is in JSON, too, as its schema says: text, LaTeX, and paths of all rounds", () => {
    const reports = modelsOf("specs/quick-start.lips").map((model) => collect(model));
    const document: unknown = JSON.parse(JSON.stringify(checkDocument(reports, [], new Map(), formulasData)));
    expect(schemaCheck("check")(document)).toEqual([]);
    const [formula] = formulasData(reports[0]) as {
      layers: { paths: string[]; updates: { text: string }[] }[];
      symbols: { paths: string[] }[];
    }[];
    const attention = formula.layers.find(({ updates }) => updates[0].text.includes("ν"));
    expect(attention?.paths.length).toBe(3);
    expect(attention?.updates[0].text).toBe("A + 7·√3·T·α₃·ν·σ(W₅)·σ(W₆)·√(τ²/ε₁ + 1/ε₂)");
    expect(formula.symbols.every(({ paths }) => paths.length === 1 || paths.length === 3)).toBe(true);
  });

  test.each(["deep-ssm", "two-lipschitz"])(
    "%s: layers whose formula nobody would read are numbers, never too small",
    (name) => {
      for (const model of modelsOf(`specs/${name}.lips`)) {
        const report = collect(model);
        const bounds = boundsWithFormula(report);
        expect(bounds.length).toBeGreaterThan(0);
        for (const bound of bounds) {
          const formula = formulaFor(report, bound);
          if ("none" in formula) throw new Error(formula.none);
          // Loops are folded: each round's line in its place.
          const stages = formula.rows.flatMap(({ nodes, updates }) =>
            nodes.map((node) => ({ value: 0, node, updates })),
          );
          expect(stages.some(({ updates }) => updates.some(({ numeric }) => numeric))).toBe(true);
          const order = (stage: Stage): number => model.nodes.indexOf(stage.node);
          const printed = printedValue(
            stages.sort((a, b) => order(a) - order(b)),
            own,
          );
          expect(printed).toBeGreaterThanOrEqual(bound.upper * (1 - 1e-9));
          expect(printed).toBeLessThanOrEqual(bound.upper * 1.01);
        }
        expect(formulasText(report, new Map(), paint)).toContain("* with this model's own numbers");
      }
    },
  );

  test.each(specs)("%s: LaTeX that compiles, no name without a meaning, no NaN", (name) => {
    for (const model of modelsOf(`specs/${name}.lips`)) {
      const report = collect(model);
      const latex = formulasLatex(report);
      const formulas = latex.split("\n").filter((line) => !line.startsWith("%"));
      let depth = 0;
      for (const c of formulas.join("\n").replace(/\\[{}]/g, "")) {
        depth += c === "{" ? 1 : c === "}" ? -1 : 0;
        expect(depth).toBeGreaterThanOrEqual(0);
      }
      expect(depth).toBe(0);
      const all = formulas.join("\n");
      expect(all.split("\\left").length).toBe(all.split("\\right").length);
      expect(all.match(/\\begin\{align\*\}/g)?.length).toBe(all.match(/\\end\{align\*\}/g)?.length);
      for (const piece of displays(all)) expect(() => renderToString(piece, strict)).not.toThrow();
      // What pdflatex has no letters for.
      expect(/[^\x20-\x7e\n]/.exec(all)?.[0]).toBeUndefined();
      // No line breaks after the last line, nor none in between.
      for (const block of all.split("\\begin{align*}").slice(1)) {
        const lines = block
          .split("\\end{align*}")[0]
          .trim()
          .split("\n")
          .filter((line) => line.includes("&\\gets"));
        expect(lines.map((line) => line.endsWith("\\\\"))).toEqual(lines.map((_, i) => i < lines.length - 1));
      }
      const text = formulasText(report, new Map(), paint);
      expect(/NaN|undefined|\[object|function/.exec(text)).toBe(null);
      expect(formulasData(report).length).toBe((text.match(/as a formula/g) ?? []).length);
    }
  });
});
