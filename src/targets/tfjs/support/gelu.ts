/** GELU (Hendrycks & Gimpel 2016, arXiv 1606.08415) and its derivative. Embedded in generated files. */
import * as tf from "@tensorflow/tfjs-core";

/** x·Φ(x) = ½x·(1 + erf(x/√2)) */
export function gelu(x: tf.Tensor): tf.Tensor {
  return tf.tidy(() => tf.mul(tf.mul(x, 0.5), tf.add(tf.erf(tf.mul(x, Math.SQRT1_2)), 1)));
}

/** ½x·(1 + tanh(√(2/π)·(x + 0.044715·x³))) */
export function geluTanh(x: tf.Tensor): tf.Tensor {
  return tf.tidy(() => {
    const scale = Math.sqrt(2 / Math.PI);
    const inner = tf.mul(x, tf.add(tf.mul(tf.square(x), scale * 0.044715), scale));
    return tf.mul(tf.mul(x, 0.5), tf.add(tf.tanh(inner), 1));
  });
}
