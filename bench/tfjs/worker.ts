/**
 * One candidate of the TensorFlow.js benchmark in a process of its own:
 *
 *     node worker.js ENGINE ours|handwritten|tape BATCH
 *
 * All of them open the engine that `lipsc` opens, so that backend and settings are the same, and start from the same
 * weights and batch. A step takes a batch from arrays and gives the loss as a number.
 */
import { createInterface } from "node:readline";
import * as tf from "@tensorflow/tfjs-core";
import type { Engine, HostTensor } from "../../src/runtime/engine.ts";
import { openEngine } from "../../src/runtime/engines/select.ts";
import { generator } from "../../src/runtime/random.ts";
import { loadTraining, scalar, type Training } from "../project.ts";
import { adamwStep, freshState } from "./adamw.ts";
import { handwrittenVersion } from "./handwritten.ts";
import { nativeMeans } from "./native.ts";
import { benchSizes, importParameters, type Version } from "./network.ts";
import { registerGradients } from "./register-gradients.ts";
import { tapeVersion } from "./tape.ts";
import { wasmMeans } from "./wasm.ts";

export interface Hello {
  /** Engine, version and device, or why it can't be had. */
  readonly about: string;
  readonly ok: boolean;
}

/** One training step; the loss before its update. */
type Step = (image: Float32Array, labels: Int32Array) => Promise<number>;

const lr = 1e-3;
const weightDecay = 0.05;
const spec = "bench/specs/vit-bench.lips";

const [engineName, candidate, batchText] = process.argv.slice(2);
const batch = Number(batchText);
const choice = await openEngine({ engine: engineName });
if (!choice.ok) {
  tell({ ok: false, about: choice.problem.message });
  process.exit(0);
}
const engine = choice.value;
const training = loadTraining(spec, 0, { batch });
const step = await (candidate === "ours" ? ours(engine, training) : byHand(training));
tell({ ok: true, about: `${engine.name} ${engine.version}, ${engine.device}` });

const image = filled(Float32Array.from({ length: batch * 784 }), generator(1));
const drawn = generator(2);
const labels = Int32Array.from({ length: batch }, () => Math.floor(drawn() * benchSizes.classes));
for await (const line of createInterface({ input: process.stdin })) {
  const milliseconds: number[] = [];
  const cpu: number[] = [];
  let loss = Number.NaN;
  for (let i = 0; i < Number(line.split(" ")[1]); i++) {
    const start = performance.now();
    const before = process.cpuUsage();
    loss = await step(image, labels);
    milliseconds.push(performance.now() - start);
    const { user, system } = process.cpuUsage(before);
    cpu.push((user + system) / 1000);
  }
  process.stdout.write(JSON.stringify({ milliseconds, cpu, loss }) + "\n");
}

function tell(hello: Hello): void {
  process.stdout.write(JSON.stringify(hello) + "\n");
}

function filled(array: Float32Array, next: () => number): Float32Array {
  return array.map(() => next());
}

/** The compiler's training graph on its engine. */
async function ours(on: Engine, { graph, state }: Training): Promise<Step> {
  const session = await on.open(graph, { carry: Object.keys(state) });
  if (!session.ok) throw new Error(session.problem.message);
  await session.value.write(state);
  let at = 0;
  return async (images, classes) => {
    at += 1;
    const feeds: Record<string, HostTensor> = {
      "data/image": { dtype: "f32", dims: [batch, 28, 28, 1], data: images },
      labels: { dtype: "i32", dims: [batch], data: classes },
      "scalar/lr": scalar(lr),
      "scalar/step": scalar(at),
      "scalar/seed": scalar(0),
    };
    return (await session.value.run(feeds))["metric/loss"].data[0];
  };
}

async function byHand({ state }: Training): Promise<Step> {
  const version = await versionOf();
  const weight = (path: string) => state[`param/${path}`].data as Float32Array;
  const train = freshState(importParameters(version.entries, weight));
  return async (images, classes) => {
    const given = [tf.tensor(images, [batch, 28, 28, 1]), tf.tensor1d(classes, "int32")] as const;
    const { loss, gradients } = version.lossAndGradients(train.parameters, ...given);
    adamwStep(train, gradients, { lr, weightDecay });
    const [value] = await loss.data();
    tf.dispose([loss, ...given]);
    return value;
  };
}

async function versionOf(): Promise<Version> {
  const sizes = { ...benchSizes, batch };
  if (candidate !== "tape")
    return handwrittenVersion(sizes, engineName === "tfjs-wasm" ? wasmMeans : nativeMeans);
  await registerGradients();
  return tapeVersion(sizes);
}
