import { describe, expect, it } from "vitest";
import type { Graph, GraphNode } from "../../src/graph/graph.ts";
import { buildEvaluationGraph, buildInferenceGraph } from "../../src/graph/inference.ts";
import { initialise } from "../../src/graph/initialise.ts";
import { array64, interpret } from "../../src/graph/interpret.ts";
import { illegalities } from "../../src/graph/legality.ts";
import { matchesGlob } from "../../src/graph/groups.ts";
import { learningRate } from "../../src/graph/schedule.ts";
import { buildTrainingGraph } from "../../src/graph/training.ts";
import type { Constraint, Model, TrainConfig, Weight } from "../../src/model/model.ts";
import type { Array64 } from "../../src/graph/primitives/primitive.ts";
import { randomArray } from "./random-graph.ts";
import {
  channels,
  classes,
  hidden,
  tinyModel,
  tinyNode,
  tinyRecipe,
  tinyWeights,
  tokens,
} from "./tiny-model.ts";

type State = Record<string, Array64>;

function training(model: Model, recipe: TrainConfig): Graph {
  const built = buildTrainingGraph(model, recipe);
  if (!built.ok) throw new Error(built.problem.message);
  expect(illegalities(built.value)).toEqual([]);
  return built.value;
}

function startOf(graph: Graph, model: Model): State {
  const weights = initialise(model, 1);
  const outputs = new Set(graph.outputs.map((o) => o.name));
  const state: State = {};
  for (const node of graph.nodes) {
    if (node.op !== "input") continue;
    const { name } = (node as GraphNode<"input">).attributes;
    if (outputs.has(name)) state[name] = array64(node.shape, weights.get(name.replace("param/", "")) ?? 0);
  }
  return state;
}

const labels = array64([6], [0, 1, 2, 2, 1, 0]);
const batchAt = (step: number) => ({
  "data/x": randomArray([6, tokens, channels], 50 + step, -2, 2),
  labels,
});
const scalars = (lr: number, step: number) => ({
  "scalar/lr": array64([], lr),
  "scalar/step": array64([], step),
  "scalar/seed": array64([], 9),
});

/** Loss of the tiny model by its definition, for central differences: nothing of the compiler in it. */
function lossOf(state: State, data: Array64, smoothing: number): number {
  const w1 = state["param/body.weight"].data;
  const b1 = state["param/body.bias"].data;
  const w2 = state["param/head.weight"].data;
  const b2 = state["param/head.bias"].data;
  let total = 0;
  for (let s = 0; s < 6; s++) {
    const mean = new Float64Array(hidden);
    for (let t = 0; t < tokens; t++) {
      for (let h = 0; h < hidden; h++) {
        let y = b1[h];
        for (let c = 0; c < channels; c++)
          y += w1[h * channels + c] * data.data[(s * tokens + t) * channels + c];
        mean[h] += Math.max(0, y) / tokens;
      }
    }
    const z = Array.from({ length: classes }, (_, k) =>
      mean.reduce((sum, m, h) => sum + m * w2[k * hidden + h], b2[k]),
    );
    const logSum = Math.log(z.reduce((sum, x) => sum + Math.exp(x), 0));
    z.forEach((x, k) => {
      const q = (k === labels.data[s] ? 1 - smoothing : 0) + smoothing / classes;
      total += (q * (logSum - x)) / 6;
    });
  }
  return total;
}

/** Gradients of lossOf by central differences. */
function slopes(state: State, data: Array64, smoothing: number): Record<string, Float64Array> {
  return Object.fromEntries(
    Object.keys(state)
      .filter((name) => name.startsWith("param/"))
      .map((name) => {
        const grad = state[name].data.map((_, i) => {
          const moved = (h: number) => {
            const copy = Float64Array.from(state[name].data);
            copy[i] += h;
            return lossOf({ ...state, [name]: { shape: state[name].shape, data: copy } }, data, smoothing);
          };
          return (moved(1e-6) - moved(-1e-6)) / 2e-6;
        });
        return [name, grad];
      }),
  );
}

