import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { nodeHost } from "../src/cli/host-node.ts";
import { loadModel } from "../src/cli/load.ts";
import { initialise } from "../src/graph/initialise.ts";
import { buildTrainingGraph } from "../src/graph/training.ts";
import type { Graph, GraphNode } from "../src/graph/graph.ts";
import type { Model } from "../src/model/model.ts";
import type { HostTensor } from "../src/runtime/engine.ts";

/** The folder of package.json, from src/ and from dist/ alike. */
export const projectRoot = climb(dirname(fileURLToPath(import.meta.url)));

function climb(folder: string): string {
  const file = join(folder, "package.json");
  if (existsSync(file) && JSON.parse(readFileSync(file, "utf8")).name === "lipsc") return folder;
  const up = dirname(folder);
  if (up === folder) throw new Error("the benchmarks must stand inside the project's folder");
  return climb(up);
}

export interface Training {
  readonly model: Model;
  readonly graph: Graph;
  /** Inputs that come out again. */
  readonly state: Record<string, HostTensor>;
}

export interface TrainingOptions {
  /** Values of the model's parameters, as `--set`. */
  readonly set?: Record<string, string>;
  /** Default: the recipe's. */
  readonly batch?: number;
}

/** A spec of the project as its training graph with fresh weights. */
export function loadTraining(spec: string, seed = 0, { set = {}, batch }: TrainingOptions = {}): Training {
  const { model, diagnostics } = loadModel(nodeHost, join(projectRoot, spec), null, set);
  if (model === null || model.train === null) {
    throw new Error(`${spec}: ${diagnostics.map((d) => d.message).join("; ") || "no train section"}`);
  }
  const built = buildTrainingGraph(model, { ...model.train, batch: batch ?? model.train.batch });
  if (!built.ok) throw new Error(`${spec}: ${built.problem.message}`);
  const weights = initialise(model, seed);
  const outputs = new Set(built.value.outputs.map((o) => o.name));
  const state: Record<string, HostTensor> = {};
  for (const node of built.value.nodes) {
    if (node.op !== "input") continue;
    const { name } = (node as GraphNode<"input">).attributes;
    if (!outputs.has(name)) continue;
    const size = node.shape.reduce((a, b) => a * b, 1);
    const data =
      (name.startsWith("param/") ? weights.get(name.slice("param/".length)) : undefined) ??
      new Float32Array(size);
    state[name] = { dtype: "f32", dims: node.shape, data };
  }
  return { model, graph: built.value, state };
}

export function scalar(value: number): HostTensor {
  return { dtype: "f32", dims: [], data: Float32Array.of(value) };
}
