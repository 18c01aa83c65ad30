/** The native backend multiplies with any transposition and batch at full speed; there the fewest passes win. */
import * as tf from "@tensorflow/tfjs-core";
import type { Means } from "./means.ts";
import { tokens, type Sizes } from "./network.ts";

export const nativeMeans: Means = {
  parts: ["qkv"],
  transposedProduct: (a, b) => tf.matMul(a, b, true, false),
  productTransposed: (a, b) => tf.matMul(a, b, false, true),
  columnSums: (x) => tf.sum(x, 0),

  // x·Φ(x) and Φ(x) + x·φ(x), with h = x/√2: φ's factor stands in the exponent, where a pass is needed anyway.
  gelu(x) {
    const h = tf.mul(x, Math.SQRT1_2);
    const cdf = tf.add(tf.mul(tf.erf(h), 0.5), 0.5);
    const density = tf.exp(tf.sub(-0.5 * Math.log(2 * Math.PI), tf.square(h)));
    return [tf.mul(x, cdf), tf.add(cdf, tf.mul(x, density))];
  },

  attend(q, k, v, sizes) {
    const [hq, hk, hv] = [q, k, v].map((x) => intoHeads(x, sizes));
    const weights = tf.softmax(tf.matMul(hq, hk, false, true));
    const mixed = tf.matMul(weights, hv);
    return { mixed: fromHeads(mixed, sizes), saved: [weights, hq, hk, hv] };
  },

  attendBack(dMixed, [weights, hq, hk, hv], sizes) {
    const dHeads = intoHeads(dMixed, sizes);
    const dv = tf.matMul(weights, dHeads, true, false);
    const part = tf.mul(weights, tf.matMul(dHeads, hv, false, true));
    const dLogits = tf.sub(part, tf.mul(weights, tf.sum(part, -1, true)));
    const dq = tf.matMul(dLogits, hk);
    const dk = tf.matMul(dLogits, hq, true, false);
    return [fromHeads(dq, sizes), fromHeads(dk, sizes), fromHeads(dv, sizes)];
  },
};

/** [batch·tokens, channels] → [batch, heads, tokens, channels of a head] */
function intoHeads(x: tf.Tensor2D, { batch, heads, channels }: Sizes): tf.Tensor {
  return tf.transpose(tf.reshape(x, [batch, tokens, heads, channels / heads]), [0, 2, 1, 3]);
}

function fromHeads(x: tf.Tensor, { batch, channels }: Sizes): tf.Tensor2D {
  return tf.reshape(tf.transpose(x, [0, 2, 1, 3]), [batch * tokens, channels]);
}
