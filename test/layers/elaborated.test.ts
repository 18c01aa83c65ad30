/** The layers of this folder as a spec writes them: defaults, weights, steps and bounds by the whole front end. */
import { describe, expect, it } from "vitest";
import { countParameters } from "../../src/cli/report/figures.ts";
import { Diagnostics } from "../../src/diagnostics/diagnostic.ts";
import { elaborateFile } from "../../src/elaborate/elaborate.ts";
import { Analysis } from "../../src/gain/analyze.ts";
import { entry } from "../../src/gain/gain.ts";
import type { Host } from "../../src/host.ts";
import { layers } from "../../src/layers/registry.ts";
import type { Model, Norm, Phase } from "../../src/model/model.ts";

function read(source: string): { models: Model[]; codes: string[] } {
  const host: Host = {
    readText: (path) => (path === "test.lips" ? source : undefined),
    readStd: () => undefined,
    resolve: (_, relative) => relative,
  };
  const diagnostics = new Diagnostics();
  const { models } = elaborateFile(host, "test.lips", diagnostics);
  return { models, codes: diagnostics.all.map((d) => `${d.name}: ${d.message}`) };
}

/** One pipeline from `x` to `y`. */
function piped(
  input: string,
  pipe: string,
  blocks = "",
  policy = "",
): { model: Model; weights: Record<string, readonly number[]> } {
  const { models, codes } = read(
    `lips 1\n${blocks}\nmodel M {\n  input x: ${input}\n  ${policy}\n  output y = x |> ${pipe}\n}\n`,
  );
  expect(codes).toEqual([]);
  const weights = Object.fromEntries(models[0].weights.map((w) => [w.path, w.shape]));
  return { model: models[0], weights };
}

function bound(model: Model, norm: Norm, phase: Phase = "init"): number {
  return entry(
    new Analysis(model, phase).from(model.inputs[0].value).gain(model.outputs[0].value),
    norm,
    norm,
  );
}

