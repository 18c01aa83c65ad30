/**
 * Every engine against the float64 interpreter: the same weights, batch and seed give the same logits, gradients, and
 * parameters after ten steps of the spec's optimiser.
 */
import { afterAll, describe, expect, test } from "vitest";
import type { HostTensor } from "../../src/runtime/engine.ts";
import { reducedModel, reducedRecipe, reducedSpecs } from "../helpers/reduced.ts";
import { all, parityEngine, parityEngines, reference } from "./engines.ts";
import { problemOf, steps } from "./problem.ts";
import { distance, outcomeOn, type Distance, type Outcome } from "./run.ts";

const found: string[] = [];
afterAll(() => {
  console.info(`largest distances from the float64 interpreter, ${steps} steps:\n${found.join("\n")}`);
});

describe.each(reducedSpecs)("$name", (entry) => {
  const { name } = entry;
  const model = reducedModel(entry);
  const problem = problemOf(name, model, reducedRecipe(entry, model));
  let exact: Promise<Outcome> | null = null;
  const exactly = (): Promise<Outcome> =>
    (exact ??= reference().then((engine) => outcomeOn(engine, problem)));

  // Software Vulkan compiles a shader for every kind of call: half a minute and more for a spec.
  const timeout = all ? 600_000 : 60_000;
  test.each(parityEngines)("on %s", { timeout }, async (engineName) => {
    const engine = await parityEngine(engineName);
    if ("absent" in engine) {
      found.push(`${name.padEnd(30)} ${engineName.padEnd(16)} skipped: ${engine.absent}`);
      return;
    }
    const apart = distance(await outcomeOn(engine, problem), await exactly());
    found.push(line(name, engineName, apart));
    expect(apart.logits).toBeLessThan(1e-4);
    expect(apart.gradients.distance, apart.gradients.path).toBeLessThan(1e-3);
    expect(apart.parameters.distance, apart.parameters.path).toBeLessThan(1e-3);
    expect(apart.losses).toBeLessThan(1e-3);
  });

  test("the steps move the weights, and one that is wrong is seen", async () => {
    const outcome = await exactly();
    expect(distance(outcome, outcome).still).toBeLessThan(0.1);
    for (const { path } of model.weights) {
      const [before, after] = [problem.weights[`param/${path}`].data, outcome.parameters.get(path)?.data];
      expect(
        after?.some((x, i) => x !== before[i]),
        path,
      ).toBe(true);
      const tensor = outcome.gradients.get(path);
      if (tensor === undefined) throw new Error(`no gradient of ${path}`);
      if (tensor.data.every((g) => Math.abs(g) < 1e-6)) continue;
      const gradients = new Map(outcome.gradients).set(path, scaled(tensor));
      expect(distance({ ...outcome, gradients }, outcome).gradients.distance, path).toBeGreaterThan(9e-3);
    }
  });
});

/** One per cent too large. */
function scaled(tensor: HostTensor): HostTensor {
  return { ...tensor, data: tensor.data.map((x) => x * 1.01) };
}

function line(name: string, engine: string, { logits, gradients, parameters, losses, still }: Distance) {
  const show = (x: number) => x.toExponential(1).padStart(8);
  const kept = still === 0 ? "" : `  (${(100 * still).toFixed(1)} % of the entries have no gradient)`;
  return (
    `${name.padEnd(30)} ${engine.padEnd(16)} logits${show(logits)}  gradients${show(gradients.distance)}` +
    `  parameters${show(parameters.distance)}  losses${show(losses)}${kept}`
  );
}
