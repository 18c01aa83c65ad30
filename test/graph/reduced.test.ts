/** Every spec trains at a reduced size, or is named as one that can't be executed yet. */
import { readdirSync } from "node:fs";
import { expect, test } from "vitest";
import type { Graph, GraphNode } from "../../src/graph/graph.ts";
import { initialise } from "../../src/graph/initialise.ts";
import { array64, interpret } from "../../src/graph/interpret.ts";
import type { Array64 } from "../../src/graph/primitives/primitive.ts";
import { illegalities } from "../../src/graph/legality.ts";
import { buildTrainingGraph } from "../../src/graph/training.ts";
import type { Model } from "../../src/model/model.ts";
import { modelOf, modelsOf } from "../helpers/elaborated.ts";
import { notExecutable, reducedModel, reducedRecipe, reducedSpecs } from "../helpers/reduced.ts";

const weightsOf = (model: Model): number =>
  model.weights.reduce((sum, w) => sum + w.shape.reduce((a, b) => a * b, 1), 0);

const kindsOf = (model: Model): string[] => [...new Set(model.nodes.map((n) => n.layer))].sort();

test("every spec is reduced or named as not executable", () => {
  const specs = readdirSync("specs").filter((name) => name.endsWith(".lips"));
  const listed = [...reducedSpecs.map((r) => r.file), ...Object.keys(notExecutable)];
  const own = listed.filter((file) => file.startsWith("specs/"));
  expect([...new Set(own)].sort()).toEqual(specs.map((name) => `specs/${name}`).sort());
});

test.each(Object.keys(notExecutable))("%s can't be executed: the exception is still needed", (file) => {
  for (const model of modelsOf(file)) {
    const recipe = reducedRecipe({ name: file, file, model: model.name, set: {}, batch: 1 }, model);
    expect(!buildTrainingGraph(model, recipe).ok).toBe(true);
  }
});

test.each(reducedSpecs)("$name keeps all kinds of layers, and every weight of it learns", (entry) => {
  const model = reducedModel(entry);
  expect(kindsOf(model)).toEqual(kindsOf(modelOf(entry.file, entry.model)));
  expect(weightsOf(model)).toBeLessThan(200_000);
  const built = buildTrainingGraph(model, reducedRecipe(entry, model));
  if (!built.ok) throw new Error(built.problem.message);
  expect(illegalities(built.value)).toEqual([]);

  const feeds = feedsOf(built.value, model);
  // Around ReLU without a bias, a scale and its inverse cancel: nothing would be learned of it.
  const moved = { ...feeds };
  for (const { path, role } of model.weights) {
    const { shape, data } = feeds[`param/${path}`];
    if (role === "bias")
      moved[`param/${path}`] = array64(
        shape,
        data.map((x) => x + 0.1),
      );
  }
  const still = new Set(model.weights.map((w) => w.path));
  // Drop path leaves whole branches out, of every sample now and then.
  for (let seed = 1; seed <= 10 && still.size > 0; seed++) {
    const given = seed % 2 === 0 ? moved : feeds;
    const out = interpret(built.value, { ...given, "scalar/seed": array64([], seed) });
    expect(Number.isFinite(out["metric/loss"].data[0])).toBe(true);
    expect(out["metric/grad_norm"].data[0]).toBeGreaterThan(0);
    for (const path of still) {
      const before = given[`param/${path}`].data;
      if (out[`param/${path}`].data.some((x, i) => x !== before[i])) still.delete(path);
    }
  }
  expect([...still]).toEqual([]);
});

/** Initial weights, zero moments, images without structure, labels 0 and 1. */
function feedsOf(graph: Graph, model: Model): Record<string, Array64> {
  const weights = initialise(model, 1);
  const feeds: Record<string, Array64> = {};
  for (const node of graph.nodes) {
    if (node.op !== "input") continue;
    const { name } = (node as GraphNode<"input">).attributes;
    const size = node.shape.reduce((a, b) => a * b, 1);
    const values = (of: (i: number) => number) =>
      array64(
        node.shape,
        Array.from({ length: size }, (_, i) => of(i)),
      );
    if (name.startsWith("param/"))
      feeds[name] = array64(node.shape, weights.get(name.slice("param/".length)) ?? 0);
    else if (name.startsWith("data/")) feeds[name] = values((i) => (i * 0.618) % 1);
    else if (name === "labels") feeds[name] = values((i) => i);
    else feeds[name] = array64(node.shape, name === "scalar/lr" ? 1e-3 : name === "scalar/step" ? 1 : 0);
  }
  return feeds;
}