type Rule = (
  name: string,
  theta: Float64Array,
  g: Float64Array,
  state: State,
  step: number,
  lr: number,
) => void;

/** Runs the graph and a hand-written optimiser side by side. */
function compare(model: Model, recipe: TrainConfig, rule: Rule, clip: number | null, steps = 5): void {
  const graph = training(model, recipe);
  let ours = startOf(graph, model);
  const theirs: State = Object.fromEntries(
    Object.entries(ours).map(([k, v]) => [k, { shape: v.shape, data: Float64Array.from(v.data) }]),
  );
  for (let step = 1; step <= steps; step++) {
    const lr = 0.01 / step;
    const feeds = batchAt(step);
    const grads = slopes(theirs, feeds["data/x"], 0.1);
    const loss = lossOf(theirs, feeds["data/x"], 0.1);
    const norm = Math.sqrt(
      Object.values(grads).reduce((sum, g) => sum + g.reduce((s, x) => s + x * x, 0), 0),
    );
    const scale = clip === null ? 1 : Math.min(1, clip / (norm + 1e-6));
    const out = interpret(graph, { ...ours, ...feeds, ...scalars(lr, step) });
    for (const [name, g] of Object.entries(grads))
      rule(
        name,
        theirs[name].data,
        g.map((x) => x * scale),
        theirs,
        step,
        lr,
      );
    expect(out["metric/loss"].data[0]).toBeCloseTo(loss, 8);
    expect(out["metric/grad_norm"].data[0]).toBeCloseTo(norm, 6);
    ours = Object.fromEntries(Object.keys(ours).map((name) => [name, out[name]]));
    for (const name of Object.keys(theirs)) {
      ours[name].data.forEach((x, i) => expect(Math.abs(x - theirs[name].data[i])).toBeLessThan(3e-7));
    }
  }
}

function adamRule(
  decoupled: boolean,
  decayOf: (name: string) => number,
  [b1, b2]: number[],
  lrOf = (_: string) => 1,
): Rule {
  return (name, theta, g, state, step, lr0) => {
    const m = state[name.replace("param", "m")].data;
    const v = state[name.replace("param", "v")].data;
    const lr = lr0 * lrOf(name);
    theta.forEach((x, i) => {
      const grad = g[i] + (decoupled ? 0 : decayOf(name) * x);
      m[i] = b1 * m[i] + (1 - b1) * grad;
      v[i] = b2 * v[i] + (1 - b2) * grad * grad;
      const hatM = m[i] / (1 - b1 ** step);
      const hatV = v[i] / (1 - b2 ** step);
      theta[i] = x - (decoupled ? lr * decayOf(name) * x : 0) - (lr * hatM) / (Math.sqrt(hatV) + 1e-3);
    });
  };
}

