/**
 * LipsFormerFashion: image [batch, 28, 28, 1] → logits [batch, 10].
 *
 * Compiled by lipsc from specs/lipsformer-fashion.lips; made anew by `lipsc build`: changes belong there. The comments above
 * the blocks quote its lines. Needs @tensorflow/tfjs-core and any of its backends, and none of its gradients:
 *
 *   await tf.setBackend("wasm");
 *   const state = createState(initialise(0));
 *   const { loss } = trainingStep(state, { image, labels }, { lr: 1e-3, step: 1, seed: 0 });
 *
 * Every function disposes of what it makes but doesn't return.
 */

import * as tf from "@tensorflow/tfjs-core";

/** What the step is compiled for; rates and epochs are the caller's to follow. */
export const recipe = {
  batch: 128,
  epochs: 20,
  seed: 0,
  optimizer: { name: "adamw", args: { lr: 0.002, betas: [0.9, 0.98], weight_decay: 0.05, eps: 1e-8 } },
  schedule: { name: "cosine", args: { min_lr: 0.00001, warmup: 0 } },
  clip: 5,
} as const;

/** Every weight: PyTorch's layouts, and what its first value is made from. */
export const parameters: readonly InitialWeight[] = [
  { path: "patch_embed.conv.weight", shape: [96, 1, 4, 4], init: { kind: "spectral" }, range: null },
  { path: "patch_embed.conv.bias", shape: [96], init: { kind: "zeros" }, range: null },
  { path: "center_norm.gamma", shape: [96], init: { kind: "ones" }, range: null },
  { path: "center_norm.beta", shape: [96], init: { kind: "zeros" }, range: null },
  {
    path: "lips_block.0.depthwise_conv.weight",
    shape: [96, 1, 7, 7],
    init: { kind: "spectral" },
    range: null,
  },
  { path: "lips_block.0.depthwise_conv.bias", shape: [96], init: { kind: "zeros" }, range: null },
  { path: "lips_block.0.linear.weight", shape: [96, 96], init: { kind: "spectral" }, range: null },
  { path: "lips_block.0.linear.bias", shape: [96], init: { kind: "zeros" }, range: null },
  {
    path: "lips_block.0.weighted.residual.alpha",
    shape: [96],
    init: { kind: "constant", values: [0.1666666567325592] },
    range: null,
  },
  {
    path: "lips_block.0.depthwise_conv_2.weight",
    shape: [96, 1, 7, 7],
    init: { kind: "spectral" },
    range: null,
  },
  { path: "lips_block.0.depthwise_conv_2.bias", shape: [96], init: { kind: "zeros" }, range: null },
  {
    path: "lips_block.0.weighted_2.residual.alpha",
    shape: [96],
    init: { kind: "constant", values: [0.1666666567325592] },
    range: null,
  },
  { path: "lips_block.0.attention.linear.weight", shape: [288, 96], init: { kind: "spectral" }, range: null },
  { path: "lips_block.0.attention.linear.bias", shape: [288], init: { kind: "zeros" }, range: null },
  {
    path: "lips_block.0.attention.attend.position",
    shape: [169, 3],
    init: { kind: "trunc_normal", std: 0.019999999552965164 },
    range: null,
  },
  {
    path: "lips_block.0.attention.linear_2.weight",
    shape: [96, 96],
    init: { kind: "spectral" },
    range: null,
  },
  { path: "lips_block.0.attention.linear_2.bias", shape: [96], init: { kind: "zeros" }, range: null },
  {
    path: "lips_block.0.weighted_3.residual.alpha",
    shape: [96],
    init: { kind: "constant", values: [0.1666666567325592] },
    range: null,
  },
  { path: "lips_block.0.center_norm.gamma", shape: [96], init: { kind: "ones" }, range: null },
  { path: "lips_block.0.center_norm.beta", shape: [96], init: { kind: "zeros" }, range: null },
  { path: "lips_block.0.mlp.linear.weight", shape: [384, 96], init: { kind: "spectral" }, range: null },
  { path: "lips_block.0.mlp.linear.bias", shape: [384], init: { kind: "zeros" }, range: null },
  { path: "lips_block.0.mlp.linear_2.weight", shape: [96, 384], init: { kind: "spectral" }, range: null },
  { path: "lips_block.0.mlp.linear_2.bias", shape: [96], init: { kind: "zeros" }, range: null },
  {
    path: "lips_block.0.weighted_4.residual.alpha",
    shape: [96],
    init: { kind: "constant", values: [0.1666666567325592] },
    range: null,
  },
  { path: "lips_block.0.center_norm_2.gamma", shape: [96], init: { kind: "ones" }, range: null },
  { path: "lips_block.0.center_norm_2.beta", shape: [96], init: { kind: "zeros" }, range: null },
  {
    path: "lips_block.1.depthwise_conv.weight",
    shape: [96, 1, 7, 7],
    init: { kind: "spectral" },
    range: null,
  },
  { path: "lips_block.1.depthwise_conv.bias", shape: [96], init: { kind: "zeros" }, range: null },
  { path: "lips_block.1.linear.weight", shape: [96, 96], init: { kind: "spectral" }, range: null },
  { path: "lips_block.1.linear.bias", shape: [96], init: { kind: "zeros" }, range: null },
  {
    path: "lips_block.1.weighted.residual.alpha",
    shape: [96],
    init: { kind: "constant", values: [0.1666666567325592] },
    range: null,
  },
  {
    path: "lips_block.1.depthwise_conv_2.weight",
    shape: [96, 1, 7, 7],
    init: { kind: "spectral" },
    range: null,
  },
  { path: "lips_block.1.depthwise_conv_2.bias", shape: [96], init: { kind: "zeros" }, range: null },
  {
    path: "lips_block.1.weighted_2.residual.alpha",
    shape: [96],
    init: { kind: "constant", values: [0.1666666567325592] },
    range: null,
  },
  { path: "lips_block.1.attention.linear.weight", shape: [288, 96], init: { kind: "spectral" }, range: null },
  { path: "lips_block.1.attention.linear.bias", shape: [288], init: { kind: "zeros" }, range: null },
  {
    path: "lips_block.1.attention.attend.position",
    shape: [169, 3],
    init: { kind: "trunc_normal", std: 0.019999999552965164 },
    range: null,
  },
  {
    path: "lips_block.1.attention.linear_2.weight",
    shape: [96, 96],
    init: { kind: "spectral" },
    range: null,
  },
  { path: "lips_block.1.attention.linear_2.bias", shape: [96], init: { kind: "zeros" }, range: null },
  {
    path: "lips_block.1.weighted_3.residual.alpha",
    shape: [96],
    init: { kind: "constant", values: [0.1666666567325592] },
    range: null,
  },
  { path: "lips_block.1.center_norm.gamma", shape: [96], init: { kind: "ones" }, range: null },
  { path: "lips_block.1.center_norm.beta", shape: [96], init: { kind: "zeros" }, range: null },
  { path: "lips_block.1.mlp.linear.weight", shape: [384, 96], init: { kind: "spectral" }, range: null },
  { path: "lips_block.1.mlp.linear.bias", shape: [384], init: { kind: "zeros" }, range: null },
  { path: "lips_block.1.mlp.linear_2.weight", shape: [96, 384], init: { kind: "spectral" }, range: null },
  { path: "lips_block.1.mlp.linear_2.bias", shape: [96], init: { kind: "zeros" }, range: null },
  {
    path: "lips_block.1.weighted_4.residual.alpha",
    shape: [96],
    init: { kind: "constant", values: [0.1666666567325592] },
    range: null,
  },
  { path: "lips_block.1.center_norm_2.gamma", shape: [96], init: { kind: "ones" }, range: null },
  { path: "lips_block.1.center_norm_2.beta", shape: [96], init: { kind: "zeros" }, range: null },
  {
    path: "lips_block.2.depthwise_conv.weight",
    shape: [96, 1, 7, 7],
    init: { kind: "spectral" },
    range: null,
  },
  { path: "lips_block.2.depthwise_conv.bias", shape: [96], init: { kind: "zeros" }, range: null },
  { path: "lips_block.2.linear.weight", shape: [96, 96], init: { kind: "spectral" }, range: null },
  { path: "lips_block.2.linear.bias", shape: [96], init: { kind: "zeros" }, range: null },
  {
    path: "lips_block.2.weighted.residual.alpha",
    shape: [96],
    init: { kind: "constant", values: [0.1666666567325592] },
    range: null,
  },
  {
    path: "lips_block.2.depthwise_conv_2.weight",
    shape: [96, 1, 7, 7],
    init: { kind: "spectral" },
    range: null,
  },
  { path: "lips_block.2.depthwise_conv_2.bias", shape: [96], init: { kind: "zeros" }, range: null },
  {
    path: "lips_block.2.weighted_2.residual.alpha",
    shape: [96],
    init: { kind: "constant", values: [0.1666666567325592] },
    range: null,
  },
  { path: "lips_block.2.attention.linear.weight", shape: [288, 96], init: { kind: "spectral" }, range: null },
  { path: "lips_block.2.attention.linear.bias", shape: [288], init: { kind: "zeros" }, range: null },
  {
    path: "lips_block.2.attention.attend.position",
    shape: [169, 3],
    init: { kind: "trunc_normal", std: 0.019999999552965164 },
    range: null,
  },
  {
    path: "lips_block.2.attention.linear_2.weight",
    shape: [96, 96],
    init: { kind: "spectral" },
    range: null,
  },
  { path: "lips_block.2.attention.linear_2.bias", shape: [96], init: { kind: "zeros" }, range: null },
  {
    path: "lips_block.2.weighted_3.residual.alpha",
    shape: [96],
    init: { kind: "constant", values: [0.1666666567325592] },
    range: null,
  },
  { path: "lips_block.2.center_norm.gamma", shape: [96], init: { kind: "ones" }, range: null },
  { path: "lips_block.2.center_norm.beta", shape: [96], init: { kind: "zeros" }, range: null },
  { path: "lips_block.2.mlp.linear.weight", shape: [384, 96], init: { kind: "spectral" }, range: null },
  { path: "lips_block.2.mlp.linear.bias", shape: [384], init: { kind: "zeros" }, range: null },
  { path: "lips_block.2.mlp.linear_2.weight", shape: [96, 384], init: { kind: "spectral" }, range: null },
  { path: "lips_block.2.mlp.linear_2.bias", shape: [96], init: { kind: "zeros" }, range: null },
  {
    path: "lips_block.2.weighted_4.residual.alpha",
    shape: [96],
    init: { kind: "constant", values: [0.1666666567325592] },
    range: null,
  },
  { path: "lips_block.2.center_norm_2.gamma", shape: [96], init: { kind: "ones" }, range: null },
  { path: "lips_block.2.center_norm_2.beta", shape: [96], init: { kind: "zeros" }, range: null },
  {
    path: "lips_block.3.depthwise_conv.weight",
    shape: [96, 1, 7, 7],
    init: { kind: "spectral" },
    range: null,
  },
  { path: "lips_block.3.depthwise_conv.bias", shape: [96], init: { kind: "zeros" }, range: null },
  { path: "lips_block.3.linear.weight", shape: [96, 96], init: { kind: "spectral" }, range: null },
  { path: "lips_block.3.linear.bias", shape: [96], init: { kind: "zeros" }, range: null },
  {
    path: "lips_block.3.weighted.residual.alpha",
    shape: [96],
    init: { kind: "constant", values: [0.1666666567325592] },
    range: null,
  },
  {
    path: "lips_block.3.depthwise_conv_2.weight",
    shape: [96, 1, 7, 7],
    init: { kind: "spectral" },
    range: null,
  },
  { path: "lips_block.3.depthwise_conv_2.bias", shape: [96], init: { kind: "zeros" }, range: null },
  {
    path: "lips_block.3.weighted_2.residual.alpha",
    shape: [96],
    init: { kind: "constant", values: [0.1666666567325592] },
    range: null,
  },
  { path: "lips_block.3.attention.linear.weight", shape: [288, 96], init: { kind: "spectral" }, range: null },
  { path: "lips_block.3.attention.linear.bias", shape: [288], init: { kind: "zeros" }, range: null },
  {
    path: "lips_block.3.attention.attend.position",
    shape: [169, 3],
    init: { kind: "trunc_normal", std: 0.019999999552965164 },
    range: null,
  },
  {
    path: "lips_block.3.attention.linear_2.weight",
    shape: [96, 96],
    init: { kind: "spectral" },
    range: null,
  },
  { path: "lips_block.3.attention.linear_2.bias", shape: [96], init: { kind: "zeros" }, range: null },
  {
    path: "lips_block.3.weighted_3.residual.alpha",
    shape: [96],
    init: { kind: "constant", values: [0.1666666567325592] },
    range: null,
  },
  { path: "lips_block.3.center_norm.gamma", shape: [96], init: { kind: "ones" }, range: null },
  { path: "lips_block.3.center_norm.beta", shape: [96], init: { kind: "zeros" }, range: null },
  { path: "lips_block.3.mlp.linear.weight", shape: [384, 96], init: { kind: "spectral" }, range: null },
  { path: "lips_block.3.mlp.linear.bias", shape: [384], init: { kind: "zeros" }, range: null },
  { path: "lips_block.3.mlp.linear_2.weight", shape: [96, 384], init: { kind: "spectral" }, range: null },
  { path: "lips_block.3.mlp.linear_2.bias", shape: [96], init: { kind: "zeros" }, range: null },
  {
    path: "lips_block.3.weighted_4.residual.alpha",
    shape: [96],
    init: { kind: "constant", values: [0.1666666567325592] },
    range: null,
  },
  { path: "lips_block.3.center_norm_2.gamma", shape: [96], init: { kind: "ones" }, range: null },
  { path: "lips_block.3.center_norm_2.beta", shape: [96], init: { kind: "zeros" }, range: null },
  {
    path: "lips_block.4.depthwise_conv.weight",
    shape: [96, 1, 7, 7],
    init: { kind: "spectral" },
    range: null,
  },
  { path: "lips_block.4.depthwise_conv.bias", shape: [96], init: { kind: "zeros" }, range: null },
  { path: "lips_block.4.linear.weight", shape: [96, 96], init: { kind: "spectral" }, range: null },
  { path: "lips_block.4.linear.bias", shape: [96], init: { kind: "zeros" }, range: null },
  {
    path: "lips_block.4.weighted.residual.alpha",
    shape: [96],
    init: { kind: "constant", values: [0.1666666567325592] },
    range: null,
  },
  {
    path: "lips_block.4.depthwise_conv_2.weight",
    shape: [96, 1, 7, 7],
    init: { kind: "spectral" },
    range: null,
  },
  { path: "lips_block.4.depthwise_conv_2.bias", shape: [96], init: { kind: "zeros" }, range: null },
  {
    path: "lips_block.4.weighted_2.residual.alpha",
    shape: [96],
    init: { kind: "constant", values: [0.1666666567325592] },
    range: null,
  },
  { path: "lips_block.4.attention.linear.weight", shape: [288, 96], init: { kind: "spectral" }, range: null },
  { path: "lips_block.4.attention.linear.bias", shape: [288], init: { kind: "zeros" }, range: null },
  {
    path: "lips_block.4.attention.attend.position",
    shape: [169, 3],
    init: { kind: "trunc_normal", std: 0.019999999552965164 },
    range: null,
  },
  {
    path: "lips_block.4.attention.linear_2.weight",
    shape: [96, 96],
    init: { kind: "spectral" },
    range: null,
  },
  { path: "lips_block.4.attention.linear_2.bias", shape: [96], init: { kind: "zeros" }, range: null },
  {
    path: "lips_block.4.weighted_3.residual.alpha",
    shape: [96],
    init: { kind: "constant", values: [0.1666666567325592] },
    range: null,
  },
  { path: "lips_block.4.center_norm.gamma", shape: [96], init: { kind: "ones" }, range: null },
  { path: "lips_block.4.center_norm.beta", shape: [96], init: { kind: "zeros" }, range: null },
  { path: "lips_block.4.mlp.linear.weight", shape: [384, 96], init: { kind: "spectral" }, range: null },
  { path: "lips_block.4.mlp.linear.bias", shape: [384], init: { kind: "zeros" }, range: null },
  { path: "lips_block.4.mlp.linear_2.weight", shape: [96, 384], init: { kind: "spectral" }, range: null },
  { path: "lips_block.4.mlp.linear_2.bias", shape: [96], init: { kind: "zeros" }, range: null },
  {
    path: "lips_block.4.weighted_4.residual.alpha",
    shape: [96],
    init: { kind: "constant", values: [0.1666666567325592] },
    range: null,
  },
  { path: "lips_block.4.center_norm_2.gamma", shape: [96], init: { kind: "ones" }, range: null },
  { path: "lips_block.4.center_norm_2.beta", shape: [96], init: { kind: "zeros" }, range: null },
  {
    path: "lips_block.5.depthwise_conv.weight",
    shape: [96, 1, 7, 7],
    init: { kind: "spectral" },
    range: null,
  },
  { path: "lips_block.5.depthwise_conv.bias", shape: [96], init: { kind: "zeros" }, range: null },
  { path: "lips_block.5.linear.weight", shape: [96, 96], init: { kind: "spectral" }, range: null },
  { path: "lips_block.5.linear.bias", shape: [96], init: { kind: "zeros" }, range: null },
  {
    path: "lips_block.5.weighted.residual.alpha",
    shape: [96],
    init: { kind: "constant", values: [0.1666666567325592] },
    range: null,
  },
  {
    path: "lips_block.5.depthwise_conv_2.weight",
    shape: [96, 1, 7, 7],
    init: { kind: "spectral" },
    range: null,
  },
  { path: "lips_block.5.depthwise_conv_2.bias", shape: [96], init: { kind: "zeros" }, range: null },
  {
    path: "lips_block.5.weighted_2.residual.alpha",
    shape: [96],
    init: { kind: "constant", values: [0.1666666567325592] },
    range: null,
  },
  { path: "lips_block.5.attention.linear.weight", shape: [288, 96], init: { kind: "spectral" }, range: null },
  { path: "lips_block.5.attention.linear.bias", shape: [288], init: { kind: "zeros" }, range: null },
  {
    path: "lips_block.5.attention.attend.position",
    shape: [169, 3],
    init: { kind: "trunc_normal", std: 0.019999999552965164 },
    range: null,
  },
  {
    path: "lips_block.5.attention.linear_2.weight",
    shape: [96, 96],
    init: { kind: "spectral" },
    range: null,
  },
  { path: "lips_block.5.attention.linear_2.bias", shape: [96], init: { kind: "zeros" }, range: null },
  {
    path: "lips_block.5.weighted_3.residual.alpha",
    shape: [96],
    init: { kind: "constant", values: [0.1666666567325592] },
    range: null,
  },
  { path: "lips_block.5.center_norm.gamma", shape: [96], init: { kind: "ones" }, range: null },
  { path: "lips_block.5.center_norm.beta", shape: [96], init: { kind: "zeros" }, range: null },
  { path: "lips_block.5.mlp.linear.weight", shape: [384, 96], init: { kind: "spectral" }, range: null },
  { path: "lips_block.5.mlp.linear.bias", shape: [384], init: { kind: "zeros" }, range: null },
  { path: "lips_block.5.mlp.linear_2.weight", shape: [96, 384], init: { kind: "spectral" }, range: null },
  { path: "lips_block.5.mlp.linear_2.bias", shape: [96], init: { kind: "zeros" }, range: null },
  {
    path: "lips_block.5.weighted_4.residual.alpha",
    shape: [96],
    init: { kind: "constant", values: [0.1666666567325592] },
    range: null,
  },
  { path: "lips_block.5.center_norm_2.gamma", shape: [96], init: { kind: "ones" }, range: null },
  { path: "lips_block.5.center_norm_2.beta", shape: [96], init: { kind: "zeros" }, range: null },
  { path: "linear.weight", shape: [10, 96], init: { kind: "spectral" }, range: null },
  { path: "linear.bias", shape: [10], init: { kind: "zeros" }, range: null },
];

