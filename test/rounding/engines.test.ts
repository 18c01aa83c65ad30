/** Logits of real engines against the proven bound of their rounding, on ordinary and on ugly inputs and weights. */
import { describe, expect, it } from "vitest";
import type { HostTensor } from "../../src/graph/graph.ts";
import { buildInferenceGraph } from "../../src/graph/inference.ts";
import { initialise } from "../../src/graph/initialise.ts";
import { array64, interpret } from "../../src/graph/interpret.ts";
import { plain } from "../../src/measure/effective.ts";
import { measure } from "../../src/measure/measure.ts";
import type { Model } from "../../src/model/model.ts";
import { domainError, logitErrors } from "../../src/rounding/rounding.ts";
import type { Engine } from "../../src/runtime/engine.ts";
import { openEngine } from "../../src/runtime/engines/select.ts";
import { generator } from "../../src/runtime/random.ts";
import { modelsOf } from "../helpers/elaborated.ts";
import { valueOf } from "../onnx/support.ts";

const specs: Readonly<Record<string, string>> = {
  perceptron: `lips 1
model M() {
  input x: [8, 8, 1] in [0, 1]
  weights { init: orthogonal, constraint: orthogonal }
  let h = x |> Flatten |> Linear(32) |> MaxMin |> Linear(32) |> MaxMin
  output logits = h |> Linear(4, constraint: unit_rows)
}`,
  convolutions: `lips 1
model M() {
  input x: [8, 8, 1] in [0, 1]
  let h = x |> Normalize(mean: [0.3], std: [0.4]) |> Conv(8, kernel: 3, stride: 2) |> CenterNorm |> GELU
  let d = h |> DepthwiseConv(3) |> Tanh
  let y = (h + d) |> MaxPool(2) |> Sigmoid
  output logits = y |> MeanPool |> Linear(4)
}`,
  attention: `lips 1
model M() {
  input x: [8, 8, 1] in [0, 1]
  let h = x |> Conv(16, kernel: 2, stride: 2, padding: 0) |> Linear(16)
  let y = Attend(h |> Linear(16), h |> Linear(16), h |> Linear(16), heads: 4,
                 score: cosine(tau: 1, eps: 4), values: unit(nu: 1, eps: 4))
  output logits = y |> Flatten |> Linear(4)
}`,
  normed: `lips 1
model M() {
  input x: [4, 4, 4] in [0, 1]
  let h = x |> LayerNorm(eps: 0.1) |> Linear(8) |> GELU |> UnitNorm(eps: 0.1)
  output logits = h |> Flatten |> Linear(4)
}`,
};

/** `NAME in parts`: the same with sums of at most 7 terms. */
function modelOf(name: string): Model {
  const [plainName, inParts] = name.split(" in ");
  const text = inParts
    ? specs[plainName].replace("() {", "() {\n  inference { longest_sum: 7 }")
    : specs[name];
  const [model] = modelsOf("m.lips", {}, { "m.lips": text });
  return model;
}

const names = Object.keys(specs).flatMap((name) => [name, `${name} in parts`]);

const samples = 6;

/** Random inputs, all zero, all one, alternating, and two that are nearly the same. */
function inputsOf(size: number, random: () => number): Float32Array {
  return Float32Array.from({ length: samples * size }, (_, i) => {
    const kind = Math.floor(i / size);
    if (kind === 2) return 0;
    if (kind === 3) return 1;
    return kind === 4 ? i % 2 : random();
  });
}

/** Logits of these inputs, one batch each, by one session. */
async function logitsOf(
  engine: Engine,
  model: Model,
  tensors: ReadonlyMap<string, Float32Array>,
  batches: readonly Float32Array[],
) {
  const session = valueOf(await engine.open(valueOf(buildInferenceGraph(model, { batch: samples }))));
  const feeds: Record<string, HostTensor> = {};
  for (const { path, shape } of model.weights)
    feeds[`param/${path}`] = { dtype: "f32", dims: shape, data: tensors.get(path) ?? new Float32Array(0) };
  const dims = [samples, ...model.values[model.inputs[0].value].shape];
  const found: HostTensor["data"][] = [];
  for (const data of batches)
    found.push((await session.run({ ...feeds, "data/x": { dtype: "f32", dims, data } })).logits.data);
  await session.release();
  return found;
}

