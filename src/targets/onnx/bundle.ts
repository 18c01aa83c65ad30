/** Everything of one model for ONNX Runtime: two graphs, their contract, and a small program that runs them. */
import { buildInferenceGraph } from "../../graph/inference.ts";
import type { Graph, GraphNode } from "../../graph/graph.ts";
import { buildTrainingGraph } from "../../graph/training.ts";
import { good, type Result } from "../../diagnostics/result.ts";
import type { Bundle, Target, TargetInput } from "../target.ts";
import { modelOutputName } from "./names.ts";
import { emitOnnx } from "./onnx.ts";
import { runnerSource } from "./runner.ts";

export const onnxTarget: Target = {
  name: "onnx",
  emit: emitBundle,
  use: (folder) => `node ${folder}/run.mjs  (needs onnxruntime-node)`,
};

/** train.onnx, inference.onnx, manifest.json, model.json, run.mjs. */
async function emitBundle({ model, recipe }: TargetInput): Promise<Result<Bundle>> {
  const training = buildTrainingGraph(model, recipe);
  if (!training.ok) return training;
  const inference = buildInferenceGraph(model, { batch: 1 });
  if (!inference.ok) return inference;
  const manifest = {
    model: model.name,
    batch: recipe.batch,
    training: contract(training.value, "train.onnx"),
    inference: contract(inference.value, "inference.onnx"),
    recipe: { optimizer: recipe.optimizer, schedule: recipe.schedule, clip: recipe.clip, seed: recipe.seed },
  };
  return good(
    new Map<string, Uint8Array | string>([
      ["train.onnx", emitOnnx(training.value)],
      ["inference.onnx", emitOnnx(inference.value)],
      ["manifest.json", JSON.stringify(manifest, null, 2) + "\n"],
      ["model.json", JSON.stringify(model) + "\n"],
      ["run.mjs", runnerSource],
    ]),
  );
}

/** Names, types and shapes of what goes in and comes out. */
function contract(graph: Graph, file: string) {
  return {
    file,
    inputs: graph.nodes
      .filter((n): n is GraphNode<"input"> => n.op === "input")
      .map((n) => ({ name: n.attributes.name, dtype: n.dtype, shape: n.shape })),
    outputs: graph.outputs.map((o) => ({
      name: modelOutputName(graph, o.name),
      dtype: graph.nodes[o.node].dtype,
      shape: graph.nodes[o.node].shape,
    })),
  };
}
