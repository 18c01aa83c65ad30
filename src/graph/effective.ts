/** What constraints make of the free tensors, as a graph of its own, and the model that takes it from there. */
import { good, type Result } from "../diagnostics/result.ts";
import type { Model, Weight } from "../model/model.ts";
import { Builder } from "./builder.ts";
import { effectiveWeight } from "./constraints/registry.ts";
import type { Graph } from "./graph.ts";
import { simplify } from "./passes/simplify.ts";

/** `param/<path>` (free tensors) in; `effective/<path>` (what the network uses) out, of the constrained weights alone. */
export function buildEffectiveGraph(model: Model): Result<Graph> {
  const builder = new Builder();
  const outputs = model.weights.filter(isConstrained).map((weight) => ({
    name: `effective/${weight.path}`,
    tensor: effectiveWeight(builder, weight, builder.input(`param/${weight.path}`, weight.shape)),
  }));
  return good(simplify(builder.graph(`${model.name}/weights`, outputs)));
}

export function isConstrained({ constraint, shape }: Weight): boolean {
  return constraint.kind !== "none" && shape.every((n) => n > 0);
}

/** The same network of weights as they are: for those that `buildEffectiveGraph` has made. */
export function withoutConstraints(model: Model): Model {
  return { ...model, weights: model.weights.map((w) => ({ ...w, constraint: { kind: "none" } })) };
}