describe("optimisers against hand-written ones, gradients by central differences", () => {
  // eps 1e-3: where eps stands relative to the root is seen then, and differences' noise is not magnified.
  const args = { lr: 1e-2, betas: [0.9, 0.98], eps: 1e-3, weight_decay: 0.05 };
  it("adamw with clipping and groups", () => {
    const recipe = tinyRecipe({
      optimizer: { name: "adamw", args },
      clip: 0.2,
      groups: [
        { name: "group", args: { weights: "vectors", weight_decay: 0.001 } },
        { name: "group", args: { weights: "**.head.*", weight_decay: 0.4, lr: 2e-2 } },
      ],
    });
    const decay = (name: string) => (name.includes("head") ? 0.4 : name.endsWith("bias") ? 0.001 : 0.05);
    compare(
      tinyModel(),
      recipe,
      adamRule(true, decay, args.betas, (n) => (n.includes("head") ? 2 : 1)),
      0.2,
    );
  });
  it("adamw without clipping; clipping that does not bite", () => {
    compare(
      tinyModel(),
      tinyRecipe({ optimizer: { name: "adamw", args } }),
      adamRule(true, () => 0.05, args.betas),
      null,
    );
    compare(
      tinyModel(),
      tinyRecipe({ optimizer: { name: "adamw", args }, clip: 1e3 }),
      adamRule(true, () => 0.05, args.betas),
      1e3,
    );
  });
  it("adam has its decay in the gradient", () => {
    compare(
      tinyModel(),
      tinyRecipe({ optimizer: { name: "adam", args }, clip: 0.2 }),
      adamRule(false, () => 0.05, args.betas),
      0.2,
    );
  });
  it("sgd with and without momentum", () => {
    for (const momentum of [0, 0.9]) {
      const recipe = tinyRecipe({
        optimizer: { name: "sgd", args: { lr: 0.1, momentum, weight_decay: 0.01 } },
        clip: 0.2,
      });
      const rule: Rule = (name, theta, g, state, _, lr) => {
        const m = state[name.replace("param", "m")]?.data;
        theta.forEach((x, i) => {
          const grad = g[i] + 0.01 * x;
          if (m) m[i] = momentum * m[i] + grad;
          theta[i] = x - lr * (m ? m[i] : grad);
        });
      };
      compare(tinyModel(), recipe, rule, 0.2);
    }
  });
});

describe("training graph", () => {
  it("learns: the loss of one batch falls", () => {
    const graph = training(
      tinyModel(),
      tinyRecipe({ optimizer: { name: "adamw", args: { lr: 0.05, weight_decay: 0 } } }),
    );
    let state = startOf(graph, tinyModel());
    const losses: number[] = [];
    for (let step = 1; step <= 60; step++) {
      const out = interpret(graph, { ...state, ...batchAt(0), ...scalars(0.05, step) });
      losses.push(out["metric/loss"].data[0]);
      state = Object.fromEntries(Object.keys(state).map((name) => [name, out[name]]));
    }
    expect(losses[59]).toBeLessThan(0.6 * losses[0]);
  });
  it("keeps weights inside their declared ranges", () => {
    const weights = tinyWeights.map((w): Weight => (w.path === "body.bias" ? { ...w, range: [0, 0.05] } : w));
    const graph = training(tinyModel(weights), tinyRecipe());
    const state = startOf(graph, tinyModel(weights));
    const out = interpret(graph, { ...state, ...batchAt(0), ...scalars(10, 1) });
    const bias = out["param/body.bias"].data;
    expect(Math.min(...bias)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...bias)).toBeLessThanOrEqual(0.05);
    expect(Math.max(...out["param/head.bias"].data.map(Math.abs))).toBeGreaterThan(1);
  });
  it("statistics are carried along unmoved and have no optimiser state", () => {
    const weights = tinyWeights.map((w): Weight =>
      w.path === "body.bias" ? { ...w, role: "statistic" } : w,
    );
    const graph = training(tinyModel(weights), tinyRecipe());
    const state = startOf(graph, tinyModel(weights));
    const out = interpret(graph, { ...state, ...batchAt(0), ...scalars(1, 1) });
    expect(out["param/body.bias"].data).toEqual(state["param/body.bias"].data);
    expect(Object.keys(state).filter((name) => name.includes("body.bias"))).toEqual(["param/body.bias"]);
  });
  it("dropout acts in training, differs by step and seed, and not at inference", () => {
    const model = tinyModel(tinyWeights, tinyNode("Dropout", "drop", 1, {}, { p: 0.5 }));
    const graph = training(model, tinyRecipe());
    const state = startOf(graph, model);
    const loss = (step: number, seed: number) =>
      interpret(graph, { ...state, ...batchAt(0), ...scalars(0.01, step), "scalar/seed": array64([], seed) })[
        "metric/loss"
      ].data[0];
    expect(loss(1, 1)).toBe(loss(1, 1));
    expect(new Set([loss(1, 1), loss(2, 1), loss(1, 2)]).size).toBe(3);
    const inference = buildInferenceGraph(model, { batch: 6 });
    if (!inference.ok) throw new Error(inference.problem.message);
    expect(inference.value.nodes.some((n) => n.op === "floor")).toBe(false);
  });
  it("evaluation counts hits, the first of equal logits", () => {
    const built = buildEvaluationGraph(tinyModel(), tinyRecipe());
    if (!built.ok) throw new Error(built.problem.message);
    expect(illegalities(built.value)).toEqual([]);
    const start = Object.fromEntries(
      tinyWeights.map((w) => [`param/${w.path}`, array64(w.shape, w.path === "head.bias" ? [1, 1, 0] : 0)]),
    );
    const out = interpret(built.value, { ...start, ...batchAt(0) });
    expect(out["metric/correct"].data[0]).toBe(2);
    expect(out["metric/loss"].data[0]).toBeCloseTo(lossOf(start, batchAt(0)["data/x"], 0.1), 12);
  });
  it.each([
    [{ optimizer: { name: "lion", args: { lr: 0.1 } } }, "lion"],
    [{ loss: [{ weight: 1, term: { name: "mse", args: {} } }] }, "mse"],
    [{ schedule: { name: "stairs", args: {} } }, "stairs"],
  ] as [Partial<TrainConfig>, string][])("what is not compiled is a diagnostic: %j", (changes, word) => {
    const built = buildTrainingGraph(tinyModel(), tinyRecipe(changes));
    expect(built.ok ? "" : `${built.problem.name} ${built.problem.message}`).toMatch(
      new RegExp(`^not-executable.*${word}`),
    );
  });
  it("an unknown layer is a diagnostic", () => {
    const unknown = buildInferenceGraph(tinyModel(tinyWeights, tinyNode("Nonsense", "n", 1, {}, {})), {
      batch: 1,
    });
    expect(unknown.ok ? "" : unknown.problem.message).toContain("Nonsense");
  });
});

