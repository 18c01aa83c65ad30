/**
 * Every layer's emission for PyTorch. Always: none is missing, and a model of each is written. With PyTorch (`npm run
 * test:parity`): what it computes on random values is what the float64 interpreter says.
 */
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { HostTensor } from "../../src/graph/graph.ts";
import { buildInferenceGraph } from "../../src/graph/inference.ts";
import { initialise } from "../../src/graph/initialise.ts";
import { layers } from "../../src/layers/registry.ts";
import { allNodes } from "../../src/model/legality.ts";
import type { Model } from "../../src/model/model.ts";
import { defaultRecipe } from "../../src/model/recipe.ts";
import { generator } from "../../src/runtime/random.ts";
import { emissions } from "../../src/targets/pytorch/layers/registry.ts";
import { modelSource } from "../../src/targets/pytorch/module.ts";
import { modelsOf } from "../helpers/elaborated.ts";
import { exact, expectClose, valueOf } from "../onnx/support.ts";
import { all } from "./engines.ts";
import { outcomeOf, python, runCases, scratch, sourcesOf, writeCase, type Tensors } from "./pytorch.ts";

const models = modelsOf("test/fixtures/layers.lips");
const batch = 3;

test("every layer that can be executed has an emission, or a reason why not; no other has", () => {
  const executable = [...layers.values()].filter((layer) => typeof layer.lower === "function");
  expect(executable.map(({ name }) => name).filter((name) => !emissions.has(name))).toEqual([]);
  expect([...emissions.keys()].filter((name) => !executable.some((layer) => layer.name === name))).toEqual(
    [],
  );
});

test("every emission is in a model here", () => {
  const used = new Set(models.flatMap((model) => [...allNodes(model.nodes)].map((node) => node.layer)));
  const written = [...emissions].filter(([, emit]) => typeof emit === "function").map(([name]) => name);
  expect(written.filter((name) => !used.has(name))).toEqual([]);
});

test.each(models)("$name is written", (model) => {
  const source = valueOf(modelSource(model, sourcesOf(model)));
  expect(source).toContain(`class ${model.name}(nn.Module):`);
  // No gap was left open.
  expect(source).not.toMatch(/[\uE000-\uE00F]|undefined|NaN/);
});

const skipped = !all || python === null;

describe.skipIf(skipped)("in PyTorch", () => {
  const folder = scratch();
  const at = (model: Model): string => join(folder.path, model.name);
  // Whole, and with the shortest sums that there are.
  const both = models.flatMap((model) => [
    model,
    { ...model, name: `${model.name}InParts`, inference: { longestSum: 2 } },
  ]);
  const cases = both.map((model) => ({
    name: model.name,
    model,
    weights: weightsOf(model),
    feeds: feedsOf(model),
  }));

  beforeAll(() => {
    for (const { model, weights, feeds } of cases)
      writeCase(at(model), model, { ...defaultRecipe, span: model.span }, weights, [feeds]);
    runCases(
      "float64",
      "run",
      cases.map(({ model }) => at(model)),
    );
  }, 120_000);
  afterAll(() => folder.remove());

  test.each(cases)("$name computes what the interpreter computes", ({ model, weights, feeds }) => {
    const expected = exact(valueOf(buildInferenceGraph(model, { batch })), { ...weights, ...feeds });
    const found = outcomeOf(at(model));
    for (const { name } of model.outputs) {
      const tensor = found.get(`output/${name}`);
      if (!tensor) throw new Error(`no output ${name}`);
      expectClose(tensor, expected[name], 1e-6);
    }
  });
});

/** Initial weights moved a little, within their ranges. */
function weightsOf(model: Model): Tensors {
  const initial = initialise(model, 3);
  return Object.fromEntries(
    model.weights.map(({ path, shape, range }, i) => {
      const next = generator(5, i);
      const [low, high] = range ?? [-Infinity, Infinity];
      const data = (initial.get(path) ?? new Float32Array()).map((x) =>
        Math.min(Math.max(x + 0.2 * (next() - 0.5), low), high),
      );
      return [`param/${path}`, { dtype: "f32", dims: shape, data } as const];
    }),
  );
}

function feedsOf(model: Model): Tensors {
  return Object.fromEntries(
    model.inputs.map(({ name, value, domain }, i): [string, HostTensor] => {
      const dims = [batch, ...model.values[value].shape];
      const next = generator(7, i);
      const [low, high] = domain.kind === "box" ? [domain.low, domain.high] : [-1, 1];
      const values = Array.from(
        { length: dims.reduce((a, b) => a * b, 1) },
        () => low + (high - low) * next(),
      );
      return domain.kind === "tokens"
        ? [
            `data/${name}`,
            {
              dtype: "i32",
              dims,
              data: Int32Array.from(values, (x) => Math.floor(((x + 1) / 2) * domain.count)),
            },
          ]
        : [`data/${name}`, { dtype: "f32", dims, data: Float32Array.from(values) }];
    }),
  );
}
