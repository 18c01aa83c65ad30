/** The generated file itself: it type-checks, reads as if formatted by hand, and does what the compiler's graphs say. */
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import * as tf from "@tensorflow/tfjs-core";
import { format } from "prettier";
import { beforeAll, describe, expect, test } from "vitest";
import { buildInferenceGraph } from "../../src/graph/inference.ts";
import { initialise } from "../../src/graph/initialise.ts";
import { buildTrainingGraph } from "../../src/graph/training.ts";
import { loadModel } from "../../src/cli/load.ts";
import { nodeHost } from "../../src/cli/host-node.ts";
import { ownText } from "../../src/runtime/bundled.ts";
import type { HostTensor } from "../../src/runtime/engine.ts";
import { resolveRecipe } from "../../src/runtime/run-config.ts";
import { tfjsTarget } from "../../src/targets/tfjs/bundle.ts";
import { exact, expectClose, valueOf } from "../onnx/support.ts";

type Tensors = Record<string, tf.Tensor>;

interface Generated {
  initialise(seed?: number): Record<string, Float32Array>;
  createState(weights?: Record<string, Float32Array>): Tensors;
  trainingStep(state: Tensors, batch: Tensors, scalars: Record<string, number>): Tensors;
  predict(state: Tensors, image: tf.Tensor): tf.Tensor;
}

const batch = 4;
/** Where the package @tensorflow/tfjs-core is found, and no test is looked for. */
const folder = join("node_modules", ".cache", "tfjs-model");

const { model, sources } = loadModel(nodeHost, "test/fixtures/tiny-fashion.lips", null, {});
if (model === null) throw new Error("the fixture has errors");
const recipe = valueOf(resolveRecipe(model, { epochs: null, lr: null, seed: 7, batch }));
let generated: Generated;

beforeAll(async () => {
  const files = valueOf(await tfjsTarget.emit({ model, recipe, sources, own: ownText }));
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "model.ts"), files.get("model.ts") ?? "");
  generated = (await import(/* @vite-ignore */ join(process.cwd(), folder, "model.ts"))) as Generated;
  await import("@tensorflow/tfjs-backend-cpu");
  tf.enableProdMode();
  await tf.setBackend("cpu");
});

const values = (count: number, seed: number): Float32Array => {
  let state = seed;
  return Float32Array.from({ length: count }, () => (state = (state * 48271) % 0x7fffffff) / 0x7fffffff);
};
const image = values(batch * 784, 5);
const labels = Int32Array.of(3, 1, 4, 9);
const feeds = (): Tensors => ({
  image: tf.tensor(image, [batch, 28, 28, 1]),
  labels: tf.tensor(labels, [batch], "int32"),
});
const scalar = (value: number): HostTensor => ({ dtype: "f32", dims: [], data: Float32Array.of(value) });

test("initial weights have the compiler's own bits", () => {
  const ours = initialise(model, 11);
  const theirs = generated.initialise(11);
  expect(Object.keys(theirs)).toEqual([...ours.keys()]);
  for (const [path, data] of ours) expect(theirs[path], path).toEqual(data);
});

test("two steps give what the interpreter gives, parameters and moments", () => {
  const graph = valueOf(buildTrainingGraph(model, recipe));
  const weights = initialise(model, recipe.seed);
  let state: Record<string, HostTensor> = {};
  for (const { path, shape } of model.weights) {
    const data = weights.get(path) ?? new Float32Array();
    state[`param/${path}`] = { dtype: "f32", dims: shape, data };
    for (const slot of ["m", "v"])
      state[`${slot}/${path}`] = { dtype: "f32", dims: shape, data: new Float32Array(data.length) };
  }
  const tensors = generated.createState();
  for (const step of [1, 2]) {
    const wanted = exact(graph, {
      ...state,
      "data/image": { dtype: "f32", dims: [batch, 28, 28, 1], data: image },
      labels: { dtype: "i32", dims: [batch], data: labels },
      "scalar/lr": scalar(1e-2),
      "scalar/step": scalar(step),
      "scalar/seed": scalar(3),
    });
    const { loss } = generated.trainingStep(tensors, feeds(), { lr: 1e-2, step, seed: 3 });
    expect(loss.dataSync()[0]).toBeCloseTo(wanted["metric/loss"].data[0], 4);
    for (const name of Object.keys(state)) {
      const { shape, data } = wanted[name];
      const found: HostTensor = {
        dtype: "f32",
        dims: tensors[name].shape,
        data: tensors[name].dataSync() as Float32Array,
      };
      expectClose(found, wanted[name], 1e-3);
      state = { ...state, [name]: { dtype: "f32", dims: shape, data: Float32Array.from(data) } };
    }
  }
  tf.dispose(tensors);
});

test("predictions are the inference graph's, also of fewer samples than a batch", () => {
  const state = generated.createState();
  const graph = valueOf(buildInferenceGraph(model, { batch: 2 }));
  const weights = [...initialise(model, recipe.seed)].map(([path, data]): [string, HostTensor] => [
    `param/${path}`,
    { dtype: "f32", dims: state[`param/${path}`].shape, data },
  ]);
  const two = image.slice(0, 2 * 784);
  const { logits } = exact(graph, {
    ...Object.fromEntries(weights),
    "data/image": { dtype: "f32", dims: [2, 28, 28, 1], data: two },
  });
  const found = generated.predict(state, tf.tensor(two, [2, 28, 28, 1]));
  expectClose({ dtype: "f32", dims: found.shape, data: found.dataSync() as Float32Array }, logits, 1e-4);
});

describe("memory", () => {
  test("a step leaves nothing behind but its metrics", () => {
    const state = generated.createState();
    const given = feeds();
    const step = (at: number): void =>
      tf.dispose(generated.trainingStep(state, given, { lr: 1e-3, step: at, seed: 1 }));
    step(1);
    const { numTensors, numBytes } = tf.memory();
    for (let at = 2; at <= 5; at++) step(at);
    expect(tf.memory()).toMatchObject({ numTensors, numBytes });
    tf.dispose([state, given]);
  });
});

describe.each(["quick-start", "lipsformer-fashion"])("generated/%s/model.ts", (name) => {
  const path = `generated/${name}/model.ts`;

  test("is laid out as Prettier would", async () => {
    const text = readFileSync(path, "utf8");
    expect(await format(text, { parser: "typescript", printWidth: 110 })).toBe(text);
  });

  test("has no any, and type-checks under strict", () => {
    const text = readFileSync(path, "utf8").replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, "");
    expect(text).not.toMatch(/\bany\b/);
    const require = createRequire(import.meta.url);
    const tsc = join(dirname(require.resolve("typescript/package.json")), "bin", "tsc");
    const flags = "--ignoreConfig --noEmit --strict --noUnusedLocals --noUnusedParameters --skipLibCheck";
    const modern = "--target es2022 --module nodenext --moduleResolution nodenext";
    const out = execFileSync(process.execPath, [tsc, ...`${flags} ${modern}`.split(" "), path], {
      encoding: "utf8",
    });
    expect(out).toBe("");
  });
});
