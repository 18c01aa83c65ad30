/** The graph that an attack climbs: logits, and their slope in the input. */
import { good, type Result } from "../diagnostics/result.ts";
import type { Model } from "../model/model.ts";
import { vjp } from "./autodiff.ts";
import { Builder } from "./builder.ts";
import type { Graph } from "./graph.ts";
import { dataInputs, lowerModel, parameterInputs } from "./lower.ts";
import { simplify } from "./passes/simplify.ts";

/**
 * `param/<path>`, `data/<input>` [batch, …] and `direction` f32 [batch, classes] in; `logits` [batch, classes] and
 * `slope` out: the gradient of Σ direction·logits in the first input, each sample's its own.
 */
export function buildSlopeGraph(model: Model, batch: number): Result<Graph> {
  const builder = new Builder();
  const weights = parameterInputs(builder, model);
  const inputs = dataInputs(builder, model, batch);
  const lowered = lowerModel(builder, model, { batch, training: false, inputs, weights, random: null });
  if (!lowered.ok) return lowered;
  const logits = lowered.value.get(model.outputs[0].value);
  const x = inputs.get(model.inputs[0].name);
  if (!logits || !x) throw new Error(`${model.name} has no input or output`);
  const direction = builder.input("direction", logits.shape);
  const [slope] = vjp(builder, [logits], [direction], [x]);
  return good(
    simplify(
      builder.graph(`${model.name}/slope`, [
        { name: "logits", tensor: logits },
        { name: "slope", tensor: slope },
      ]),
    ),
  );
}
