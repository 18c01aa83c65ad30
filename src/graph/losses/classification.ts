/** The loss of a recipe: its weighted sum of terms, on the model's first output. */
import { diagnostic } from "../../diagnostics/diagnostic.ts";
import { bad, good, type Result } from "../../diagnostics/result.ts";
import type { Model, TrainConfig, ValueId } from "../../model/model.ts";
import type { Builder, Tensor } from "../builder.ts";
import type { Labels, Loss } from "./loss.ts";
import { losses } from "./registry.ts";

export interface ClassificationLoss extends Loss {
  /** f32 [batch, classes] */
  readonly logits: Tensor;
}

/** `values` are those that were lowered, `params` the free weights in the order of Model.weights. */
export function classificationLoss(
  builder: Builder,
  model: Model,
  recipe: TrainConfig,
  values: ReadonlyMap<ValueId, Tensor>,
  labels: Labels,
  params: readonly Tensor[],
): Result<ClassificationLoss> {
  const logits = values.get(model.outputs[0]?.value);
  if (!logits || logits.shape.length !== 2) {
    const what = `The loss of \`${model.name}\``;
    return refuse(recipe, what, "its first output is not one vector of logits per sample");
  }
  builder.origin = "loss";
  const stop: Tensor[] = [];
  let total: Tensor | null = null;
  for (const { weight, term } of recipe.loss) {
    const known = losses.get(term.name);
    if (!known) {
      const names = [...losses.keys()].join(", ");
      return refuse(recipe, `The loss \`${term.name}\``, `compiled are ${names}`);
    }
    const part = known.build({ builder, model, recipe, args: term.args, logits, labels, params });
    if (!part.ok) return part;
    stop.push(...part.value.stop);
    const scaled = weight === 1 ? part.value.loss : builder.mul(part.value.loss, weight);
    total = total ? builder.add(total, scaled) : scaled;
  }
  builder.origin = "";
  return good({ loss: total ?? builder.constant(0), logits, stop });
}

function refuse(recipe: TrainConfig, what: string, reason: string): Result<never> {
  return bad(diagnostic("not-executable", recipe.span, { what, reason }));
}
