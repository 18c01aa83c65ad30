/** Everything of one model for TensorFlow.js: one TypeScript file that needs nothing but @tensorflow/tfjs-core. */
import { good, type Result } from "../../diagnostics/result.ts";
import { buildInferenceGraph } from "../../graph/inference.ts";
import { buildTrainingGraph } from "../../graph/training.ts";
import type { Bundle, Target, TargetInput } from "../target.ts";
import { modelFile } from "./model-file.ts";

export const tfjsTarget: Target = {
  name: "tfjs",
  emit,
  use: (folder) =>
    `import { createState, trainingStep } from "${folder}/model.ts"\n        (needs @tensorflow/tfjs-core and a backend)`,
};

/** model.ts. */
async function emit(input: TargetInput): Promise<Result<Bundle>> {
  const { model, recipe } = input;
  const training = buildTrainingGraph(model, recipe);
  if (!training.ok) return training;
  const inference = buildInferenceGraph(model, { batch: recipe.batch });
  if (!inference.ok) return inference;
  return good(new Map([["model.ts", modelFile(input, training.value, inference.value)]]));
}
