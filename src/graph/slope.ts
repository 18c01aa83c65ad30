/** The graphs that an attack runs: what constraints make of the weights, once; then logits and their slope in the input. */
import { good, type Result } from "../diagnostics/result.ts";
import type { Model, Weight } from "../model/model.ts";
import { vjp } from "./autodiff.ts";
import { Builder } from "./builder.ts";
import { effectiveWeight } from "./constraints/registry.ts";
import type { Graph } from "./graph.ts";
import { dataInputs, lowerModel, parameterInputs } from "./lower.ts";
import { simplify } from "./passes/simplify.ts";

/** `param/<path>` (free tensors) in; `effective/<path>` (what the network uses) out, of the constrained weights alone. */
export function buildEffectiveGraph(model: Model): Result<Graph> {
  const builder = new Builder();
  const outputs = [];
  for (const weight of model.weights.filter(isConstrained)) {
    const made = effectiveWeight(builder, weight, builder.input(`param/${weight.path}`, weight.shape));
    if (!made.ok) return made;
    outputs.push({ name: `effective/${weight.path}`, tensor: made.value });
  }
  return good(simplify(builder.graph(`${model.name}/weights`, outputs)));
}

export function isConstrained({ constraint, shape }: Weight): boolean {
  return constraint.kind !== "none" && shape.every((n) => n > 0);
}

/** The same network of weights as they are: for those that `buildEffectiveGraph` has made. */
export function withoutConstraints(model: Model): Model {
  return { ...model, weights: model.weights.map((w) => ({ ...w, constraint: { kind: "none" } })) };
}

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
