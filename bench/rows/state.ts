/** What it costs to hand parameters and moments from step to step: a run that only adds to every tensor. */
import { Builder } from "../../src/graph/builder.ts";
import type { HostTensor } from "../../src/runtime/engine.ts";
import { openEngine } from "../../src/runtime/engines/select.ts";
import { interleave, row, type Bench, type Row } from "../row.ts";

const sizes = [
  { name: "0.7M", tensors: 210, entries: 3_333 },
  { name: "30M", tensors: 210, entries: 142_857 },
];

export const stateBench: Bench = {
  name: "train-state",
  async run() {
    const choice = await openEngine();
    if (!choice.ok) throw new Error(choice.problem.message);
    const rows: Row[] = [];
    for (const { name, tensors, entries } of sizes) {
      const b = new Builder();
      const names = Array.from({ length: tensors }, (_, i) => `state/${i}`);
      const graph = b.graph(
        "state",
        names.map((n) => ({ name: n, tensor: b.add(b.input(n, [entries]), 1) })),
      );
      const zeros = (): Record<string, HostTensor> =>
        Object.fromEntries(
          names.map((n) => [n, { dtype: "f32", dims: [entries], data: new Float32Array(entries) }]),
        );
      const carried = await choice.value.open(graph, { carry: names });
      const handed = await choice.value.open(graph);
      if (!carried.ok || !handed.ok) throw new Error("the engine refused the graph");
      let state = zeros();
      const time = async (run: () => Promise<void>) => {
        const start = performance.now();
        await run();
        return [performance.now() - start];
      };
      const [ours, reference] = await interleave(12, [
        () => time(async () => void (await carried.value.run({}))),
        () => time(async () => void (state = await handed.value.run(state))),
      ]);
      await carried.value.release();
      await handed.value.release();
      rows.push(
        row(
          `train-state/${name}`,
          ours,
          reference,
          "ms",
          `${name} floats in ${tensors} tensors carried in place; reference: outputs fed back`,
        ),
      );
    }
    return rows;
  },
};
