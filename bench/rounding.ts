/**
 * Float32 rounding in the logits of a trained run: what is proven, beside what engines show. Constraints as a graph
 * computes them, and written out.
 *
 *   node scripts/run.mjs bench/rounding.js RUN [--data FOLDER] [--samples 200] [--radius 1]
 */
import { parseArgs } from "node:util";
import { listing } from "../src/cli/listing.ts";
import { openTrained, type Trained } from "../src/cli/trained.ts";
import { writtenOut } from "../src/cli/written-out.ts";
import { buildInferenceGraph } from "../src/graph/inference.ts";
import { measure } from "../src/measure/measure.ts";
import { domainError, logitErrors } from "../src/rounding/rounding.ts";
import { fill } from "../src/runtime/data/samples.ts";
import { openData } from "../src/runtime/data/open.ts";
import { openEngine } from "../src/runtime/engines/select.ts";
import type { Result } from "../src/runtime/result.ts";

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    data: { type: "string" },
    samples: { type: "string", default: "200" },
    radius: { type: "string", default: "1" },
  },
});

function valueOf<T>(result: Result<T>): T {
  if (!result.ok) throw new Error(result.problem.message);
  return result.value;
}

const options = {
  path: positionals[0],
  weights: null,
  model: null,
  set: {},
  engine: null,
  device: null,
  threads: null,
};
const opened = await openTrained(options, 256);
if (!opened.trained) throw new Error(opened.problems.map((p) => p.message).join("\n"));
const data = valueOf(
  openData(opened.trained.model, flags.data ?? opened.trained.data, listing(process.stderr)),
);
const samples = data.test ?? data.train;
const count = Math.min(Number(flags.samples), samples.count);
const values = new Float32Array(count * samples.shape.reduce((a, b) => a * b, 1));
valueOf(
  await fill(
    samples,
    Array.from({ length: count }, (_, i) => i),
    values,
    new Int32Array(count),
  ),
);

console.log(`${opened.trained.model.name}, ${count} samples of ${samples.name}`);
await report("constraints in the graph", opened.trained);
const written = valueOf(await writtenOut(opened.trained));
if (written !== opened.trained) await report("constraints written out", written);

async function report(title: string, { model, weights }: Trained): Promise<void> {
  const tensors = new Map(model.weights.map(({ path }) => [path, weights.get(`param/${path}`)?.data ?? []]));
  const weighted = { model, tensors, oracle: measure(tensors).oracle };
  const [at, round] = [0, Number(flags.radius)].map((radius) => logitErrors(weighted, values, radius));
  console.log(`${title}`);
  console.log(`  proven at the samples          ${spread(at.perSample)}`);
  console.log(`  proven within ${flags.radius} of them         ${spread(round.perSample)}`);
  console.log(`  proven in the whole domain     ${domainError(weighted).toPrecision(3)}`);
  console.log(`  proven of float64              ${Math.max(...at.exact).toPrecision(3)}`);
  const [input, output] = [model.inputs[0].name, model.outputs[0].name];
  const graph = valueOf(buildInferenceGraph(model, { batch: count }));
  for (const name of ["onnxruntime-node", "onnxruntime-web", "tfjs-wasm"]) {
    const session = valueOf(await valueOf(await openEngine({ engine: name })).open(graph));
    const fed = { dtype: "f32" as const, dims: [count, ...samples.shape], data: values };
    const found = (await session.run({ ...Object.fromEntries(weights), [`data/${input}`]: fed }))[output]
      .data;
    await session.release();
    const off = at.logits.reduce((most, logit, i) => Math.max(most, Math.abs(found[i] - logit)), 0);
    console.log(`  found in ${name.padEnd(21)} ${off.toPrecision(3)}`);
  }
}

function spread(errors: Float64Array): string {
  const sorted = [...errors].sort((a, b) => a - b);
  const [middle, most] = [sorted[sorted.length >> 1], sorted[sorted.length - 1]];
  return `${middle.toPrecision(3)} in the middle, ${most.toPrecision(3)} at most`;
}
