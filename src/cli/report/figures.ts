/** What a model costs: parameters, multiply-adds and memory, counted exactly from the Model. */
import type { LayerTable } from "../../gain/analyze.ts";
import { layers as builtIn } from "../../layers/registry.ts";
import type { Model, Node, Shape, Weight } from "../../model/model.ts";

export function sizeOf(shape: Shape): number {
  return shape.reduce((a, b) => a * b, 1);
}

export function countParameters(model: Model): number {
  return model.weights.reduce((sum, weight) => sum + parametersIn(weight), 0);
}

/** Running statistics are stored, but no parameters. */
export function parametersIn(weight: Weight): number {
  return weight.role === "statistic" ? 0 : sizeOf(weight.shape);
}

/**
 * Multiply-adds of one sample at inference. Counted are matrix products and convolutions (weights times values, and
 * attention's two products); FLOPs are twice that. Pointwise work, norms and softmax are not counted.
 */
export function countMacs(model: Model, layers: LayerTable = builtIn): number {
  return model.nodes.reduce((sum, node) => sum + macsOf(model, node, layers), 0);
}

/** Multiply-adds of one node, its body included. */
export function macsOf(model: Model, node: Node, layers: LayerTable = builtIn): number {
  const layer = layers.get(node.layer);
  if (!layer) return 0;
  const step = node.body ? node.body.nodes.reduce((sum, inner) => sum + macsOf(model, inner, layers), 0) : 0;
  return layer.macs({
    config: node.config,
    shapes: node.inputs.map((value) => model.values[value].shape),
    outputs: node.outputs.map((value) => model.values[value].shape),
    step,
  });
}

/** These give views of what they read: a training step keeps nothing new for them. */
const views = new Set(["Flatten", "Split", "Token", "Crop", "Dropout", "DropPath"]);

/**
 * float32 bytes that one training step keeps for its backward pass, at this batch: the inputs, what every layer gives
 * (views of it aside), and attention's table of weights. What an engine adds for itself is not in it.
 */
export function activationBytes(model: Model, batch: number): number {
  let numbers = model.inputs.reduce((sum, input) => sum + sizeOf(model.values[input.value].shape), 0);
  for (const node of model.nodes) {
    if (views.has(node.layer) || node.inputs.length === 0) continue;
    for (const value of node.outputs) numbers += sizeOf(model.values[value].shape);
    if (node.layer === "Attend") numbers += attentionTable(model, node);
  }
  return 4 * batch * numbers;
}

/** Entries of the attention weights: pairs of tokens that see each other, times heads. */
function attentionTable(model: Model, node: Node): number {
  const heads = typeof node.config.heads === "number" ? node.config.heads : 1;
  const [q, k, v] = node.inputs.map((value) => model.values[value].shape);
  const products =
    builtIn.get("Attend")?.macs({
      config: { ...node.config, local: null },
      shapes: [q, k, v],
      outputs: [v],
      step: 0,
    }) ?? 0;
  return (heads * products) / ((q.at(-1) as number) + (v.at(-1) as number));
}