function interpreted(
  model: Model,
  tensors: ReadonlyMap<string, Float32Array>,
  x: Float32Array,
): Float64Array {
  const graph = valueOf(buildInferenceGraph(model, { batch: samples }));
  const params = model.weights.map(({ path, shape }) => [
    `param/${path}`,
    array64(shape, tensors.get(path) ?? 0),
  ]);
  const shape = [samples, ...model.values[model.inputs[0].value].shape];
  return interpret(graph, { ...Object.fromEntries(params), "data/x": array64(shape, x) }).logits.data;
}

const weightings: Readonly<Record<string, (w: Float32Array, random: () => number) => Float32Array>> = {
  initial: (w) => w,
  "ten times": (w) => w.map((x) => 10 * x),
  "all equal": (w) => w.map(() => 0.25),
  "of all sizes": (w, random) => w.map((x) => x * 10 ** (4 * random() - 3)),
};

const radius = 0.25;

/** What is proven of one model with these weights, at samples and round them. */
function provenOf(model: Model, tensors: Map<string, Float32Array>, random: () => number) {
  const size = model.values[model.inputs[0].value].shape.reduce((a, b) => a * b, 1);
  const x = inputsOf(size, random);
  const moved = x.map((v, i) => v + ((i % 2 === 0 ? 0.99 : -0.99) * radius) / Math.sqrt(size));
  const weighted = { model, tensors, oracle: measure(tensors).oracle };
  const [at, round] = [logitErrors(weighted, x, 0), logitErrors(weighted, x, radius)];
  const points = [
    { x, errors: at, exact: at.logits },
    { x: moved, errors: round, exact: interpreted(model, tensors, moved) },
  ];
  return { model, tensors, points };
}

/** Every weighting of a model as it is, and with its constraints written out. */
function casesOf(name: string) {
  return Object.entries(weightings).flatMap(([weighting, change]) => {
    const random = generator(5, 1);
    const free = modelOf(name);
    const start = new Map([...initialise(free, 3)].map(([path, w]) => [path, change(w, random)]));
    const both = [[free, start] as const, ...(name.startsWith("perceptron") ? [written(free, start)] : [])];
    return both.map(([model, tensors]) => ({ weighting, ...provenOf(model, tensors, random) }));
  });
}

describe.each(names)("%s: no further off than proven, at samples and round them", (name) => {
  const cases = casesOf(name);

  it("and the bound is of use where nothing is extreme", () => {
    for (const { weighting, points } of cases)
      if (weighting === "initial") expect(Math.max(...points[0].errors.perSample)).toBeLessThan(0.05);
  });

  it.each(["onnxruntime-node", "onnxruntime-web", "tfjs-wasm"])("%s", async (engineName) => {
    const engine = valueOf(await openEngine({ engine: engineName }));
    let closest = 0;
    for (const { weighting, model, tensors, points } of cases) {
      const found = await logitsOf(
        engine,
        model,
        tensors,
        points.map(({ x }) => x),
      );
      for (const [p, { errors, exact }] of points.entries()) {
        for (const [i, logit] of Array.from(found[p]).entries()) {
          const sample = Math.floor(i / 4);
          const bound = errors.perSample[sample];
          const off = Math.abs(logit - exact[i]);
          expect(off, `${weighting} ${sample}`).toBeLessThanOrEqual(bound + 2 * errors.exact[sample]);
          if (weighting === "initial" && bound > 0) closest = Math.max(closest, off / bound);
        }
      }
    }
    // Rounding of real engines is random; worst cases stand in worst.test.ts.
    expect(closest).toBeGreaterThan(1e-5);
  });
});

function written(
  model: Model,
  tensors: Map<string, Float32Array>,
): readonly [Model, Map<string, Float32Array>] {
  const made = plain(model, tensors);
  if (!made) throw new Error("a constraint has no graph");
  return [made.model, made.tensors];
}