describe("constraints", () => {
  const effective = (constraint: Constraint, w: Array64): Float64Array => {
    const weights = tinyWeights.map((one): Weight =>
      one.path === "body.weight" ? { ...one, constraint } : one,
    );
    const identity = tinyModel(weights, tinyNode("Dropout", "none", 1, {}, { p: 0 }));
    const model: Model = { ...identity, outputs: [{ ...identity.outputs[0], value: 1 }] };
    const built = buildInferenceGraph(model, { batch: 2 });
    if (!built.ok) throw new Error(built.problem.message);
    expect(illegalities(built.value)).toEqual([]);
    // Unit vectors as tokens read the matrix off.
    const data = array64([2, tokens, channels], 0);
    for (let c = 0; c < channels; c++) data.data[c * channels + c] = 1;
    const zeros = Object.fromEntries(tinyWeights.map((one) => [`param/${one.path}`, array64(one.shape, 0)]));
    const out = interpret(built.value, { ...zeros, "param/body.weight": w, "data/x": data }).logits.data;
    return Float64Array.from(
      { length: hidden * channels },
      (_, i) => out[(i % channels) * hidden + Math.floor(i / channels)],
    );
  };
  const w = randomArray([hidden, channels], 3, -2, 2);
  w.data[2] = w.data[6] = w.data[10] = w.data[14] = w.data[18] = 0;
  const rows = (x: Float64Array) =>
    Array.from({ length: hidden }, (_, r) => Math.hypot(...x.subarray(r * channels, (r + 1) * channels)));

  it("frobenius: outside onto the ball, inside unchanged", () => {
    expect(Math.hypot(...effective({ kind: "frobenius", bound: 0.5 }, w))).toBeCloseTo(0.5, 12);
    effective({ kind: "frobenius", bound: 100 }, w).forEach((x, i) => expect(x).toBeCloseTo(w.data[i], 14));
  });
  it("unit rows and unit rms; a zero row stays zero", () => {
    const copy = array64(w.shape, w.data);
    copy.data.fill(0, 0, channels);
    expect(rows(effective({ kind: "unit_rows" }, copy)).map((r) => Math.round(r * 1e12) / 1e12)).toEqual([
      0, 1, 1, 1, 1,
    ]);
    expect(rows(effective({ kind: "unit_rms" }, copy)).map((r) => Math.round(r * 1e12) / 1e12)).toEqual([
      0, 2, 2, 2, 2,
    ]);
  });
  it("aol: columns scaled as the definition says, norm at most 1, a zero column stays zero", () => {
    const made = effective({ kind: "aol" }, w);
    const column = (x: Float64Array, c: number) =>
      Array.from({ length: hidden }, (_, r) => x[r * channels + c]);
    for (let c = 0; c < channels; c++) {
      const own = column(w.data, c);
      let sum = 0;
      for (let d = 0; d < channels; d++)
        sum += Math.abs(column(w.data, d).reduce((s, x, r) => s + x * own[r], 0));
      column(made, c).forEach((x, r) => expect(x).toBeCloseTo(sum === 0 ? 0 : own[r] / Math.sqrt(sum), 12));
    }
    expect(column(made, 2)).toEqual([0, 0, 0, 0, 0]);
  });
  it("gradients through constraints are right and finite at zero", () => {
    for (const kind of ["aol", "unit_rows"] as const) {
      const weights = tinyWeights.map((one): Weight =>
        one.role === "matrix" ? { ...one, constraint: { kind }, init: { kind: "zeros" } } : one,
      );
      const graph = training(tinyModel(weights), tinyRecipe({ clip: 1 }));
      const out = interpret(graph, {
        ...startOf(graph, tinyModel(weights)),
        ...batchAt(1),
        ...scalars(0.1, 1),
      });
      for (const value of Object.values(out)) expect(value.data.every(Number.isFinite)).toBe(true);
    }
  });
});

