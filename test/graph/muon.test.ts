/** Muon against a hand-written one that works on singular values, which weights it moves, and rates beside it. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { gradients } from "../../src/graph/autodiff.ts";
import { effectiveWeight, retracted } from "../../src/graph/constraints/registry.ts";
import { weightRecipes } from "../../src/graph/groups.ts";
import { initialise } from "../../src/graph/initialise.ts";
import { Builder } from "../../src/graph/builder.ts";
import { array64, interpret } from "../../src/graph/interpret.ts";
import { illegalities } from "../../src/graph/legality.ts";
import { isMatrix, muon } from "../../src/graph/optimizer/muon.ts";
import { orthonormalColumns } from "../../src/graph/orthonormal.ts";
import { sizeOf } from "../../src/graph/primitives/arrays.ts";
import type { Array64 } from "../../src/graph/primitives/primitive.ts";
import { buildTrainingGraph } from "../../src/graph/training.ts";
import type { Constraint, Json, OptionValue, Weight } from "../../src/model/model.ts";
import { valueOf } from "../onnx/support.ts";
import { randomArray } from "./random-graph.ts";
import { tinyModel, tinyRecipe, tinyWeights } from "./tiny-model.ts";

type Args = Readonly<Record<string, Json>>;

/** Rows that are orthonormal: [count, length]. */
const orthonormal = (count: number, length: number, seed: number): number[][] => {
  const q = orthonormalColumns(randomArray([count * length], seed).data, count, length);
  return Array.from({ length: count }, (_, i) => [...q.slice(i * length, (i + 1) * length)]);
};

/** U·diag(s)·Vᵀ, row-major. */
function compose(u: number[][], s: readonly number[], v: number[][]): Float64Array {
  const [rows, columns] = [u[0].length, v[0].length];
  return Float64Array.from({ length: rows * columns }, (_, i) =>
    s.reduce((sum, x, r) => sum + u[r][Math.floor(i / columns)] * x * v[r][i % columns], 0),
  );
}

const quintic = (x: number): number => 3.4445 * x - 4.775 * x ** 3 + 2.0315 * x ** 5;
const polish = (s: readonly number[], steps: number): number[] => {
  const norm = Math.hypot(...s) + 1e-7;
  return s.map((x) => {
    let y = x / norm;
    for (let i = 0; i < steps; i++) y = quintic(y);
    return y;
  });
};

/** One update as it is compiled. */
function stepOf(shape: readonly number[], args: Args, weightDecay: number, clipped: boolean) {
  const builder = new Builder();
  const input = (name: string, dims: readonly number[] = shape) => builder.input(name, dims);
  const update = {
    param: input("param"),
    grad: input("grad"),
    scale: clipped ? input("scale", []) : null,
    state: [input("m")],
    lr: input("lr", []),
    step: input("step", []),
    weightDecay,
  };
  const { param, state } = muon.update(builder, { name: "muon", args }, update);
  const graph = builder.graph("muon", [
    { name: "param", tensor: param },
    { name: "m", tensor: state[0] },
  ]);
  expect(illegalities(graph)).toEqual([]);
  return (feeds: Record<string, Array64>) =>
    interpret(graph, {
      step: array64([], 1),
      ...(clipped ? { scale: array64([], 0.25) } : {}),
      ...feeds,
    });
}

const farthest = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
  Math.max(...Array.from(a, (x, i) => Math.abs(x - b[i])));

