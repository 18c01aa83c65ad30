/** Neighbouring maps as one: tight where the truth is known, never below what a search finds, and never looser. */
import { describe, expect, it } from "vitest";
import { Analysis } from "../../src/gain/analyze.ts";
import type { MatrixOracle } from "../../src/gain/facts.ts";
import { entry } from "../../src/gain/gain.ts";
import { measure, type Tensors } from "../../src/measure/measure.ts";
import type { Model, Norm } from "../../src/model/model.ts";
import { slopeOf } from "../../src/layers/activations.ts";
import { layers } from "../../src/layers/registry.ts";
import { buildInferenceGraph } from "../../src/graph/inference.ts";
import { array64, interpret } from "../../src/graph/interpret.ts";
import { modelOf } from "../elaborate/host.ts";
import { isometry, normal, seeded, spectralNorm } from "../rig/matrix.ts";
import { attackSource } from "../soundness/campaign.ts";

const random = seeded(21);
const drawn = (size: number, scale = 1): Float32Array =>
  Float32Array.from({ length: size }, () => scale * normal(random));

function model(body: string, shape?: string): Model {
  return modelOf(sourceOf(body, shape));
}

function sourceOf(body: string, shape = "[3, 4]"): string {
  return `lips 1
import { Attention } from "std/attention"
model M { input x: ${shape}
  weights { init: zeros, bias: false }
${body}
}`;
}

/** The proven gain from the input to the output, with neighbours multiplied and without. */
function bounds(
  of: Model,
  tensors: Tensors,
  normIn: Norm = "l2",
  normOut: Norm = normIn,
  change: (oracle: MatrixOracle) => MatrixOracle = (oracle) => oracle,
): { joined: number; apart: number; rule: string } {
  const measured = measure(tensors);
  const gain = (options: object): [number, string] => {
    const gains = new Analysis(of, "checkpoint", options).from(of.inputs[0].value);
    const { value } = of.outputs[0];
    return [entry(gains.gain(value), normIn, normOut), gains.rule(value)];
  };
  const [joined, rule] = gain({ ...measured, matrices: change(measured.matrices) });
  return { joined, apart: gain({ oracle: measured.oracle })[0], rule };
}

const named = (of: Model, data: readonly Float32Array[]): Tensors =>
  new Map(of.weights.map((w, i) => [w.path, data[i]]));

/** a (rows × inner) times b (inner × columns). */
function times(
  a: ArrayLike<number>,
  b: ArrayLike<number>,
  rows: number,
  inner: number,
  columns: number,
): number[] {
  return Array.from({ length: rows * columns }, (_, at) => {
    const [i, j] = [Math.floor(at / columns), at % columns];
    let s = 0;
    for (let k = 0; k < inner; k++) s += a[i * inner + k] * b[k * columns + j];
    return s;
  });
}