describe("schedules", () => {
  const rates = (schedule: TrainConfig["schedule"], steps: number, perEpoch = 10) => {
    const recipe = tinyRecipe({ schedule, optimizer: { name: "adamw", args: { lr: 2 } } });
    return Array.from({ length: steps }, (_, i) => learningRate(recipe, i, steps, perEpoch));
  };
  it("constant and linear", () => {
    expect(rates({ name: "constant", args: {} }, 3)).toEqual([2, 2, 2]);
    expect(rates({ name: "linear", args: { end: 0 } }, 4)).toEqual([2, 1.5, 1, 0.5]);
    expect(rates({ name: "linear", args: { end: 1 } }, 4)).toEqual([2, 1.75, 1.5, 1.25]);
  });
  it("cosine falls from the rate to the least one", () => {
    const r = rates({ name: "cosine", args: { min_lr: 0.5 } }, 100);
    expect(r[0]).toBe(2);
    expect(r[50]).toBeCloseTo(1.25, 12);
    expect(r[99]).toBeCloseTo(0.5 + 0.75 * (1 + Math.cos(0.99 * Math.PI)), 12);
    for (let i = 1; i < 100; i++) expect(r[i]).toBeLessThan(r[i - 1]);
  });
  it("warmup counts epochs and rises linearly", () => {
    const r = rates({ name: "cosine", args: { warmup: 0.5, min_lr: 0 } }, 20);
    r.slice(0, 5).forEach((x, i) => expect(x).toBeCloseTo((2 * (i + 1)) / 5, 12));
    expect(r[5]).toBe(2);
    expect(r[19]).toBeGreaterThan(0);
  });
});

it.each([
  ["**.query", "a.b.query", true],
  ["**.query", "query", true],
  ["**.query", "a.query.weight", false],
  ["**", "a.b", true],
  ["a.*", "a.b", true],
  ["a.*", "a.b.c", false],
  ["**.position*", "x.attend.position_bias", true],
  ["*o*y*", "xyoxy", true],
  ["a*a", "a", false],
])("glob %s on %s: %s", (glob, path, expected) => expect(matchesGlob(glob, path)).toBe(expected));
