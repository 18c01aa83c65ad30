/** Mixed labels and averaged weights in the training graph, against their definitions in float64. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { buildInferenceGraph } from "../../src/graph/inference.ts";
import { initialise } from "../../src/graph/initialise.ts";
import { array64, interpret } from "../../src/graph/interpret.ts";
import { illegalities } from "../../src/graph/legality.ts";
import type { Array64 } from "../../src/graph/primitives/primitive.ts";
import { buildTrainingGraph } from "../../src/graph/training.ts";
import type { Model, TrainConfig } from "../../src/model/model.ts";
import { valueOf } from "../onnx/support.ts";
import { randomArray } from "./random-graph.ts";
import { channels, classes, tinyModel, tinyRecipe, tinyWeights, tokens } from "./tiny-model.ts";

type Tensors = Record<string, Array64>;
const batch = 6;
/** A step of rate 1 without momentum and decay: the gradient is what the weight loses. */
const plainStep = { name: "sgd", args: { lr: 1, momentum: 0, weight_decay: 0 } };
const mixing = [{ name: "mixup", args: { alpha: 0.8 } }];

function graphOf(model: Model, recipe: TrainConfig) {
  const graph = valueOf(buildTrainingGraph(model, recipe));
  expect(illegalities(graph)).toEqual([]);
  return graph;
}

function start(model: Model): Tensors {
  const weights = initialise(model, 3);
  return Object.fromEntries(
    model.weights.map((w) => [`param/${w.path}`, array64(w.shape, weights.get(w.path) ?? 0)]),
  );
}

const scalars = (lr: number, step: number): Tensors => ({
  "scalar/lr": array64([], lr),
  "scalar/step": array64([], step),
  "scalar/seed": array64([], 0),
});

const model = tinyModel();
const inference = valueOf(buildInferenceGraph(model, { batch }));

interface Mixed {
  readonly own: readonly number[];
  readonly other: readonly number[];
  readonly share: readonly number[];
}

/** Logits by class, of each sample. */
function logitsOf(state: Tensors, data: Array64): number[][] {
  const { logits } = interpret(inference, { ...state, "data/x": data });
  return Array.from({ length: batch }, (_, s) => [...logits.data.slice(s * classes, (s + 1) * classes)]);
}

/** Mean over the samples of −Σ q·log softmax, q written out. */
function lossOf(state: Tensors, data: Array64, { own, other, share }: Mixed, smoothing: number): number {
  const q = (label: number, k: number): number => (k === label ? 1 - smoothing : 0) + smoothing / classes;
  let total = 0;
  logitsOf(state, data).forEach((z, s) => {
    const logSum = Math.log(z.reduce((sum, x) => sum + Math.exp(x), 0));
    z.forEach((x, k) => {
      const target = share[s] * q(own[s], k) + (1 - share[s]) * q(other[s], k);
      total -= (target * (x - logSum)) / batch;
    });
  });
  return total;
}

const feedsOf = (data: Array64, { own, other, share }: Mixed): Tensors => ({
  "data/x": data,
  labels: array64([batch], own),
  "labels/other": array64([batch], other),
  "labels/share": array64([batch], share),
});

const labels = fc.array(fc.nat(classes - 1), { minLength: batch, maxLength: batch });
const shares = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: batch, maxLength: batch });
const anyMixed = fc.record({ own: labels, other: labels, share: shares });

