/** The generated file of a recipe that mixes samples and averages weights: its step is the graph's, its use is the average's. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import * as tf from "@tensorflow/tfjs-core";
import { expect, test } from "vitest";
import { nodeHost } from "../../src/cli/host-node.ts";
import { loadModel } from "../../src/cli/load.ts";
import { buildInferenceGraph } from "../../src/graph/inference.ts";
import { initialise } from "../../src/graph/initialise.ts";
import { buildTrainingGraph } from "../../src/graph/training.ts";
import { ownText } from "../../src/runtime/bundled.ts";
import type { HostTensor } from "../../src/runtime/engine.ts";
import { stateShapes } from "../../src/runtime/prepare.ts";
import { resolveRecipe } from "../../src/runtime/run-config.ts";
import { tfjsTarget } from "../../src/targets/tfjs/bundle.ts";
import { exact, expectClose, valueOf } from "../onnx/support.ts";

type Tensors = Record<string, tf.Tensor>;

interface Generated {
  createState(weights?: Record<string, Float32Array>): Tensors;
  trainingStep(state: Tensors, batch: Tensors, scalars: Record<string, number>): Tensors;
  predict(state: Tensors, image: tf.Tensor): tf.Tensor;
}

const batch = 4;
const folder = join("node_modules", ".cache", "tfjs-model");
const mixing = { "train.augment": "[mixup(0.8), cutmix(1.0)]", "train.average": "ema(0.5)" };
/** By the recipe's AdamW, and by Muon, whose weights have one slot where those of AdamW beside it have two. */
const recipes = {
  mixed: mixing,
  muon: {
    ...mixing,
    "train.optimizer": "muon(lr: 0.02)",
    "train.loss": "margin(offset: 1, temperature: 0.5)",
  },
};

const f32 = (dims: readonly number[], data: Float32Array): HostTensor => ({ dtype: "f32", dims, data });
const i32 = (...data: number[]): HostTensor => ({
  dtype: "i32",
  dims: [data.length],
  data: Int32Array.from(data),
});
const onTf = ({ dims, data, dtype }: HostTensor): tf.Tensor =>
  tf.tensor(data as Float32Array, [...dims], dtype === "i32" ? "int32" : "float32");
const onHost = (tensor: tf.Tensor): HostTensor => f32(tensor.shape, tensor.dataSync() as Float32Array);

test.each(Object.entries(recipes))(
  "%s: two steps and a prediction are those of the graphs",
  async (name, set) => {
    const { model, sources } = loadModel(nodeHost, "test/fixtures/tiny-fashion.lips", null, set);
    if (model === null) throw new Error("the fixture has errors");
    const recipe = valueOf(resolveRecipe(model, { epochs: null, lr: null, seed: 7, batch }));
    const files = valueOf(await tfjsTarget.emit({ model, recipe, sources, own: ownText }));
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, `${name}.ts`), files.get("model.ts") ?? "");
    const path = join(process.cwd(), folder, `${name}.ts`);
    const generated = (await import(/* @vite-ignore */ path)) as Generated;
    await import("@tensorflow/tfjs-backend-cpu");
    tf.enableProdMode();
    await tf.setBackend("cpu");

    const graph = valueOf(buildTrainingGraph(model, recipe));
    const weights = initialise(model, recipe.seed);
    let state: Record<string, HostTensor> = Object.fromEntries(
      [...stateShapes(graph)].map(([name, dims]) => {
        const zeros = new Float32Array(dims.reduce((a, b) => a * b, 1));
        return [name, f32(dims, weights.get(name.replace(/^param\//, "")) ?? zeros)];
      }),
    );
    const tensors = generated.createState();
    expect(Object.keys(tensors).sort()).toEqual(Object.keys(state).sort());
    const image = f32(
      [batch, 28, 28, 1],
      Float32Array.from({ length: batch * 784 }, (_, i) => (i % 97) / 97),
    );
    const [labels, other] = [i32(3, 1, 4, 9), i32(2, 6, 5, 3)];
    const share = f32([batch], Float32Array.of(0.7, 0.7, 0.2, 1));
    for (const step of [1, 2]) {
      const scalars = { lr: 1e-2, step, seed: 3 };
      const wanted = exact(graph, {
        ...state,
        "data/image": image,
        labels,
        "labels/other": other,
        "labels/share": share,
        ...Object.fromEntries(
          Object.entries(scalars).map(([k, x]) => [`scalar/${k}`, f32([], Float32Array.of(x))]),
        ),
      });
      const given = {
        image: onTf(image),
        labels: onTf(labels),
        otherLabels: onTf(other),
        share: onTf(share),
      };
      const { loss } = generated.trainingStep(tensors, given, scalars);
      expect(loss.dataSync()[0]).toBeCloseTo(wanted["metric/loss"].data[0], 4);
      for (const name of Object.keys(state)) expectClose(onHost(tensors[name]), wanted[name], 1e-3);
      state = Object.fromEntries(
        Object.keys(state).map((name) => [
          name,
          f32(wanted[name].shape, Float32Array.from(wanted[name].data)),
        ]),
      );
    }

    const inference = valueOf(buildInferenceGraph(model, { batch }));
    const averages = model.weights.map((w) => [`param/${w.path}`, state[`ema/${w.path}`]] as const);
    const { logits } = exact(inference, { ...Object.fromEntries(averages), "data/image": image });
    expectClose(onHost(generated.predict(tensors, onTf(image))), logits, 1e-3);
    const moved = model.weights.map((w) => [`param/${w.path}`, state[`param/${w.path}`]] as const);
    const plain = exact(inference, { ...Object.fromEntries(moved), "data/image": image });
    expect(() => expectClose(onHost(generated.predict(tensors, onTf(image))), plain.logits, 1e-3)).toThrow();
  },
);
