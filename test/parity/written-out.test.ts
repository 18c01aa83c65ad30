/** A run and what `lipsc write-out` makes of it are one network, on every engine: logits agree within float32's rounding. */
import { describe, expect, it } from "vitest";
import { buildInferenceGraph } from "../../src/graph/inference.ts";
import { initialise } from "../../src/graph/initialise.ts";
import { plain } from "../../src/measure/effective.ts";
import type { Model } from "../../src/model/model.ts";
import { openEngine } from "../../src/runtime/engines/select.ts";
import type { HostTensor } from "../../src/runtime/engine.ts";
import { modelOf } from "../elaborate/host.ts";
import { randomArray } from "../graph/random-graph.ts";

const batch = 3;
const model = modelOf(`lips 1
model M {
  input image: [6, 6, 2] in [0, 1]
  weights { init: orthogonal, constraint: orthogonal }
  let x = image |> Conv(4, kernel: 3, constraint: spectral(1)) |> MaxMin |> DepthwiseConv(kernel: 3, constraint: l1(1))
  let y = x |> Flatten |> Linear(12) |> MaxMin |> Linear(12, constraint: aol) |> Sandwich(8)
  y = y |> Linear(8, constraint: rms(1)) |> Linear(8, constraint: frobenius(2)) |> Linear(6, constraint: unit_rms)
  output logits = y |> Linear(5, constraint: unit_rows)
}
`);

/** Away from what the initialiser makes: constraints have something to do. */
const free = new Map(
  [...initialise(model, 1)].map(([path, data], i) => {
    const noise = randomArray([data.length], i + 1).data;
    return [path, Float32Array.from(data, (x, k) => x + 0.3 * noise[k])] as const;
  }),
);
const image = Float32Array.from(randomArray([batch, 6, 6, 2], 9).data, (x) => Math.abs(x) % 1);

async function logits(
  engine: string,
  of: Model,
  tensors: ReadonlyMap<string, Float32Array>,
): Promise<Float32Array> {
  const choice = await openEngine({ engine, threads: 1 });
  if (!choice.ok) throw new Error(choice.problem.message);
  const graph = buildInferenceGraph(of, { batch });
  if (!graph.ok) throw new Error(graph.problem.message);
  const session = await choice.value.open(graph.value);
  if (!session.ok) throw new Error(session.problem.message);
  const feeds: Record<string, HostTensor> = {
    "data/image": { dtype: "f32", dims: [batch, 6, 6, 2], data: image },
  };
  for (const { path, shape } of of.weights)
    feeds[`param/${path}`] = { dtype: "f32", dims: shape, data: tensors.get(path) as Float32Array };
  const out = await session.value.run(feeds);
  await session.value.release();
  return out.logits.data as Float32Array;
}

const largest = (x: Float32Array): number => Math.max(...x.map(Math.abs));
const apart = (x: Float32Array, y: Float32Array): number => largest(x.map((v, i) => v - y[i])) / largest(x);

describe.each(["reference", "onnxruntime-node", "onnxruntime-web", "tfjs-wasm"])("%s", (engine) => {
  it("the same logits", async () => {
    const written = plain(model, free);
    if (!written) throw new Error("nothing is proven");
    const [before, after] = [
      await logits(engine, model, free),
      await logits(engine, written.model, written.tensors),
    ];
    expect(largest(before)).toBeGreaterThan(1e-3);
    expect(apart(before, after)).toBeLessThan(1e-5);
    // Without what the constraints do it is another network.
    expect(apart(before, await logits(engine, written.model, free))).toBeGreaterThan(1e-2);
  });
});
