/**
 * Every engine against the float64 interpreter: the same weights, batch and seed give the same logits, gradients, and
 * parameters after ten steps of the spec's optimiser.
 */
import { afterAll, describe, expect, test } from "vitest";
import { modelOf } from "../helpers/elaborated.ts";
import { parityEngine, parityEngines, reference } from "./engines.ts";
import { problemOf, steps } from "./problem.ts";
import { distance, outcomeOn, type Distance, type Outcome } from "./run.ts";

const entries = [
  { name: "tiny-fashion", file: "test/fixtures/tiny-fashion.lips", model: "TinyFashion", set: {}, batch: 4 },
  {
    name: "golden",
    file: "test/fixtures/lipsformer-swin-released-mini.lips",
    model: "LipsFormerSwinReleasedMini",
    set: {},
    batch: 2,
  },
];

const found: string[] = [];
afterAll(() => {
  console.info(`largest distances from the float64 interpreter, ${steps} steps:\n${found.join("\n")}`);
});

describe.each(entries)("$name", ({ name, file, model, set, batch }) => {
  const problem = problemOf(name, modelOf(file, model, set), batch);
  let exact: Promise<Outcome> | null = null;
  const exactly = (): Promise<Outcome> =>
    (exact ??= reference().then((engine) => outcomeOn(engine, problem)));

  test.each(parityEngines)("on %s", async (engineName) => {
    const engine = await parityEngine(engineName);
    if ("absent" in engine) {
      found.push(`${name.padEnd(28)} ${engineName.padEnd(18)} skipped: ${engine.absent}`);
      return;
    }
    const apart = distance(await outcomeOn(engine, problem), await exactly());
    found.push(line(name, engineName, apart));
    expect(apart.logits).toBeLessThan(1e-4);
    expect(apart.gradients.distance, apart.gradients.worst).toBeLessThan(1e-3);
    expect(apart.parameters.distance, apart.parameters.worst).toBeLessThan(1e-3);
    expect(apart.losses).toBeLessThan(1e-3);
  });

  test("the steps move every weight that has a gradient, and a changed weight is seen", async () => {
    const outcome = await exactly();
    const { still } = distance(outcome, outcome);
    for (const { path } of problem.model.weights) {
      if (still.includes(path)) continue;
      const [before, after] = [problem.weights[`param/${path}`].data, outcome.parameters.get(path)?.data];
      expect(
        after?.some((x, i) => x !== before[i]),
        path,
      ).toBe(true);
    }
    const [path] = [...outcome.parameters.keys()].filter((p) => !still.includes(p));
    const parameters = new Map(outcome.parameters);
    const tensor = outcome.parameters.get(path);
    if (tensor === undefined) throw new Error("no weight moves");
    parameters.set(path, { ...tensor, data: tensor.data.map((x) => x * 1.01) });
    expect(distance({ ...outcome, parameters }, outcome).parameters.distance).toBeGreaterThan(9e-3);
  });
});

function line(name: string, engine: string, { logits, gradients, parameters, losses, still }: Distance) {
  const show = (x: number) => x.toExponential(1).padStart(8);
  const kept = still.length === 0 ? "" : `  (no gradient: ${still.length})`;
  return (
    `${name.padEnd(28)} ${engine.padEnd(18)} logits${show(logits)}  gradients${show(gradients.distance)}` +
    `  parameters${show(parameters.distance)}  losses${show(losses)}${kept}`
  );
}
