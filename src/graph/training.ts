/** The training graph: forward, backward, clipping and update as one static graph. */
import { diagnostic } from "../diagnostics/diagnostic.ts";
import { bad, good, type Result } from "../diagnostics/result.ts";
import type { Model, TrainConfig, Weight } from "../model/model.ts";
import { mixes } from "../model/recipe.ts";
import { gradients } from "./autodiff.ts";
import { averaged } from "./average.ts";
import { Builder, type Tensor } from "./builder.ts";
import { retracted } from "./constraints/registry.ts";
import type { Graph } from "./graph.ts";
import { countCorrect } from "./losses/accuracy.ts";
import { classificationLoss } from "./losses/classification.ts";
import type { Labels } from "./losses/loss.ts";
import { dataInputs, lowerModel, parameterInputs } from "./lower.ts";
import { weightRecipes } from "./groups.ts";
import type { Optimizer } from "./optimizer/optimizer.ts";
import { optimizers } from "./optimizer/registry.ts";
import { simplify } from "./passes/simplify.ts";
import { RandomSource } from "./random.ts";
import { schedules } from "./schedule.ts";

/**
 * One training step of `recipe` (batch size, loss, mixing, optimiser, groups, clipping, average).
 *
 * In:  `param/<path>`, optimiser state `m/<path>` and `v/<path>` (those that the rule of the weight has), `data/<input>` [batch, …],
 *      `labels` i32 [batch], f32 scalars `scalar/lr`, `scalar/step` (from 1), `scalar/seed` (a whole number < 2²⁴).
 *      Where the recipe mixes samples also `labels/other` i32 [batch] and `labels/share` f32 [batch] (see losses/loss.ts).
 *      Where it averages weights also `ema/<path>` of all weights but statistics; any value will do at step 1.
 * Out: parameters and state under the same names, `metric/loss` (mean), `metric/accuracy` (0 to 1), both before the
 *      update, and `metric/grad_norm`, before clipping.
 */
export function buildTrainingGraph(model: Model, recipe: TrainConfig): Result<Graph> {
  const { batch } = recipe;
  if (!optimizers.has(recipe.optimizer.name))
    return refuse(
      recipe,
      `The optimizer \`${recipe.optimizer.name}\``,
      `compiled are ${[...optimizers.keys()].join(", ")}`,
    );
  if (!schedules.has(recipe.schedule.name)) {
    return refuse(
      recipe,
      `The schedule \`${recipe.schedule.name}\``,
      `known are ${[...schedules].join(", ")}`,
    );
  }

  const stray = recipe.groups.find(({ args }) => args.by !== undefined);
  if (stray && recipe.optimizer.name !== "muon") {
    const reason = `it takes weights from \`muon\`, and the optimizer is \`${recipe.optimizer.name}\``;
    return bad(diagnostic("recipe-misfit", recipe.span, { what: "`by: adamw` in a group", reason }));
  }

  const builder = new Builder();
  const params = parameterInputs(builder, model);
  // Statistics are carried along, never moved by the optimiser.
  const recipes = weightRecipes(model, recipe);
  const rules = recipes.map(({ rule }) => optimizers.get(rule) as Optimizer);
  const slots = model.weights.map((w, i) => (w.role === "statistic" ? [] : rules[i].slots(recipe.optimizer)));
  const state = model.weights.map((w, i) =>
    slots[i].map((slot) => builder.input(`${slot}/${w.path}`, w.shape)),
  );
  const averages = model.weights.map((w) =>
    recipe.average && w.role !== "statistic" ? builder.input(`ema/${w.path}`, w.shape) : null,
  );
  const inputs = dataInputs(builder, model, batch);
  const labels = labelInputs(builder, recipe);
  const lr = builder.input("scalar/lr", []);
  const step = builder.input("scalar/step", []);
  const seed = builder.input("scalar/seed", []);

  let source: RandomSource | null = null;
  const random = (shape: readonly number[]) =>
    (source ??= new RandomSource(builder, seed, step)).uniform(shape);
  const lowered = lowerModel(builder, model, { batch, training: true, inputs, weights: params, random });
  if (!lowered.ok) return lowered;
  const loss = classificationLoss(builder, model, recipe, lowered.value, labels, params);
  if (!loss.ok) return loss;
  const grads = gradients(builder, loss.value.loss, params, { stop: loss.value.stop });

  builder.origin = "clip";
  const norm = globalNorm(builder, grads);
  // PyTorch's clip_grad_norm_: limit/(norm + 1e-6), at most 1.
  const scale =
    recipe.clip === null ? null : builder.minimum(builder.div(recipe.clip, builder.add(norm, 1e-6)), 1);

  const outputs: { name: string; tensor: Tensor }[] = [];
  model.weights.forEach((weight, i) => {
    builder.origin = `update/${weight.path}`;
    if (weight.role === "statistic") {
      outputs.push({ name: `param/${weight.path}`, tensor: params[i] });
      return;
    }
    const next = rules[i].update(builder, recipe.optimizer, {
      param: params[i],
      grad: grads[i],
      scale,
      state: state[i],
      lr: recipes[i].lrScale === 1 ? lr : builder.mul(lr, recipes[i].lrScale),
      step,
      weightDecay: recipes[i].weightDecay,
    });
    const after = project(builder, weight, retracted(builder, weight, next.param));
    outputs.push({ name: `param/${weight.path}`, tensor: after });
    slots[i].forEach((slot, s) => outputs.push({ name: `${slot}/${weight.path}`, tensor: next.state[s] }));
    const average = averages[i];
    if (!recipe.average || !average) return;
    const mean = averaged(builder, recipe.average, { average, before: params[i], after, step });
    outputs.push({ name: `ema/${weight.path}`, tensor: project(builder, weight, mean) });
  });
  builder.origin = "metric";
  const hits = countCorrect(builder, loss.value.logits, labels);
  outputs.push(
    { name: "metric/loss", tensor: loss.value.loss },
    { name: "metric/accuracy", tensor: builder.mul(hits, 1 / batch) },
    { name: "metric/grad_norm", tensor: norm },
  );
  return good(simplify(builder.graph(`${model.name}/training`, outputs)));
}

function labelInputs(builder: Builder, recipe: TrainConfig): Labels {
  const own = builder.input("labels", [recipe.batch], "i32");
  if (!mixes(recipe)) return { own, mixed: null };
  const other = builder.input("labels/other", [recipe.batch], "i32");
  return { own, mixed: { other, share: builder.input("labels/share", [recipe.batch]) } };
}

function refuse(recipe: TrainConfig, what: string, reason: string): Result<never> {
  return bad(diagnostic("not-executable", recipe.span, { what, reason }));
}

/** √Σ‖g‖² over all tensors. */
function globalNorm(builder: Builder, grads: readonly Tensor[]): Tensor {
  let total = builder.constant(0);
  for (const grad of grads) {
    const axes = grad.shape.map((_, i) => i);
    total = builder.add(total, builder.sum(builder.mul(grad, grad), axes));
  }
  return builder.sqrt(total);
}

/** Into the declared range, after the optimiser's step. */
function project(builder: Builder, { range }: Weight, x: Tensor): Tensor {
  if (!range) return x;
  const [low, high] = range;
  const above = Number.isFinite(low) ? builder.maximum(x, low) : x;
  return Number.isFinite(high) ? builder.minimum(above, high) : above;
}
