/**
 * Float32 rounding in the logits of a trained run: what is proven, beside what engines show. Constraints as a graph
 * computes them, and written out.
 *
 *   node scripts/run.mjs bench/rounding.js RUN [--data FOLDER] [--samples 200] [--radius 1] [--longest 32]
 *
 * `--longest`: as if the model said `inference { longest_sum: … }`; 0: as if it said nothing.
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
    longest: { type: "string" },
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
const longest =
  flags.longest === undefined ? opened.trained.model.inference?.longestSum : Number(flags.longest);
const { inference: _, ...rest } = opened.trained.model;
const model = longest ? { ...rest, inference: { longestSum: longest } } : rest;
const trained: Trained = { ...opened.trained, model };
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

console.log(
  `${model.name}, ${count} samples of ${samples.name}, ${longest ? `sums of at most ${longest} terms` : "whole sums"}`,
);
await report("constraints in the graph", trained);
const written = valueOf(await writtenOut(trained));
if (written !== trained) await report("constraints written out", written);

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
  const { inference: _, ...whole } = model;
  const wholeGraph = valueOf(buildInferenceGraph(whole, { batch: count }));
  for (const name of ["onnxruntime-node", "onnxruntime-web", "tfjs-wasm"]) {
    const engine = valueOf(await openEngine({ engine: name }));
    const sessions = [valueOf(await engine.open(graph)), valueOf(await engine.open(wholeGraph))];
    const fed = { dtype: "f32" as const, dims: [count, ...samples.shape], data: values };
    const feeds = { ...Object.fromEntries(weights), [`data/${input}`]: fed };
    const found = (await sessions[0].run(feeds))[output].data;
    const off = at.logits.reduce((most, logit, i) => Math.max(most, Math.abs(found[i] - logit)), 0);
    const times: number[][] = [[], []];
    for (let round = 0; round < 30; round++)
      for (const [which, session] of sessions.entries()) {
        const began = performance.now();
        await session.run(feeds);
        if (round >= 5) times[which].push(performance.now() - began);
      }
    // The quickest of 25: other processes only add.
    const [parts, all] = times.map((t) => Math.min(...t));
    const took = longest
      ? `, ${parts.toFixed(1)} ms a run, whole ${all.toFixed(1)} ms`
      : `, ${all.toFixed(1)} ms a run`;
    console.log(`  found in ${name.padEnd(21)} ${off.toPrecision(3)}${took}`);
    for (const session of sessions) await session.release();
  }
}

function spread(errors: Float64Array): string {
  const sorted = [...errors].sort((a, b) => a - b);
  const [middle, most] = [sorted[sorted.length >> 1], sorted[sorted.length - 1]];
  return `${middle.toPrecision(3)} in the middle, ${most.toPrecision(3)} at most`;
}
