/** What TensorFlow.js lacks, or does slowly or inexactly on one of its backends. Embedded in generated files. */
import * as tf from "@tensorflow/tfjs-core";
import { onWasm } from "./backend.ts";
import { multiply } from "./products.ts";

/** x[start:end:step] on every axis. */
export function slice(x: tf.Tensor, start: number[], end: number[], step: number[]): tf.Tensor {
  const size = end.map((e, axis) => e - start[axis]);
  const plain = step.every((s) => s === 1);
  // A slice on WebAssembly first copies all of x; a strided one does not, but it always gives float32.
  if (plain && !(onWasm() && x.dtype === "float32")) return tf.slice(x, start, size);
  if (x.dtype === "float32") return tf.stridedSlice(x, start, end, step);
  return tf.tidy(() => tf.cast(tf.stridedSlice(tf.cast(x, "float32"), start, end, step), x.dtype));
}

/** Zeros before and after each axis. */
export function pad(x: tf.Tensor, before: number[], after: number[]): tf.Tensor {
  return tf.pad(
    x,
    before.map((n, axis) => [n, after[axis]]),
  );
}

/**
 * Sums over axes that are side by side or not; they stay as length 1. On WebAssembly a sum is one float32 that is added
 * to, so long ones are cut in two: the sum of √n sums of √n entries.
 */
export function sumOver(x: tf.Tensor, axes: number[]): tf.Tensor {
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
export function sumOfSquares(tensors: tf.Tensor[]): tf.Tensor {
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
export function addRows(indices: tf.Tensor, rows: tf.Tensor, size: number): tf.Tensor {
  return tf.tidy(() => {
    const where = tf.reshape(indices, [indices.size, 1]);
    return tf.scatterND(where, rows, [size, rows.shape[1] ?? 1]);
  });
}