/** Parameters `param/<path>` and the optimiser's `m/<path>` and `v/<path>`: tensors that stay where the backend has them. */
export type State = Tensors;

/** Initial weights by path, row-major. */
export function initialise(seed: number = recipe.seed): Record<string, Float32Array> {
  return Object.fromEntries(parameters.map((weight) => [weight.path, initialWeight(weight, seed)]));
}

/** The state before the first step, of weights by path; `tf.dispose(state)` frees it. */
export function createState(weights: Record<string, Float32Array> = initialise()): State {
  const state: State = {};
  for (const { path, shape } of parameters) {
    state[`param/${path}`] = tf.tensor(weights[path], [...shape]);
    state[`m/${path}`] = tf.zeros([...shape]);
    state[`v/${path}`] = tf.zeros([...shape]);
  }
  return state;
}

export interface Batch {
  /** [128, 28, 28, 1] */
  readonly image: tf.Tensor;
  /** int32 [128] */
  readonly labels: tf.Tensor;
}

export interface Scalars {
  /** The learning rate of this step. */
  readonly lr: number;
  /** From 1. */
  readonly step: number;
  /** A whole number below 2²⁴; dropout and drop path follow it. */
  readonly seed: number;
}

/**
 * One step on image [128, 28, 28, 1], labels int32 [128].
 * The state's tensors are replaced by new ones, the old are disposed of; the scalars that it returns are the caller's.
 */
export function trainingStep(
  state: State,
  batch: Batch,
  scalars: Scalars,
): { loss: tf.Tensor; accuracy: tf.Tensor; gradNorm: tf.Tensor } {
  const given: Tensors = {
    ...state,
    "data/image": batch.image,
    labels: batch.labels,
    "scalar/lr": tf.scalar(scalars.lr),
    "scalar/step": tf.scalar(scalars.step),
    "scalar/seed": tf.scalar(scalars.seed),
  };
  const next: Tensors = {};
  step({ given, next, gradient: {}, constants: constants() });
  tf.dispose([given["scalar/lr"], given["scalar/step"], given["scalar/seed"]]);
  for (const name of Object.keys(state)) state[name] = next[name];
  return {
    loss: next["metric/loss"],
    accuracy: next["metric/accuracy"],
    gradNorm: next["metric/grad_norm"],
  };
}

/** logits of up to 128 samples. */
export function predict(state: State, image: tf.Tensor): tf.Tensor {
  return tf.tidy(() => {
    const count = image.shape[0];
    const next: Tensors = {};
    const given: Tensors = { ...state, "data/image": filled(image) };
    infer({ given, next, gradient: {}, constants: constants() });
    const first = (y: tf.Tensor): tf.Tensor => tf.slice(y, 0, count);
    return first(next["logits"]);
  });
}

/** Zeros after the last sample, up to the batch that the file is compiled for. */
function filled(x: tf.Tensor): tf.Tensor {
  const pads = x.shape.map((n, axis): [number, number] => [0, axis === 0 ? recipe.batch - n : 0]);
  return tf.pad(x, pads);
}

// The network, forward and backward.

/** specs/lipsformer-fashion.lips:16  LipsBlock(attention, alpha: 1 / depth) */
function lipsBlock(run: Run, at: string, x: tf.Tensor) {
  const w = weightsOf(run, at);
  // std/lipsformer.lips:12  DepthwiseConv(7)
  const depthwiseConvShaped = tf.tidy(() =>
    tf.reshape(multiply(tf.reshape(w("depthwise_conv.weight"), [96, 49]), run.constants.table), [96, 49, 49]),
  );
  const depthwiseConvTurned = tf.tidy(() => tf.transpose(tf.reshape(x, [128, 49, 96]), [2, 0, 1]));
  const depthwiseConv = tf.tidy(() =>
    tf.add(
      tf.reshape(
        tf.transpose(multiplyEach(depthwiseConvTurned, depthwiseConvShaped), [1, 2, 0]),
        [128, 7, 7, 96],
      ),
      w("depthwise_conv.bias"),
    ),
  );

  // std/lipsformer.lips:12  GELU
  const geluCdf = normalCdf(depthwiseConv);
  const gelu2 = tf.mul(depthwiseConv, geluCdf);
  const geluSlope2 = geluSlope(depthwiseConv, geluCdf);
  tf.dispose([depthwiseConv, geluCdf]);

  // std/lipsformer.lips:12  Linear(d)
  const linearShaped = tf.reshape(gelu2, [6272, 96]);
  gelu2.dispose();
  const linear = tf.tidy(() =>
    tf.reshape(affine(linearShaped, w("linear.weight"), w("linear.bias")), [128, 7, 7, 96]),
  );

  // std/lipsformer.lips:12  GELU
  const gelu2Cdf = normalCdf(linear);
  const gelu2_2 = tf.mul(linear, gelu2Cdf);
  const gelu2Slope = geluSlope(linear, gelu2Cdf);
  tf.dispose([linear, gelu2Cdf]);

  // std/lipsformer.lips:7  Residual(f, alpha: learned(alpha, shape: [d]), drop: drop)
  const residual = tf.tidy(() => tf.add(x, tf.mul(gelu2_2, w("weighted.residual.alpha"))));

  // std/lipsformer.lips:13  DepthwiseConv(7)
  const depthwiseConv2Shaped = tf.tidy(() =>
    tf.reshape(
      multiply(tf.reshape(w("depthwise_conv_2.weight"), [96, 49]), run.constants.table),
      [96, 49, 49],
    ),
  );
  const depthwiseConv2Turned = tf.tidy(() => tf.transpose(tf.reshape(residual, [128, 49, 96]), [2, 0, 1]));
  const depthwiseConv2 = tf.tidy(() =>
    tf.add(
      tf.reshape(
        tf.transpose(multiplyEach(depthwiseConv2Turned, depthwiseConv2Shaped), [1, 2, 0]),
        [128, 7, 7, 96],
      ),
      w("depthwise_conv_2.bias"),
    ),
  );

  // std/lipsformer.lips:13  GELU
  const gelu3Cdf = normalCdf(depthwiseConv2);
  const gelu3 = tf.mul(depthwiseConv2, gelu3Cdf);
  const gelu3Slope = geluSlope(depthwiseConv2, gelu3Cdf);
  tf.dispose([depthwiseConv2, gelu3Cdf]);

  // std/lipsformer.lips:7  Residual(f, alpha: learned(alpha, shape: [d]), drop: drop)
  const residual2 = tf.tidy(() => tf.add(residual, tf.mul(gelu3, w("weighted_2.residual.alpha"))));
  residual.dispose();

  // std/attention.lips:8  Linear(3 * d)
  const linear2 = tf.reshape(residual2, [6272, 96]);

  // std/attention.lips:8  Split(3)
  const split = tf.tidy(() =>
    affine(
      linear2,
      slice(w("attention.linear.weight"), [0, 0], [96, 96], [1, 1]),
      slice(w("attention.linear.bias"), [0], [96], [1]),
    ),
  );
  const split2 = tf.tidy(() =>
    affine(
      linear2,
      slice(w("attention.linear.weight"), [96, 0], [192, 96], [1, 1]),
      slice(w("attention.linear.bias"), [96], [192], [1]),
    ),
  );
  const split3 = tf.tidy(() =>
    affine(
      linear2,
      slice(w("attention.linear.weight"), [192, 0], [288, 96], [1, 1]),
      slice(w("attention.linear.bias"), [192], [288], [1]),
    ),
  );

  // std/attention.lips:9  Attend(q, k, v, heads: heads, score: score, values: values, over: over, position:…
  const attendTurned = tf.tidy(() => tf.transpose(tf.reshape(split, [128, 49, 3, 32]), [0, 2, 1, 3]));
  split.dispose();
  const attendTurned2 = tf.tidy(() => tf.transpose(tf.reshape(split2, [128, 49, 3, 32]), [0, 2, 1, 3]));
  split2.dispose();
  const attendTurned3 = tf.tidy(() => tf.transpose(tf.reshape(split3, [128, 49, 3, 32]), [0, 2, 1, 3]));
  split3.dispose();
  const attendRoot = tf.tidy(() => tf.sqrt(tf.add(sumOver(tf.square(attendTurned), [3]), 0.01)));
  const attendRatio = tf.div(10, attendRoot);
  const attendRoot2 = tf.tidy(() => tf.sqrt(tf.add(sumOver(tf.square(attendTurned2), [3]), 0.01)));
  const attendRatio2 = tf.div(1, attendRoot2);
  const attendScaled = tf.mul(attendTurned2, attendRatio2);
  const attendShaped = tf.tidy(() => tf.reshape(tf.mul(attendTurned, attendRatio), [384, 49, 32]));
  const attendShaped2 = tf.reshape(attendScaled, [384, 49, 32]);
  const attendTurned4 = tf.tidy(() =>
    tf.transpose(
      tf.reshape(
        tf.gather(tf.reshape(w("attention.attend.position"), [1, 169, 3]), run.constants.indices, 1),
        [2401, 3],
      ),
      [1, 0],
    ),
  );
  const attendSum = tf.tidy(() =>
    tf.add(
      tf.reshape(multiplyEach(attendShaped, attendShaped2, false, true), [128, 3, 49, 49]),
      tf.reshape(attendTurned4, [3, 49, 49]),
    ),
  );
  attendTurned4.dispose();
  const attendSoftmax = tf.softmax(attendSum);
  attendSum.dispose();
  const attendRoot3 = tf.tidy(() => tf.sqrt(tf.add(sumOver(tf.square(attendTurned3), [3]), 0.01)));
  const attendRatio3 = tf.div(1, attendRoot3);
  const attendShaped3 = tf.reshape(attendSoftmax, [384, 49, 49]);
  const attendShaped4 = tf.tidy(() => tf.reshape(tf.mul(attendTurned3, attendRatio3), [384, 49, 32]));
  const attend = tf.tidy(() =>
    tf.transpose(tf.reshape(multiplyEach(attendShaped3, attendShaped4), [128, 3, 49, 32]), [0, 2, 1, 3]),
  );

  // std/attention.lips:10  Linear(d)
  const linear2Shaped = tf.reshape(attend, [6272, 96]);
  attend.dispose();
  const linear2_2 = tf.tidy(() =>
    tf.reshape(
      affine(linear2Shaped, w("attention.linear_2.weight"), w("attention.linear_2.bias")),
      [128, 7, 7, 96],
    ),
  );

  // std/lipsformer.lips:7  Residual(f, alpha: learned(alpha, shape: [d]), drop: drop)
  const residual3 = tf.tidy(() => tf.add(residual2, tf.mul(linear2_2, w("weighted_3.residual.alpha"))));
  residual2.dispose();

  // std/lipsformer.lips:15  CenterNorm
  const centerNormDifference = tf.tidy(() => tf.sub(residual3, tf.div(sumOver(residual3, [3]), 96)));
  residual3.dispose();
  const centerNormRatio = tf.tidy(() => tf.div(tf.mul(w("center_norm.gamma"), 96), 95));
  const centerNorm = tf.tidy(() =>
    tf.add(tf.mul(centerNormDifference, centerNormRatio), w("center_norm.beta")),
  );

  // std/vision.lips:5  Linear(ratio * d)
  const linearShaped2 = tf.reshape(centerNorm, [6272, 96]);
  const linear3 = tf.tidy(() =>
    tf.reshape(affine(linearShaped2, w("mlp.linear.weight"), w("mlp.linear.bias")), [128, 7, 7, 384]),
  );

  // std/vision.lips:4  GELU
  const actCdf = normalCdf(linear3);
  const act = tf.mul(linear3, actCdf);
  const actSlope = geluSlope(linear3, actCdf);
  tf.dispose([linear3, actCdf]);

  // std/vision.lips:5  Linear(d)
  const linear2Shaped2 = tf.reshape(act, [6272, 384]);
  act.dispose();
  const linear2_3 = tf.tidy(() =>
    tf.reshape(affine(linear2Shaped2, w("mlp.linear_2.weight"), w("mlp.linear_2.bias")), [128, 7, 7, 96]),
  );

  // std/lipsformer.lips:7  Residual(f, alpha: learned(alpha, shape: [d]), drop: drop)
  const residual4 = tf.tidy(() => tf.add(centerNorm, tf.mul(linear2_3, w("weighted_4.residual.alpha"))));
  centerNorm.dispose();

  // std/lipsformer.lips:17  CenterNorm
  const centerNorm2Difference = tf.tidy(() => tf.sub(residual4, tf.div(sumOver(residual4, [3]), 96)));
  residual4.dispose();
  const centerNorm2Ratio = tf.tidy(() => tf.div(tf.mul(w("center_norm_2.gamma"), 96), 95));
  const centerNorm2 = tf.tidy(() =>
    tf.add(tf.mul(centerNorm2Difference, centerNorm2Ratio), w("center_norm_2.beta")),
  );
  return {
    depthwiseConvShaped,
    depthwiseConvTurned,
    geluSlope2,
    linearShaped,
    gelu2_2,
    gelu2Slope,
    depthwiseConv2Shaped,
    depthwiseConv2Turned,
    gelu3,
    gelu3Slope,
    linear2,
    attendTurned,
    attendTurned2,
    attendTurned3,
    attendRoot,
    attendRatio,
    attendRoot2,
    attendRatio2,
    attendScaled,
    attendShaped,
    attendShaped2,
    attendSoftmax,
    attendRoot3,
    attendRatio3,
    attendShaped3,
    attendShaped4,
    linear2Shaped,
    linear2_2,
    centerNormDifference,
    centerNormRatio,
    linearShaped2,
    actSlope,
    linear2Shaped2,
    linear2_3,
    centerNorm2Difference,
    centerNorm2Ratio,
    centerNorm2,
  };
}

