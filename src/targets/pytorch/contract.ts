/** recipe.json: what train.py needs to know of the model and of the spec's train section. */
import { weightRecipes } from "../../graph/groups.ts";
import { headOf } from "../../graph/losses/head.ts";
import { normalizationOf } from "../../model/normalization.ts";
import type { Model, TrainConfig } from "../../model/model.ts";

export function contractOf(model: Model, recipe: TrainConfig): string {
  const [input] = model.inputs;
  const shape = model.values[input.value].shape;
  const { span: _, ...said } = recipe;
  const groups = weightRecipes(model, recipe);
  const contract = {
    model: model.name,
    inputs: model.inputs.map(({ name, value, domain }) => ({
      name,
      shape: model.values[value].shape,
      domain,
    })),
    outputs: model.outputs.map(({ name }) => name),
    classes: model.values[model.outputs[0].value].shape.at(-1),
    ...frameOf(model, shape[2] ?? 1),
    ...headOfLoss(model, recipe),
    recipe: said,
    groups: Object.fromEntries(
      model.weights
        .map(({ path, role }, i) => [path, role, groups[i]] as const)
        .filter(([, role]) => role !== "statistic")
        .map(([path, , { rule, weightDecay, lrScale }]) => [
          path,
          { rule, weight_decay: weightDecay, lr_scale: lrScale },
        ]),
    ),
  };
  return JSON.stringify(contract, null, 1) + "\n";
}

/** Where a loss asks for it: the linear head's module, and the gain up to it that is proven for all weights. */
function headOfLoss(model: Model, recipe: TrainConfig): { head?: { module: string; gain: number } } {
  const asking = recipe.loss.find(({ term }) => term.name === "emma" || term.name === "radius");
  if (!asking) return {};
  const head = headOf(model, recipe, asking.term.name);
  // The training graph was built before, so this can't be refused.
  if (!head.ok) throw new Error(head.problem.message);
  const { weight, gain } = head.value;
  return { head: { module: model.weights[weight].path.replace(/\.weight$/, ""), gain } };
}

/** Mean and deviation of each channel, for augmentations of images, whose entries lie in [0, 1]. */
function frameOf(model: Model, channels: number): { mean: readonly number[]; deviation: readonly number[] } {
  const same = (x: number): number[] => new Array<number>(channels).fill(x);
  return normalizationOf(model) ?? { mean: same(0.5), deviation: same(0.25) };
}
