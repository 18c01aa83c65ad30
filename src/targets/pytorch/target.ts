/** The PyTorch target: model.py and its training program, beside the weights that `build` writes. */
import { good, type Result } from "../../diagnostics/result.ts";
import { buildTrainingGraph } from "../../graph/training.ts";
import type { Bundle, Target, TargetInput } from "../target.ts";
import { modelSource } from "./module.ts";

export const pytorchTarget: Target = { name: "pytorch", emit };

async function emit({ model, recipe, sources }: TargetInput): Promise<Result<Bundle>> {
  // What the compiler can't execute or train it doesn't write for others either.
  const graph = buildTrainingGraph(model, recipe);
  if (!graph.ok) return graph;
  const source = modelSource(model, sources);
  if (!source.ok) return source;
  return good(new Map([["model.py", source.value]]));
}