describe.each(Object.keys(specs))("%s in parts", (name) => {
  const [whole, parts] = [modelOf(name), modelOf(`${name} in parts`)];
  const tensors = initialise(whole, 3);
  const size = whole.values[whole.inputs[0].value].shape.reduce((a, b) => a * b, 1);
  const x = inputsOf(size, generator(2, 2));

  it.each(["onnxruntime-node", "onnxruntime-web", "tfjs-wasm", "tfjs-cpu"])(
    "has the logits of the whole on %s",
    async (engineName) => {
      const engine = valueOf(await openEngine({ engine: engineName }));
      const [[a], [b]] = [
        await logitsOf(engine, whole, tensors, [x]),
        await logitsOf(engine, parts, tensors, [x]),
      ];
      for (const [i, logit] of Array.from(a).entries()) expect(Math.abs(b[i] - logit)).toBeLessThan(1e-5);
    },
  );

  it("is bounded, and no worse than the whole", () => {
    const [of, less] = [whole, parts].map((model) => {
      const [made, its] = name === "perceptron" ? written(model, tensors) : ([model, tensors] as const);
      return logitErrors({ model: made, tensors: its, oracle: measure(its).oracle }, x, radius).perSample;
    });
    less.forEach((e, i) => expect(e).toBeLessThanOrEqual(of[i] * (name === "convolutions" ? 1.2 : 1)));
    // A perceptron is nothing but products.
    if (name === "perceptron") less.forEach((e, i) => expect(e).toBeLessThan(0.7 * of[i]));
  });
});

describe("anywhere in the domain", () => {
  it("no sample's bound is larger than that of the whole box", () => {
    const model = modelOf("perceptron");
    const [plainModel, tensors] = written(model, initialise(model, 3));
    const weighted = { model: plainModel, tensors, oracle: measure(tensors).oracle };
    const { perSample } = logitErrors(weighted, inputsOf(64, generator(1, 1)), 0);
    const everywhere = domainError(weighted);
    expect(everywhere).toBeGreaterThan(Math.max(...perSample));
    expect(everywhere).toBeLessThan(20 * Math.max(...perSample));
  });

  it.each([
    ["the whole space", "input x: [8, 8, 1]", false],
    ["an l2 ball", "input x: [8, 8, 1] in ball(l2, 2)", true],
  ])("%s", (_, input, known) => {
    const text = specs.perceptron.replace("input x: [8, 8, 1] in [0, 1]", input);
    const [model] = modelsOf("m.lips", {}, { "m.lips": text });
    const [plainModel, tensors] = written(model, initialise(model, 3));
    const found = domainError({ model: plainModel, tensors, oracle: measure(tensors).oracle });
    expect(found < Infinity).toBe(known);
  });
});

describe("fails closed", () => {
  const model = modelOf("perceptron");
  const tensors = initialise(model, 3);
  const x = new Float32Array(64).fill(0.5);

  it("where weights are missing, not finite, or so large that float32 overflows", () => {
    const without = new Map([...tensors].slice(1));
    expect(logitErrors({ model, tensors: without, oracle: measure(without).oracle }, x, 0).perSample[0]).toBe(
      Infinity,
    );
    for (const bad of [NaN, Infinity, 3e38]) {
      const [path, w] = [...tensors][tensors.size - 1];
      const changed = new Map(tensors).set(
        path,
        w.map((v, i) => (i === 0 ? bad : v)),
      );
      const { perSample } = logitErrors({ model, tensors: changed, oracle: measure(changed).oracle }, x, 0);
      expect(perSample[0], String(bad)).toBe(Infinity);
    }
  });

  it("where the sample isn't finite", () => {
    const weighted = { model, tensors, oracle: measure(tensors).oracle };
    for (const bad of [NaN, Infinity]) {
      const { perSample } = logitErrors(
        weighted,
        x.map((v, i) => (i === 3 ? bad : v)),
        0,
      );
      expect(perSample[0]).toBe(Infinity);
    }
    expect(logitErrors(weighted, x, NaN).perSample[0]).toBe(Infinity);
    expect(logitErrors(weighted, x, Infinity).perSample[0]).toBe(Infinity);
  });
});
