/** Stretches against their definition: take the value away, and nothing gets from the input to the output. */
import fc from "fast-check";
import { expect, it } from "vitest";
import type { Model, Node } from "../../src/model/model.ts";
import { stretchesBetween } from "../../src/model/stretches.ts";
import { modelOf } from "../elaborate/host.ts";

/** A model of which only the wires matter: node i reads these values and gives value i + 1. */
function wired(inputs: readonly (readonly number[])[]): Model {
  const nodes = inputs.map((values, i) => ({ path: `node_${i}.x`, inputs: values, outputs: [i + 1] }));
  return { nodes: nodes as unknown as readonly Node[] } as Model;
}

/** Whether `to` depends on `from` by a path that avoids one value. */
function reaches(model: Model, from: number, to: number, without: number | null): boolean {
  const reached = new Set([from]);
  for (const { inputs, outputs } of model.nodes)
    if (inputs.some((v) => reached.has(v))) for (const v of outputs) if (v !== without) reached.add(v);
  return reached.has(to);
}

it("are cut at exactly the values that every path passes", () => {
  const graph = fc
    .array(fc.array(fc.nat(), { minLength: 1, maxLength: 3 }), { minLength: 1, maxLength: 12 })
    .map((rows) => rows.map((row, i) => row.map((n) => n % (i + 1))));
  fc.assert(
    fc.property(graph, (rows) => {
      const model = wired(rows);
      const output = rows.length;
      const expected = rows
        .map((_, i) => i + 1)
        .filter((v) => v !== output && reaches(model, 0, output, null) && !reaches(model, 0, output, v));
      const found = stretchesBetween(model, 0, output);
      expect(found.map(({ to }) => to)).toEqual(reaches(model, 0, output, null) ? [...expected, output] : []);
      expect(found.map(({ from }) => from)).toEqual(found.length > 0 ? [0, ...expected] : []);
      // A node that is on a path lies in one stretch.
      const inside = found.flatMap(({ nodes }) => nodes.map(({ path }) => path));
      expect(new Set(inside).size).toBe(inside.length);
    }),
    { numRuns: 500 },
  );
});

it("join what stands under one name: a block's layers, a round of a loop", () => {
  const model = modelOf(
    "lips 1\nblock B(x: [c]) -> [c] {\n  x |> Linear(c) |> ReLU |> Residual(Linear(c), alpha: 1/2)\n}\n" +
      "model M {\n  input x: [4] in [0, 1]\n  let v = x |> Linear(4)\n  for i in range(2) { v = v |> B }\n  output y = v |> Linear(2)\n}\n",
  );
  const [input] = model.inputs;
  const found = stretchesBetween(model, input.value, model.outputs[0].value);
  expect(found.map(({ name }) => name)).toEqual(["linear", "b.0", "b.1", "linear_2"]);
  expect(found[0].from).toBe(input.value);
  for (const [i, { from }] of found.entries()) if (i > 0) expect(from).toBe(found[i - 1].to);
});