/** Backward pass of specs/lipsformer-fashion.lips:16  LipsBlock(attention, alpha: 1 / depth) */
function lipsBlockBackward(run: Run, at: string, kept: ReturnType<typeof lipsBlock>, dy: tf.Tensor) {
  const w = weightsOf(run, at);
  // std/lipsformer.lips:17  CenterNorm
  const dCenterNorm2 = tf.tidy(() => tf.mul(tf.reshape(sumOver(dy, [0]), [96]), 49));
  run.gradient[`${at}.center_norm_2.beta`] = dCenterNorm2;
  const dCenterNorm2Scaled = tf.mul(dy, kept.centerNorm2Ratio);
  kept.centerNorm2Ratio.dispose();
  const dCenterNorm2Ratio = tf.tidy(() =>
    tf.div(tf.reshape(sumOver(tf.mul(dy, kept.centerNorm2Difference), [0, 1, 2]), [96]), 95),
  );
  kept.centerNorm2Difference.dispose();
  const dCenterNorm2_2 = tf.mul(dCenterNorm2Ratio, 96);
  run.gradient[`${at}.center_norm_2.gamma`] = dCenterNorm2_2;
  dCenterNorm2Ratio.dispose();
  const dCenterNorm2_3 = tf.tidy(() => tf.div(tf.neg(sumOver(dCenterNorm2Scaled, [3])), 96));

  // std/lipsformer.lips:7  Residual(f, alpha: learned(alpha, shape: [d]), drop: drop)
  const dResidualSum = tf.add(dCenterNorm2Scaled, dCenterNorm2_3);
  tf.dispose([dCenterNorm2Scaled, dCenterNorm2_3]);
  const dResidual = tf.mul(dResidualSum, w("weighted_4.residual.alpha"));
  const dResidual2 = tf.tidy(() =>
    tf.reshape(sumOver(tf.mul(dResidualSum, kept.linear2_3), [0, 1, 2]), [96]),
  );
  run.gradient[`${at}.weighted_4.residual.alpha`] = dResidual2;
  kept.linear2_3.dispose();

  // std/vision.lips:5  Linear(d)
  const dLinear2Shaped = tf.tidy(() => tf.reshape(tf.broadcastTo(dResidual, [128, 7, 7, 96]), [6272, 96]));
  dResidual.dispose();
  const dLinear2 = tf.tidy(() => tf.reshape(sumOver(dLinear2Shaped, [0]), [96]));
  run.gradient[`${at}.mlp.linear_2.bias`] = dLinear2;
  const dLinear2_2 = multiply(dLinear2Shaped, w("mlp.linear_2.weight"));
  const dLinear2_3 = multiply(dLinear2Shaped, kept.linear2Shaped2, true, false);
  run.gradient[`${at}.mlp.linear_2.weight`] = dLinear2_3;
  tf.dispose([dLinear2Shaped, kept.linear2Shaped2]);

  // std/vision.lips:4  GELU
  const dAct = tf.tidy(() => tf.mul(tf.reshape(dLinear2_2, [128, 7, 7, 384]), kept.actSlope));
  tf.dispose([kept.actSlope, dLinear2_2]);

  // std/vision.lips:5  Linear(ratio * d)
  const dLinearShaped = tf.reshape(dAct, [6272, 384]);
  dAct.dispose();
  const dLinear = tf.tidy(() => tf.reshape(sumOver(dLinearShaped, [0]), [384]));
  run.gradient[`${at}.mlp.linear.bias`] = dLinear;
  const dLinear3 = multiply(dLinearShaped, kept.linearShaped2, true, false);
  run.gradient[`${at}.mlp.linear.weight`] = dLinear3;
  kept.linearShaped2.dispose();
  const dLinear4 = tf.tidy(() =>
    tf.reshape(multiply(dLinearShaped, w("mlp.linear.weight")), [128, 7, 7, 96]),
  );
  dLinearShaped.dispose();

  // std/lipsformer.lips:15  CenterNorm
  const dCenterNormSum = tf.add(dResidualSum, dLinear4);
  tf.dispose([dResidualSum, dLinear4]);
  const dCenterNorm = tf.tidy(() => tf.reshape(sumOver(dCenterNormSum, [0, 1, 2]), [96]));
  run.gradient[`${at}.center_norm.beta`] = dCenterNorm;
  const dCenterNormScaled = tf.mul(dCenterNormSum, kept.centerNormRatio);
  kept.centerNormRatio.dispose();
  const dCenterNormRatio = tf.tidy(() =>
    tf.div(tf.reshape(sumOver(tf.mul(dCenterNormSum, kept.centerNormDifference), [0, 1, 2]), [96]), 95),
  );
  tf.dispose([dCenterNormSum, kept.centerNormDifference]);
  const dCenterNorm3 = tf.mul(dCenterNormRatio, 96);
  run.gradient[`${at}.center_norm.gamma`] = dCenterNorm3;
  dCenterNormRatio.dispose();
  const dCenterNorm4 = tf.tidy(() => tf.div(tf.neg(sumOver(dCenterNormScaled, [3])), 96));

  // std/lipsformer.lips:7  Residual(f, alpha: learned(alpha, shape: [d]), drop: drop)
  const dResidualSum2 = tf.add(dCenterNormScaled, dCenterNorm4);
  tf.dispose([dCenterNormScaled, dCenterNorm4]);
  const dResidual3 = tf.mul(dResidualSum2, w("weighted_3.residual.alpha"));
  const dResidual4 = tf.tidy(() =>
    tf.reshape(sumOver(tf.mul(dResidualSum2, kept.linear2_2), [0, 1, 2]), [96]),
  );
  run.gradient[`${at}.weighted_3.residual.alpha`] = dResidual4;
  kept.linear2_2.dispose();

  // std/attention.lips:10  Linear(d)
  const dLinear2Shaped2 = tf.reshape(dResidual3, [6272, 96]);
  dResidual3.dispose();
  const dLinear2_4 = tf.tidy(() => tf.reshape(sumOver(dLinear2Shaped2, [0]), [96]));
  run.gradient[`${at}.attention.linear_2.bias`] = dLinear2_4;
  const dLinear2_5 = multiply(dLinear2Shaped2, w("attention.linear_2.weight"));
  const dLinear2_6 = multiply(dLinear2Shaped2, kept.linear2Shaped, true, false);
  run.gradient[`${at}.attention.linear_2.weight`] = dLinear2_6;
  tf.dispose([dLinear2Shaped2, kept.linear2Shaped]);

  // std/attention.lips:9  Attend(q, k, v, heads: heads, score: score, values: values, over: over, position:…
  const dAttendShaped = tf.tidy(() =>
    tf.reshape(tf.transpose(tf.reshape(dLinear2_5, [128, 49, 3, 32]), [0, 2, 1, 3]), [384, 49, 32]),
  );
  dLinear2_5.dispose();
  const dAttendShaped2 = tf.tidy(() =>
    tf.reshape(multiplyEach(dAttendShaped, kept.attendShaped4, false, true), [128, 3, 49, 49]),
  );
  kept.attendShaped4.dispose();
  const dAttendShaped3 = tf.tidy(() =>
    tf.reshape(multiplyEach(kept.attendShaped3, dAttendShaped, true, false), [128, 3, 49, 32]),
  );
  tf.dispose([kept.attendShaped3, dAttendShaped]);
  const dAttendScaled = tf.tidy(() =>
    tf.mul(
      tf.div(sumOver(tf.mul(dAttendShaped3, kept.attendTurned3), [3]), kept.attendRoot3),
      kept.attendRatio3,
    ),
  );
  const dAttendScaled2 = tf.tidy(() =>
    tf.mul(tf.mul(tf.div(tf.mul(dAttendScaled, -0.5), kept.attendRoot3), 2), kept.attendTurned3),
  );
  tf.dispose([kept.attendTurned3, kept.attendRoot3, dAttendScaled]);
  const dAttendScaled3 = tf.tidy(() =>
    tf.mul(
      kept.attendSoftmax,
      tf.sub(dAttendShaped2, sumOver(tf.mul(dAttendShaped2, kept.attendSoftmax), [3])),
    ),
  );
  tf.dispose([kept.attendSoftmax, dAttendShaped2]);
  const dAttend = tf.tidy(() =>
    addRows(
      run.constants.indices,
      tf.transpose(tf.reshape(sumOver(dAttendScaled3, [0]), [3, 2401]), [1, 0]),
      169,
    ),
  );
  run.gradient[`${at}.attention.attend.position`] = dAttend;
  const dAttendShaped4 = tf.reshape(dAttendScaled3, [384, 49, 49]);
  dAttendScaled3.dispose();
  const dAttendShaped5 = tf.tidy(() =>
    tf.reshape(multiplyEach(dAttendShaped4, kept.attendShaped2), [128, 3, 49, 32]),
  );
  kept.attendShaped2.dispose();
  const dAttendScaled4 = tf.tidy(() =>
    tf.mul(
      tf.reshape(multiplyEach(dAttendShaped4, kept.attendShaped, true, false), [128, 3, 49, 32]),
      kept.attendRatio2,
    ),
  );
  tf.dispose([kept.attendRatio2, dAttendShaped4, kept.attendShaped]);
  const dAttendRatio = tf.tidy(() =>
    tf.div(tf.mul(sumOver(tf.mul(dAttendScaled4, kept.attendScaled), [3]), -0.5), kept.attendRoot2),
  );
  tf.dispose([kept.attendRoot2, kept.attendScaled]);
  const dAttendScaled5 = tf.tidy(() =>
    tf.mul(
      tf.div(sumOver(tf.mul(dAttendShaped5, kept.attendTurned), [3]), kept.attendRoot),
      kept.attendRatio,
    ),
  );
  const dAttendScaled6 = tf.tidy(() =>
    tf.mul(tf.mul(tf.div(tf.mul(dAttendScaled5, -0.5), kept.attendRoot), 2), kept.attendTurned),
  );
  tf.dispose([kept.attendTurned, kept.attendRoot, dAttendScaled5]);
  const dAttend2 = tf.tidy(() =>
    tf.reshape(
      tf.transpose(tf.add(tf.mul(dAttendShaped3, kept.attendRatio3), dAttendScaled2), [0, 2, 1, 3]),
      [128, 7, 7, 96],
    ),
  );
  tf.dispose([dAttendScaled2, dAttendShaped3, kept.attendRatio3]);
  const dAttendTurned = tf.tidy(() =>
    tf.transpose(tf.add(dAttendScaled4, tf.mul(tf.mul(dAttendRatio, 2), kept.attendTurned2)), [0, 2, 1, 3]),
  );
  tf.dispose([dAttendScaled4, kept.attendTurned2, dAttendRatio]);
  const dAttend3 = tf.reshape(dAttendTurned, [128, 7, 7, 96]);
  dAttendTurned.dispose();
  const dAttend4 = tf.tidy(() =>
    tf.reshape(
      tf.transpose(tf.add(tf.mul(dAttendShaped5, kept.attendRatio), dAttendScaled6), [0, 2, 1, 3]),
      [128, 7, 7, 96],
    ),
  );
  tf.dispose([dAttendScaled6, dAttendShaped5, kept.attendRatio]);

  // std/attention.lips:8  Linear(3 * d)
  const dLinearShaped2 = tf.tidy(() => tf.reshape(tf.concat([dAttend4, dAttend3, dAttend2], 3), [6272, 288]));
  tf.dispose([dAttend4, dAttend3, dAttend2]);
  const dLinear5 = tf.tidy(() => tf.reshape(sumOver(dLinearShaped2, [0]), [288]));
  run.gradient[`${at}.attention.linear.bias`] = dLinear5;
  const dLinear6 = multiply(dLinearShaped2, kept.linear2, true, false);
  run.gradient[`${at}.attention.linear.weight`] = dLinear6;
  kept.linear2.dispose();
  const dLinear7 = tf.tidy(() =>
    tf.reshape(multiply(dLinearShaped2, w("attention.linear.weight")), [128, 7, 7, 96]),
  );
  dLinearShaped2.dispose();

  // std/lipsformer.lips:7  Residual(f, alpha: learned(alpha, shape: [d]), drop: drop)
  const dResidualSum3 = tf.add(dResidualSum2, dLinear7);
  tf.dispose([dResidualSum2, dLinear7]);
  const dResidual5 = tf.mul(dResidualSum3, w("weighted_2.residual.alpha"));
  const dResidual6 = tf.tidy(() => tf.reshape(sumOver(tf.mul(dResidualSum3, kept.gelu3), [0, 1, 2]), [96]));
  run.gradient[`${at}.weighted_2.residual.alpha`] = dResidual6;
  kept.gelu3.dispose();

  // std/lipsformer.lips:13  GELU
  const dGelu3 = tf.mul(dResidual5, kept.gelu3Slope);
  tf.dispose([dResidual5, kept.gelu3Slope]);

  // std/lipsformer.lips:13  DepthwiseConv(7)
  const dDepthwiseConv2 = tf.tidy(() => tf.reshape(sumOver(dGelu3, [0, 1, 2]), [96]));
  run.gradient[`${at}.depthwise_conv_2.bias`] = dDepthwiseConv2;
  const dDepthwiseConv2Turned = tf.tidy(() => tf.transpose(tf.reshape(dGelu3, [128, 49, 96]), [2, 0, 1]));
  dGelu3.dispose();
  const dDepthwiseConv2_2 = tf.tidy(() =>
    tf.reshape(
      tf.transpose(multiplyEach(dDepthwiseConv2Turned, kept.depthwiseConv2Shaped, false, true), [1, 2, 0]),
      [128, 7, 7, 96],
    ),
  );
  kept.depthwiseConv2Shaped.dispose();
  const dDepthwiseConv2_3 = tf.tidy(() =>
    tf.reshape(
      multiply(
        tf.reshape(multiplyEach(kept.depthwiseConv2Turned, dDepthwiseConv2Turned, true, false), [96, 2401]),
        run.constants.table,
        false,
        true,
      ),
      [96, 1, 7, 7],
    ),
  );
  run.gradient[`${at}.depthwise_conv_2.weight`] = dDepthwiseConv2_3;
  tf.dispose([kept.depthwiseConv2Turned, dDepthwiseConv2Turned]);

  // std/lipsformer.lips:7  Residual(f, alpha: learned(alpha, shape: [d]), drop: drop)
  const dResidualSum4 = tf.add(dResidualSum3, dDepthwiseConv2_2);
  tf.dispose([dResidualSum3, dDepthwiseConv2_2]);
  const dResidual7 = tf.mul(dResidualSum4, w("weighted.residual.alpha"));
  const dResidual8 = tf.tidy(() => tf.reshape(sumOver(tf.mul(dResidualSum4, kept.gelu2_2), [0, 1, 2]), [96]));
  run.gradient[`${at}.weighted.residual.alpha`] = dResidual8;
  kept.gelu2_2.dispose();

  // std/lipsformer.lips:12  GELU
  const dGelu2 = tf.mul(dResidual7, kept.gelu2Slope);
  tf.dispose([dResidual7, kept.gelu2Slope]);

  // std/lipsformer.lips:12  Linear(d)
  const dLinearShaped3 = tf.reshape(dGelu2, [6272, 96]);
  dGelu2.dispose();
  const dLinear8 = tf.tidy(() => tf.reshape(sumOver(dLinearShaped3, [0]), [96]));
  run.gradient[`${at}.linear.bias`] = dLinear8;
  const dLinear9 = multiply(dLinearShaped3, w("linear.weight"));
  const dLinear10 = multiply(dLinearShaped3, kept.linearShaped, true, false);
  run.gradient[`${at}.linear.weight`] = dLinear10;
  tf.dispose([dLinearShaped3, kept.linearShaped]);

  // std/lipsformer.lips:12  GELU
  const dGelu = tf.tidy(() => tf.mul(tf.reshape(dLinear9, [128, 7, 7, 96]), kept.geluSlope2));
  tf.dispose([kept.geluSlope2, dLinear9]);

  // std/lipsformer.lips:12  DepthwiseConv(7)
  const dDepthwiseConv = tf.tidy(() => tf.reshape(sumOver(dGelu, [0, 1, 2]), [96]));
  run.gradient[`${at}.depthwise_conv.bias`] = dDepthwiseConv;
  const dDepthwiseConvTurned = tf.tidy(() => tf.transpose(tf.reshape(dGelu, [128, 49, 96]), [2, 0, 1]));
  dGelu.dispose();
  const dDepthwiseConv3 = tf.tidy(() =>
    tf.reshape(
      tf.transpose(multiplyEach(dDepthwiseConvTurned, kept.depthwiseConvShaped, false, true), [1, 2, 0]),
      [128, 7, 7, 96],
    ),
  );
  kept.depthwiseConvShaped.dispose();
  const dDepthwiseConv4 = tf.tidy(() =>
    tf.reshape(
      multiply(
        tf.reshape(multiplyEach(kept.depthwiseConvTurned, dDepthwiseConvTurned, true, false), [96, 2401]),
        run.constants.table,
        false,
        true,
      ),
      [96, 1, 7, 7],
    ),
  );
  run.gradient[`${at}.depthwise_conv.weight`] = dDepthwiseConv4;
  tf.dispose([kept.depthwiseConvTurned, dDepthwiseConvTurned]);
  return { dResidualSum4, dDepthwiseConv3 };
}