describe("mixed labels", () => {
  it.each([0, 0.1])("give loss and gradient of the soft target (smoothing %d)", (smoothing) => {
    const loss = [{ weight: 1, term: { name: "cross_entropy", args: { smoothing } } }];
    const graph = graphOf(model, tinyRecipe({ augment: mixing, optimizer: plainStep, loss }));
    const state = start(model);
    fc.assert(
      fc.property(anyMixed, fc.nat(1000), (mixed, seed) => {
        const data = randomArray([batch, tokens, channels], seed, -2, 2);
        const out = interpret(graph, { ...state, ...feedsOf(data, mixed), ...scalars(1, 1) });
        expect(out["metric/loss"].data[0]).toBeCloseTo(lossOf(state, data, mixed, smoothing), 10);
        for (const [name, { shape, data: before }] of Object.entries(state)) {
          const i = seed % before.length;
          const moved = (h: number): number => {
            const copy = Float64Array.from(before);
            copy[i] += h;
            return lossOf({ ...state, [name]: { shape, data: copy } }, data, mixed, smoothing);
          };
          const slope = (moved(1e-5) - moved(-1e-5)) / 2e-5;
          expect(Math.abs(before[i] - out[name].data[i] - slope)).toBeLessThan(1e-8);
        }
      }),
      { numRuns: 20 },
    );
  });

  it("count the label with the larger share, its own at one half", () => {
    const graph = graphOf(model, tinyRecipe({ augment: mixing, optimizer: plainStep }));
    const state = start(model);
    fc.assert(
      fc.property(anyMixed, fc.nat(1000), (mixed, seed) => {
        const share = mixed.share.map((s, i) => (i === 0 ? 0.5 : s));
        const data = randomArray([batch, tokens, channels], seed, -2, 2);
        const hits = logitsOf(state, data).filter((z, s) => {
          const label = share[s] < 0.5 ? mixed.other[s] : mixed.own[s];
          return z.indexOf(Math.max(...z)) === label;
        });
        const feeds = feedsOf(data, { ...mixed, share });
        const out = interpret(graph, { ...state, ...feeds, ...scalars(1, 1) });
        expect(out["metric/accuracy"].data[0]).toBeCloseTo(hits.length / batch, 12);
      }),
      { numRuns: 20 },
    );
  });

  it("with all of the share are plain labels; without mixing the graph doesn't ask for them", () => {
    const data = randomArray([batch, tokens, channels], 5, -2, 2);
    const mixed = { own: [0, 1, 2, 2, 1, 0], other: [2, 2, 2, 0, 0, 0], share: [1, 1, 1, 1, 1, 1] };
    const state = { ...start(model), ...scalars(1, 1) };
    const asMixed = interpret(graphOf(model, tinyRecipe({ augment: mixing, optimizer: plainStep })), {
      ...state,
      ...feedsOf(data, mixed),
    });
    const plain = interpret(graphOf(model, tinyRecipe({ optimizer: plainStep })), {
      ...state,
      "data/x": data,
      labels: array64([batch], mixed.own),
    });
    expect(asMixed).toEqual(plain);
  });
});

describe("averaged weights", () => {
  const decay = 0.9;
  const average = { name: "ema", args: { decay } };

  it("follow their definition from the initial weights on, whatever is fed at step 1", () => {
    const graph = graphOf(model, tinyRecipe({ average, optimizer: plainStep }));
    let state: Tensors = start(model);
    const mean = Object.fromEntries(Object.entries(state).map(([n, t]) => [n, Float64Array.from(t.data)]));
    for (const w of model.weights) state[`ema/${w.path}`] = array64(w.shape, 1e9);
    for (let step = 1; step <= 4; step++) {
      const feeds = {
        "data/x": randomArray([batch, tokens, channels], step, -2, 2),
        labels: array64([batch], [0, 1, 2, 0, 1, 2]),
      };
      const out = interpret(graph, { ...state, ...feeds, ...scalars(0.3, step) });
      state = Object.fromEntries(Object.keys(state).map((name) => [name, out[name]]));
      for (const { path } of model.weights) {
        const e = mean[`param/${path}`];
        e.forEach((x, i) => (e[i] = decay * x + (1 - decay) * state[`param/${path}`].data[i]));
        expect(Math.max(...e.map((x, i) => Math.abs(x - state[`ema/${path}`].data[i])))).toBeLessThan(1e-12);
      }
    }
  });

  it("stay in declared ranges", () => {
    const [low, high] = [-0.01, 0.01];
    const ranged = tinyModel(tinyWeights.map((w) => ({ ...w, range: [low, high] as const })));
    const graph = graphOf(ranged, tinyRecipe({ average, optimizer: plainStep }));
    const state = start(ranged);
    for (const w of ranged.weights) state[`ema/${w.path}`] = array64(w.shape, high * (1 + 1e-7));
    const feeds = {
      "data/x": randomArray([batch, tokens, channels], 1, -2, 2),
      labels: array64([batch], [0, 1, 2, 0, 1, 2]),
    };
    const out = interpret(graph, { ...state, ...feeds, ...scalars(0, 2) });
    for (const w of ranged.weights)
      expect(out[`ema/${w.path}`].data.every((x) => x >= low && x <= high)).toBe(true);
  });
});