describe("adjacent linear maps", () => {
  it("two matrices: the norm of their product, attained", () => {
    const of = model("output y = x |> Linear(9) |> Linear(5)");
    const [a, b] = [drawn(36), drawn(45)];
    const product = times(b, a, 5, 9, 4);
    const truth = spectralNorm(product, 5, 4);
    const { joined, apart, rule } = bounds(of, named(of, [a, b]));
    expect(rule).toBe("Adjacent linear maps");
    expect(joined / truth).toBeGreaterThanOrEqual(1 - 1e-12);
    expect(joined / truth).toBeLessThan(1.0001);
    expect(apart).toBeGreaterThan(joined * 1.1);
    const linf = Math.max(
      ...[0, 1, 2, 3, 4].map((r) => product.slice(4 * r, 4 * r + 4).reduce((s, x) => s + Math.abs(x), 0)),
    );
    expect(bounds(of, named(of, [a, b]), "linf").joined / linf).toBeGreaterThanOrEqual(1 - 1e-12);
    expect(bounds(of, named(of, [a, b]), "linf").joined / linf).toBeLessThan(1 + 1e-9);
    // The comparison catches a norm that is one part in a million too small.
    const lowered = bounds(of, named(of, [a, b]), "l2", "l2", (oracle) => (matrix) => {
      const norms = oracle(matrix);
      return norms && { ...norms, spectral: norms.spectral * (1 - 1e-5) };
    });
    expect(lowered.joined / truth).toBeLessThan(1 - 1e-12);
  });

  it("CenterNorm sees that its input is centred already", () => {
    const of = model("output y = x |> CenterNorm |> CenterNorm |> CenterNorm", "[2, 3]");
    const ones = new Float32Array(3).fill(1);
    const zeros = new Float32Array(3);
    const { joined, apart } = bounds(of, named(of, [ones, zeros, ones, zeros, ones, zeros]));
    // (3/2)³: the projection applied three times is the projection.
    expect(joined).toBeGreaterThanOrEqual(1.5 ** 3 * (1 - 1e-12));
    expect(joined).toBeLessThan(1.5 ** 3 * (1 + 1e-5));
    expect(apart).toBeGreaterThanOrEqual(joined * (1 - 1e-12));
  });

  it("a skip and a branch that cancel: x + α·f(x) with f = −x", () => {
    const of = model("output y = x |> Residual(Linear(4), alpha: learned(1/2, shape: [4]))", "[2, 4]");
    const minus = Float32Array.from({ length: 16 }, (_, i) => (i % 5 === 0 ? -1 : 0));
    // Linear's weight comes first, then alpha.
    const tensors = new Map(
      of.weights.map((w) => [w.path, w.shape.length === 2 ? minus : new Float32Array(4).fill(0.5)]),
    );
    const { joined, apart } = bounds(of, tensors);
    expect(joined).toBeGreaterThanOrEqual(0.5);
    expect(joined).toBeLessThan(0.5 + 1e-6);
    expect(apart).toBeCloseTo(1.5, 6);
  });

  it("says nothing against a source in its middle", () => {
    const of = model("let h = x |> Linear(9)\n output y = h |> Linear(5)\n output z = h");
    const [a, b] = [drawn(36), drawn(45)];
    const h = of.taps.find((tap) => tap.name === "h")?.value as number;
    const analysis = new Analysis(of, "checkpoint", measure(named(of, [a, b])));
    const gain = entry(analysis.from(h).gain(of.outputs[0].value), "l2", "l2");
    expect(gain / spectralNorm(b, 5, 9)).toBeGreaterThanOrEqual(1 - 1e-12);
    const chain = model("output y = x |> Linear(9) |> Linear(5)");
    const inner = chain.nodes[0].outputs[0];
    const middle = new Analysis(chain, "checkpoint", measure(named(chain, [a, b])));
    const found = entry(middle.from(inner).gain(chain.outputs[0].value), "l2", "l2");
    expect(found / spectralNorm(b, 5, 9)).toBeGreaterThanOrEqual(1 - 1e-12);
  });
});

describe("centre slope", () => {
  it("x − W ReLU(Wᵀx) with orthonormal W: the slope rule says 2, the truth is 1", () => {
    const of = model("output y = x |> Residual(Linear(4) |> ReLU |> Linear(4), alpha: -1)", "[2, 4]");
    const w = Float32Array.from(isometry(4, 4, random));
    const transposed = Float32Array.from({ length: 16 }, (_, i) => w[4 * (i % 4) + Math.floor(i / 4)]);
    const { joined, apart, rule } = bounds(of, named(of, [transposed, w]));
    expect(rule).toBe("Centre slope");
    expect(apart).toBeCloseTo(2, 5);
    // ½‖I − ½·I… ‖: |1 − ½| + ½ = 1, attained where no unit is active.
    expect(joined).toBeGreaterThanOrEqual(1);
    expect(joined).toBeLessThan(1.00001);
  });

  it("W₂ GELU(W₁x) where ‖W₂W₁‖ = 0: r‖W₂‖‖W₁‖ is left", () => {
    const of = model("output y = x |> Linear(2) |> GELU |> Linear(1)", "[2]");
    const { joined, apart } = bounds(of, named(of, [Float32Array.of(1, 0, 1, 0), Float32Array.of(1, -1)]));
    const r = slopeOf("GELU", { form: "exact" }) - 0.5;
    expect(joined).toBeGreaterThanOrEqual(2 * r * (1 - 1e-9));
    expect(joined).toBeLessThan(2 * r * (1 + 1e-5));
    expect(apart / joined).toBeGreaterThan(1.7);
  });

  it("every activation's slopes lie in what it says", () => {
    for (const [name, layer] of layers) {
      if (!layer.slopes) continue;
      const arguments_: Record<string, string> = {
        ELU: "alpha: 1/2",
        LeakyReLU: "slope: -0.3",
        Softplus: "beta: 2",
      };
      const forms = name === "GELU" ? ["form: exact", "form: tanh"] : [arguments_[name] ?? ""];
      for (const form of forms) {
        const of = model(`output y = x |> ${name}(${form})`, "[1]");
        const [low, high] = layer.slopes(of.nodes[0].config);
        // By differences of the lowered function on a fine grid.
        const values = gridOf(of);
        for (let i = 1; i < values.length; i++) {
          const slope = (values[i] - values[i - 1]) / step;
          expect(slope, `${name}(${form}) at ${-8 + i * step}`).toBeGreaterThanOrEqual(low - 1e-7);
          expect(slope, `${name}(${form}) at ${-8 + i * step}`).toBeLessThanOrEqual(high + 1e-7);
        }
      }
    }
  });
});