/** Backward pass of specs/lipsformer-fashion.lips:16  LipsBlock(attention, alpha: 1 / depth) */
function lipsBlockBackward2(
  run: Run,
  at: string,
  kept: ReturnType<typeof lipsBlock>,
  dy: tf.Tensor,
  dy2: tf.Tensor,
) {
  const w = weightsOf(run, at);
  // std/lipsformer.lips:17  CenterNorm
  const dCenterNorm2Sum = tf.add(dy, dy2);
  const dCenterNorm2 = tf.tidy(() => tf.reshape(sumOver(dCenterNorm2Sum, [0, 1, 2]), [96]));
  run.gradient[`${at}.center_norm_2.beta`] = dCenterNorm2;
  const dCenterNorm2Scaled = tf.mul(dCenterNorm2Sum, kept.centerNorm2Ratio);
  kept.centerNorm2Ratio.dispose();
  const dCenterNorm2Ratio = tf.tidy(() =>
    tf.div(tf.reshape(sumOver(tf.mul(dCenterNorm2Sum, kept.centerNorm2Difference), [0, 1, 2]), [96]), 95),
  );
  tf.dispose([dCenterNorm2Sum, kept.centerNorm2Difference]);
  const dCenterNorm2_2 = tf.mul(dCenterNorm2Ratio, 96);
  run.gradient[`${at}.center_norm_2.gamma`] = dCenterNorm2_2;
  dCenterNorm2Ratio.dispose();
  const dCenterNorm2_3 = tf.tidy(() => tf.div(tf.neg(sumOver(dCenterNorm2Scaled, [3])), 96));

  // std/lipsformer.lips:7  Residual(f, alpha: learned(alpha, shape: [d]), drop: drop)
  const dResidualSum = tf.add(dCenterNorm2Scaled, dCenterNorm2_3);
  tf.dispose([dCenterNorm2Scaled, dCenterNorm2_3]);
  const dResidual = tf.mul(dResidualSum, w("weighted_4.residual.alpha"));
  const dResidual2 = tf.tidy(() =>
    tf.reshape(sumOver(tf.mul(dResidualSum, kept.linear2_3), [0, 1, 2]), [96]),
  );
  run.gradient[`${at}.weighted_4.residual.alpha`] = dResidual2;
  kept.linear2_3.dispose();

  // std/vision.lips:5  Linear(d)
  const dLinear2Shaped = tf.reshape(dResidual, [6272, 96]);
  dResidual.dispose();
  const dLinear2 = tf.tidy(() => tf.reshape(sumOver(dLinear2Shaped, [0]), [96]));
  run.gradient[`${at}.mlp.linear_2.bias`] = dLinear2;
  const dLinear2_2 = multiply(dLinear2Shaped, w("mlp.linear_2.weight"));
  const dLinear2_3 = multiply(dLinear2Shaped, kept.linear2Shaped2, true, false);
  run.gradient[`${at}.mlp.linear_2.weight`] = dLinear2_3;
  tf.dispose([dLinear2Shaped, kept.linear2Shaped2]);

  // std/vision.lips:4  GELU
  const dAct = tf.tidy(() => tf.mul(tf.reshape(dLinear2_2, [128, 7, 7, 384]), kept.actSlope));
  tf.dispose([kept.actSlope, dLinear2_2]);

  // std/vision.lips:5  Linear(ratio * d)
  const dLinearShaped = tf.reshape(dAct, [6272, 384]);
  dAct.dispose();
  const dLinear = tf.tidy(() => tf.reshape(sumOver(dLinearShaped, [0]), [384]));
  run.gradient[`${at}.mlp.linear.bias`] = dLinear;
  const dLinear3 = multiply(dLinearShaped, kept.linearShaped2, true, false);
  run.gradient[`${at}.mlp.linear.weight`] = dLinear3;
  kept.linearShaped2.dispose();
  const dLinear4 = tf.tidy(() =>
    tf.reshape(multiply(dLinearShaped, w("mlp.linear.weight")), [128, 7, 7, 96]),
  );
  dLinearShaped.dispose();

  // std/lipsformer.lips:15  CenterNorm
  const dCenterNormSum = tf.add(dResidualSum, dLinear4);
  tf.dispose([dResidualSum, dLinear4]);
  const dCenterNorm = tf.tidy(() => tf.reshape(sumOver(dCenterNormSum, [0, 1, 2]), [96]));
  run.gradient[`${at}.center_norm.beta`] = dCenterNorm;
  const dCenterNormScaled = tf.mul(dCenterNormSum, kept.centerNormRatio);
  kept.centerNormRatio.dispose();
  const dCenterNormRatio = tf.tidy(() =>
    tf.div(tf.reshape(sumOver(tf.mul(dCenterNormSum, kept.centerNormDifference), [0, 1, 2]), [96]), 95),
  );
  tf.dispose([dCenterNormSum, kept.centerNormDifference]);
  const dCenterNorm3 = tf.mul(dCenterNormRatio, 96);
  run.gradient[`${at}.center_norm.gamma`] = dCenterNorm3;
  dCenterNormRatio.dispose();
  const dCenterNorm4 = tf.tidy(() => tf.div(tf.neg(sumOver(dCenterNormScaled, [3])), 96));

  // std/lipsformer.lips:7  Residual(f, alpha: learned(alpha, shape: [d]), drop: drop)
  const dResidualSum2 = tf.add(dCenterNormScaled, dCenterNorm4);
  tf.dispose([dCenterNormScaled, dCenterNorm4]);
  const dResidual3 = tf.mul(dResidualSum2, w("weighted_3.residual.alpha"));
  const dResidual4 = tf.tidy(() =>
    tf.reshape(sumOver(tf.mul(dResidualSum2, kept.linear2_2), [0, 1, 2]), [96]),
  );
  run.gradient[`${at}.weighted_3.residual.alpha`] = dResidual4;
  kept.linear2_2.dispose();

  // std/attention.lips:10  Linear(d)
  const dLinear2Shaped2 = tf.reshape(dResidual3, [6272, 96]);
  dResidual3.dispose();
  const dLinear2_4 = tf.tidy(() => tf.reshape(sumOver(dLinear2Shaped2, [0]), [96]));
  run.gradient[`${at}.attention.linear_2.bias`] = dLinear2_4;
  const dLinear2_5 = multiply(dLinear2Shaped2, w("attention.linear_2.weight"));
  const dLinear2_6 = multiply(dLinear2Shaped2, kept.linear2Shaped, true, false);
  run.gradient[`${at}.attention.linear_2.weight`] = dLinear2_6;
  tf.dispose([dLinear2Shaped2, kept.linear2Shaped]);

  // std/attention.lips:9  Attend(q, k, v, heads: heads, score: score, values: values, over: over, position:…
  const dAttendShaped = tf.tidy(() =>
    tf.reshape(tf.transpose(tf.reshape(dLinear2_5, [128, 49, 3, 32]), [0, 2, 1, 3]), [384, 49, 32]),
  );
  dLinear2_5.dispose();
  const dAttendShaped2 = tf.tidy(() =>
    tf.reshape(multiplyEach(dAttendShaped, kept.attendShaped4, false, true), [128, 3, 49, 49]),
  );
  kept.attendShaped4.dispose();
  const dAttendShaped3 = tf.tidy(() =>
    tf.reshape(multiplyEach(kept.attendShaped3, dAttendShaped, true, false), [128, 3, 49, 32]),
  );
  tf.dispose([kept.attendShaped3, dAttendShaped]);
  const dAttendScaled = tf.tidy(() =>
    tf.mul(
      tf.div(sumOver(tf.mul(dAttendShaped3, kept.attendTurned3), [3]), kept.attendRoot3),
      kept.attendRatio3,
    ),
  );
  const dAttendScaled2 = tf.tidy(() =>
    tf.mul(tf.mul(tf.div(tf.mul(dAttendScaled, -0.5), kept.attendRoot3), 2), kept.attendTurned3),
  );
  tf.dispose([kept.attendTurned3, kept.attendRoot3, dAttendScaled]);
  const dAttendScaled3 = tf.tidy(() =>
    tf.mul(
      kept.attendSoftmax,
      tf.sub(dAttendShaped2, sumOver(tf.mul(dAttendShaped2, kept.attendSoftmax), [3])),
    ),
  );
  tf.dispose([kept.attendSoftmax, dAttendShaped2]);
  const dAttend = tf.tidy(() =>
    addRows(
      run.constants.indices,
      tf.transpose(tf.reshape(sumOver(dAttendScaled3, [0]), [3, 2401]), [1, 0]),
      169,
    ),
  );
  run.gradient[`${at}.attention.attend.position`] = dAttend;
  const dAttendShaped4 = tf.reshape(dAttendScaled3, [384, 49, 49]);
  dAttendScaled3.dispose();
  const dAttendShaped5 = tf.tidy(() =>
    tf.reshape(multiplyEach(dAttendShaped4, kept.attendShaped2), [128, 3, 49, 32]),
  );
  kept.attendShaped2.dispose();
  const dAttendScaled4 = tf.tidy(() =>
    tf.mul(
      tf.reshape(multiplyEach(dAttendShaped4, kept.attendShaped, true, false), [128, 3, 49, 32]),
      kept.attendRatio2,
    ),
  );
  tf.dispose([kept.attendRatio2, dAttendShaped4, kept.attendShaped]);
  const dAttendRatio = tf.tidy(() =>
    tf.div(tf.mul(sumOver(tf.mul(dAttendScaled4, kept.attendScaled), [3]), -0.5), kept.attendRoot2),
  );
  tf.dispose([kept.attendRoot2, kept.attendScaled]);
  const dAttendScaled5 = tf.tidy(() =>
    tf.mul(
      tf.div(sumOver(tf.mul(dAttendShaped5, kept.attendTurned), [3]), kept.attendRoot),
      kept.attendRatio,
    ),
  );
  const dAttendScaled6 = tf.tidy(() =>
    tf.mul(tf.mul(tf.div(tf.mul(dAttendScaled5, -0.5), kept.attendRoot), 2), kept.attendTurned),
  );
  tf.dispose([kept.attendTurned, kept.attendRoot, dAttendScaled5]);
  const dAttend2 = tf.tidy(() =>
    tf.reshape(
      tf.transpose(tf.add(tf.mul(dAttendShaped3, kept.attendRatio3), dAttendScaled2), [0, 2, 1, 3]),
      [128, 7, 7, 96],
    ),
  );
  tf.dispose([dAttendScaled2, dAttendShaped3, kept.attendRatio3]);
  const dAttendTurned = tf.tidy(() =>
    tf.transpose(tf.add(dAttendScaled4, tf.mul(tf.mul(dAttendRatio, 2), kept.attendTurned2)), [0, 2, 1, 3]),
  );
  tf.dispose([dAttendScaled4, kept.attendTurned2, dAttendRatio]);
  const dAttend3 = tf.reshape(dAttendTurned, [128, 7, 7, 96]);
  dAttendTurned.dispose();
  const dAttend4 = tf.tidy(() =>
    tf.reshape(
      tf.transpose(tf.add(tf.mul(dAttendShaped5, kept.attendRatio), dAttendScaled6), [0, 2, 1, 3]),
      [128, 7, 7, 96],
    ),
  );
  tf.dispose([dAttendScaled6, dAttendShaped5, kept.attendRatio]);

  // std/attention.lips:8  Linear(3 * d)
  const dLinearShaped2 = tf.tidy(() => tf.reshape(tf.concat([dAttend4, dAttend3, dAttend2], 3), [6272, 288]));
  tf.dispose([dAttend4, dAttend3, dAttend2]);
  const dLinear5 = tf.tidy(() => tf.reshape(sumOver(dLinearShaped2, [0]), [288]));
  run.gradient[`${at}.attention.linear.bias`] = dLinear5;
  const dLinear6 = multiply(dLinearShaped2, kept.linear2, true, false);
  run.gradient[`${at}.attention.linear.weight`] = dLinear6;
  kept.linear2.dispose();
  const dLinear7 = tf.tidy(() =>
    tf.reshape(multiply(dLinearShaped2, w("attention.linear.weight")), [128, 7, 7, 96]),
  );
  dLinearShaped2.dispose();

  // std/lipsformer.lips:7  Residual(f, alpha: learned(alpha, shape: [d]), drop: drop)
  const dResidualSum3 = tf.add(dResidualSum2, dLinear7);
  tf.dispose([dResidualSum2, dLinear7]);
  const dResidual5 = tf.mul(dResidualSum3, w("weighted_2.residual.alpha"));
  const dResidual6 = tf.tidy(() => tf.reshape(sumOver(tf.mul(dResidualSum3, kept.gelu3), [0, 1, 2]), [96]));
  run.gradient[`${at}.weighted_2.residual.alpha`] = dResidual6;
  kept.gelu3.dispose();

  // std/lipsformer.lips:13  GELU
  const dGelu3 = tf.mul(dResidual5, kept.gelu3Slope);
  tf.dispose([dResidual5, kept.gelu3Slope]);

  // std/lipsformer.lips:13  DepthwiseConv(7)
  const dDepthwiseConv2 = tf.tidy(() => tf.reshape(sumOver(dGelu3, [0, 1, 2]), [96]));
  run.gradient[`${at}.depthwise_conv_2.bias`] = dDepthwiseConv2;
  const dDepthwiseConv2Turned = tf.tidy(() => tf.transpose(tf.reshape(dGelu3, [128, 49, 96]), [2, 0, 1]));
  dGelu3.dispose();
  const dDepthwiseConv2_2 = tf.tidy(() =>
    tf.reshape(
      tf.transpose(multiplyEach(dDepthwiseConv2Turned, kept.depthwiseConv2Shaped, false, true), [1, 2, 0]),
      [128, 7, 7, 96],
    ),
  );
  kept.depthwiseConv2Shaped.dispose();
  const dDepthwiseConv2_3 = tf.tidy(() =>
    tf.reshape(
      multiply(
        tf.reshape(multiplyEach(kept.depthwiseConv2Turned, dDepthwiseConv2Turned, true, false), [96, 2401]),
        run.constants.table,
        false,
        true,
      ),
      [96, 1, 7, 7],
    ),
  );
  run.gradient[`${at}.depthwise_conv_2.weight`] = dDepthwiseConv2_3;
  tf.dispose([kept.depthwiseConv2Turned, dDepthwiseConv2Turned]);

  // std/lipsformer.lips:7  Residual(f, alpha: learned(alpha, shape: [d]), drop: drop)
  const dResidualSum4 = tf.add(dResidualSum3, dDepthwiseConv2_2);
  tf.dispose([dResidualSum3, dDepthwiseConv2_2]);
  const dResidual7 = tf.mul(dResidualSum4, w("weighted.residual.alpha"));
  const dResidual8 = tf.tidy(() => tf.reshape(sumOver(tf.mul(dResidualSum4, kept.gelu2_2), [0, 1, 2]), [96]));
  run.gradient[`${at}.weighted.residual.alpha`] = dResidual8;
  kept.gelu2_2.dispose();

  // std/lipsformer.lips:12  GELU
  const dGelu2 = tf.mul(dResidual7, kept.gelu2Slope);
  tf.dispose([dResidual7, kept.gelu2Slope]);

  // std/lipsformer.lips:12  Linear(d)
  const dLinearShaped3 = tf.reshape(dGelu2, [6272, 96]);
  dGelu2.dispose();
  const dLinear8 = tf.tidy(() => tf.reshape(sumOver(dLinearShaped3, [0]), [96]));
  run.gradient[`${at}.linear.bias`] = dLinear8;
  const dLinear9 = multiply(dLinearShaped3, w("linear.weight"));
  const dLinear10 = multiply(dLinearShaped3, kept.linearShaped, true, false);
  run.gradient[`${at}.linear.weight`] = dLinear10;
  tf.dispose([dLinearShaped3, kept.linearShaped]);

  // std/lipsformer.lips:12  GELU
  const dGelu = tf.tidy(() => tf.mul(tf.reshape(dLinear9, [128, 7, 7, 96]), kept.geluSlope2));
  tf.dispose([kept.geluSlope2, dLinear9]);

  // std/lipsformer.lips:12  DepthwiseConv(7)
  const dDepthwiseConv = tf.tidy(() => tf.reshape(sumOver(dGelu, [0, 1, 2]), [96]));
  run.gradient[`${at}.depthwise_conv.bias`] = dDepthwiseConv;
  const dDepthwiseConvTurned = tf.tidy(() => tf.transpose(tf.reshape(dGelu, [128, 49, 96]), [2, 0, 1]));
  dGelu.dispose();
  const dDepthwiseConv3 = tf.tidy(() =>
    tf.reshape(
      tf.transpose(multiplyEach(dDepthwiseConvTurned, kept.depthwiseConvShaped, false, true), [1, 2, 0]),
      [128, 7, 7, 96],
    ),
  );
  kept.depthwiseConvShaped.dispose();
  const dDepthwiseConv4 = tf.tidy(() =>
    tf.reshape(
      multiply(
        tf.reshape(multiplyEach(kept.depthwiseConvTurned, dDepthwiseConvTurned, true, false), [96, 2401]),
        run.constants.table,
        false,
        true,
      ),
      [96, 1, 7, 7],
    ),
  );
  run.gradient[`${at}.depthwise_conv.weight`] = dDepthwiseConv4;
  tf.dispose([kept.depthwiseConvTurned, dDepthwiseConvTurned]);
  return { dResidualSum4, dDepthwiseConv3 };
}

/** specs/lipsformer-fashion.lips:26  optimizer: adamw(lr: 2e-3, betas: [0.9, 0.98], weight_decay: 0.05) */
function update(
  run: Run,
  at: string,
  factor: tf.Tensor,
  factor2: tf.Tensor,
  factor3: tf.Tensor,
  factor4: tf.Tensor,
  factor5: tf.Tensor,
) {
  const m = run.given[`m/${at}`];
  const gradient = run.gradient[at];
  const v = run.given[`v/${at}`];
  const parameter = run.given[`param/${at}`];
  // specs/lipsformer-fashion.lips:26  optimizer: adamw(lr: 2e-3, betas: [0.9, 0.98], weight_decay: 0.05)
  const nextM = tf.tidy(() => tf.add(tf.mul(m, 0.9), tf.mul(gradient, factor)));
  run.next[`m/${at}`] = nextM;
  m.dispose();
  const nextV = tf.tidy(() => tf.add(tf.mul(v, 0.98), tf.mul(tf.square(gradient), factor2)));
  run.next[`v/${at}`] = nextV;
  tf.dispose([v, gradient]);
  const scaled = tf.tidy(() => tf.mul(tf.div(nextM, tf.add(tf.sqrt(nextV), factor3)), factor4));
  const nextParameter = tf.tidy(() => tf.sub(tf.mul(parameter, factor5), scaled));
  run.next[`param/${at}`] = nextParameter;
  tf.dispose([scaled, parameter]);
}

