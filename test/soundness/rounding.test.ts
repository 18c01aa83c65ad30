/**
 * Bounds of float32's rounding under the same campaign: random models with ugly weights, computed by an engine that rounds
 * every operation as unkindly as float32 may, at points of a ball round each sample.
 */
import { expect, test } from "vitest";
import { buildInferenceGraph } from "../../src/graph/inference.ts";
import { array64, interpret } from "../../src/graph/interpret.ts";
import { measure } from "../../src/measure/measure.ts";
import type { Model } from "../../src/model/model.ts";
import { logitErrors } from "../../src/rounding/rounding.ts";
import { normal, seeded } from "../rig/matrix.ts";
import { normOf } from "../rig/search.ts";
import { modelsFrom } from "./campaign.ts";
import { Dice } from "./dice.ts";
import { sample } from "./domain.ts";
import { freeTensors } from "./tensors.ts";
import { unkind } from "./unkind.ts";

const { LIPSC_FUZZ_SECONDS: seconds, LIPSC_FUZZ_SEED: seed = "2" } = process.env;

interface Tried {
  readonly source: string;
  readonly allowed: number;
  readonly off: number;
}

function attackRounding(source: string, drawn: Model, d: Dice): Tried[] {
  // Half of the models sum in parts.
  const model = d.chance(0.5) ? { ...drawn, inference: { longestSum: d.pick([2, 3, 5, 16]) } } : drawn;
  const [input, ...others] = model.inputs;
  if (others.length > 0 || input.domain.kind === "tokens") return [];
  const graph = buildInferenceGraph(model, { batch: 1 });
  if (!graph.ok) return [];
  const free = freeTensors(model, "checkpoint", d);
  const tensors = new Map(model.weights.map((w, i) => [w.path, free[i]]));
  const { shape } = model.values[input.value];
  const x = sample(shape, input.domain, d).map(Math.fround);
  const radius = d.pick([0, 1e-3, 0.1, 1]);
  const {
    perSample,
    exact: own,
    logits,
  } = logitErrors({ model, tensors, oracle: measure(tensors).oracle }, x, radius);
  if (!(perSample[0] < Infinity)) return [];
  const weights = model.weights.map((w, i) => [`param/${w.path}`, array64(w.shape, free[i])] as const);
  const tried: Tried[] = [];
  for (let round = 0; round < 6; round++) {
    const step = x.map(() => normal(d.random));
    const size = normOf(step, [step.length], "l2");
    const near = x.map((v, i) => Math.fround(v + (round === 0 ? 0 : (0.999 * radius * step[i]) / size)));
    const apart = normOf(
      near.map((v, i) => v - x[i]),
      [near.length],
      "l2",
    );
    if (apart > radius) continue;
    const feeds = { ...Object.fromEntries(weights), [`data/${input.name}`]: array64([1, ...shape], near) };
    const name = model.outputs[0].name;
    const truth = interpret(graph.value, feeds)[name].data;
    const engine = unkind(graph.value, feeds, d)[name].data;
    const far = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
      Math.max(...Array.from(a, (v, i) => Math.abs(v - b[i])));
    // The truth here is float64's, itself off by as little as at the sample.
    const noise = 1e-9 * perSample[0] + own[0] + 1e-13 * Math.max(...truth.map(Math.abs));
    tried.push({ source, allowed: perSample[0] + noise, off: far(engine, truth) });
    if (round === 0) tried.push({ source, allowed: 2 * own[0] + 1e-300, off: far(logits, truth) });
  }
  return tried;
}

test("no engine that rounds as float32 may is further off than is proven", { timeout: 86_400_000 }, () => {
  const end = Date.now() + 1000 * Number(seconds ?? 3);
  let [count, closest] = [0, 0];
  for (const { source, model, seed: own } of modelsFrom(Number(seed))) {
    // Where others want the processor too, the first models may take all of the time.
    if (Date.now() > end && count > 10) break;
    for (const { allowed, off } of attackRounding(source, model, new Dice(seeded(own)))) {
      expect(off <= allowed, `seed ${own}: off by ${off}, ${allowed} is proven\n${source}`).toBe(true);
      if (allowed > 0) closest = Math.max(closest, off / allowed);
      count++;
    }
  }
  if (seconds !== undefined)
    console.log(`${count} evaluations, largest error/bound ${closest.toFixed(4)}, seed ${seed}`);
  expect(count).toBeGreaterThan(10);
});
