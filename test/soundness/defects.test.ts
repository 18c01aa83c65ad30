/**
 * Defects, one test each: those that other tools for Lipschitz bounds are known for, and those that an attack on this one
 * has found. In each case the true gain (or value) is planted, so that a bound below it fails.
 */
import { describe, expect, it } from "vitest";
import { Analysis } from "../../src/gain/analyze.ts";
import { verdictOf } from "../../src/gain/claims.ts";
import { entry } from "../../src/gain/gain.ts";
import type { PairGains } from "../../src/gain/pairs.ts";
import { gramIteration, spectralNormUpper } from "../../src/gain/spectral.ts";
import { unknown, weightFacts } from "../../src/gain/weights.ts";
import { Builder } from "../../src/graph/builder.ts";
import { effectiveWeight } from "../../src/graph/constraints/registry.ts";
import { initialWeight } from "../../src/graph/initialise.ts";
import { array64, interpret } from "../../src/graph/interpret.ts";
import { layers } from "../../src/layers/registry.ts";
import type { Constraint, Init, Shape, Weight } from "../../src/model/model.ts";
import { certify, holdsAt } from "../../src/runtime/certified/radius.ts";
import { elaborate, modelOf } from "../elaborate/host.ts";
import { factsOfEntries, normal, seeded } from "../rig/matrix.ts";
import { place } from "../rig/place.ts";
import { boundOf } from "../rig/planted.ts";
import { run } from "../rig/search.ts";

/** The verdicts on a source's claims. */
const verdicts = (source: string) => {
  const model = modelOf(source);
  return model.claims.map((claim) => verdictOf(claim, (phase) => new Analysis(model, phase)));
};