/** One training step: forward, backward, clipping and update. */
function step(run: Run): void {
  // specs/lipsformer-fashion.lips:15  Normalize([0.2860], [0.3530])
  const normalize = tf.tidy(() =>
    tf.mul(tf.sub(run.given["data/image"], run.constants.table2), run.constants.table3),
  );

  // std/vision.lips:10  Conv(dim, kernel: patch, stride: patch, padding: 0)
  const convShaped = tf.tidy(() =>
    tf.reshape(tf.transpose(tf.reshape(normalize, [896, 4, 7, 4]), [0, 2, 1, 3]), [6272, 16]),
  );
  normalize.dispose();
  const conv = tf.tidy(() =>
    tf.reshape(
      affine(
        convShaped,
        tf.reshape(run.given["param/patch_embed.conv.weight"], [96, 16]),
        run.given["param/patch_embed.conv.bias"],
      ),
      [128, 7, 7, 96],
    ),
  );

  // specs/lipsformer-fashion.lips:15  CenterNorm
  const centerNormDifference = tf.tidy(() => tf.sub(conv, tf.div(sumOver(conv, [3]), 96)));
  conv.dispose();
  const centerNormRatio = tf.tidy(() => tf.div(tf.mul(run.given["param/center_norm.gamma"], 96), 95));
  const centerNorm = tf.tidy(() =>
    tf.add(tf.mul(centerNormDifference, centerNormRatio), run.given["param/center_norm.beta"]),
  );

  // specs/lipsformer-fashion.lips:16  LipsBlock(attention, alpha: 1 / depth)
  const lipsBlock0 = lipsBlock(run, "lips_block.0", centerNorm);
  centerNorm.dispose();

  // specs/lipsformer-fashion.lips:16  LipsBlock(attention, alpha: 1 / depth)
  const lipsBlock1 = lipsBlock(run, "lips_block.1", lipsBlock0.centerNorm2);
  lipsBlock0.centerNorm2.dispose();

  // specs/lipsformer-fashion.lips:16  LipsBlock(attention, alpha: 1 / depth)
  const lipsBlock2 = lipsBlock(run, "lips_block.2", lipsBlock1.centerNorm2);
  lipsBlock1.centerNorm2.dispose();

  // specs/lipsformer-fashion.lips:16  LipsBlock(attention, alpha: 1 / depth)
  const lipsBlock3 = lipsBlock(run, "lips_block.3", lipsBlock2.centerNorm2);
  lipsBlock2.centerNorm2.dispose();

  // specs/lipsformer-fashion.lips:16  LipsBlock(attention, alpha: 1 / depth)
  const lipsBlock4 = lipsBlock(run, "lips_block.4", lipsBlock3.centerNorm2);
  lipsBlock3.centerNorm2.dispose();

  // specs/lipsformer-fashion.lips:16  LipsBlock(attention, alpha: 1 / depth)
  const lipsBlock5 = lipsBlock(run, "lips_block.5", lipsBlock4.centerNorm2);
  lipsBlock4.centerNorm2.dispose();

  // specs/lipsformer-fashion.lips:17  MeanPool
  const meanPool = tf.tidy(() => tf.div(tf.reshape(sumOver(lipsBlock5.centerNorm2, [1, 2]), [128, 96]), 49));
  lipsBlock5.centerNorm2.dispose();

  // specs/lipsformer-fashion.lips:18  Linear(classes)
  const linear = affine(meanPool, run.given["param/linear.weight"], run.given["param/linear.bias"]);

  // specs/lipsformer-fashion.lips:25  loss: cross_entropy(smoothing: 0.1)
  const lossMax = tf.max(linear, [1], true);
  const lossDifference = tf.sub(linear, lossMax);
  const lossExp = tf.exp(lossDifference);
  const lossTotal = sumOver(lossExp, [1]);
  const lossChosen = tf.tidy(() =>
    tf.where(tf.equal(tf.reshape(run.given["labels"], [128, 1]), run.constants.indices2), 0.91, 0.01),
  );
  const lossDifference2 = tf.tidy(() =>
    tf.sub(tf.log(lossTotal), sumOver(tf.mul(lossDifference, lossChosen), [1])),
  );
  lossDifference.dispose();
  const loss = tf.tidy(() => tf.mul(tf.reshape(sumOver(lossDifference2, [0]), []), 0.0078125));
  run.next["metric/loss"] = loss;
  lossDifference2.dispose();

  // specs/lipsformer-fashion.lips:25  loss: cross_entropy(smoothing: 0.1)
  const dLoss = tf.tidy(() =>
    tf.add(tf.mul(-0.0078125, lossChosen), tf.mul(tf.div(0.0078125, lossTotal), lossExp)),
  );
  tf.dispose([lossChosen, lossExp, lossTotal]);

  // specs/lipsformer-fashion.lips:18  Linear(classes)
  const dLinear = tf.tidy(() => tf.reshape(sumOver(dLoss, [0]), [10]));
  run.gradient["linear.bias"] = dLinear;
  const dLinear2 = multiply(dLoss, run.given["param/linear.weight"]);
  const dLinear3 = multiply(dLoss, meanPool, true, false);
  run.gradient["linear.weight"] = dLinear3;
  tf.dispose([dLoss, meanPool]);

  // specs/lipsformer-fashion.lips:17  MeanPool
  const dMeanPool = tf.tidy(() => tf.reshape(tf.div(dLinear2, 49), [128, 1, 1, 96]));
  dLinear2.dispose();

  // specs/lipsformer-fashion.lips:16  LipsBlock(attention, alpha: 1 / depth)
  const dLipsBlock5 = lipsBlockBackward(run, "lips_block.5", lipsBlock5, dMeanPool);
  dMeanPool.dispose();

  // specs/lipsformer-fashion.lips:16  LipsBlock(attention, alpha: 1 / depth)
  const dLipsBlock4 = lipsBlockBackward2(
    run,
    "lips_block.4",
    lipsBlock4,
    dLipsBlock5.dResidualSum4,
    dLipsBlock5.dDepthwiseConv3,
  );
  tf.dispose([dLipsBlock5.dResidualSum4, dLipsBlock5.dDepthwiseConv3]);

  // specs/lipsformer-fashion.lips:16  LipsBlock(attention, alpha: 1 / depth)
  const dLipsBlock3 = lipsBlockBackward2(
    run,
    "lips_block.3",
    lipsBlock3,
    dLipsBlock4.dResidualSum4,
    dLipsBlock4.dDepthwiseConv3,
  );
  tf.dispose([dLipsBlock4.dResidualSum4, dLipsBlock4.dDepthwiseConv3]);

  // specs/lipsformer-fashion.lips:16  LipsBlock(attention, alpha: 1 / depth)
  const dLipsBlock2 = lipsBlockBackward2(
    run,
    "lips_block.2",
    lipsBlock2,
    dLipsBlock3.dResidualSum4,
    dLipsBlock3.dDepthwiseConv3,
  );
  tf.dispose([dLipsBlock3.dResidualSum4, dLipsBlock3.dDepthwiseConv3]);

  // specs/lipsformer-fashion.lips:16  LipsBlock(attention, alpha: 1 / depth)
  const dLipsBlock1 = lipsBlockBackward2(
    run,
    "lips_block.1",
    lipsBlock1,
    dLipsBlock2.dResidualSum4,
    dLipsBlock2.dDepthwiseConv3,
  );
  tf.dispose([dLipsBlock2.dResidualSum4, dLipsBlock2.dDepthwiseConv3]);

  // specs/lipsformer-fashion.lips:16  LipsBlock(attention, alpha: 1 / depth)
  const dLipsBlock0 = lipsBlockBackward2(
    run,
    "lips_block.0",
    lipsBlock0,
    dLipsBlock1.dResidualSum4,
    dLipsBlock1.dDepthwiseConv3,
  );
  tf.dispose([dLipsBlock1.dResidualSum4, dLipsBlock1.dDepthwiseConv3]);

  // specs/lipsformer-fashion.lips:15  CenterNorm
  const dCenterNormSum = tf.add(dLipsBlock0.dResidualSum4, dLipsBlock0.dDepthwiseConv3);
  tf.dispose([dLipsBlock0.dResidualSum4, dLipsBlock0.dDepthwiseConv3]);
  const dCenterNorm = tf.tidy(() => tf.reshape(sumOver(dCenterNormSum, [0, 1, 2]), [96]));
  run.gradient["center_norm.beta"] = dCenterNorm;
  const dCenterNormScaled = tf.mul(dCenterNormSum, centerNormRatio);
  centerNormRatio.dispose();
  const dCenterNormRatio = tf.tidy(() =>
    tf.div(tf.reshape(sumOver(tf.mul(dCenterNormSum, centerNormDifference), [0, 1, 2]), [96]), 95),
  );
  tf.dispose([dCenterNormSum, centerNormDifference]);
  const dCenterNorm2 = tf.mul(dCenterNormRatio, 96);
  run.gradient["center_norm.gamma"] = dCenterNorm2;
  dCenterNormRatio.dispose();
  const dCenterNorm3 = tf.tidy(() => tf.div(tf.neg(sumOver(dCenterNormScaled, [3])), 96));

  // std/vision.lips:10  Conv(dim, kernel: patch, stride: patch, padding: 0)
  const dConvShaped = tf.tidy(() => tf.reshape(tf.add(dCenterNormScaled, dCenterNorm3), [6272, 96]));
  tf.dispose([dCenterNormScaled, dCenterNorm3]);
  const dConv = tf.tidy(() => tf.reshape(sumOver(dConvShaped, [0]), [96]));
  run.gradient["patch_embed.conv.bias"] = dConv;
  const dConv2 = tf.tidy(() => tf.reshape(multiply(dConvShaped, convShaped, true, false), [96, 1, 4, 4]));
  run.gradient["patch_embed.conv.weight"] = dConv2;
  tf.dispose([dConvShaped, convShaped]);

  // specs/lipsformer-fashion.lips:31  clip: 5.0
  const clipRoot = tf.tidy(() => tf.sqrt(sumOfSquares(Object.values(run.gradient))));
  run.next["metric/grad_norm"] = clipRoot;
  const clip = tf.tidy(() => tf.minimum(tf.div(5, tf.add(clipRoot, 0.000001)), 1));

  // specs/lipsformer-fashion.lips:26  optimizer: adamw(lr: 2e-3, betas: [0.9, 0.98], weight_decay: 0.05)
  const updateDifference = tf.tidy(() => tf.sub(1, tf.mul(run.given["scalar/lr"], 0.05)));
  const updateScaled = tf.mul(clip, 0.1);
  const updateScaled2 = tf.tidy(() => tf.mul(tf.square(clip), 0.02));
  clip.dispose();
  const updateTanh = tf.tidy(() => tf.tanh(tf.mul(run.given["scalar/step"], 0.010101354)));
  const updateRoot = tf.tidy(() => tf.sqrt(tf.div(tf.mul(updateTanh, 2), tf.add(updateTanh, 1))));
  updateTanh.dispose();
  const updateTanh2 = tf.tidy(() => tf.tanh(tf.mul(run.given["scalar/step"], 0.052680258)));
  const updateRatio = tf.tidy(() => tf.div(tf.mul(updateTanh2, 2), tf.add(updateTanh2, 1)));
  updateTanh2.dispose();
  const updateRatio2 = tf.tidy(() => tf.div(tf.mul(run.given["scalar/lr"], updateRoot), updateRatio));
  updateRatio.dispose();
  const updateScaled3 = tf.mul(updateRoot, 1e-8);
  updateRoot.dispose();

  // specs/lipsformer-fashion.lips:26  optimizer: adamw(lr: 2e-3, betas: [0.9, 0.98], weight_decay: 0.05)
  const updateDifference2 = tf.tidy(() => tf.sub(1, tf.mul(run.given["scalar/lr"], 0.0005)));
  const metricNegative = tf.tidy(() =>
    tf.neg(tf.max(tf.where(tf.equal(linear, lossMax), run.constants.table4, -10), [1], false)),
  );
  tf.dispose([linear, lossMax]);
  const metricCast = tf.tidy(() =>
    tf.cast(tf.equal(metricNegative, tf.mul(tf.cast(run.given["labels"], "float32"), 1)), "float32"),
  );
  metricNegative.dispose();
  const metric = tf.tidy(() => tf.mul(tf.reshape(sumOver(tf.mul(metricCast, 1), [0]), []), 0.0078125));
  run.next["metric/accuracy"] = metric;
  metricCast.dispose();

  // specs/lipsformer-fashion.lips:26  optimizer: adamw(lr: 2e-3, betas: [0.9, 0.98], weight_decay: 0.05)
  for (const at of [
    "patch_embed.conv.weight",
    "lips_block.0.depthwise_conv.weight",
    "lips_block.0.linear.weight",
    "lips_block.0.depthwise_conv_2.weight",
    "lips_block.0.attention.linear.weight",
    "lips_block.0.attention.linear_2.weight",
    "lips_block.0.mlp.linear.weight",
    "lips_block.0.mlp.linear_2.weight",
    "lips_block.1.depthwise_conv.weight",
    "lips_block.1.linear.weight",
    "lips_block.1.depthwise_conv_2.weight",
    "lips_block.1.attention.linear.weight",
    "lips_block.1.attention.linear_2.weight",
    "lips_block.1.mlp.linear.weight",
    "lips_block.1.mlp.linear_2.weight",
    "lips_block.2.depthwise_conv.weight",
    "lips_block.2.linear.weight",
    "lips_block.2.depthwise_conv_2.weight",
    "lips_block.2.attention.linear.weight",
    "lips_block.2.attention.linear_2.weight",
    "lips_block.2.mlp.linear.weight",
    "lips_block.2.mlp.linear_2.weight",
    "lips_block.3.depthwise_conv.weight",
    "lips_block.3.linear.weight",
    "lips_block.3.depthwise_conv_2.weight",
    "lips_block.3.attention.linear.weight",
    "lips_block.3.attention.linear_2.weight",
    "lips_block.3.mlp.linear.weight",
    "lips_block.3.mlp.linear_2.weight",
    "lips_block.4.depthwise_conv.weight",
    "lips_block.4.linear.weight",
    "lips_block.4.depthwise_conv_2.weight",
    "lips_block.4.attention.linear.weight",
    "lips_block.4.attention.linear_2.weight",
    "lips_block.4.mlp.linear.weight",
    "lips_block.4.mlp.linear_2.weight",
    "lips_block.5.depthwise_conv.weight",
    "lips_block.5.linear.weight",
    "lips_block.5.depthwise_conv_2.weight",
    "lips_block.5.attention.linear.weight",
    "lips_block.5.attention.linear_2.weight",
    "lips_block.5.mlp.linear.weight",
    "lips_block.5.mlp.linear_2.weight",
    "linear.weight",
  ]) {
    update(run, at, updateScaled, updateScaled2, updateScaled3, updateRatio2, updateDifference);
  }
  for (const at of [
    "patch_embed.conv.bias",
    "center_norm.gamma",
    "center_norm.beta",
    "lips_block.0.depthwise_conv.bias",
    "lips_block.0.linear.bias",
    "lips_block.0.weighted.residual.alpha",
    "lips_block.0.depthwise_conv_2.bias",
    "lips_block.0.weighted_2.residual.alpha",
    "lips_block.0.attention.linear.bias",
    "lips_block.0.attention.attend.position",
    "lips_block.0.attention.linear_2.bias",
    "lips_block.0.weighted_3.residual.alpha",
    "lips_block.0.center_norm.gamma",
    "lips_block.0.center_norm.beta",
    "lips_block.0.mlp.linear.bias",
    "lips_block.0.mlp.linear_2.bias",
    "lips_block.0.weighted_4.residual.alpha",
    "lips_block.0.center_norm_2.gamma",
    "lips_block.0.center_norm_2.beta",
    "lips_block.1.depthwise_conv.bias",
    "lips_block.1.linear.bias",
    "lips_block.1.weighted.residual.alpha",
    "lips_block.1.depthwise_conv_2.bias",
    "lips_block.1.weighted_2.residual.alpha",
    "lips_block.1.attention.linear.bias",
    "lips_block.1.attention.attend.position",
    "lips_block.1.attention.linear_2.bias",
    "lips_block.1.weighted_3.residual.alpha",
    "lips_block.1.center_norm.gamma",
    "lips_block.1.center_norm.beta",
    "lips_block.1.mlp.linear.bias",
    "lips_block.1.mlp.linear_2.bias",
    "lips_block.1.weighted_4.residual.alpha",
    "lips_block.1.center_norm_2.gamma",
    "lips_block.1.center_norm_2.beta",
    "lips_block.2.depthwise_conv.bias",
    "lips_block.2.linear.bias",
    "lips_block.2.weighted.residual.alpha",
    "lips_block.2.depthwise_conv_2.bias",
    "lips_block.2.weighted_2.residual.alpha",
    "lips_block.2.attention.linear.bias",
    "lips_block.2.attention.attend.position",
    "lips_block.2.attention.linear_2.bias",
    "lips_block.2.weighted_3.residual.alpha",
    "lips_block.2.center_norm.gamma",
    "lips_block.2.center_norm.beta",
    "lips_block.2.mlp.linear.bias",
    "lips_block.2.mlp.linear_2.bias",
    "lips_block.2.weighted_4.residual.alpha",
    "lips_block.2.center_norm_2.gamma",
    "lips_block.2.center_norm_2.beta",
    "lips_block.3.depthwise_conv.bias",
    "lips_block.3.linear.bias",
    "lips_block.3.weighted.residual.alpha",
    "lips_block.3.depthwise_conv_2.bias",
    "lips_block.3.weighted_2.residual.alpha",
    "lips_block.3.attention.linear.bias",
    "lips_block.3.attention.attend.position",
    "lips_block.3.attention.linear_2.bias",
    "lips_block.3.weighted_3.residual.alpha",
    "lips_block.3.center_norm.gamma",
    "lips_block.3.center_norm.beta",
    "lips_block.3.mlp.linear.bias",
    "lips_block.3.mlp.linear_2.bias",
    "lips_block.3.weighted_4.residual.alpha",
    "lips_block.3.center_norm_2.gamma",
    "lips_block.3.center_norm_2.beta",
    "lips_block.4.depthwise_conv.bias",
    "lips_block.4.linear.bias",
    "lips_block.4.weighted.residual.alpha",
    "lips_block.4.depthwise_conv_2.bias",
    "lips_block.4.weighted_2.residual.alpha",
    "lips_block.4.attention.linear.bias",
    "lips_block.4.attention.attend.position",
    "lips_block.4.attention.linear_2.bias",
    "lips_block.4.weighted_3.residual.alpha",
    "lips_block.4.center_norm.gamma",
    "lips_block.4.center_norm.beta",
    "lips_block.4.mlp.linear.bias",
    "lips_block.4.mlp.linear_2.bias",
    "lips_block.4.weighted_4.residual.alpha",
    "lips_block.4.center_norm_2.gamma",
    "lips_block.4.center_norm_2.beta",
    "lips_block.5.depthwise_conv.bias",
    "lips_block.5.linear.bias",
    "lips_block.5.weighted.residual.alpha",
    "lips_block.5.depthwise_conv_2.bias",
    "lips_block.5.weighted_2.residual.alpha",
    "lips_block.5.attention.linear.bias",
    "lips_block.5.attention.attend.position",
    "lips_block.5.attention.linear_2.bias",
    "lips_block.5.weighted_3.residual.alpha",
    "lips_block.5.center_norm.gamma",
    "lips_block.5.center_norm.beta",
    "lips_block.5.mlp.linear.bias",
    "lips_block.5.mlp.linear_2.bias",
    "lips_block.5.weighted_4.residual.alpha",
    "lips_block.5.center_norm_2.gamma",
    "lips_block.5.center_norm_2.beta",
    "linear.bias",
  ]) {
    update(run, at, updateScaled, updateScaled2, updateScaled3, updateRatio2, updateDifference2);
  }
  tf.dispose([updateDifference, updateDifference2, updateScaled, updateScaled2, updateScaled3, updateRatio2]);
}

// The network, as it is used.