describe("one step", () => {
  it.each([
    [[4, 7], 4, 7],
    [[9, 3], 9, 3],
    [[5, 5], 5, 5],
    [[6, 2, 3, 2], 6, 12],
    [[8, 1, 2, 2], 8, 4],
  ])("on %j is the quintic on singular values, Nesterov's momentum, √max(1, out/in)", (shape, out, inner) => {
    const args = { lr: 1, momentum: 0.9, ns_steps: 5 };
    const rank = Math.min(out, inner);
    const clipped = out > inner;
    const step = stepOf(shape, args, 0.1, clipped);
    fc.assert(
      fc.property(
        fc.nat(1000),
        fc.array(fc.double({ min: -2, max: 2, noNaN: true }), { minLength: 2 * rank, maxLength: 2 * rank }),
        fc.double({ min: 1e-3, max: 0.1, noNaN: true }),
        (seed, both, lr) => {
          // Gradient and momentum with common singular vectors; signs are theirs too.
          const [u, v] = [orthonormal(rank, out, seed), orthonormal(rank, inner, seed + 1)];
          const [g, m] = [both.slice(0, rank), both.slice(rank)];
          const theta = randomArray(shape, seed + 2);
          const found = step({
            param: theta,
            grad: { shape, data: compose(u, g, v) },
            m: { shape, data: compose(u, m, v) },
            lr: array64([], lr),
          });
          const scale = clipped ? 0.25 : 1;
          const next = m.map((x, i) => 0.9 * x + 0.1 * scale * g[i]);
          const ahead = next.map((x, i) => 0.9 * x + 0.1 * scale * g[i]);
          const direction = compose(u, polish(ahead, 5), v);
          const size = lr * Math.sqrt(Math.max(1, out / inner));
          const expected = theta.data.map((x, i) => (1 - lr * 0.1) * x - size * direction[i]);
          expect(farthest(found.m.data, compose(u, next, v))).toBeLessThan(1e-12);
          expect(farthest(found.param.data, expected)).toBeLessThan(1e-9);
        },
      ),
      { numRuns: 20 },
    );
  });

  it("is as long for a gradient a thousand times as large, and nothing for none", () => {
    const shape = [6, 4];
    const step = stepOf(shape, { lr: 1, momentum: 0.95, ns_steps: 5 }, 0, false);
    const zero = array64(shape, 0);
    const move = (by: number): Float64Array => {
      const grad = randomArray(shape, 5);
      return step({
        param: zero,
        grad: { shape, data: grad.data.map((x) => by * x) },
        m: zero,
        lr: array64([], 0.5),
      }).param.data;
    };
    expect(farthest(move(1), move(1000))).toBeLessThan(1e-4);
    expect(Math.max(...move(1))).toBeGreaterThan(0.05);
    expect([...move(0)].every((x) => Object.is(x, 0) || Object.is(x, -0))).toBe(true);
  });
});

describe("on an orthogonal weight", () => {
  const side = 5;
  const constraint: Constraint = { kind: "orthogonal" };
  const weight: Weight = { ...tinyWeights[0], shape: [side, side], constraint };

  /** Largest entry of MᵀX + XᵀM: 0 where X is tangent to the orthogonal matrices at M. */
  const normalPart = (m: ArrayLike<number>, x: ArrayLike<number>): number => {
    const product = (a: ArrayLike<number>, b: ArrayLike<number>, i: number, j: number): number =>
      Array.from({ length: side }, (_, r) => a[r * side + i] * b[r * side + j]).reduce((p, q) => p + q);
    const at = Array.from({ length: side * side }, (_, i) => [Math.floor(i / side), i % side] as const);
    return Math.max(...at.map(([i, j]) => Math.abs(product(m, x, i, j) + product(x, m, i, j))));
  };

  it("gradient and step lie in the tangent space by themselves, and the retracted weight is orthogonal again", () => {
    const builder = new Builder();
    const free = builder.input("free", weight.shape);
    const effective = effectiveWeight(builder, weight, free);
    const loss = builder.sum(builder.mul(effective, builder.input("slope", weight.shape)), [0, 1]);
    const [grad] = gradients(builder, loss, [free]);
    const zero = builder.constant(0, weight.shape);
    const update = {
      param: free,
      grad,
      scale: null,
      state: [zero],
      lr: builder.constant(0.02),
      step: builder.constant(1),
      weightDecay: 0,
    };
    const { param } = muon.update(builder, { name: "muon", args: {} }, update);
    const graph = builder.graph("tangent", [
      { name: "grad", tensor: grad },
      { name: "step", tensor: builder.sub(param, free) },
      { name: "after", tensor: retracted(builder, weight, param) },
    ]);
    fc.assert(
      fc.property(fc.nat(1000), (seed) => {
        const m = array64(weight.shape, orthonormal(side, side, seed).flat());
        const out = interpret(graph, { free: m, slope: randomArray(weight.shape, seed + 7) });
        expect(Math.max(...out.grad.data.map(Math.abs))).toBeGreaterThan(1e-3);
        expect(normalPart(m.data, out.grad.data)).toBeLessThan(1e-12);
        expect(Math.max(...out.step.data.map(Math.abs))).toBeGreaterThan(1e-3);
        expect(normalPart(m.data, out.step.data)).toBeLessThan(1e-10);
        const identity = Array.from({ length: side * side }, (_, i) => (i % (side + 1) === 0 ? 2 : 0));
        const gram = Array.from(identity, (x, i) => {
          const [a, b] = [Math.floor(i / side), i % side];
          const w = out.after.data;
          return (
            Array.from({ length: side }, (_, r) => 2 * w[r * side + a] * w[r * side + b]).reduce(
              (p, q) => p + q,
            ) - x
          );
        });
        expect(Math.max(...gram.map(Math.abs))).toBeLessThan(1e-11);
      }),
      { numRuns: 20 },
    );
  });
});