describe("known defects of other tools", () => {
  it("power iteration started with ones: bound 0 for a zero-sum kernel", () => {
    const kernel = [1, -1, 2, -2, -1, 1, -2, 2];
    // Both rows have norm √10 and are opposite: ‖W‖₂ = √20.
    for (const bound of [spectralNormUpper(kernel, 2, 4), gramIteration(kernel, 2, 4)])
      expect(bound).toBeGreaterThanOrEqual(Math.sqrt(20));
    const { sketch, inputs, outputs } = place(
      "Conv",
      [[4, 4, 1]],
      { width: 1, kernel: 2, stride: 2, padding: 0 },
      { data: { weight: [1, -1, 1, -1], bias: [0] } },
    );
    expect(boundOf(sketch, { from: inputs[0], to: outputs[0], normIn: "l2" })).toBeGreaterThanOrEqual(
      2 - 1e-14,
    );
  });

  it("a grouped convolution counted as the product of its groups in place of the largest", () => {
    const { sketch, inputs, outputs } = place(
      "DepthwiseConv",
      [[3, 3, 3]],
      { kernel: 1 },
      { data: { weight: [2, -3, 0.5], bias: [0, 0, 0] } },
    );
    expect(boundOf(sketch, { from: inputs[0], to: outputs[0], normIn: "l2" })).toBeCloseTo(3, 12);
  });

  it("GELU's slope rounded down to 1.1289", () => {
    for (const form of ["exact", "tanh"]) {
      const { sketch, inputs, outputs } = place("GELU", [[1]], { form });
      const [x] = [form === "exact" ? Math.SQRT2 : 1.418504008790828];
      const at = (v: number): number => run(sketch, new Map([[inputs[0], [v]]]), outputs[0])[0];
      const observed = (at(x + 1e-4) - at(x - 1e-4)) / 2e-4;
      expect(observed).toBeGreaterThan(1.1289);
      expect(boundOf(sketch, { from: inputs[0], to: outputs[0], normIn: "l2" })).toBeGreaterThanOrEqual(
        observed - 1e-11,
      );
    }
  });

  it("LayerNorm counted as 1", () => {
    const { sketch, inputs, outputs } = place(
      "LayerNorm",
      [[2]],
      { eps: 1e-5 },
      { data: { gamma: [1, 1], beta: [0, 0] } },
    );
    const at = (d: number): Float64Array => run(sketch, new Map([[inputs[0], [d, -d]]]), outputs[0]);
    const observed = Math.hypot(...at(1e-6)) / Math.hypot(1e-6, 1e-6);
    expect(observed).toBeGreaterThan(316);
    expect(boundOf(sketch, { from: inputs[0], to: outputs[0], normIn: "l2" })).toBeGreaterThanOrEqual(
      observed,
    );
  });

  it("the keep-probability multiplied into the bound of inference", () => {
    for (const name of ["Dropout", "DropPath"]) {
      const { sketch, inputs, outputs } = place(name, [[3]], { p: 0.5 });
      expect(boundOf(sketch, { from: inputs[0], to: outputs[0], normIn: "l2" })).toBe(1);
    }
    expect(
      verdicts(`model M { input x: [4]
      output y = x |> Residual(Tanh, drop: 1/2)
      certify at init: gain(x -> y) <= 1.9 }`)[0].status,
    ).toBe("refused");
  });

  it("NaN that passes a comparison", () => {
    const model = modelOf(`model M { input x: [2] in [0, 1]
      output y = x |> Linear(2) |> Tanh
      certify at init: gain(x -> y) <= 1e300
      certify at init: margin(x -> y) <= 1e300
      certify at init: radius(y, l2) <= 1e300 }`);
    const broken = {
      ...unknown({ text: "NaN", path: null, because: [] }),
      spectral: NaN,
      frobenius: NaN,
      rowSum: NaN,
      rowNorm: NaN,
      maxAbs: NaN,
    };
    const analysis = new Analysis(model, "init", { oracle: () => broken });
    const [gain, margin] = model.claims.map((claim) => verdictOf(claim, () => analysis));
    for (const verdict of [gain, margin]) {
      expect(verdict.status).toBe("refused");
      expect(verdict.upper).toBe(Infinity);
    }
  });

  it("equal logits certified, and NaN called robust", () => {
    const gains = (gain: number): PairGains => ({
      phase: "checkpoint",
      norm: "l2",
      classes: 3,
      between: (a, b) => (a === b ? 0 : gain),
      head: "norms",
    });
    // Nothing is between two equal logits, however small the gain; the same holds within the error of the logits.
    for (const gain of [0, 1e-300, 1, Infinity]) {
      expect(certify([2, 2, 1], gains(gain), 0)).toMatchObject({ predicted: 0, radius: 0 });
      expect(certify([2, 1.75, 1], gains(gain), 0.125).radius).toBe(0);
    }
    for (const [logits, gain, error] of [
      [[NaN, 1, 0], 1, 0],
      [[2, NaN, 0], 1, 0],
      [[2, 1, 0], NaN, 0],
      [[2, 1, 0], 1, NaN],
      [[Infinity, 1, 0], 1, 0],
      [[2, 1, 0], -1, 0],
      [[2, 1, 0], 1, -1],
    ] as const) {
      const certified = certify(logits, gains(gain), error);
      expect(certified.radius).toBe(0);
      expect(holdsAt(certified, 0)).toBe(false);
    }
    // A margin of 1 and a gain of 2: below ½, and not at it.
    const { radius } = certify([2, 1, 0], gains(2), 0);
    expect(radius).toBeLessThan(0.5);
    expect(radius).toBeGreaterThan(0.5 - 1e-12);
    expect(holdsAt({ radius }, 0.5)).toBe(false);
    expect(holdsAt({ radius: NaN }, 0.1)).toBe(false);
  });

  it("an unknown layer counted as 1", () => {
    const model = modelOf(`model M { input x: [2] in [0, 1]
      output y = x |> Tanh |> Scale(1/2) }`);
    const [tanh] = model.nodes;
    const strange = {
      ...model,
      nodes: model.nodes.map((node) => (node === tanh ? { ...node, layer: "Mystery" } : node)),
    };
    const gain = new Analysis(strange, "init").from(0).gain(model.outputs[0].value);
    expect(gain.entries.every((x) => x === Infinity)).toBe(true);
    expect(JSON.stringify(gain.why)).toContain("`Mystery` has no proven rule");
    const without = new Map([...layers].filter(([name]) => name !== "Tanh"));
    expect(
      entry(
        new Analysis(model, "init", { layers: without }).from(0).gain(model.outputs[0].value),
        "l2",
        "l2",
      ),
    ).toBe(Infinity);
  });
});