/** specs/lipsformer-fashion.lips:16  LipsBlock(attention, alpha: 1 / depth) */
function lipsBlock2(run: Run, at: string, x: tf.Tensor) {
  const w = weightsOf(run, at);
  // std/lipsformer.lips:12  DepthwiseConv(7)
  const depthwiseConvShaped = tf.tidy(() =>
    tf.reshape(multiply(tf.reshape(w("depthwise_conv.weight"), [96, 49]), run.constants.table), [96, 49, 49]),
  );
  const depthwiseConvTurned = tf.tidy(() =>
    tf.transpose(
      multiplyEach(tf.transpose(tf.reshape(x, [128, 49, 96]), [2, 0, 1]), depthwiseConvShaped),
      [1, 2, 0],
    ),
  );
  depthwiseConvShaped.dispose();
  const depthwiseConv = tf.tidy(() =>
    tf.add(tf.reshape(depthwiseConvTurned, [128, 7, 7, 96]), w("depthwise_conv.bias")),
  );
  depthwiseConvTurned.dispose();

  // std/lipsformer.lips:12  GELU
  const gelu2 = gelu(depthwiseConv);
  depthwiseConv.dispose();

  // std/lipsformer.lips:12  Linear(d)
  const linear = tf.tidy(() =>
    tf.reshape(affine(tf.reshape(gelu2, [6272, 96]), w("linear.weight"), w("linear.bias")), [128, 7, 7, 96]),
  );
  gelu2.dispose();

  // std/lipsformer.lips:12  GELU
  const gelu2_2 = gelu(linear);
  linear.dispose();

  // std/lipsformer.lips:7  Residual(f, alpha: learned(alpha, shape: [d]), drop: drop)
  const residual = tf.tidy(() => tf.add(x, tf.mul(gelu2_2, w("weighted.residual.alpha"))));
  gelu2_2.dispose();

  // std/lipsformer.lips:13  DepthwiseConv(7)
  const depthwiseConv2Shaped = tf.tidy(() =>
    tf.reshape(
      multiply(tf.reshape(w("depthwise_conv_2.weight"), [96, 49]), run.constants.table),
      [96, 49, 49],
    ),
  );
  const depthwiseConv2Turned = tf.tidy(() =>
    tf.transpose(
      multiplyEach(tf.transpose(tf.reshape(residual, [128, 49, 96]), [2, 0, 1]), depthwiseConv2Shaped),
      [1, 2, 0],
    ),
  );
  depthwiseConv2Shaped.dispose();
  const depthwiseConv2 = tf.tidy(() =>
    tf.add(tf.reshape(depthwiseConv2Turned, [128, 7, 7, 96]), w("depthwise_conv_2.bias")),
  );
  depthwiseConv2Turned.dispose();

  // std/lipsformer.lips:13  GELU
  const gelu3 = gelu(depthwiseConv2);
  depthwiseConv2.dispose();

  // std/lipsformer.lips:7  Residual(f, alpha: learned(alpha, shape: [d]), drop: drop)
  const residual2 = tf.tidy(() => tf.add(residual, tf.mul(gelu3, w("weighted_2.residual.alpha"))));
  tf.dispose([residual, gelu3]);

  // std/attention.lips:8  Linear(3 * d)
  const linear2 = tf.reshape(residual2, [6272, 96]);

  // std/attention.lips:8  Split(3)
  const split = tf.tidy(() =>
    affine(
      linear2,
      slice(w("attention.linear.weight"), [0, 0], [96, 96], [1, 1]),
      slice(w("attention.linear.bias"), [0], [96], [1]),
    ),
  );
  const split2 = tf.tidy(() =>
    affine(
      linear2,
      slice(w("attention.linear.weight"), [96, 0], [192, 96], [1, 1]),
      slice(w("attention.linear.bias"), [96], [192], [1]),
    ),
  );
  const split3 = tf.tidy(() =>
    affine(
      linear2,
      slice(w("attention.linear.weight"), [192, 0], [288, 96], [1, 1]),
      slice(w("attention.linear.bias"), [192], [288], [1]),
    ),
  );
  linear2.dispose();

  // std/attention.lips:9  Attend(q, k, v, heads: heads, score: score, values: values, over: over, position:…
  const attendTurned = tf.tidy(() => tf.transpose(tf.reshape(split, [128, 49, 3, 32]), [0, 2, 1, 3]));
  split.dispose();
  const attendTurned2 = tf.tidy(() => tf.transpose(tf.reshape(split2, [128, 49, 3, 32]), [0, 2, 1, 3]));
  split2.dispose();
  const attendTurned3 = tf.tidy(() => tf.transpose(tf.reshape(split3, [128, 49, 3, 32]), [0, 2, 1, 3]));
  split3.dispose();
  const attendRoot = tf.tidy(() => tf.sqrt(tf.add(sumOver(tf.square(attendTurned), [3]), 0.01)));
  const attendRoot2 = tf.tidy(() => tf.sqrt(tf.add(sumOver(tf.square(attendTurned2), [3]), 0.01)));
  const attendShaped = tf.tidy(() =>
    tf.reshape(tf.mul(attendTurned2, tf.div(1, attendRoot2)), [384, 49, 32]),
  );
  tf.dispose([attendTurned2, attendRoot2]);
  const attendProducts = tf.tidy(() =>
    multiplyEach(
      tf.reshape(tf.mul(attendTurned, tf.div(10, attendRoot)), [384, 49, 32]),
      attendShaped,
      false,
      true,
    ),
  );
  tf.dispose([attendShaped, attendTurned, attendRoot]);
  const attendTurned4 = tf.tidy(() =>
    tf.transpose(
      tf.reshape(
        tf.gather(tf.reshape(w("attention.attend.position"), [1, 169, 3]), run.constants.indices, 1),
        [2401, 3],
      ),
      [1, 0],
    ),
  );
  const attendSoftmax = tf.tidy(() =>
    tf.softmax(tf.add(tf.reshape(attendProducts, [128, 3, 49, 49]), tf.reshape(attendTurned4, [3, 49, 49]))),
  );
  tf.dispose([attendProducts, attendTurned4]);
  const attendRoot3 = tf.tidy(() => tf.sqrt(tf.add(sumOver(tf.square(attendTurned3), [3]), 0.01)));
  const attendShaped2 = tf.tidy(() =>
    tf.reshape(tf.mul(attendTurned3, tf.div(1, attendRoot3)), [384, 49, 32]),
  );
  tf.dispose([attendTurned3, attendRoot3]);
  const attend = tf.tidy(() =>
    tf.transpose(
      tf.reshape(multiplyEach(tf.reshape(attendSoftmax, [384, 49, 49]), attendShaped2), [128, 3, 49, 32]),
      [0, 2, 1, 3],
    ),
  );
  tf.dispose([attendShaped2, attendSoftmax]);

  // std/attention.lips:10  Linear(d)
  const linear2_2 = tf.tidy(() =>
    tf.reshape(
      affine(tf.reshape(attend, [6272, 96]), w("attention.linear_2.weight"), w("attention.linear_2.bias")),
      [128, 7, 7, 96],
    ),
  );
  attend.dispose();

  // std/lipsformer.lips:7  Residual(f, alpha: learned(alpha, shape: [d]), drop: drop)
  const residual3 = tf.tidy(() => tf.add(residual2, tf.mul(linear2_2, w("weighted_3.residual.alpha"))));
  tf.dispose([residual2, linear2_2]);

  // std/lipsformer.lips:15  CenterNorm
  const centerNormRatio = tf.tidy(() => tf.div(tf.mul(w("center_norm.gamma"), 96), 95));
  const centerNormScaled = tf.tidy(() =>
    tf.mul(tf.sub(residual3, tf.div(sumOver(residual3, [3]), 96)), centerNormRatio),
  );
  tf.dispose([centerNormRatio, residual3]);
  const centerNorm = tf.add(centerNormScaled, w("center_norm.beta"));
  centerNormScaled.dispose();

  // std/vision.lips:5  Linear(ratio * d)
  const linear3 = tf.tidy(() =>
    tf.reshape(
      affine(tf.reshape(centerNorm, [6272, 96]), w("mlp.linear.weight"), w("mlp.linear.bias")),
      [128, 7, 7, 384],
    ),
  );

  // std/vision.lips:4  GELU
  const act = gelu(linear3);
  linear3.dispose();

  // std/vision.lips:5  Linear(d)
  const linear2_3 = tf.tidy(() =>
    tf.reshape(
      affine(tf.reshape(act, [6272, 384]), w("mlp.linear_2.weight"), w("mlp.linear_2.bias")),
      [128, 7, 7, 96],
    ),
  );
  act.dispose();

  // std/lipsformer.lips:7  Residual(f, alpha: learned(alpha, shape: [d]), drop: drop)
  const residual4 = tf.tidy(() => tf.add(centerNorm, tf.mul(linear2_3, w("weighted_4.residual.alpha"))));
  tf.dispose([centerNorm, linear2_3]);

  // std/lipsformer.lips:17  CenterNorm
  const centerNorm2Ratio = tf.tidy(() => tf.div(tf.mul(w("center_norm_2.gamma"), 96), 95));
  const centerNorm2Scaled = tf.tidy(() =>
    tf.mul(tf.sub(residual4, tf.div(sumOver(residual4, [3]), 96)), centerNorm2Ratio),
  );
  tf.dispose([centerNorm2Ratio, residual4]);
  const centerNorm2 = tf.add(centerNorm2Scaled, w("center_norm_2.beta"));
  centerNorm2Scaled.dispose();
  return centerNorm2;
}

/** Inference, without dropout and drop path. */
function infer(run: Run): void {
  // specs/lipsformer-fashion.lips:15  Normalize([0.2860], [0.3530])
  const normalize = tf.tidy(() =>
    tf.mul(tf.sub(run.given["data/image"], run.constants.table2), run.constants.table3),
  );

  // std/vision.lips:10  Conv(dim, kernel: patch, stride: patch, padding: 0)
  const convShaped = tf.reshape(run.given["param/patch_embed.conv.weight"], [96, 16]);
  const convAffine = tf.tidy(() =>
    affine(
      tf.reshape(tf.transpose(tf.reshape(normalize, [896, 4, 7, 4]), [0, 2, 1, 3]), [6272, 16]),
      convShaped,
      run.given["param/patch_embed.conv.bias"],
    ),
  );
  tf.dispose([convShaped, normalize]);
  const conv = tf.reshape(convAffine, [128, 7, 7, 96]);
  convAffine.dispose();

  // specs/lipsformer-fashion.lips:15  CenterNorm
  const centerNormRatio = tf.tidy(() => tf.div(tf.mul(run.given["param/center_norm.gamma"], 96), 95));
  const centerNormScaled = tf.tidy(() =>
    tf.mul(tf.sub(conv, tf.div(sumOver(conv, [3]), 96)), centerNormRatio),
  );
  tf.dispose([centerNormRatio, conv]);
  const centerNorm = tf.add(centerNormScaled, run.given["param/center_norm.beta"]);
  centerNormScaled.dispose();

  // specs/lipsformer-fashion.lips:16  LipsBlock(attention, alpha: 1 / depth)
  const lipsBlock0 = lipsBlock2(run, "lips_block.0", centerNorm);
  centerNorm.dispose();

  // specs/lipsformer-fashion.lips:16  LipsBlock(attention, alpha: 1 / depth)
  const lipsBlock1 = lipsBlock2(run, "lips_block.1", lipsBlock0);
  lipsBlock0.dispose();

  // specs/lipsformer-fashion.lips:16  LipsBlock(attention, alpha: 1 / depth)
  const lipsBlock2_2 = lipsBlock2(run, "lips_block.2", lipsBlock1);
  lipsBlock1.dispose();

  // specs/lipsformer-fashion.lips:16  LipsBlock(attention, alpha: 1 / depth)
  const lipsBlock3 = lipsBlock2(run, "lips_block.3", lipsBlock2_2);
  lipsBlock2_2.dispose();

  // specs/lipsformer-fashion.lips:16  LipsBlock(attention, alpha: 1 / depth)
  const lipsBlock4 = lipsBlock2(run, "lips_block.4", lipsBlock3);
  lipsBlock3.dispose();

  // specs/lipsformer-fashion.lips:16  LipsBlock(attention, alpha: 1 / depth)
  const lipsBlock5 = lipsBlock2(run, "lips_block.5", lipsBlock4);
  lipsBlock4.dispose();

  // specs/lipsformer-fashion.lips:17  MeanPool
  const meanPool = tf.tidy(() => tf.div(tf.reshape(sumOver(lipsBlock5, [1, 2]), [128, 96]), 49));
  lipsBlock5.dispose();

  // specs/lipsformer-fashion.lips:18  Linear(classes)
  const linear = affine(meanPool, run.given["param/linear.weight"], run.given["param/linear.bias"]);
  run.next["logits"] = linear;
  meanPool.dispose();
}

let kept: Tensors | null = null;

/** Tables that the network reads, made when they are first needed. */
function constants(): Tensors {
  kept ??= {
    table: tf.tensor(
      ones(
        117649,
        [
          25, 1, 50, 3, 200, 1, 50, 3, 200, 1, 50, 3, 200, 1, 50, 3, 1200, 1, 50, 4, 150, 1, 50, 4, 150, 1,
          50, 4, 150, 1, 50, 4, 1150, 1, 50, 5, 100, 1, 50, 5, 100, 1, 50, 5, 100, 1, 50, 5, 1100, 1, 50, 27,
          1100, 1, 50, 5, 100, 1, 50, 5, 100, 1, 50, 5, 100, 1, 50, 5, 1150, 1, 50, 4, 150, 1, 50, 4, 150, 1,
          50, 4, 150, 1, 50, 4, 1200, 1, 50, 3, 200, 1, 50, 3, 200, 1, 50, 3, 200, 1, 50, 3, 1050, 1, 50, 3,
          200, 1, 50, 3, 200, 1, 50, 3, 200, 1, 50, 3, 200, 1, 50, 3, 850, 1, 50, 4, 150, 1, 50, 4, 150, 1,
          50, 4, 150, 1, 50, 4, 150, 1, 50, 4, 800, 1, 50, 5, 100, 1, 50, 5, 100, 1, 50, 5, 100, 1, 50, 5,
          100, 1, 50, 5, 750, 1, 50, 34, 750, 1, 50, 5, 100, 1, 50, 5, 100, 1, 50, 5, 100, 1, 50, 5, 100, 1,
          50, 5, 800, 1, 50, 4, 150, 1, 50, 4, 150, 1, 50, 4, 150, 1, 50, 4, 150, 1, 50, 4, 850, 1, 50, 3,
          200, 1, 50, 3, 200, 1, 50, 3, 200, 1, 50, 3, 200, 1, 50, 3, 700, 1, 50, 3, 200, 1, 50, 3, 200, 1,
          50, 3, 200, 1, 50, 3, 200, 1, 50, 3, 200, 1, 50, 3, 500, 1, 50, 4, 150, 1, 50, 4, 150, 1, 50, 4,
          150, 1, 50, 4, 150, 1, 50, 4, 150, 1, 50, 4, 450, 1, 50, 5, 100, 1, 50, 5, 100, 1, 50, 5, 100, 1,
          50, 5, 100, 1, 50, 5, 100, 1, 50, 5, 400, 1, 50, 41, 400, 1, 50, 5, 100, 1, 50, 5, 100, 1, 50, 5,
          100, 1, 50, 5, 100, 1, 50, 5, 100, 1, 50, 5, 450, 1, 50, 4, 150, 1, 50, 4, 150, 1, 50, 4, 150, 1,
          50, 4, 150, 1, 50, 4, 150, 1, 50, 4, 500, 1, 50, 3, 200, 1, 50, 3, 200, 1, 50, 3, 200, 1, 50, 3,
          200, 1, 50, 3, 200, 1, 50, 3, 350, 1, 50, 3, 200, 1, 50, 3, 200, 1, 50, 3, 200, 1, 50, 3, 200, 1,
          50, 3, 200, 1, 50, 3, 200, 1, 50, 3, 150, 1, 50, 4, 150, 1, 50, 4, 150, 1, 50, 4, 150, 1, 50, 4,
          150, 1, 50, 4, 150, 1, 50, 4, 150, 1, 50, 4, 100, 1, 50, 5, 100, 1, 50, 5, 100, 1, 50, 5, 100, 1,
          50, 5, 100, 1, 50, 5, 100, 1, 50, 5, 100, 1, 50, 60, 100, 1, 50, 5, 100, 1, 50, 5, 100, 1, 50, 5,
          100, 1, 50, 5, 100, 1, 50, 5, 100, 1, 50, 5, 100, 1, 50, 4, 150, 1, 50, 4, 150, 1, 50, 4, 150, 1,
          50, 4, 150, 1, 50, 4, 150, 1, 50, 4, 150, 1, 50, 4, 150, 1, 50, 3, 200, 1, 50, 3, 200, 1, 50, 3,
          200, 1, 50, 3, 200, 1, 50, 3, 200, 1, 50, 3, 200, 1, 50, 3, 350, 1, 50, 3, 200, 1, 50, 3, 200, 1,
          50, 3, 200, 1, 50, 3, 200, 1, 50, 3, 200, 1, 50, 3, 500, 1, 50, 4, 150, 1, 50, 4, 150, 1, 50, 4,
          150, 1, 50, 4, 150, 1, 50, 4, 150, 1, 50, 4, 450, 1, 50, 5, 100, 1, 50, 5, 100, 1, 50, 5, 100, 1,
          50, 5, 100, 1, 50, 5, 100, 1, 50, 5, 400, 1, 50, 41, 400, 1, 50, 5, 100, 1, 50, 5, 100, 1, 50, 5,
          100, 1, 50, 5, 100, 1, 50, 5, 100, 1, 50, 5, 450, 1, 50, 4, 150, 1, 50, 4, 150, 1, 50, 4, 150, 1,
          50, 4, 150, 1, 50, 4, 150, 1, 50, 4, 500, 1, 50, 3, 200, 1, 50, 3, 200, 1, 50, 3, 200, 1, 50, 3,
          200, 1, 50, 3, 200, 1, 50, 3, 700, 1, 50, 3, 200, 1, 50, 3, 200, 1, 50, 3, 200, 1, 50, 3, 200, 1,
          50, 3, 850, 1, 50, 4, 150, 1, 50, 4, 150, 1, 50, 4, 150, 1, 50, 4, 150, 1, 50, 4, 800, 1, 50, 5,
          100, 1, 50, 5, 100, 1, 50, 5, 100, 1, 50, 5, 100, 1, 50, 5, 750, 1, 50, 34, 750, 1, 50, 5, 100, 1,
          50, 5, 100, 1, 50, 5, 100, 1, 50, 5, 100, 1, 50, 5, 800, 1, 50, 4, 150, 1, 50, 4, 150, 1, 50, 4,
          150, 1, 50, 4, 150, 1, 50, 4, 850, 1, 50, 3, 200, 1, 50, 3, 200, 1, 50, 3, 200, 1, 50, 3, 200, 1,
          50, 3, 1050, 1, 50, 3, 200, 1, 50, 3, 200, 1, 50, 3, 200, 1, 50, 3, 1200, 1, 50, 4, 150, 1, 50, 4,
          150, 1, 50, 4, 150, 1, 50, 4, 1150, 1, 50, 5, 100, 1, 50, 5, 100, 1, 50, 5, 100, 1, 50, 5, 1100, 1,
          50, 27, 1100, 1, 50, 5, 100, 1, 50, 5, 100, 1, 50, 5, 100, 1, 50, 5, 1150, 1, 50, 4, 150, 1, 50, 4,
          150, 1, 50, 4, 150, 1, 50, 4, 1200, 1, 50, 3, 200, 1, 50, 3, 200, 1, 50, 3, 200, 1, 50, 3,
        ],
      ),
      [49, 2401],
      "float32",
    ),
    indices: tf.tensor(grid(84, [7, 13, 7, 1, 7, -13, 7, -1]), [2401], "int32"),
    table2: tf.tensor([0.286], [1], "float32"),
    table3: tf.tensor([2.8328612], [1], "float32"),
    indices2: tf.tensor([0, 1, 2, 3, 4, 5, 6, 7, 8, 9], [1, 10], "int32"),
    table4: tf.tensor([-0, -1, -2, -3, -4, -5, -6, -7, -8, -9], [1, 10], "float32"),
  };
  for (const name of Object.keys(kept)) tf.keep(kept[name]);
  return kept;
}

// What TensorFlow.js lacks, or does slowly on one of its backends.

/** Tensors by name. */
type Tensors = Record<string, tf.Tensor>;

interface Run {
  /** Inputs: `param/<path>`, state `m/<path>` and `v/<path>`, `data/<input>`, `labels`, `scalar/lr` and so on. */
  readonly given: Tensors;
  readonly constants: Tensors;
  /** Gradients by path of the weight, on their way to its update. */
  readonly gradient: Tensors;
  /** Outputs: new parameters and state under the names of the old, and `metric/loss` and so on. */
  readonly next: Tensors;
}

/** The weights of the block at `at`, by the rest of their path. */
function weightsOf(run: Run, at: string): (name: string) => tf.Tensor {
  return (name) => run.given[`param/${at}.${name}`];
}

/** WebAssembly is fast in other calls than the rest. */
function onWasm(): boolean {
  return tf.getBackend() === "wasm";
}

/** x[start:end:step] on every axis. */
function slice(x: tf.Tensor, start: number[], end: number[], step: number[]): tf.Tensor {
  const size = end.map((e, axis) => e - start[axis]);
  const plain = step.every((s) => s === 1);
  // A slice on WebAssembly first copies all of x; a strided one does not, but it always gives float32.
  if (plain && !(onWasm() && x.dtype === "float32")) return tf.slice(x, start, size);
  if (x.dtype === "float32") return tf.stridedSlice(x, start, end, step);
  return tf.tidy(() => tf.cast(tf.stridedSlice(tf.cast(x, "float32"), start, end, step), x.dtype));
}

/**
 * Sums over axes that are side by side or not; they stay as length 1. On WebAssembly a sum is one float32 that is added
 * to, so long ones are cut in two: the sum of √n sums of √n entries.
 */
function sumOver(x: tf.Tensor, axes: number[]): tf.Tensor {
  if (!onWasm()) return tf.sum(x, axes, true);
  return tf.tidy(() => {
    let sum = x;
    for (let end = axes.length; end > 0;) {
      let start = end - 1;
      while (start > 0 && axes[start - 1] === axes[start] - 1) start--;
      sum = sumOverRange(sum, axes[start], axes[end - 1] + 1);
      end = start;
    }
    return sum;
  });
}

