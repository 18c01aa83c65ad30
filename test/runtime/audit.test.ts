/** The audit's search on a domain without ends: the samples say how large its steps are. */
import { expect, it } from "vitest";
import { initialise } from "../../src/graph/initialise.ts";
import { steepest } from "../../src/runtime/audit/ascent.ts";
import { openEngine } from "../../src/runtime/engines/select.ts";
import type { HostTensor } from "../../src/runtime/engine.ts";
import { modelOf } from "../elaborate/host.ts";
import { randomArray } from "../graph/random-graph.ts";

/** A cosine with eps is steep where a query is short and the values are long: nowhere near the samples, whose tokens are long. */
const spec = `lips 1
model Lookup {
  input pairs: [5, 8]
  weights { init: orthogonal }
  let query = pairs |> Crop(left: 4, right: 0) |> Linear(8)
  let [k, v] = [pairs |> Crop(right: 1) |> Linear(8), pairs |> Crop(right: 1) |> Linear(8)]
  output out = Attend(query, k, v, heads: 1, score: cosine(tau: 4, eps: 1024), values: unit(nu: 7.7, eps: 1024)) |> Flatten
}
`;

it("finds a third of the bound of an attention layer that is flat near the samples", async () => {
  const model = modelOf(spec);
  const engine = await openEngine({ engine: "onnxruntime-node", threads: 1 });
  if (!engine.ok) throw new Error(engine.problem.message);
  const weights = new Map<string, HostTensor>(
    [...initialise(model, 1)].map(([path, data]) => {
      const dims = model.weights.find((w) => w.path === path)?.shape ?? [];
      return [`param/${path}`, { dtype: "f32", dims, data }];
    }),
  );
  const samples = Array.from({ length: 8 }, (_, i) =>
    Float32Array.from(randomArray([5, 8], i + 1).data, (x) => 30 * x),
  );
  const common = { model, weights, engine: engine.value, input: model.inputs[0], from: null, seed: 0 };
  const audit = { ...common, to: model.outputs[0].value, restarts: 16, steps: 150, samples };
  const found = await steepest(audit, "l2");
  if (!found.ok) throw new Error(found.problem.message);
  expect(found.value.lower).toBeGreaterThan(1 / 3);
  expect(found.value.lower).toBeLessThan(1);
});
