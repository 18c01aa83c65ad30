/** Matrix products. Embedded in generated files. */
import * as tf from "@tensorflow/tfjs-core";
import { onWasm } from "./arrays.ts";

/**
 * A product of two matrices, either of them transposed. WebAssembly multiplies plain matrices ten times as fast as
 * transposed ones, so there they are turned first, the smaller one where there is a choice.
 */
export function multiply(a: tf.Tensor, b: tf.Tensor, transposeA = false, transposeB = false): tf.Tensor {
  if (!onWasm() || (!transposeA && !transposeB)) return tf.matMul(a, b, transposeA, transposeB);
  return tf.tidy(() => {
    if (transposeA && !transposeB && a.size > b.size) {
      return tf.transpose(tf.matMul(tf.transpose(b), a));
    }
    return tf.matMul(transposeA ? tf.transpose(a) : a, transposeB ? tf.transpose(b) : b);
  });
}

/** Products of two stacks [n, rows, columns] of matrices, one by one. */
export function multiplyEach(a: tf.Tensor, b: tf.Tensor, transposeA = false, transposeB = false): tf.Tensor {
  return tf.matMul(a, b, transposeA, transposeB);
}