describe("which weights", () => {
  const weight = (role: Weight["role"], shape: number[]): Weight => ({ ...tinyWeights[0], role, shape });
  it.each([
    ["matrix", [4, 3], true],
    ["kernel", [4, 3, 2, 2], true],
    ["kernel", [2, 1, 3, 3], true],
    ["matrix", [1, 8], false],
    ["matrix", [8, 1], false],
    ["depthwise", [8, 1, 3, 3], false],
    ["table", [9, 4], false],
    ["vector", [8], false],
    ["bias", [8], false],
    ["scalar", [], false],
    ["value", [4, 4], false],
  ] as const)("a %s %j: %s", (role, shape, expected) => {
    expect(isMatrix(weight(role, [...shape]))).toBe(expected);
  });

  const args = {
    lr: 0.02,
    momentum: 0.95,
    ns_steps: 5,
    weight_decay: 0.1,
    adamw_lr: 1e-3,
    betas: [0.9, 0.98],
    eps: 1e-8,
  };
  const optimizer = { name: "muon", args };
  it("others are moved by AdamW, at its own rate or a group's", () => {
    const groups: OptionValue[] = [
      { name: "group", args: { weights: "head.weight", by: "adamw" } },
      { name: "group", args: { weights: "head.bias", lr: 4e-3, weight_decay: 0 } },
    ];
    const recipes = weightRecipes(tinyModel(), tinyRecipe({ optimizer, groups }));
    expect(recipes.map((r) => [r.rule, r.weightDecay, Number((0.02 * r.lrScale).toPrecision(12))])).toEqual([
      ["muon", 0.1, 0.02],
      ["adamw", 0.1, 1e-3],
      ["adamw", 0.1, 1e-3],
      ["adamw", 0, 4e-3],
    ]);
  });
  it("have the state of their own rule, and AdamW's weights move as under AdamW alone", () => {
    const recipe = tinyRecipe({ optimizer, clip: 0.5 });
    const model = tinyModel();
    const graph = valueOf(buildTrainingGraph(model, recipe));
    expect(illegalities(graph)).toEqual([]);
    const names = graph.outputs.map((o) => o.name).filter((name) => /^[mv]\//.test(name));
    expect(names.sort()).toEqual(
      ["m/body.bias", "m/body.weight", "m/head.bias", "m/head.weight", "v/body.bias", "v/head.bias"].sort(),
    );
    const start = initialise(model, 1);
    const moments = ["m", "v"].flatMap((slot) =>
      model.weights.map(({ path, shape }) => [`${slot}/${path}`, array64(shape, 0)] as const),
    );
    const feeds = {
      ...Object.fromEntries(moments),
      ...Object.fromEntries(
        model.weights.map((w) => [`param/${w.path}`, array64(w.shape, start.get(w.path) ?? 0)]),
      ),
      "data/x": randomArray([6, 3, 4], 8, -2, 2),
      labels: array64([6], [0, 1, 2, 2, 1, 0]),
      "scalar/step": array64([], 1),
      "scalar/seed": array64([], 0),
    };
    const adamw = { name: "adamw", args: { lr: 1e-3, betas: [0.9, 0.98], eps: 1e-8, weight_decay: 0.1 } };
    const alone = valueOf(buildTrainingGraph(model, tinyRecipe({ optimizer: adamw, clip: 0.5 })));
    const used = (g: typeof graph, lr: number) => {
      const inputs = new Set(
        g.nodes.flatMap((n) => (n.op === "input" ? [(n.attributes as { name: string }).name] : [])),
      );
      const all = { ...feeds, "scalar/lr": array64([], lr) };
      return interpret(g, Object.fromEntries(Object.entries(all).filter(([name]) => inputs.has(name))));
    };
    const [ours, theirs] = [used(graph, 0.02), used(alone, 1e-3)];
    for (const path of ["body.bias", "head.bias"])
      expect(farthest(ours[`param/${path}`].data, theirs[`param/${path}`].data)).toBeLessThan(1e-12);
    for (const w of model.weights.filter(isMatrix)) {
      const before = feeds[`param/${w.path}` as keyof typeof feeds].data;
      const moved = ours[`param/${w.path}`].data.map((x, i) => x - (1 - 0.02 * 0.1) * before[i]);
      const [out] = w.shape;
      // ‖O(u)‖_F² is the sum of `rank` squares between 0.5 and 1.3.
      const length = Math.hypot(...moved) / (0.02 * Math.sqrt(Math.max(1, (out * out) / sizeOf(w.shape))));
      const rank = Math.min(out, sizeOf(w.shape) / out);
      expect(length).toBeLessThan(1.3 * Math.sqrt(rank));
      expect(length).toBeGreaterThan(0.5);
    }
  });
});