describe("channel scales", () => {
  it("a loud channel that the next matrix hardly reads", () => {
    const of = model("output y = x |> DepthwiseConv(1) |> ReLU |> Linear(2)", "[3, 2]");
    const tensors = named(of, [Float32Array.of(100, 1), Float32Array.of(0.01, 0, 0, 1)]);
    const { joined, apart } = bounds(of, tensors);
    // Both paths are 1, and one channel alone attains it.
    expect(joined).toBeGreaterThanOrEqual(1 - 1e-6);
    expect(joined).toBeLessThan(1.00001);
    expect(apart).toBeGreaterThan(99);
  });

  it("a scale behind the activation counts channel by channel", () => {
    const of = model("output y = x |> Linear(2) |> ReLU |> Scale(learned(1, shape: [2]))", "[2]");
    const tensors = named(of, [Float32Array.of(10, 0, 0, 1), Float32Array.of(0.1, 1)]);
    const { joined } = bounds(of, tensors);
    expect(joined).toBeGreaterThanOrEqual(1 - 1e-6);
    expect(joined).toBeLessThan(1.00001);
  });
});

describe("never below what a search finds, never looser than layer by layer", () => {
  const programs = [
    "output y = x |> Residual(DepthwiseConv(3) |> GELU |> Linear(4) |> GELU, alpha: learned(1/2, shape: [4]))",
    "output y = x |> DepthwiseConv(3) |> Tanh |> Linear(3) |> CenterNorm",
    "output y = x |> Residual(DepthwiseConv(3) |> SiLU, alpha: learned(1, shape: [4])) |> CenterNorm |> DepthwiseConv(3) |> Linear(4)",
    "output y = x |> Residual(Linear(8) |> GELU |> Linear(4), alpha: learned(1/2, shape: [4])) |> CenterNorm",
    "output y = x |> Linear(6) |> SiLU |> Linear(5) |> Tanh |> CenterNorm |> Linear(3)",
    "output y = x |> Residual(Attention(2, score: cosine(tau: 3, eps: 1/10), values: unit(eps: 1/10)), alpha: 1/2) |> CenterNorm",
    "output y = x |> Attention(2, score: cosine(tau: learned(2, shape: [2]), eps: 1), values: unit(eps: 1), position: relative)",
    "let h = x |> Linear(4) |> Abs\n output y = (h |> Residual(Linear(4) |> ELU |> Linear(4), form: convex, alpha: 1/3)) + h",
    "let [a, b] = x |> Linear(8) |> Split(2)\n output y = (a |> LeakyReLU |> Linear(4)) - (b |> Sigmoid |> Linear(4)) + x",
    "output y = x |> Normalize([1, 2, 3, 4], [1/2, 1, 2, 3]) |> Scale(learned(2, shape: [4])) |> Linear(4) |> ReLU |> Scale(-2) |> Linear(4)",
  ];
  it.each(programs)("%s", (program) => {
    const of = model(program);
    for (let seed = 1; seed <= 4; seed++) {
      const attacked = attackSource(sourceOf(program), 100 * seed, {
        phases: ["checkpoint"],
        hunts: 4,
        steps: 80,
        taps: true,
      });
      expect(attacked?.attacks.flatMap(({ violations }) => violations)).toEqual([]);
      const tensors = new Map(of.weights.map((w) => [w.path, drawn(w.shape.reduce((a, b) => a * b, 1))]));
      for (const norm of ["l2", "token", "linf"] as const) {
        const { joined, apart } = bounds(of, tensors, norm);
        expect(joined).toBeLessThanOrEqual(apart);
      }
    }
  });

  it("heads one by one: √Σ of the heads' own norms in the token norm", () => {
    const of = model(
      "output y = x |> Attention(2, score: cosine(tau: 1, eps: 1), values: unit(eps: 1))",
      "[5, 4]",
    );
    // One head of q, k and v is 0, so that head gives nothing.
    const qkv = Float32Array.from({ length: 48 }, (_, i) => (Math.floor(i / 4) % 4 < 2 ? normal(random) : 0));
    const identity = Float32Array.from({ length: 16 }, (_, i) => (i % 5 === 0 ? 1 : 0));
    const { joined, apart } = bounds(of, named(of, [qkv, identity]), "token");
    expect(joined).toBeLessThan(apart / 1.3);
  });
});

const step = 1 / 64;

/** The model's function of one number on [−8, 8]. */
function gridOf(of: Model): Float64Array {
  const count = 16 / step + 1;
  const graph = buildInferenceGraph(of, { batch: count });
  if (!graph.ok) throw new Error("no lowering");
  const x = Float64Array.from({ length: count }, (_, i) => -8 + i * step);
  return interpret(graph.value, { "data/x": array64([count, 1], x) }).y.data;
}
