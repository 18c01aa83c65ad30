/** A small hand-made Model: tokens → Linear → ReLU → MeanPool → Linear, and a recipe. */
import type { Init, Model, Node, TrainConfig, Weight } from "../../src/model/model.ts";

const span = { file: "test", start: 0, end: 0 };

export const tokens = 3;
export const channels = 4;
export const hidden = 5;
export const classes = 3;

function weight(path: string, shape: number[], role: Weight["role"], init: Init): Weight {
  return { path, shape, role, init, constraint: { kind: "none" }, range: null, span };
}

export const tinyWeights: readonly Weight[] = [
  weight("body.weight", [hidden, channels], "matrix", { kind: "xavier" }),
  weight("body.bias", [hidden], "bias", { kind: "normal", std: 0.1 }),
  weight("head.weight", [classes, hidden], "matrix", { kind: "xavier" }),
  weight("head.bias", [classes], "bias", { kind: "normal", std: 0.1 }),
];

function node(
  layer: string,
  path: string,
  input: number,
  weights: Node["weights"],
  config: Node["config"],
): Node {
  return { layer, path, inputs: [input], outputs: [input + 1], config, weights, span, calls: [], body: null };
}

export function tinyModel(
  weights: readonly Weight[] = tinyWeights,
  middle = node("ReLU", "relu", 1, {}, {}),
): Model {
  const shapes = [[tokens, channels], [tokens, hidden], [tokens, hidden], [hidden], [classes]];
  return {
    lips: 1,
    name: "Tiny",
    file: "test",
    inputs: [{ name: "x", value: 0, domain: { kind: "unbounded" }, span }],
    outputs: [{ name: "logits", value: 4, span }],
    values: shapes.map((shape) => ({ shape, axes: shape.map(() => null), span })),
    nodes: [
      node("Linear", "body", 0, { weight: 0, bias: 1 }, { width: hidden, bias: true }),
      middle,
      node("MeanPool", "pool", 2, {}, {}),
      node("Linear", "head", 3, { weight: 2, bias: 3 }, { width: classes, bias: true }),
    ],
    weights,
    instances: [],
    taps: [],
    claims: [],
    train: null,
    span,
  };
}

export const tinyNode = node;

export function tinyRecipe(changes: Partial<TrainConfig> = {}): TrainConfig {
  return {
    data: null,
    augment: [],
    loss: [{ weight: 1, term: { name: "cross_entropy", args: { smoothing: 0.1 } } }],
    optimizer: { name: "adamw", args: { lr: 1e-2, betas: [0.9, 0.98], eps: 1e-8, weight_decay: 0.05 } },
    groups: [],
    schedule: { name: "cosine", args: { warmup: 0, min_lr: 0 } },
    epochs: 1,
    steps: null,
    batch: 6,
    clip: null,
    average: null,
    precision: "float32",
    seed: 0,
    report: [],
    span,
    ...changes,
  };
}