describe("found by attack", () => {
  it("a random start that is put onto its range: entries of 1 where the cut Gaussian promised 0.04", () => {
    const source = (claim: string) => `model M { input x: [3, 4] in [0, 1]
      output y = x |> Scale(learned(trunc_normal(0.02), shape: [4], in: [1, 2]))
      let p = x + learned(trunc_normal(0.02), shape: [3, 4], in: [1, 2])
      output z = p
      certify at init: ${claim} }`;
    const model = modelOf(source("gain(x -> y) <= 1"));
    expect([...initialWeight(model.weights[0], 1)]).toEqual([1, 1, 1, 1]);
    expect(verdicts(source("gain(x -> y) <= 0.05"))[0].status).toBe("refused");
    expect(verdicts(source("gain(x -> y) <= 1"))[0].status).toBe("proven");
    expect(verdicts(source("radius(z, linf) <= 1.05"))[0].status).toBe("refused");
    expect(verdicts(source("radius(z, linf) <= 2"))[0].status).toBe("proven");
  });

  it("the margin of a value against itself, where the Linear that makes it doesn't depend on it", () => {
    const [verdict] = verdicts(`model M { input x: [4] in [0, 1]
      output y = x |> Linear(3, init: spectral)
      certify at init: margin(y -> y) <= 1 }`);
    expect(verdict.status).toBe("refused");
    expect(verdict.upper).toBeGreaterThanOrEqual(Math.SQRT2);
  });

  it("Split and Concat: a learned value that reaches a branch beside the value that was split", () => {
    const source = (limit: string) => `model M { weights { init: orthogonal, bias: false }
      input x: [8] in [0, 1]
      let p = learned(trunc_normal(0.02), shape: [8]) |> Tanh
      let [a, b] = (x + p) |> Split(2)
      output y = Concat(a + (p |> Linear(4)), b)
      certify at init: gain(p -> y) <= ${limit}
      certify at init: gain(x -> y) <= 1 }`;
    // An orthogonal 4 × 8 matrix V: δy = [δa + Vδp, δb] reaches √(1 + 1 + …) > 1; with V = (I 0) it is 2.
    expect(verdicts(source("1.99"))[0].status).toBe("refused");
    expect(verdicts(source("2.3")).map((v) => v.status)).toEqual(["proven", "proven"]);
  });

  it("Split and Concat: a value of learned ones alone, read whole by its branches", () => {
    const source = (limit: string) => `model M { weights { init: orthogonal, bias: false }
      input x: [8] in [0, 1]
      let s = learned(trunc_normal(0.02), shape: [8]) |> Scale(1)
      let [a, b] = s |> Split(2)
      output y = Concat(a + (s |> Linear(4)), b + (s |> Linear(4)))
      output z = x
      certify at init: gain(s -> y) <= ${limit} }`;
    // With equal matrices (√½ each on a shared direction) the truth is 1 + √2 > 2.
    expect(verdicts(source("2.4"))[0].status).toBe("refused");
    expect(verdicts(source("2.83"))[0].status).toBe("proven");
  });

  it("a norm with eps 0 gives 0/0 at equal channels: Clamp and Scale(0) after it made claims about NaN", () => {
    for (const norm of ["LayerNorm", "RMSNorm"])
      for (const eps of ["0", "1e-60"]) {
        const { names } = elaborate(`model M { input x: [4] in [0, 1]
          output y = x |> ${norm}(eps: ${eps}) |> Scale(0) |> Clamp(low: 0, high: 1)
          certify at init: gain(x -> y) <= 0
          certify at init: radius(y, linf) <= 1 }`);
        expect(names).toEqual(["out-of-range"]);
      }
  });
});

