/**
 * Our side of the LipsFormer-Swin-Tiny benchmark in a process of its own: loads the spec, builds, initialises and trains
 * as `lipsc train` does, on one batch that stays the same. The requests are those of bench/pytorch/lipsformer.py.
 *
 *     node worker.js BATCH
 */
import { createInterface } from "node:readline";
import { initialWeight } from "../../src/graph/initialise.ts";
import { buildTrainingGraph } from "../../src/graph/training.ts";
import type { Model } from "../../src/model/model.ts";
import type { Session } from "../../src/runtime/engine.ts";
import { openEngine } from "../../src/runtime/engines/select.ts";
import { stateShapes } from "../../src/runtime/prepare.ts";
import { scalar } from "../project.ts";
import { batchOf, spec, specModel } from "./network.ts";

export interface Hello {
  /** Engine, version and device. */
  readonly about: string;
}

/** The training step in a session with fresh weights; what it was made from is not kept. */
async function trainingSession(model: Model, batch: number): Promise<{ session: Session; about: string }> {
  if (model.train === null) throw new Error(`${spec} has no train section`);
  // Mixed labels are left out on both sides.
  const built = buildTrainingGraph(model, { ...model.train, batch, augment: [] });
  if (!built.ok) throw new Error(built.problem.message);
  const engine = await openEngine();
  if (!engine.ok) throw new Error(engine.problem.message);
  const session = await engine.value.open(built.value, { carry: [...stateShapes(built.value).keys()] });
  if (!session.ok) throw new Error(session.problem.message);
  for (const weight of model.weights) {
    const data = initialWeight(weight, model.train.seed);
    await session.value.write({ [`param/${weight.path}`]: { dtype: "f32", dims: weight.shape, data } });
  }
  const { name, version, device } = engine.value;
  return { session: session.value, about: `${name} ${version}, ${device}` };
}

const batch = Number(process.argv[2]);
const { session, about } = await trainingSession(specModel(), batch);
tell({ about } satisfies Hello);
const { image, labels } = batchOf(batch);
let at = 0;

for await (const line of createInterface({ input: process.stdin })) {
  const [request, count] = line.split(" ");
  if (request === "peak") tell({ bytes: 1024 * process.resourceUsage().maxRSS });
  else tell(await run(Number(count)));
}
await session.release();

async function run(count: number): Promise<{ milliseconds: number[]; loss: number }> {
  const milliseconds: number[] = [];
  let loss = Number.NaN;
  for (let i = 0; i < count; i++) {
    const start = performance.now();
    at += 1;
    const metrics = await session.run({
      "data/image": image,
      labels,
      "scalar/lr": scalar(1e-3),
      "scalar/step": scalar(at),
      "scalar/seed": scalar(0),
    });
    loss = metrics["metric/loss"].data[0];
    milliseconds.push(performance.now() - start);
  }
  return { milliseconds, loss };
}

function tell(answer: object): void {
  process.stdout.write(JSON.stringify(answer) + "\n");
}
