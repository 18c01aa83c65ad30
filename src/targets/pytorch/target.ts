/** The PyTorch target: model.py and a program that trains it, beside the weights that `build` writes. */
import { good, type Result } from "../../diagnostics/result.ts";
import { buildTrainingGraph } from "../../graph/training.ts";
import type { Bundle, Target, TargetInput } from "../target.ts";
import { contractOf } from "./contract.ts";
import { modelSource } from "./module.ts";

export const pytorchTarget: Target = {
  name: "pytorch",
  emit,
  assets,
  use: (folder) => `python ${folder}/train.py  (needs PyTorch; docs/pytorch.md)`,
};

const programs = ["train.py", "data.py", "augment.py", "optimise.py", "weights.py"];
const bundledData = "specs/data/fashion-mnist-mini";
const dataFiles = ["train", "t10k"].flatMap((part) => [
  `${part}-images-idx3-ubyte.gz`,
  `${part}-labels-idx1-ubyte.gz`,
]);

/** model.py, recipe.json. */
async function emit({ model, recipe, sources }: TargetInput): Promise<Result<Bundle>> {
  // What the compiler can't execute or train it doesn't write for others either.
  const graph = buildTrainingGraph(model, recipe);
  if (!graph.ok) return graph;
  const source = modelSource(model, sources);
  if (!source.ok) return source;
  return good(
    new Map([
      ["model.py", source.value],
      ["recipe.json", contractOf(model, recipe)],
    ]),
  );
}

/** train.py and what it imports; the bundled images where the spec trains on them. */
function assets({ recipe }: TargetInput): ReadonlyMap<string, string> {
  const files = programs.map((name) => [name, `targets/pytorch/python/${name}`] as const);
  const data =
    recipe.data?.name === "fashion_mnist"
      ? [...dataFiles, "LICENSE"].map((name) => [`data/${name}`, `${bundledData}/${name}`] as const)
      : [];
  return new Map([...files, ...data]);
}
