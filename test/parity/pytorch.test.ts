/**
 * The generated PyTorch module against the float64 interpreter, for every spec in a reduced size: logits, gradients,
 * parameters after ten steps. In float32, and in float64, where only a difference of the model itself would be left.
 * Part of `npm run test:parity`.
 */
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { HostTensor } from "../../src/graph/graph.ts";
import type { Model, TrainConfig } from "../../src/model/model.ts";
import { reducedModel, reducedRecipe, reducedSpecs } from "../helpers/reduced.ts";
import { all, reference } from "./engines.ts";
import { problemOf, steps } from "./problem.ts";
import { outcomeOf, python, runCases, scratch, writeCase } from "./pytorch.ts";
import { distance, outcomeOn, type Outcome } from "./run.ts";

const absent = !all
  ? "part of npm run test:parity"
  : python === null
    ? "no Python with torch ($PYTHON, python3)"
    : null;
if (all && absent) console.info(`PyTorch: skipped, ${absent}`);

/** Without what is random in training: PyTorch draws its own numbers there. */
export function withoutDrop(model: Model): Model {
  const still = (key: string, value: unknown): unknown => (key === "drop" || key === "p" ? 0 : value);
  return {
    ...model,
    nodes: model.nodes.map((node) => ({
      ...node,
      config: JSON.parse(JSON.stringify(node.config), still) as typeof node.config,
    })),
  };
}

const outcomeIn = (folder: string, model: Model): Outcome => {
  const found = outcomeOf(folder);
  const get = (name: string): HostTensor => {
    const tensor = found.get(name);
    if (!tensor) throw new Error(`no ${name}`);
    return tensor;
  };
  const under = (prefix: string) =>
    new Map(model.weights.map(({ path }) => [path, get(`${prefix}/${path}`)]));
  return {
    logits: get(`output/${model.outputs[0].name}`),
    loss: get("loss").data[0],
    gradients: under("grad"),
    losses: Array.from(get("losses").data),
    parameters: under("param"),
  };
};

describe.skipIf(absent !== null)("PyTorch", () => {
  const folder = scratch();
  const lines: string[] = [];
  const cases = reducedSpecs.map((entry) => {
    const model = withoutDrop(reducedModel(entry));
    const said = reducedRecipe(entry, model);
    const recipe: TrainConfig = { ...said, augment: [], average: null };
    return { name: entry.name, model, problem: problemOf(entry.name, model, recipe) };
  });
  const at = (name: string, dtype: string): string => join(folder.path, dtype, name);

  beforeAll(() => {
    for (const dtype of ["float32", "float64"] as const) {
      const paths = cases.map(({ name, model, problem }) => {
        const feeds = Array.from({ length: steps + 1 }, (_, i) => problem.feeds(Math.max(1, i)));
        return writeCase(at(name, dtype), model, problem.recipe, problem.weights, feeds);
      });
      runCases(dtype, "train", paths);
    }
  }, 300_000);
  afterAll(() => {
    console.info(
      `PyTorch: largest distances from the float64 interpreter, ${steps} steps:\n${lines.join("\n")}`,
    );
    folder.remove();
  });

  test.each(cases)("$name", async ({ name, model, problem }) => {
    const exact = await outcomeOn(await reference(), problem);
    const single = distance(outcomeIn(at(name, "float32"), model), exact);
    const double = distance(outcomeIn(at(name, "float64"), model), exact);
    const show = (d: typeof single): string =>
      [d.logits, d.gradients.distance, d.parameters.distance].map((x) => x.toExponential(1)).join("  ");
    lines.push(`${name.padEnd(32)} float32  ${show(single)}   float64  ${show(double)}`);
    expect(single.logits).toBeLessThan(1e-4);
    expect(single.gradients.distance, single.gradients.path).toBeLessThan(1e-3);
    expect(single.parameters.distance, single.parameters.path).toBeLessThan(1e-3);
    expect(double.logits).toBeLessThan(1e-6);
    expect(double.gradients.distance, double.gradients.path).toBeLessThan(1e-5);
  });

  test("compiles in one graph under torch.compile, where this PyTorch has it", () => {
    const paths = (names: readonly string[]): string[] => names.map((name) => at(name, "float32"));
    let said: string;
    try {
      // The C++ that torch.compile's own backend writes takes a minute or two; what breaks a graph shows without it.
      said = runCases("float32", "inductor", paths(["quick-start"]));
      said += runCases("float32", "aot_eager", paths(["swin-tiny", "lipsformer-cswin-tiny", "lipshift"]));
    } catch (error) {
      if (!String(error).includes("has no attribute 'compile'")) throw error;
      lines.push("torch.compile: skipped, this PyTorch doesn't have it");
      return;
    }
    lines.push(said.trim());
    const apart = [...said.matchAll(/graph: (\S+) apart/g)].map(([, x]) => Number(x));
    expect(apart.length).toBe(4);
    for (const x of apart) expect(x).toBeLessThan(1e-4);
  }, 1_800_000);
});
