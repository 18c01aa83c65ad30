/** The plain way: operations as they come, gradients by TensorFlow.js's own tape and its own rules. */
import * as tf from "@tensorflow/tfjs-core";
import {
  entriesOf,
  normEps,
  patchesOf,
  targetsOf,
  tau,
  tokens,
  unitEps,
  type Parameters,
  type Sizes,
  type Version,
} from "./network.ts";

export function tapeVersion(sizes: Sizes): Version {
  const entries = entriesOf(sizes, ["qkv"]);
  const names = entries.map((e) => e.name);
  return {
    entries,
    lossAndGradients(parameters, image, labels) {
      const run = tf.valueAndGrads((...tensors: tf.Tensor[]) => {
        const values = Object.fromEntries(names.map((name, i) => [name, tensors[i]]));
        return lossOf(forward(values, image, sizes), targetsOf(labels, sizes));
      });
      const { value, grads } = run(names.map((name) => parameters[name]));
      return { loss: value as tf.Scalar, gradients: Object.fromEntries(names.map((n, i) => [n, grads[i]])) };
    },
  };
}

/** Images → logits [batch, classes]. */
function forward(p: Parameters, image: tf.Tensor, sizes: Sizes): tf.Tensor2D {
  const { batch, depth, channels } = sizes;
  const embedded = linear(p, "embed", patchesOf(image, sizes));
  let x: tf.Tensor = tf.add(tf.reshape(embedded, [batch, tokens, channels]), p.position);
  for (let i = 0; i < depth; i++) {
    x = tf.add(x, attention(p, `blocks.${i}`, layerNorm(p, `blocks.${i}.norm1`, x), sizes));
    x = tf.add(x, perceptron(p, `blocks.${i}`, layerNorm(p, `blocks.${i}.norm2`, x)));
  }
  return linear(p, "head", tf.mean(layerNorm(p, "norm", x), 1)) as tf.Tensor2D;
}

/** On the last axis; a 2D product, because those of the wasm backend are only fast without a batch. */
function linear(p: Parameters, name: string, x: tf.Tensor): tf.Tensor {
  const weight = p[`${name}.weight`] as tf.Tensor2D;
  const flat = tf.reshape(x, [-1, weight.shape[0]]) as tf.Tensor2D;
  const y = tf.add(tf.matMul(flat, weight), p[`${name}.bias`]);
  return tf.reshape(y, [...x.shape.slice(0, -1), weight.shape[1]]);
}

function layerNorm(p: Parameters, name: string, x: tf.Tensor): tf.Tensor {
  const centred = tf.sub(x, tf.mean(x, -1, true));
  const variance = tf.mean(tf.square(centred), -1, true);
  const normal = tf.mul(centred, tf.rsqrt(tf.add(variance, normEps)));
  return tf.add(tf.mul(normal, p[`${name}.gamma`]), p[`${name}.beta`]);
}

function unit(x: tf.Tensor): tf.Tensor {
  return tf.mul(x, tf.rsqrt(tf.add(tf.sum(tf.square(x), -1, true), unitEps)));
}

function attention(p: Parameters, name: string, x: tf.Tensor, { batch, channels, heads }: Sizes): tf.Tensor {
  const [q, k, v] = tf
    .split(linear(p, `${name}.qkv`, x), 3, -1)
    .map((part) => tf.transpose(tf.reshape(part, [batch, tokens, heads, channels / heads]), [0, 2, 1, 3]));
  const weights = tf.softmax(tf.matMul(tf.mul(unit(q), tau), unit(k), false, true));
  const mixed = tf.transpose(tf.matMul(weights, v), [0, 2, 1, 3]);
  return linear(p, `${name}.out`, tf.reshape(mixed, [batch, tokens, channels]));
}

function perceptron(p: Parameters, name: string, x: tf.Tensor): tf.Tensor {
  const h = linear(p, `${name}.expand`, x);
  const gelu = tf.mul(tf.mul(h, 0.5), tf.add(tf.erf(tf.mul(h, Math.SQRT1_2)), 1));
  return linear(p, `${name}.shrink`, gelu);
}

function lossOf(logits: tf.Tensor2D, targets: tf.Tensor2D): tf.Scalar {
  return tf.mean(tf.neg(tf.sum(tf.mul(targets, tf.logSoftmax(logits)), -1))) as tf.Scalar;
}