describe("as written in a spec", () => {
  it.each([
    ["ReLU", 1],
    ["GELU", 1.128904145185155],
    ["GELU(form: tanh)", 1.128993068658772],
    ["SiLU", 1.099839320128867],
    ["ELU", 1],
    ["ELU(alpha: 2)", 2],
    ["LeakyReLU(1/8)", 1],
    ["Softplus(beta: 3)", 1],
    ["PReLU", 1],
    ["PReLU(slope: learned(2, shape: [6]))", 2],
    ["MaxMin", 1],
    ["GroupSort(3)", 1],
    ["Householder", 1],
    ["CenterNorm", 6 / 5],
    ["LayerNorm", 1 / Math.sqrt(Math.fround(1e-5))],
    ["RMSNorm(eps: 1/4)", 2],
    ["BatchNorm", 1 / Math.sqrt(1 + Math.fround(1e-5))],
    ["UnitNorm(eps: 1/4)", 2],
    ["UnitNorm(eps: 1/4, guard: max)", 4],
    ["Scale(-3)", 3],
    ["Scale(learned(1/2))", 0.5],
    ["Scale(learned(1/4, shape: [6]))", 0.25],
    ["Dropout(0.4)", 1],
    ["DropPath(0.4)", 1],
    ["Clamp(-1, 1)", 1],
    ["Project(token, 2)", 1],
    ["Project(rms, 2)", 1],
    ["Softmax", 0.5],
    ["Softmax(tau: 3)", 1.5],
    ["Sandwich(8)", 1],
    ["SLL(8)", 1],
    ["CPL(8, act: Tanh)", 1],
  ])("%s has gain %f in l2 and token at init", (text, truth) => {
    const { model } = piped("[5, 6]", text);
    expect(bound(model, "l2")).toBeCloseTo(truth, 9);
    expect(bound(model, "token")).toBeCloseTo(truth, 9);
    expect(bound(model, "l2")).toBeGreaterThanOrEqual(truth * (1 - 1e-15));
  });

  it("names weights by layer and role", () => {
    const { weights } = piped("[5, 6]", "CenterNorm |> LayerNorm |> RMSNorm |> BatchNorm |> Householder");
    expect(weights).toEqual({
      "center_norm.gamma": [6],
      "center_norm.beta": [6],
      "layer_norm.gamma": [6],
      "layer_norm.beta": [6],
      "rms_norm.gamma": [6],
      "batch_norm.gamma": [6],
      "batch_norm.beta": [6],
      "batch_norm.running_mean": [6],
      "batch_norm.running_var": [6],
      "householder.theta": [3],
    });
  });

  it("a learned γ has no bound in `always`, one with a range has", () => {
    expect(bound(piped("[5, 6]", "CenterNorm").model, "l2", "always")).toBe(Infinity);
    expect(bound(piped("[5, 6]", "Scale(learned(1, in: [-1, 2]))").model, "l2", "always")).toBe(2);
    const ranged = piped("[5, 6]", "CenterNorm(gamma: learned(1, in: [-1/2, 3/2]))");
    expect(bound(ranged.model, "l2", "always")).toBeCloseTo(1.8, 12);
    expect(ranged.weights["center_norm.gamma"]).toEqual([6]);
    // The policy reaches every norm, each with scales of its own; a start outside is put onto the range.
    const policy = "weights { gamma: learned(2, in: [-1, 1]) }";
    const chain = piped(
      "[5, 6]",
      "CenterNorm |> LayerNorm(eps: 1) |> RMSNorm(eps: 1) |> CenterNorm",
      "",
      policy,
    );
    expect(bound(chain.model, "l2", "always")).toBeCloseTo(1.44, 12);
    const gammas = chain.model.weights.filter((w) => w.path.endsWith("gamma"));
    expect(gammas.map(({ range, init }) => [range, init])).toEqual(
      gammas.map(() => [[-1, 1], { kind: "constant", values: [1] }]),
    );
    expect(gammas).toHaveLength(4);
    const own = piped("[5, 6]", "CenterNorm(gamma: learned(1, in: [0, 2]))", "", policy);
    expect(bound(own.model, "l2", "always")).toBeCloseTo(2.4, 12);
    for (const text of [
      "  output y = x |> CenterNorm(gamma: 1)",
      "  weights { gamma: 1 }\n  output y = x |> CenterNorm",
    ])
      expect(read(`lips 1\nmodel M {\n  input x: [5, 6]\n${text}\n}\n`).codes.join()).toContain("learned(…)");
    expect(bound(piped("[5, 6]", "Sandwich(8)").model, "l2", "always")).toBe(1);
  });

  it("stores constants towards zero: Scale(1/12) stays within 1/12", () => {
    expect(bound(piped("[5, 6]", "Scale(1/12)").model, "l2")).toBeLessThanOrEqual(1 / 12);
  });

  it("Sandwich, SLL and CPL count their weights, also under a policy with constraints", () => {
    const { model, weights } = piped(
      "[5, 6]",
      "Sandwich(8) |> SLL(4) |> CPL(3)",
      "",
      "weights { constraint: spectral(1) }",
    );
    expect(weights).toEqual({
      "sandwich.weight": [8, 14],
      "sandwich.psi": [8],
      "sandwich.bias": [8],
      "sll.weight": [8, 4],
      "sll.q": [4],
      "sll.bias": [4],
      "cpl.weight": [3, 8],
      "cpl.bias": [3],
    });
    const constrained = model.weights.filter((w) => w.constraint.kind !== "none");
    expect(constrained.map(({ path, constraint, init }) => [path, constraint.kind, init.kind])).toEqual([
      ["sandwich.weight", "orthogonal", "orthogonal"],
    ]);
  });

  const step = `
block Step(state: [n], u: [m], n: int) -> [n] {
  weights { constraint: orthogonal }
  (state |> Linear(n, bias: false) |> Scale(1/2)) + (u |> Linear(n))
}`;
  it("Scan takes the state's size from the step's signature, and shares the step's weights", () => {
    const { model, weights } = piped("[40, 3]", "Scan(Step(n: 5))", step);
    expect(model.values[model.outputs[0].value].shape).toEqual([40, 5]);
    expect(Object.values(weights)).toEqual([[5, 5], [5, 3], [5]]);
    expect(bound(model, "l2", "always")).toBeCloseTo(2, 9);
    expect(bound(model, "token", "always")).toBeCloseTo(2, 9);
  });

  it("Scan may learn its start and emit the state before the step", () => {
    const { weights, model } = piped("[4, 3]", "Scan(Step(n: 5), start: learned, emit: before)", step);
    expect(Object.entries(weights).filter(([path]) => path.endsWith("start"))).toEqual([["scan.start", [5]]]);
    expect(bound(model, "l2", "always")).toBeLessThanOrEqual(2);
  });

  it("Fixpoint feeds its step back, and refuses endless rounds", () => {
    const pull = `
block Pull(y: [..., d], f: [..., d]) -> [..., d] {
  weights { constraint: spectral(1) }
  f + (y |> Linear(d) |> Tanh |> Scale(1/2))
}`;
    const { model } = piped("[7, 4]", "Fixpoint(Pull, damping: 1/2, iterations: 40, tolerance: 1e-6)", pull);
    expect(bound(model, "l2", "always")).toBeCloseTo(2, 9);
    const many = read(
      `lips 1\n${pull}\nmodel M {\n  input x: [7, 4]\n  output y = x |> Fixpoint(Pull, iterations: 1000000)\n}\n`,
    );
    expect(many.codes[0]).toMatch(/^out-of-range: `iterations` is 1000000, but must be at most 10000/);
  });

  it("StateSpace is bounded through its policy", () => {
    const { model } = piped(
      "[50, 4]",
      "StateSpace(states: 8, radius: 1/2)",
      "",
      "weights { constraint: spectral(1) }",
    );
    expect(bound(model, "l2", "always")).toBeCloseTo(2, 9);
    expect(bound(piped("[50, 4]", "StateSpace(states: 8, radius: 1/2)").model, "l2", "always")).toBe(
      Infinity,
    );
  });

  it("R2DN and REN are known by name, shape and parameters, and have no proven rule", () => {
    const r2dn = piped("[9, 2]", "R2DN(states: 5, features: 3, inner: Sandwich(3), outputs: 4, gamma: 2)");
    expect(r2dn.model.values[r2dn.model.outputs[0].value].shape).toEqual([9, 4]);
    // (5 + 3 + 4)·(5 + 3 + 2) − 3·3, biases, and the sandwich's own.
    const count = Object.values(r2dn.weights).reduce(
      (sum, shape) => sum + shape.reduce((a, b) => a * b, 1),
      0,
    );
    expect(count).toBe(12 * 10 - 9 + 12 + (3 * 6 + 3 + 3));
    const ren = piped("[9, 2]", "REN(states: 5, features: 3, outputs: 4)");
    for (const { model } of [r2dn, ren]) {
      const gain = new Analysis(model, "init").from(model.inputs[0].value).gain(model.outputs[0].value);
      expect(gain.entries.every((x) => x === Infinity)).toBe(true);
      expect(gain.why?.text).toMatch(/linear matrix inequality/);
    }
    expect(layers.get("REN")?.lower).toHaveProperty("none");
  });

  it("multiplies by GELU's slope, never divides by it", () => {
    expect(bound(piped("[5, 6]", "GELU |> Scale(100/113)").model, "l2")).toBeCloseTo(
      (1.128904145185155 * 100) / 113,
      6,
    );
    expect(bound(piped("[5, 6]", "GELU |> Scale(100/112)").model, "l2")).toBeGreaterThan(1);
  });

  it("counts running statistics as no parameters", () => {
    expect(countParameters(piped("[5, 6]", "BatchNorm").model)).toBe(12);
  });

  it("`*` of two tensors is Multiply, of a number Scale", () => {
    const { models } = read("lips 1\nmodel M {\n  input x: [5, 6] in [0, 3]\n  output y = 2 * (x * x)\n}\n");
    expect(bound(models[0], "l2")).toBe(12);
  });

  it.each([
    ["CenterNorm", "[5, 1]", "too-few-channels"],
    ["MaxMin", "[5, 3]", "not-divisible"],
    ["GroupSort(4)", "[5, 6]", "not-divisible"],
    ["Dropout(1)", "[5, 6]", "out-of-range"],
    ["Clamp(1, -1)", "[5, 6]", "out-of-range"],
    ["Project(token, 0)", "[5, 6]", "out-of-range"],
    ["StateSpace(states: 3, radius: 1)", "[5, 6]", "out-of-range"],
    ["StateSpace(states: 3, radius: 1/2)", "[6]", "wrong-rank"],
    ["UnitNorm(eps: 0)", "[5, 6]", "out-of-range"],
    ["BatchNorm(eps: -1)", "[5, 6]", "out-of-range"],
  ])("%s on %s is a mistake: %s", (text, shape, code) => {
    const { models, codes } = read(`lips 1\nmodel M {\n  input x: ${shape}\n  output y = x |> ${text}\n}\n`);
    expect(models).toEqual([]);
    expect(codes).toHaveLength(1);
    expect(codes[0]).toMatch(new RegExp(`^${code}: `));
  });
});
