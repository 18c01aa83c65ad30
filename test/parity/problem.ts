/** A parity problem: one model with weights and batches, as two graphs that every engine must agree about. */
import { gradients } from "../../src/graph/autodiff.ts";
import { Builder } from "../../src/graph/builder.ts";
import type { Graph, HostTensor } from "../../src/graph/graph.ts";
import { initialise } from "../../src/graph/initialise.ts";
import { classificationLoss } from "../../src/graph/losses/classification.ts";
import { dataInputs, lowerModel, parameterInputs } from "../../src/graph/lower.ts";
import { buildTrainingGraph } from "../../src/graph/training.ts";
import type { Model, TrainConfig, Weight } from "../../src/model/model.ts";
import { inputsOf } from "../../src/runtime/engines/carried.ts";
import { generator } from "../../src/runtime/random.ts";
import { valueOf } from "../onnx/support.ts";

export type Tensors = Readonly<Record<string, HostTensor>>;

export interface Problem {
  readonly name: string;
  readonly model: Model;
  readonly recipe: TrainConfig;
  /** `logits`, `loss` and `grad/<path>` of the inference-mode network, before clipping. */
  readonly gradients: Graph;
  /** The training step, dropout and drop path included. */
  readonly training: Graph;
  /** `param/<path>`. */
  readonly weights: Tensors;
  /** Inputs of a step (from 1) but parameters and state: data, labels, scalars. */
  feeds(step: number): Tensors;
}

export const steps = 10;

export function problemOf(name: string, model: Model, recipe: TrainConfig): Problem {
  const training = valueOf(buildTrainingGraph(model, recipe));
  const lr = typeof recipe.optimizer.args.lr === "number" ? recipe.optimizer.args.lr : 1e-3;
  const fed = inputsOf(training).filter(({ name: n }) => /^(data\/|labels|scalar\/)/.test(n));
  return {
    name,
    model,
    recipe,
    gradients: gradientGraph(model, recipe),
    training,
    weights: startOf(model),
    feeds: (step) =>
      Object.fromEntries(
        fed.map(({ name: input, node }) => {
          const scalars: Readonly<Record<string, number>> = {
            "scalar/lr": lr,
            "scalar/step": step,
            "scalar/seed": 7,
          };
          const value = scalars[input];
          if (value !== undefined)
            return [input, { dtype: "f32", dims: [], data: Float32Array.of(value) } as const];
          return [input, drawn(node.dtype, node.shape, rangeOf(model, input), [11, step, input.length])];
        }),
      ),
  };
}

/** The network at inference with its loss and the gradient of every weight. */
export function gradientGraph(model: Model, recipe: TrainConfig): Graph {
  const builder = new Builder();
  const params = parameterInputs(builder, model);
  const inputs = dataInputs(builder, model, recipe.batch);
  const options = { batch: recipe.batch, training: false, inputs, weights: params, random: null };
  const lowered = valueOf(lowerModel(builder, model, options));
  const labels = { own: builder.input("labels", [recipe.batch], "i32"), mixed: null };
  const { loss, logits, stop } = valueOf(classificationLoss(builder, model, recipe, lowered, labels, params));
  const grads = gradients(builder, loss, params, { stop });
  return builder.graph(model.name, [
    { name: "logits", tensor: logits },
    { name: "loss", tensor: loss },
    ...grads.map((tensor, i) => ({ name: `grad/${model.weights[i].path}`, tensor })),
  ]);
}

/** Initial weights moved a little, so that no bias is 0 and no scale is the same for all channels. */
function startOf(model: Model): Tensors {
  const initial = initialise(model, 3);
  return Object.fromEntries(
    model.weights.map((weight, i) => {
      const next = generator(5, i);
      const data = (initial.get(weight.path) ?? new Float32Array()).map((x) =>
        inside(weight, x + 0.1 * (next() - 0.5)),
      );
      return [`param/${weight.path}`, { dtype: "f32", dims: weight.shape, data } as const];
    }),
  );
}

function inside({ range, role }: Weight, x: number): number {
  if (role === "statistic") return Math.abs(x);
  return range === null ? x : Math.min(Math.max(x, range[0]), range[1]);
}

/** Entries an input may hold: whole numbers below `high` for i32. */
function rangeOf(model: Model, input: string): readonly [number, number] {
  const classes = model.values[model.outputs[0].value].shape[0];
  if (input === "labels/share") return [0.5, 1];
  if (input.startsWith("labels")) return [0, classes];
  const domain = model.inputs.find(({ name }) => `data/${name}` === input)?.domain;
  if (domain?.kind === "box") return [domain.low, domain.high];
  return domain?.kind === "tokens" ? [0, domain.count] : [-1, 1];
}

function drawn(
  dtype: HostTensor["dtype"],
  dims: readonly number[],
  [low, high]: readonly [number, number],
  seeds: readonly number[],
): HostTensor {
  const next = generator(...seeds);
  const count = dims.reduce((a, b) => a * b, 1);
  const values = Array.from({ length: count }, () => low + (high - low) * next());
  return dtype === "i32"
    ? { dtype, dims, data: Int32Array.from(values, Math.floor) }
    : { dtype, dims, data: Float32Array.from(values) };
}