/** What is promised of a weight holds for the tensor that is made. */
describe("facts of weights against the tensors that are made", () => {
  const shapes: readonly (readonly [Shape, Weight["role"]])[] = [
    [[], "scalar"],
    [[5], "vector"],
    [[4], "value"],
    [[3, 5], "matrix"],
    [[6, 2], "matrix"],
    [[1, 7], "matrix"],
    [[9, 4], "table"],
    [[3, 2, 3, 3], "kernel"],
    [[4, 3, 3], "kernel"],
    [[6, 1, 3, 3], "depthwise"],
    [[2, 3, 4], "value"],
  ];
  const weight = (part: Partial<Weight>): Weight => ({
    path: "w",
    shape: [1],
    role: "matrix",
    init: { kind: "zeros" },
    constraint: { kind: "none" },
    range: null,
    span: { file: "", start: 0, end: 0 },
    ...part,
  });
  const holds = (
    facts: ReturnType<typeof weightFacts>,
    shape: Shape,
    data: ArrayLike<number>,
    room: number,
    what: string,
  ): void => {
    const real = factsOfEntries(shape, data);
    for (const key of ["frobenius", "rowSum", "rowNorm", "maxAbs", "high", "spectral"] as const)
      expect(
        real[key] <= facts[key] + room * (1 + Math.abs(facts[key])),
        `${key} of ${what}: ${real[key]} > ${facts[key]}`,
      ).toBe(true);
    expect(real.low >= facts.low - room * (1 + Math.abs(facts.low)), `low of ${what}`).toBe(true);
    facts.values?.forEach((x, i) => expect(x).toBe(data[facts.values?.length === 1 ? 0 : i]));
  };

  const inits: readonly Init[] = [
    ...(["spectral", "orthogonal", "xavier", "kaiming", "zeros", "ones"] as const).map((kind) => ({ kind })),
    { kind: "trunc_normal", std: 0.3 },
    { kind: "trunc_normal", std: 1e-40 },
    { kind: "normal", std: 0.5 },
    { kind: "constant", values: [Math.fround(0.1)] },
  ];
  const ranges = [null, [-0.25, 0.125], [0.5, 2], [-2, -1], [0, 0], [-0.0625, Infinity]] as const;

  it("starts, with and without a range, exactly", () => {
    for (const [shape, role] of shapes)
      for (const init of inits)
        for (const range of ranges)
          for (let seed = 1; seed <= 5; seed++) {
            const w = weight({ shape, role, init, range, path: `w${seed}` });
            const what = `${JSON.stringify(init)} ${role} [${shape}] in ${JSON.stringify(range)}`;
            // Sums of squares in float64 round; the stored entries themselves leave no room.
            holds(weightFacts(w, "init"), shape, initialWeight(w, seed), 1e-15, what);
          }
  });

  it("constraints, in float64, for the ugliest free tensors", () => {
    const random = seeded(3);
    const constraints: readonly Constraint[] = [
      { kind: "aol" },
      { kind: "frobenius", bound: 0.75 },
      { kind: "unit_rows" },
      { kind: "unit_rms" },
      { kind: "orthogonal" },
      { kind: "spectral", bound: 0.75 },
      { kind: "rms", bound: 0.75 },
      { kind: "l1", bound: 0.75 },
      { kind: "operator", bound: 0.75 },
    ];
    for (const [shape, role] of shapes.slice(3))
      for (const constraint of constraints.filter((c) => c.kind !== "operator" || role === "kernel"))
        for (const [name, entryOf] of [
          ["normal", () => normal(random)],
          ["huge", () => 1e15 * normal(random)],
          ["tiny", () => 1e-12 * normal(random)],
          ["equal", () => 3],
          ["zero", () => 0],
          ["alternating", (i: number) => (i % 2 === 0 ? 1 : -1)],
          ["single", (i: number) => (i === 1 ? 5 : 0)],
        ] as const) {
          const free = Float64Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => entryOf(i));
          const w = weight({ shape, role, constraint });
          const builder = new Builder();
          const made = effectiveWeight(builder, w, builder.input("free", shape));
          const { out } = interpret(builder.graph("weight", [{ name: "out", tensor: made }]), {
            free: array64(shape, free),
          });
          for (const phase of ["init", "always"] as const)
            holds(
              weightFacts(w, phase),
              shape,
              out.data,
              1e-13,
              `${JSON.stringify(constraint)} of ${name} [${shape}]`,
            );
        }
  });
});
