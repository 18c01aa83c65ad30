/** Whether the network written by hand is ours: loss, gradient norm and logits of the same weights and batch. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gradients } from "../../src/graph/autodiff.ts";
import { Builder } from "../../src/graph/builder.ts";
import type { Graph } from "../../src/graph/graph.ts";
import { initialise } from "../../src/graph/initialise.ts";
import { classificationLoss } from "../../src/graph/losses/classification.ts";
import { dataInputs, lowerModel, parameterInputs } from "../../src/graph/lower.ts";
import { simplify } from "../../src/graph/passes/simplify.ts";
import type { Model } from "../../src/model/model.ts";
import { encodeWeights } from "../../src/runtime/checkpoint.ts";
import type { HostTensor } from "../../src/runtime/engine.ts";
import { openEngine } from "../../src/runtime/engines/select.ts";
import type { Pytorch } from "../pytorch.ts";
import { batchOf, specModel } from "./network.ts";

interface Check {
  readonly loss: number;
  readonly norm: number;
  readonly logits: readonly number[];
}

/** Throws unless both agree to `tolerance`, relative to the largest logit. */
export async function expectSameNetwork(theirs: Pytorch, batch: number, tolerance = 1e-4): Promise<void> {
  const model = specModel();
  const weights = new Map(
    [...initialise(model, 0)].map(([path, data], i): [string, HostTensor] => [
      `param/${path}`,
      { dtype: "f32", dims: model.weights[i].shape, data },
    ]),
  );
  const folder = mkdtempSync(join(tmpdir(), "lipsc-bench-"));
  try {
    const file = join(folder, "weights.safetensors");
    writeFileSync(file, encodeWeights(model, weights));
    await theirs.ask(`load ${file}`);
  } finally {
    rmSync(folder, { recursive: true });
  }
  const found = (await theirs.ask("check")) as Check;
  const expected = await ours(model, batch, Object.fromEntries(weights));
  const top = Math.max(...expected.logits.map(Math.abs));
  const errors = {
    loss: Math.abs(found.loss - expected.loss) / expected.loss,
    "gradient norm": Math.abs(found.norm - expected.norm) / expected.norm,
    logits: Math.max(...expected.logits.map((x, i) => Math.abs(x - found.logits[i]))) / top,
  };
  for (const [what, error] of Object.entries(errors))
    if (!(error <= tolerance)) throw new Error(`PyTorch's network is not ours: ${what} differs by ${error}`);
}

/** By the inference-mode network, so without drop path. */
async function ours(model: Model, batch: number, weights: Record<string, HostTensor>): Promise<Check> {
  const engine = await openEngine();
  if (!engine.ok) throw new Error(engine.problem.message);
  const session = await engine.value.open(checkGraph(model, batch));
  if (!session.ok) throw new Error(session.problem.message);
  const { image, labels } = batchOf(batch);
  const { loss, norm, logits } = await session.value.run({ ...weights, "data/image": image, labels });
  await session.value.release();
  return { loss: loss.data[0], norm: norm.data[0], logits: Array.from(logits.data) };
}

function checkGraph(model: Model, batch: number): Graph {
  if (model.train === null) throw new Error(`${model.name} has no train section`);
  const builder = new Builder();
  const params = parameterInputs(builder, model);
  const inputs = dataInputs(builder, model, batch);
  const options = { batch, training: false, inputs, weights: params, random: null };
  const lowered = lowerModel(builder, model, options);
  if (!lowered.ok) throw new Error(lowered.problem.message);
  const labels = { own: builder.input("labels", [batch], "i32"), mixed: null };
  const built = classificationLoss(builder, model, { ...model.train, batch }, lowered.value, labels, params);
  if (!built.ok) throw new Error(built.problem.message);
  const { loss, logits, stop } = built.value;
  const squares = gradients(builder, loss, params, { stop }).map((g) =>
    builder.sum(
      builder.mul(g, g),
      g.shape.map((_, axis) => axis),
    ),
  );
  const norm = builder.sqrt(squares.reduce((a, b) => builder.add(a, b)));
  return simplify(
    builder.graph(model.name, [
      { name: "logits", tensor: logits },
      { name: "loss", tensor: loss },
      { name: "norm", tensor: norm },
    ]),
  );
}
