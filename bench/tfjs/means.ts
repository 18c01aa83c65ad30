/** What is done one way on the wasm backend and another on the native one, each as it is fastest there. */
import type * as tf from "@tensorflow/tfjs-core";
import type { Sizes } from "./network.ts";

/** What attention's backward pass needs: named by the implementation. */
export type Saved = readonly tf.Tensor[];

export interface Means {
  /** The projections before the attention: one of three times the width, to be cut apart, or three. */
  readonly parts: readonly string[];
  /** aᵀ·b of [rows, a] and [rows, b]: a weight's gradient. */
  transposedProduct(a: tf.Tensor2D, b: tf.Tensor2D): tf.Tensor2D;
  /** a·bᵀ of [rows, n] and a weight [m, n]. */
  productTransposed(a: tf.Tensor2D, b: tf.Tensor2D): tf.Tensor2D;
  /** Sums over the rows of [rows, n]: [n]. */
  columnSums(x: tf.Tensor2D): tf.Tensor1D;
  /** GELU and its derivative. */
  gelu(x: tf.Tensor2D): [value: tf.Tensor2D, slope: tf.Tensor2D];
  /** softmax(q·kᵀ)·v for each head; all [batch·tokens, channels]. */
  attend(q: tf.Tensor2D, k: tf.Tensor2D, v: tf.Tensor2D, sizes: Sizes): { mixed: tf.Tensor2D; saved: Saved };
  /** Gradients by q, k and v. */
  attendBack(
    dMixed: tf.Tensor2D,
    saved: Saved,
    sizes: Sizes,
  ): [dq: tf.Tensor2D, dk: tf.Tensor2D, dv: tf.Tensor2D];
}
