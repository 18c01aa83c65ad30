/** GELU (Hendrycks & Gimpel 2016, arXiv 1606.08415) and its derivative. Embedded in generated files. */
import * as tf from "@tensorflow/tfjs-core";
import { onWasm } from "./backend.ts";

/** x·Φ(x) */
export function gelu(x: tf.Tensor): tf.Tensor {
  return tf.tidy(() => tf.mul(x, normalCdf(x)));
}

/** ½x·(1 + tanh(√(2/π)·(x + 0.044715·x³))) */
export function geluTanh(x: tf.Tensor): tf.Tensor {
  return tf.tidy(() => {
    const scale = Math.sqrt(2 / Math.PI);
    const inner = tf.mul(x, tf.add(tf.mul(tf.square(x), scale * 0.044715), scale));
    return tf.mul(tf.mul(x, 0.5), tf.add(tf.tanh(inner), 1));
  });
}

/**
 * Φ(x), the distribution function of the normal: ½·(1 + erf(x/√2)). On WebAssembly the kernel for erf is a slow loop; there
 * its formula is computed by fast ones (Abramowitz & Stegun 7.1.26, to 1.5e-7): for z = |x|/√2 and t = 1/(1 + p·z)
 * the tail ½·(1 − erf(z)) is ½·(a₁t + … + a₅t⁵)·e^(−z²), and Φ(x) = |step(x) − tail|.
 */
export function normalCdf(x: tf.Tensor): tf.Tensor {
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
export function geluSlope(x: tf.Tensor, cdf: tf.Tensor): tf.Tensor {
  return tf.tidy(() => tf.add(cdf, tf.mul(x, tf.mul(bell(x), 1 / Math.sqrt(2 * Math.PI)))));
}

/** e^(−x²/2); by ELU, which is e^y − 1 for y ≤ 0, where that is the faster kernel. */
function bell(x: tf.Tensor): tf.Tensor {
  const y = tf.mul(tf.square(x), -0.5);
  return onWasm() ? tf.add(tf.elu(y), 1) : tf.exp(y);
}