function sumOverRange(x: tf.Tensor, from: number, to: number): tf.Tensor {
  const size = (shape: number[]): number => shape.reduce((a, b) => a * b, 1);
  const [outer, n, inner] = [x.shape.slice(0, from), x.shape.slice(from, to), x.shape.slice(to)].map(size);
  const kept = x.shape.map((length, axis) => (axis >= from && axis < to ? 1 : length));
  const parts = n > 8192 ? largestDivisor(n, Math.sqrt(n)) : 1;
  if (parts > 1) {
    const some = sumMiddle(tf.reshape(x, [outer, n / parts, parts * inner]));
    return tf.reshape(sumMiddle(tf.reshape(some, [outer, parts, inner])), kept);
  }
  return tf.reshape(sumMiddle(tf.reshape(x, [outer, n, inner])), kept);
}

/** The sum of the squares of all entries of all tensors. */
function sumOfSquares(tensors: tf.Tensor[]): tf.Tensor {
  return tf.tidy(() => {
    const sums = tensors.map((x) => {
      const axes = x.shape.map((_, axis) => axis);
      return onWasm() ? tf.reshape(sumOver(tf.square(x), axes), []) : tf.sum(tf.square(x));
    });
    return tf.sum(tf.stack(sums));
  });
}

/** [outer, n, inner] → [outer, 1, inner] */
function sumMiddle(x: tf.Tensor): tf.Tensor {
  const [outer, n, inner] = x.shape;
  if (outer === 1 && inner >= 192) return multiply(tf.ones([1, n]), tf.reshape(x, [n, inner]));
  return tf.sum(x, 1, true);
}

/** The largest divisor of n up to `most`. */
function largestDivisor(n: number, most: number): number {
  let divisor = Math.floor(most);
  while (n % divisor !== 0) divisor--;
  return divisor;
}

/** A [size, columns] matrix of zeros with rows [n, columns] added where indices [n] say. */
function addRows(indices: tf.Tensor, rows: tf.Tensor, size: number): tf.Tensor {
  return tf.tidy(() => {
    const where = tf.reshape(indices, [indices.size, 1]);
    return tf.scatterND(where, rows, [size, rows.shape[1] ?? 1]);
  });
}

/** The shape under which data was the right operand of a product on WebAssembly. */
const shapes = new WeakMap<object, string>();

/**
 * WebAssembly packs the right operand of a product once for its data, and takes what it packed whatever shape the same
 * data has later (TensorFlow.js 4.22): wrong numbers, or memory that isn't its own. Under a second shape it gets a copy.
 */
function rightOperand(b: tf.Tensor): tf.Tensor {
  const shape = `${b.shape}`;
  const before = shapes.get(b.dataId);
  if (before === undefined) shapes.set(b.dataId, shape);
  return before === undefined || before === shape ? b : tf.add(b, 0);
}

/**
 * A product of two matrices, either of them transposed. WebAssembly multiplies plain matrices ten times as fast as
 * transposed ones, so there they are turned first, the smaller one where there is a choice.
 */
function multiply(a: tf.Tensor, b: tf.Tensor, transposeA = false, transposeB = false): tf.Tensor {
  if (!onWasm()) return tf.matMul(a, b, transposeA, transposeB);
  return tf.tidy(() => {
    if (transposeA && !transposeB && a.size > b.size) {
      return tf.transpose(tf.matMul(tf.transpose(b), rightOperand(a)));
    }
    const right = transposeB ? tf.transpose(b) : rightOperand(b);
    return tf.matMul(transposeA ? tf.transpose(a) : a, right);
  });
}

/** x·Wᵀ + b for W as [outputs, inputs]: every backend adds the bias to a product that it still has at hand. */
function affine(x: tf.Tensor, weight: tf.Tensor, bias: tf.Tensor): tf.Tensor {
  const [a, w] = [x as tf.Tensor2D, weight as tf.Tensor2D];
  if (!onWasm()) return tf.fused.matMul({ a, b: w, transposeB: true, bias });
  return tf.tidy(() => tf.fused.matMul({ a, b: tf.transpose(w), bias }));
}

/**
 * Products of two stacks [n, rows, columns] of matrices, one by one. WebAssembly has no fast kernel for them, but a
 * depthwise convolution is one: stacks are channels, the inner axis is the window, columns are multiplied channels. That
 * takes a fourth of the time of tf.matMul there, and gives the same sums.
 */
function multiplyEach(a: tf.Tensor, b: tf.Tensor, transposeA = false, transposeB = false): tf.Tensor {
  if (!onWasm()) return tf.matMul(a, b, transposeA, transposeB);
  return tf.tidy(() => {
    const x = tf.transpose(a, transposeA ? [2, 1, 0] : [1, 2, 0]);
    const filter = tf.transpose(b, transposeB ? [2, 0, 1] : [1, 0, 2]);
    const [rows, inner, stacks] = x.shape;
    const columns = filter.shape[2] ?? 1;
    const y = tf.depthwiseConv2d(
      tf.reshape<tf.Rank.R4>(x, [1, rows, inner, stacks]),
      tf.reshape<tf.Rank.R4>(filter, [1, inner, stacks, columns]),
      1,
      "valid",
    );
    return tf.transpose(tf.reshape(y, [rows, stacks, columns]), [1, 0, 2]);
  });
}

/** x·Φ(x) */
function gelu(x: tf.Tensor): tf.Tensor {
  return tf.tidy(() => tf.mul(x, normalCdf(x)));
}

/**
 * Φ(x), the distribution function of the normal: ½·(1 + erf(x/√2)). On WebAssembly the kernel for erf is a slow loop; there
 * its formula is computed by fast ones (Abramowitz & Stegun 7.1.26, to 1.5e-7): for z = |x|/√2 and t = 1/(1 + p·z)
 * the tail ½·(1 − erf(z)) is ½·(a₁t + … + a₅t⁵)·e^(−z²), and Φ(x) = |step(x) − tail|.
 */
function normalCdf(x: tf.Tensor): tf.Tensor {
  return tf.tidy(() => {
    if (!onWasm()) return tf.mul(tf.add(tf.erf(tf.mul(x, Math.SQRT1_2)), 1), 0.5);
    const t = tf.div(1, tf.add(tf.mul(tf.abs(x), 0.3275911 * Math.SQRT1_2), 1));
    let sum = tf.mul(t, 1.061405429 / 2);
    for (const a of [-1.453152027, 1.421413741, -0.284496736, 0.254829592])
      sum = tf.mul(tf.add(sum, a / 2), t);
    return tf.abs(tf.sub(tf.step(x), tf.mul(sum, bell(x))));
  });
}

/** The derivative of GELU, Φ(x) + x·φ(x), given Φ(x). */
function geluSlope(x: tf.Tensor, cdf: tf.Tensor): tf.Tensor {
  return tf.tidy(() => tf.add(cdf, tf.mul(x, tf.mul(bell(x), 1 / Math.sqrt(2 * Math.PI)))));
}

/** e^(−x²/2); by ELU, which is e^y − 1 for y ≤ 0, where that is the faster kernel. */
function bell(x: tf.Tensor): tf.Tensor {
  const y = tf.mul(tf.square(x), -0.5);
  return onWasm() ? tf.add(tf.elu(y), 1) : tf.exp(y);
}

/** start + Σ digit·by over the digits of the index, slowest first; for each digit its count and `by`. */
function grid(start: number, digits: number[]): number[] {
  let entries = [start];
  for (let at = 0; at < digits.length; at += 2) {
    const steps = Array.from({ length: digits[at] }, (_, i) => i * digits[at + 1]);
    entries = entries.flatMap((head) => steps.map((step) => head + step));
  }
  return entries;
}

/** Zeros with ones in between: a distance, how often it comes in a row, and so on. */
function ones(length: number, gaps: number[]): number[] {
  const entries = new Array<number>(length).fill(0);
  let at = -1;
  for (let i = 0; i < gaps.length; i += 2) {
    for (let times = gaps[i + 1]; times > 0; times--) entries[(at += gaps[i])] = 1;
  }
  return entries;
}

// Initial weights, in the same bits as the compiler's own.

type Init =
  | { readonly kind: "spectral" | "orthogonal" | "xavier" | "kaiming" | "zeros" | "ones" }
  | { readonly kind: "trunc_normal" | "normal"; readonly std: number }
  /** One stored number for every entry, or one per entry. */
  | { readonly kind: "constant"; readonly values: readonly number[] };

/** How many entries a tensor has. */
function sizeOf(shape: readonly number[]): number {
  let n = 1;
  for (const d of shape) n *= d;
  return n;
}

/** Mixes the bits of a 32-bit number (the finaliser of splitmix32): under the seeded generators of weights and batches. */
function mix(x: number): number {
  x ^= x >>> 16;
  x = Math.imul(x, 0x21f0aaad);
  x ^= x >>> 15;
  x = Math.imul(x, 0x735a2d97);
  return (x ^ (x >>> 15)) >>> 0;
}

const view = new DataView(new ArrayBuffer(8));

/** The smallest float64 above x (x any number; +∞ stays). */
function nextUp(x: number): number {
  if (Number.isNaN(x) || x === Infinity) return Infinity;
  if (x === 0) return Number.MIN_VALUE;
  view.setFloat64(0, x);
  const bits = view.getBigInt64(0);
  view.setBigInt64(0, x > 0 ? bits + 1n : bits - 1n);
  return view.getFloat64(0);
}

/** Exact error a + b − fl(a + b) (Knuth). */
function sumError(a: number, b: number, s: number): number {
  const bb = s - a;
  return a - (s - bb) + (b - bb);
}

const splitter = 134217729; // 2^27 + 1

/** Exact error a·b − fl(a·b) (Dekker), where neither splitting nor the product leaves the normal range. */
function productError(a: number, b: number, p: number): number {
  const ca = splitter * a;
  const ah = ca - (ca - a);
  const al = a - ah;
  const cb = splitter * b;
  const bh = cb - (cb - b);
  const bl = b - bh;
  return al * bl - (p - ah * bh - al * bh - ah * bl);
}

/** Whether the error-free product is valid for these magnitudes: far inside of the normal range. trust: T1 */
function tame(x: number): boolean {
  return x > 1e-140 && x < 1e140;
}

/** ≥ a + b. Arguments of any sign, not −∞. */
function addUp(a: number, b: number): number {
  const s = a + b;
  if (Number.isNaN(s)) return Infinity;
  if (s === Infinity) return Infinity;
  if (Math.abs(s) > 1e300) return nextUp(s);
  return sumError(a, b, s) > 0 ? nextUp(s) : s;
}

/** ≤ a − b: rounds down. For denominators such as 1 − κ. */
function subDown(a: number, b: number): number {
  return -addUp(-a, b);
}

/** ≥ a·b for a, b ≥ 0. ∞·0 is 0 only because the 0 is an exact zero factor. */
function mulUp(a: number, b: number): number {
  if (Number.isNaN(a) || Number.isNaN(b) || a < 0 || b < 0) return Infinity;
  if (a === 0 || b === 0) return 0;
  const p = a * b;
  if (p === Infinity) return Infinity;
  if (a === 1 || b === 1) return p;
  if (!tame(a) || !tame(b) || !tame(p)) return nextUp(p);
  return productError(a, b, p) > 0 ? nextUp(p) : p;
}

/** ≥ a/b for a ≥ 0, b ≥ 0. Division by 0, or by a number that may be 0, is ∞. */
function divUp(a: number, b: number): number {
  if (Number.isNaN(a) || Number.isNaN(b) || a < 0 || b < 0) return Infinity;
  if (b === 0) return Infinity;
  if (a === 0) return 0;
  const q = a / b;
  if (q === Infinity || !Number.isFinite(b)) return Number.isFinite(a) ? nextUp(q) : Infinity;
  if (b === 1) return q;
  if (!tame(a) || !tame(b) || !tame(q)) return nextUp(q);
  // a − q·b exactly: the product's head and error against a.
  const p = q * b;
  const remainder = a - p - productError(q, b, p);
  return remainder > 0 ? nextUp(q) : q;
}

/** ≥ √a for a ≥ 0. */
function sqrtUp(a: number): number {
  if (Number.isNaN(a) || a < 0) return Infinity;
  if (a === 0 || a === 1 || a === Infinity) return a;
  const r = Math.sqrt(a);
  if (!tame(a) || !tame(r)) return nextUp(r);
  const p = r * r;
  const remainder = a - p - productError(r, r, p);
  return remainder > 0 ? nextUp(r) : r;
}

/** Vectors that enter one call of the kernel, and numbers of each that are kept close to the processor at a time. */
const tile = 4;

const depth = 256;

/** One row-major matrix: entry (i, k) at data[at + i·stride + k]. */
interface Rows {
  readonly data: Float64Array;
  readonly at: number;
  readonly stride: number;
}

/** target[i][j] += sign · Σ_k v[i][k]·v[j][k] for all j ≤ i < count, k < length; what is above the diagonal stays. */
function addInnerProducts(target: Rows, v: Rows, count: number, length: number, sign: 1 | -1 = 1): void {
  const panels = Math.ceil(count / tile);
  // The sums of one call stand at address 0, the packed vectors behind them.
  const start = 8 * tile * tile;
  const { run, memory } = kernel(start + 8 * panels * tile * depth);
  const sums = new Float64Array(memory.buffer, 0, tile * tile);
  const packed = new Float64Array(memory.buffer, start, panels * tile * depth);
  for (let from = 0; from < length; from += depth) {
    const taken = Math.min(depth, length - from);
    pack(packed, v, from, count, taken);
    const panel = 8 * tile * taken;
    for (let i = 0; i < panels; i++) {
      for (let j = 0; j <= i; j++) {
        run(start + i * panel, start + j * panel, taken);
        const rows = Math.min(tile, count - i * tile);
        for (let a = 0; a < rows; a++) {
          const at = target.at + (i * tile + a) * target.stride + j * tile;
          const last = i === j ? a + 1 : tile;
          for (let b = 0; b < last; b++) target.data[at + b] += sign * sums[a * tile + b];
        }
      }
    }
  }
}

/** Four vectors side by side: number k of vectors 4p … 4p + 3 together, zeros beyond the last vector. */
function pack(packed: Float64Array, v: Rows, from: number, count: number, taken: number): void {
  for (let i = 0; i < Math.ceil(count / tile) * tile; i++) {
    const to = Math.floor(i / tile) * tile * taken + (i % tile);
    const row = v.at + i * v.stride + from;
    if (i < count) for (let k = 0; k < taken; k++) packed[to + k * tile] = v.data[row + k];
    else for (let k = 0; k < taken; k++) packed[to + k * tile] = 0;
  }
}

/** The part of the global that is used: neither the language's nor Node's types hold it. */
declare const WebAssembly: {
  readonly Memory: new (size: { initial: number }) => Memory;
  readonly Module: new (code: Uint8Array) => object;
  readonly Instance: new (module: object, imports: object) => { readonly exports: Record<string, unknown> };
};

interface Memory {
  readonly buffer: ArrayBuffer;
  grow(pages: number): number;
}

interface Kernel {
  readonly memory: Memory;
  /** Writes the 16 sums over k < length of two packed panels (addresses in bytes) to address 0. */
  readonly run: (a: number, b: number, length: number) => void;
}

let made: Kernel | null = null;

function kernel(bytes: number): Kernel {
  if (!made) {
    const memory = new WebAssembly.Memory({ initial: 1 });
    const module = new WebAssembly.Module(assemble());
    const instance = new WebAssembly.Instance(module, { env: { memory } });
    made = { memory, run: instance.exports.run as Kernel["run"] };
  }
  const page = 65536;
  const missing = bytes - made.memory.buffer.byteLength;
  if (missing > 0) made.memory.grow(Math.ceil(missing / page));
  return made;
}

/**
 * (module (import "env" "memory" (memory 1)) (func (export "run") (param $a i32) (param $b i32) (param $k i32) …)):
 * eight sums of two lanes each, locals 3 to 10; each round multiplies four numbers of $a, one at a time in both lanes,
 * with the four of $b in locals 11 and 12.
 */
function assemble(): Uint8Array<ArrayBuffer> {
  const [i32, v128, function_] = [0x7f, 0x7b, 0x60];
  const get = (local: number): number[] => [0x20, local];
  const set = (local: number): number[] => [0x21, local];
  const constant = (x: number): number[] => [0x41, x];
  const vector = (...code: number[]): number[] => [0xfd, ...code];
  const load = (offset: number): number[] => vector(0x00, 3, offset);
  const loadBoth = (offset: number): number[] => vector(0x0a, 3, offset);
  const store = (offset: number): number[] => vector(0x0b, 3, offset);
  const add = vector(0xf0, 0x01);
  const multiply = vector(0xf2, 0x01);
  const [a, b, k, sums, left, right, both] = [0, 1, 2, 3, 11, 12, 13];
  const accumulate = (sum: number, other: number): number[] => [
    ...get(sum),
    ...get(both),
    ...get(other),
    ...multiply,
    ...add,
    ...set(sum),
  ];
  const advance = (pointer: number, by: number): number[] => [
    ...get(pointer),
    ...constant(by),
    0x6a,
    ...set(pointer),
  ];
  const rounds = [0, 1, 2, 3].flatMap((i) => [
    ...get(a),
    ...loadBoth(8 * i),
    ...set(both),
    ...accumulate(sums + 2 * i, left),
    ...accumulate(sums + 2 * i + 1, right),
  ]);
  const body = [
    ...[0x03, 0x40],
    ...[...get(b), ...load(0), ...set(left), ...get(b), ...load(16), ...set(right)],
    ...rounds,
    ...advance(a, 32),
    ...advance(b, 32),
    // k − 1, kept, and once more while it is not 0.
    ...[...get(k), ...constant(0x7f), 0x6a, 0x22, k, 0x0d, 0x00],
    0x0b,
    ...[0, 1, 2, 3, 4, 5, 6, 7].flatMap((i) => [...constant(0), ...get(sums + i), ...store(16 * i)]),
    0x0b,
  ];
  const text = (s: string): number[] => [s.length, ...[...s].map((c) => c.charCodeAt(0))];
  // Lengths of up to 2¹⁴ in LEB128.
  const size = (n: number): number[] => (n < 128 ? [n] : [(n & 127) | 128, n >> 7]);
  const section = (id: number, ...content: number[]): number[] => [id, ...size(content.length), ...content];
  const code = [1, 11, v128, ...body];
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
    ...section(1, 1, function_, 3, i32, i32, i32, 0),
    ...section(2, 1, ...text("env"), ...text("memory"), 0x02, 0x00, 1),
    ...section(3, 1, 0),
    ...section(7, 1, ...text("run"), 0x00, 0),
    ...section(10, 1, ...size(code.length), ...code),
  ]);
}

