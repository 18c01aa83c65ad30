/** Mixed labels and averaged weights on both ONNX Runtimes, state carried in place, against the float64 interpreter. */
import { expect, test } from "vitest";
import { initialise } from "../../src/graph/initialise.ts";
import { buildTrainingGraph } from "../../src/graph/training.ts";
import type { Engine, HostTensor } from "../../src/runtime/engine.ts";
import { openOrtNode } from "../../src/runtime/engines/onnxruntime-node.ts";
import { openOrtWeb } from "../../src/runtime/engines/onnxruntime-web.ts";
import { openReference } from "../../src/runtime/engines/reference.ts";
import { stateShapes } from "../../src/runtime/prepare.ts";
import { Stream } from "../../src/runtime/stream.ts";
import { channels, classes, tinyModel, tinyRecipe, tokens } from "../graph/tiny-model.ts";
import { expectClose, valueOf } from "./support.ts";

const batch = 6;
const model = tinyModel();
const recipe = tinyRecipe({
  augment: [{ name: "cutmix", args: { alpha: 1 } }],
  average: { name: "ema", args: { decay: 0.8 } },
  clip: 0.5,
});
const graph = valueOf(buildTrainingGraph(model, recipe));
const weights = initialise(model, 3);
const f32 = (dims: readonly number[], data: Float32Array): HostTensor => ({ dtype: "f32", dims, data });
const state = Object.fromEntries(
  [...stateShapes(graph)].map(([name, dims]) => {
    const size = dims.reduce((a, b) => a * b, 1);
    return [name, f32(dims, weights.get(name.replace("param/", "")) ?? new Float32Array(size))];
  }),
);

function feeds(step: number): Record<string, HostTensor> {
  const random = new Stream(step);
  const drawn = (count: number, of: () => number) => Float32Array.from({ length: count }, of);
  const labels = (): HostTensor => ({
    dtype: "i32",
    dims: [batch],
    data: Int32Array.from({ length: batch }, () => random.below(classes)),
  });
  return {
    "data/x": f32(
      [batch, tokens, channels],
      drawn(batch * tokens * channels, () => random.between(-2, 2)),
    ),
    labels: labels(),
    "labels/other": labels(),
    "labels/share": f32(
      [batch],
      drawn(batch, () => random.uniform()),
    ),
    "scalar/lr": f32([], Float32Array.of(1e-2)),
    "scalar/step": f32([], Float32Array.of(step)),
    "scalar/seed": f32([], Float32Array.of(1)),
  };
}

async function train(engine: Engine) {
  const session = valueOf(await engine.open(graph, { carry: Object.keys(state) }));
  await session.write(state);
  const losses: number[] = [];
  const hits: number[] = [];
  for (let step = 1; step <= 6; step++) {
    const metrics = await session.run(feeds(step));
    losses.push(metrics["metric/loss"].data[0]);
    hits.push(metrics["metric/accuracy"].data[0]);
  }
  const after = await session.read();
  await session.release();
  return { after, losses, hits };
}

test.each([
  ["onnxruntime-node", openOrtNode],
  ["onnxruntime-web", openOrtWeb],
])("%s takes the same steps", async (_, open) => {
  const expected = await train(valueOf(await openReference()));
  const found = await train(valueOf(await open({ threads: 2 })));
  found.losses.forEach((loss, i) => expect(Math.abs(loss - expected.losses[i])).toBeLessThan(1e-5));
  found.hits.forEach((part, i) => expect(part).toBeCloseTo(expected.hits[i], 6));
  for (const [name, { dims, data }] of Object.entries(expected.after))
    expectClose(found.after[name], { shape: dims, data: Float64Array.from(data) }, 1e-4);
  expect(Object.keys(found.after).filter((name) => name.startsWith("ema/"))).toHaveLength(
    model.weights.length,
  );
});
