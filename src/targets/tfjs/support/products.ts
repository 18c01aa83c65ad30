/** Matrix products. Embedded in generated files. */
import * as tf from "@tensorflow/tfjs-core";
import { onWasm } from "./backend.ts";

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
export function multiply(a: tf.Tensor, b: tf.Tensor, transposeA = false, transposeB = false): tf.Tensor {
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
export function affine(x: tf.Tensor, weight: tf.Tensor, bias: tf.Tensor): tf.Tensor {
  const [a, w] = [x as tf.Tensor2D, weight as tf.Tensor2D];
  if (!onWasm()) return tf.fused.matMul({ a, b: w, transposeB: true, bias });
  return tf.tidy(() => tf.fused.matMul({ a, b: tf.transpose(w), bias }));
}

/**
 * Products of two stacks [n, rows, columns] of matrices, one by one. WebAssembly has no fast kernel for them, but a
 * depthwise convolution is one: stacks are channels, the inner axis is the window, columns are multiplied channels. That
 * takes a fourth of the time of tf.matMul there, and gives the same sums.
 */
export function multiplyEach(a: tf.Tensor, b: tf.Tensor, transposeA = false, transposeB = false): tf.Tensor {
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
