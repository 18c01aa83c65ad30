/** The network of the benchmark in a small size: what the float64 interpreter makes of it, and how to compare with that. */
import * as tf from "@tensorflow/tfjs-core";
import { expect } from "vitest";
import { loadTraining, scalar } from "../../bench/project.ts";
import { adamwStep, disposeState, freshState } from "../../bench/tfjs/adamw.ts";
import { exportParameters, importParameters, type Sizes, type Version } from "../../bench/tfjs/network.ts";
import type { HostTensor } from "../../src/runtime/engine.ts";
import { openEngine } from "../../src/runtime/engines/select.ts";

export const sizes: Sizes = { batch: 2, depth: 2, channels: 24, heads: 3, classes: 10 };
const steps = 3;
const { model, graph, state } = loadTraining("bench/specs/vit-bench.lips", 1, {
  set: { depth: String(sizes.depth), dim: String(sizes.channels) },
  batch: sizes.batch,
});
const image = Float32Array.from({ length: sizes.batch * 784 }, (_, i) => (Math.sin(i * 12.9898) + 1) / 2);
const labels = Int32Array.from({ length: sizes.batch }, (_, i) => (7 * i + 3) % 10);
const start = new Map(
  model.weights.map((w) => {
    // Off the initial values, so that biases, γ and β count too.
    const data = (state[`param/${w.path}`].data as Float32Array).map((x, i) => x + 0.05 * Math.sin(i + 1));
    return [w.path, data];
  }),
);

export interface Reference {
  readonly loss: number;
  readonly gradients: Map<string, Float32Array>;
  readonly parameters: Map<string, Float32Array>;
}

/** The first loss and gradients, and the parameters after some steps, by the float64 interpreter. */
export async function referenceRun(): Promise<Reference> {
  const engine = await openEngine({ engine: "reference" });
  if (!engine.ok) throw new Error(engine.problem.message);
  const session = await engine.value.open(graph, { carry: Object.keys(state) });
  if (!session.ok) throw new Error(session.problem.message);
  const moved: Record<string, HostTensor> = { ...state };
  for (const [path, data] of start) moved[`param/${path}`] = { ...moved[`param/${path}`], data };
  await session.value.write(moved);
  const run = (step: number) =>
    session.value.run({
      "data/image": { dtype: "f32", dims: [sizes.batch, 28, 28, 1], data: image },
      labels: { dtype: "i32", dims: [sizes.batch], data: labels },
      "scalar/lr": scalar(1e-3),
      "scalar/step": scalar(step),
      "scalar/seed": scalar(0),
    });
  const read = async (slot: string) =>
    new Map(
      await Promise.all(
        model.weights.map(async ({ path }): Promise<[string, Float32Array]> => {
          const { [`${slot}/${path}`]: tensor } = await session.value.read([`${slot}/${path}`]);
          return [path, tensor.data as Float32Array];
        }),
      ),
    );
  const first = await run(1);
  // After one step from zero, m is (1 − β₁) times the gradient.
  const gradients = new Map([...(await read("m"))].map(([path, m]) => [path, m.map((x) => x * 10)]));
  for (let step = 2; step <= steps; step++) await run(step);
  return { loss: first["metric/loss"].data[0], gradients, parameters: await read("param") };
}

/** Largest difference over the largest entry. */
function difference(ours: Float32Array, theirs: Float32Array): number {
  expect(ours.length).toBe(theirs.length);
  const size = theirs.reduce((a, b) => Math.max(a, Math.abs(b)), 0);
  return ours.reduce((a, x, i) => Math.max(a, Math.abs(x - theirs[i])), 0) / size;
}

export async function agrees(version: Version, expected: Reference): Promise<void> {
  const parameters = importParameters(version.entries, (path) => start.get(path) as Float32Array);
  const training = freshState(parameters);
  const [images, classes] = [tf.tensor(image, [sizes.batch, 28, 28, 1]), tf.tensor1d(labels, "int32")];
  const tensors = tf.memory().numTensors;
  for (let step = 1; step <= steps; step++) {
    const { loss, gradients } = version.lossAndGradients(training.parameters, images, classes);
    if (step === 1) {
      expect(Math.abs((await loss.data())[0] - expected.loss)).toBeLessThan(1e-5);
      for (const [path, gradient] of await exportParameters(version.entries, gradients)) {
        expect(difference(gradient, expected.gradients.get(path) as Float32Array), path).toBeLessThan(1e-4);
      }
    }
    loss.dispose();
    adamwStep(training, gradients, { lr: 1e-3, weightDecay: 0.05 });
    expect(tf.memory().numTensors, "tensors left after a step").toBe(tensors);
  }
  for (const [path, parameter] of await exportParameters(version.entries, training.parameters)) {
    expect(difference(parameter, expected.parameters.get(path) as Float32Array), path).toBeLessThan(1e-3);
  }
  disposeState(training);
  tf.dispose([images, classes]);
}
