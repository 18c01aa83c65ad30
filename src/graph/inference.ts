/**
 * The inference graph, and the evaluation graph with loss and hits. trust: T16
 *
 * Their long sums are in parts where the model says so (passes/parts.ts). Training graphs, and those that searches climb,
 * stay whole: nothing is proven of their rounding, and their time is what counts.
 */
import { good, type Result } from "../diagnostics/result.ts";
import type { Model, TrainConfig, ValueId } from "../model/model.ts";
import { Builder, type Tensor } from "./builder.ts";
import type { Graph } from "./graph.ts";
import { countCorrect } from "./losses/accuracy.ts";
import { classificationLoss } from "./losses/classification.ts";
import { dataInputs, lowerModel, parameterInputs } from "./lower.ts";
import { longestSum, splitSums } from "./passes/parts.ts";
import { simplify } from "./passes/simplify.ts";

export interface InferenceOptions {
  readonly batch: number;
  /** In place of the model's own. */
  readonly outputs?: readonly { readonly name: string; readonly value: ValueId }[];
}

/** `param/<path>` and `data/<input>` in, the model's outputs (or other values of it) by name out. */
export function buildInferenceGraph(
  model: Model,
  { batch, outputs: wanted = model.outputs }: InferenceOptions,
): Result<Graph> {
  const builder = new Builder();
  const { lowered } = lowerForInference(builder, model, batch);
  if (!lowered.ok) return lowered;
  const outputs = wanted.map(({ name, value }) => {
    const tensor = lowered.value.get(value);
    if (!tensor) throw new Error(`output ${name} was not computed`);
    return { name, tensor };
  });
  return good(finished(builder, model, outputs));
}

/** `param/<path>`, `data/<input>` and `labels` (i32 [batch]) in; `metric/loss` (mean) and `metric/correct` (a count) out. */
export function buildEvaluationGraph(model: Model, recipe: TrainConfig): Result<Graph> {
  const builder = new Builder();
  const { lowered, params } = lowerForInference(builder, model, recipe.batch);
  if (!lowered.ok) return lowered;
  const labels = { own: builder.input("labels", [recipe.batch], "i32"), mixed: null };
  const loss = classificationLoss(builder, model, recipe, lowered.value, labels, params);
  if (!loss.ok) return loss;
  const outputs = [
    { name: "metric/loss", tensor: loss.value.loss },
    { name: "metric/correct", tensor: countCorrect(builder, loss.value.logits, labels) },
  ];
  return good(finished(builder, model, outputs));
}

/**
 * Every value of the model as the inference graph computes it for one sample, before simplification, under its number:
 * what proofs of rounding analyse. `own` makes the nodes.
 */
export function lowerValues(model: Model, own: () => Builder): Result<Graph> {
  const builder = own();
  const { lowered } = lowerForInference(builder, model, 1);
  if (!lowered.ok) return lowered;
  const outputs = [...lowered.value].map(([value, tensor]) => ({ name: String(value), tensor }));
  return good(inParts(builder.graph(model.name, outputs), model, own()));
}

function finished(builder: Builder, model: Model, outputs: { name: string; tensor: Tensor }[]): Graph {
  const graph = simplify(inParts(builder.graph(model.name, outputs), model, new Builder()));
  const most = model.inference?.longestSum ?? Infinity;
  if (longestSum(graph) > most)
    throw new Error(
      `a sum of ${longestSum(graph)} terms in the inference graph of ${model.name}, not ${most}`,
    );
  return graph;
}

function inParts(graph: Graph, { inference }: Model, builder: Builder): Graph {
  return inference ? splitSums(graph, inference.longestSum, builder) : graph;
}

function lowerForInference(builder: Builder, model: Model, batch: number) {
  const params = parameterInputs(builder, model);
  const inputs = dataInputs(builder, model, batch);
  const options = { batch, training: false, inputs, weights: params, random: null };
  return { lowered: lowerModel(builder, model, options), params };
}