/** Unit roundoff of float64, and the largest error of one operation that underflows. */
const u = 2 ** -53;

const underflow = 2 ** -1074;

/** γ_k = ku/(1 − ku), rounded up; ∞ beyond its range. */
function gamma(k: number): number {
  const ku = mulUp(k, u);
  return ku < 0.5 ? divUp(ku, subDown(1, ku)) : Infinity;
}

/** A matrix stored by its vectors (rows of length `length`, `count` ≤ `length` of them), max|·| in [½, 1) after scaling. */
interface Vectors {
  readonly data: Float64Array;
  readonly count: number;
  readonly length: number;
}

/** ≥ ‖W‖₂ of the row-major rows × columns matrix. A number that is not finite gives ∞. */
function spectralNormUpper(w: ArrayLike<number>, rows: number, columns: number): number {
  const scaled = scaledVectors(w, rows, columns);
  if (typeof scaled === "number") return scaled;
  const { vectors, exponent } = scaled;
  const gram = gramOf(vectors);
  const error = gramError(vectors);
  const estimate = largestRitzValue(gram, vectors.count);
  for (let slack = 2 ** -20; slack < 0.1; slack *= 8) {
    const bound = provenAbove(gram, vectors.count, estimate * (1 + slack));
    if (bound < Infinity) return scaleBack(sqrtUp(addUp(bound, error)), vectors, exponent);
  }
  return scaleBack(iterate(vectors, 10), vectors, exponent);
}

function scaleBack(norm: number, { count, length }: Vectors, exponent: number): number {
  // Entries that underflowed in the scaling lost at most 2^−1074 each.
  const bound = addUp(norm, mulUp(count * length, underflow));
  // Two steps, since 2^exponent alone may overflow.
  const half = Math.trunc(exponent / 2);
  const value = mulUp(mulUp(bound, 2 ** half), 2 ** (exponent - half));
  return Number.isFinite(value) ? value : Infinity;
}

/** The shorter side's vectors, scaled by 2^−exponent; or the bound itself for zero and for what is not finite. */
function scaledVectors(
  w: ArrayLike<number>,
  rows: number,
  columns: number,
): { vectors: Vectors; exponent: number } | number {
  let largest = 0;
  for (let i = 0; i < rows * columns; i++) {
    const size = Math.abs(w[i]);
    if (!(size < Infinity)) return Infinity;
    if (size > largest) largest = size;
  }
  if (largest === 0) return 0;
  // Any power of two is a sound scale. trust: T3
  let exponent = Math.floor(Math.log2(largest)) + 1;
  if (largest >= 2 ** Math.min(exponent, 1023) && exponent <= 1023) exponent++;
  const half = Math.trunc(exponent / 2);
  const first = 2 ** -half;
  const second = 2 ** -(exponent - half);
  const flip = columns < rows;
  const count = flip ? columns : rows;
  const length = flip ? rows : columns;
  const data = new Float64Array(rows * columns);
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < columns; j++)
      data[flip ? j * rows + i : i * columns + j] = w[i * columns + j] * first * second;
  }
  return { vectors: { data, count, length }, exponent };
}

/** All inner products, symmetric, row-major. */
function gramOf({ data, count: n, length: p }: Vectors): Float64Array {
  const g = new Float64Array(n * n);
  addInnerProducts({ data: g, at: 0, stride: n }, { data, at: 0, stride: p }, n, p);
  for (let i = 0; i < n; i++) for (let j = 0; j < i; j++) g[j * n + i] = g[i * n + j];
  return g;
}

/** ≥ ‖·‖_F² of these numbers: a plain sum, and the error that its n additions can have made. */
function squaredNormUpper(data: Float64Array): number {
  let s = 0;
  for (const x of data) s += x * x;
  // Σx² ≤ fl(Σx²)·(1 + 2γ) for γ ≤ ½, plus what underflowed.
  const factor = addUp(1, mulUp(2, gamma(data.length + 1)));
  return addUp(mulUp(s, factor), mulUp(data.length, underflow));
}

/** ≥ ‖fl(G) − G‖₂: γ_{p+2}·‖|V||V|ᵀ‖₂ ≤ γ_{p+2}·‖V‖_F² for any order of summation, plus underflow. */
function gramError(vectors: Vectors): number {
  const { count: n, length: p } = vectors;
  return addUp(mulUp(gamma(p + 2), squaredNormUpper(vectors.data)), mulUp(n * n * p, underflow));
}

/** Columns of the Cholesky factor that are made together. */
const columnsAtOnce = 32;

/**
 * ≥ λmax(G) if the Cholesky factorisation of fl(s·I − G) ends with positive pivots, else ∞.
 * A computed factor R has RᵀR = A + Δ with ‖Δ‖₂ ≤ γ/(1−γ)·tr A, γ = γ_{n+1}, whatever the order of its sums (Higham 2002,
 * theorem 10.3 and (10.7), lemma 8.4).
 */
function provenAbove(g: Float64Array, n: number, s: number): number {
  const r = new Float64Array(n * n);
  let trace = 0;
  let largest = 0;
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < i; j++) r[i * n + j] = -g[i * n + j];
    const entry = s - g[i * n + i];
    if (!(entry > 0)) return Infinity;
    r[i * n + i] = entry;
    trace = addUp(trace, entry);
    largest = Math.max(largest, entry);
  }
  // A block of columns at a time; then its products are taken from all that is right of it.
  for (let from = 0; from < n; from += columnsAtOnce) {
    const to = Math.min(n, from + columnsAtOnce);
    if (!factorColumns(r, n, from, to)) return Infinity;
    const rest = { data: r, at: to * n + to, stride: n };
    addInnerProducts(rest, { data: r, at: to * n + from, stride: n }, n - to, to - from, -1);
  }
  const part = gamma(n + 2);
  const factorError = mulUp(divUp(part, subDown(1, part)), trace);
  const tiny = mulUp(4 * n * (n + 2), underflow);
  // The diagonal's own subtraction was rounded too.
  const bound = addUp(addUp(addUp(s, factorError), mulUp(2 * u, largest)), tiny);
  return Number.isNaN(bound) ? Infinity : bound;
}

/** Columns from … to of the factor, from what is left of A there; false at a pivot that isn't positive. */
function factorColumns(r: Float64Array, n: number, from: number, to: number): boolean {
  for (let i = from; i < n; i++) {
    const row = i * n;
    for (let j = from; j < to && j <= i; j++) {
      const other = j * n;
      let sum = 0;
      for (let k = from; k < j; k++) sum += r[row + k] * r[other + k];
      const rest = r[row + j] - sum;
      if (i !== j) r[row + j] = rest / r[other + j];
      else if (rest > 0) r[row + i] = Math.sqrt(rest);
      else return false;
    }
  }
  return true;
}

/** Lower estimate of λmax by Lanczos with full reorthogonalisation; only a guess, nothing rests on it. */
function largestRitzValue(g: Float64Array, n: number): number {
  const steps = Math.min(n, 40);
  const basis: Float64Array[] = [];
  const alpha: number[] = [];
  const beta: number[] = [];
  // A fixed start without structure.
  // A start for an estimate. trust: T3
  let q = Float64Array.from({ length: n }, (_, i) => Math.sin(12.9898 * (i + 1)) + 0.1);
  normalise(q);
  for (let step = 0; step < steps; step++) {
    basis.push(q);
    const next = symmetricProduct(g, n, q);
    alpha.push(dot(next, q));
    for (let twice = 0; twice < 2; twice++) {
      for (const b of basis) {
        const c = dot(next, b);
        for (let i = 0; i < n; i++) next[i] -= c * b[i];
      }
    }
    const length = normalise(next);
    if (!(length > 1e-13 * Math.abs(alpha[0]))) break;
    beta.push(length);
    q = next;
  }
  return largestOfTridiagonal(alpha, beta);
}

/** Gq, four rows at a time: their sums don't wait for each other. */
function symmetricProduct(g: Float64Array, n: number, q: Float64Array): Float64Array<ArrayBuffer> {
  const out = new Float64Array(n);
  let i = 0;
  for (; i + 3 < n; i += 4) {
    const [a, b, c, d] = [i * n, (i + 1) * n, (i + 2) * n, (i + 3) * n];
    let s0 = 0;
    let s1 = 0;
    let s2 = 0;
    let s3 = 0;
    for (let j = 0; j < n; j++) {
      const x = q[j];
      s0 += g[a + j] * x;
      s1 += g[b + j] * x;
      s2 += g[c + j] * x;
      s3 += g[d + j] * x;
    }
    out[i] = s0;
    out[i + 1] = s1;
    out[i + 2] = s2;
    out[i + 3] = s3;
  }
  for (; i < n; i++) for (let j = 0; j < n; j++) out[i] += g[i * n + j] * q[j];
  return out;
}

function dot(x: Float64Array, y: Float64Array): number {
  let s = 0;
  for (let i = 0; i < x.length; i++) s += x[i] * y[i];
  return s;
}

function normalise(x: Float64Array): number {
  const length = Math.sqrt(dot(x, x));
  if (length > 0) for (let i = 0; i < x.length; i++) x[i] /= length;
  return length;
}

/** Bisection on the count of negative pivots (Sturm). */
function largestOfTridiagonal(alpha: readonly number[], beta: readonly number[]): number {
  let low = Math.max(...alpha);
  let high = low + 2 * beta.reduce((a, b) => Math.max(a, b), 0) + Number.MIN_VALUE;
  // trust: T3
  for (let round = 0; round < 60 && high - low > 1e-15 * high; round++) {
    const middle = (low + high) / 2;
    let pivot = 1;
    const below = alpha.every((a, i) => {
      pivot = middle - a - (i === 0 ? 0 : beta[i - 1] ** 2 / pivot);
      return pivot > 0;
    });
    if (below) high = middle;
    else low = middle;
  }
  return low;
}

/** Gram iteration on scaled vectors; docs/gains.md proves the backward pass. */
function iterate(vectors: Vectors, squarings: number): number {
  const trail: { error: number; exponent: number; extra: number }[] = [];
  let current = vectors;
  let top = -1;
  for (let i = 0; i < squarings; i++) {
    const gram = gramOf(current);
    const error = gramError(current);
    let largest = 0;
    for (const x of gram) largest = Math.max(largest, Math.abs(x));
    if (largest === 0) {
      trail.push({ error, exponent: 0, extra: 0 });
      top = 0;
      break;
    }
    // trust: T3
    const exponent = Math.floor(Math.log2(largest)) + 1;
    const factor = 2 ** -exponent;
    for (let k = 0; k < gram.length; k++) gram[k] *= factor;
    // Entries that underflow in the scaling, at most half the smallest number each.
    trail.push({ error, exponent, extra: mulUp(current.count, underflow) });
    current = { data: gram, count: current.count, length: current.count };
  }
  let bound = top === 0 ? 0 : sqrtUp(squaredNormUpper(current.data));
  for (const { error, exponent, extra } of trail.reverse()) {
    bound = sqrtUp(addUp(mulUp(2 ** exponent, addUp(bound, extra)), error));
  }
  return bound;
}

/**
 * Householder QR: turns `count` vectors of `length` ≥ `count` (row after row, spoilt) into orthonormal ones that span the
 * same space, with the signs that make normal vectors uniformly distributed (Mezzadri 2007, arXiv math-ph/0609050).
 */
function orthonormalColumns(a: Float64Array, count: number, length: number): Float64Array {
  const signs = new Float64Array(count);
  for (let j = 0; j < count; j++) signs[j] = reflectorOf(a, j * length, j, length);
  const q = new Float64Array(count * length);
  for (let j = count - 1; j >= 0; j--) {
    q[j * length + j] = 1;
    for (let k = j; k < count; k++) reflect(a, j * length, q, k * length, j, length);
  }
  for (let j = 0; j < count; j++) {
    if (signs[j] < 0) for (let i = 0; i < length; i++) q[j * length + i] = -q[j * length + i];
  }
  return q;

  /** Makes the reflector of vector j in place (from entry j on, unit length), applies it to later vectors; sign of R_jj. */
  function reflectorOf(data: Float64Array, at: number, j: number, n: number): number {
    let square = 0;
    for (let i = j; i < n; i++) square += data[at + i] * data[at + i];
    const head = data[at + j];
    const norm = Math.sqrt(square);
    // The head moves away from zero, so nothing cancels; R_jj = −sign(head)·norm.
    const shift = head >= 0 ? norm : -norm;
    data[at + j] += shift;
    const size = Math.sqrt(2 * norm * (norm + Math.abs(head)));
    if (size > 0) for (let i = j; i < n; i++) data[at + i] /= size;
    for (let k = j + 1; k < count; k++) reflect(data, at, data, k * n, j, n);
    return -shift;
  }
}

/** x ← x − 2·v·(vᵀx) on entries from `first` on. */
function reflect(
  v: Float64Array,
  vAt: number,
  x: Float64Array,
  xAt: number,
  first: number,
  length: number,
): void {
  let s = 0;
  for (let i = first; i < length; i++) s += v[vAt + i] * x[xAt + i];
  s *= 2;
  for (let i = first; i < length; i++) x[xAt + i] -= s * v[vAt + i];
}

/** Of a weight, what its first value is made from. */
interface InitialWeight {
  readonly path: string;
  readonly shape: readonly number[];
  readonly init: Init;
  readonly range: readonly [low: number, high: number] | null;
}

/** The stored tensor of one weight; entries outside of its declared range are put onto it. */
function initialWeight(weight: InitialWeight, seed: number): Float32Array {
  const data = draw(weight, weight.init, new Generator(seed, weight.path));
  if (!weight.range) return data;
  const [low, high] = weight.range;
  return data.map((x) => Math.min(Math.max(x, low), high));
}

function draw(weight: InitialWeight, init: Init, random: Generator): Float32Array {
  const size = sizeOf(weight.shape);
  const [rows, columns] = matrixShape(weight);
  switch (init.kind) {
    case "zeros":
      return new Float32Array(size);
    case "ones":
      return new Float32Array(size).fill(1);
    case "constant":
      return init.values.length === 1
        ? new Float32Array(size).fill(init.values[0])
        : Float32Array.from(init.values);
    case "normal":
      return Float32Array.from(random.normals(size, init.std));
    case "trunc_normal":
      return Float32Array.from({ length: size }, () => init.std * random.truncated(2));
    case "xavier":
      return Float32Array.from(random.normals(size, xavierDeviation(weight)));
    case "kaiming":
      return Float32Array.from(random.normals(size, Math.sqrt(2 / fans(weight).in)));
    case "spectral":
      return atMostOne(random.normals(size, xavierDeviation(weight)), rows, columns);
    case "orthogonal":
      return atMostOne(orthogonal(random, rows, columns), rows, columns);
  }
}

/** Glorot & Bengio 2010, the normal form. */
function xavierDeviation(weight: InitialWeight): number {
  const fan = fans(weight);
  return Math.sqrt(2 / (fan.in + fan.out));
}

/** Numbers that one output is made of, and outputs that one input enters; (out, in/groups, kh, kw). */
function fans({ shape }: InitialWeight): { in: number; out: number } {
  const [out = 1, inner = 1, ...taps] = shape;
  return { in: inner * sizeOf(taps), out: out * sizeOf(taps) };
}

/** (out, everything else). */
function matrixShape({ shape }: InitialWeight): readonly [number, number] {
  const rows = shape[0] ?? 1;
  return [rows, rows === 0 ? 0 : sizeOf(shape) / rows];
}

/**
 * fl(W/b) with b ≥ σ(W)·(1 + 2⁻²²·√min(m, n)): rounding to float32 adds at most 2⁻²⁴·√min(m, n)·‖W/b‖₂, so the stored
 * matrix has ‖·‖₂ ≤ 1 exactly (docs/gains.md, stored numbers).
 */
function atMostOne(w: Float64Array, rows: number, columns: number): Float32Array {
  const sigma = spectralNormUpper(w, rows, columns);
  const b = sigma * (1 + 2 ** -22 * Math.sqrt(Math.min(rows, columns))) * (1 + 2 ** -50);
  const out = new Float32Array(w.length);
  if (b > 0) for (let i = 0; i < out.length; i++) out[i] = w[i] / b;
  return out;
}

/** A matrix with orthonormal rows or columns, whichever are shorter in number. */
function orthogonal(random: Generator, rows: number, columns: number): Float64Array {
  const count = Math.min(rows, columns);
  const length = Math.max(rows, columns);
  const vectors = orthonormalColumns(random.normals(count * length, 1), count, length);
  if (rows <= columns) return vectors;
  const out = new Float64Array(vectors.length);
  for (let j = 0; j < count; j++)
    for (let i = 0; i < length; i++) out[i * count + j] = vectors[j * length + i];
  return out;
}

class Generator {
  private readonly s: Uint32Array;
  /** Box–Muller makes two numbers at a time; kept in an array, where numbers take no memory of their own. */
  private readonly pair = new Float64Array(2);
  private left = 0;

  constructor(seed: number, path: string) {
    // FNV-1a of the path, mixed with the seed by splitmix32.
    let state = 0x811c9dc5;
    for (let i = 0; i < path.length; i++) state = Math.imul(state ^ path.charCodeAt(i), 0x01000193);
    state = mix(state) ^ mix(seed >>> 0) ^ mix(Math.floor(seed / 2 ** 32) + 1);
    this.s = Uint32Array.from({ length: 4 }, () => mix((state = (state + 0x9e3779b9) | 0)));
  }

  /** 32 random bits. */
  private next(): number {
    const { s } = this;
    const five = Math.imul(s[1], 5);
    const result = Math.imul((five << 7) | (five >>> 25), 9) >>> 0;
    const t = s[1] << 9;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = (s[3] << 11) | (s[3] >>> 21);
    return result;
  }

  /** One standard normal number. */
  private normal(): number {
    if (this.left === 0) {
      const radius = Math.sqrt(-2 * Math.log((this.next() + 0.5) * 2 ** -32));
      const angle = 2 * Math.PI * this.next() * 2 ** -32;
      this.pair[0] = radius * Math.sin(angle);
      this.pair[1] = radius * Math.cos(angle);
      this.left = 2;
    }
    return this.pair[--this.left];
  }

  normals(size: number, deviation: number): Float64Array {
    const out = new Float64Array(size);
    for (let i = 0; i < size; i++) out[i] = deviation * this.normal();
    return out;
  }

  /** A standard normal number, drawn again until it lies within ±limit. */
  truncated(limit: number): number {
    for (;;) {
      const x = this.normal();
      if (Math.abs(x) <= limit) return x;
    }
  }
}
