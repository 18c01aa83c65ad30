/**
 * The wasm backend runs some kernels on XNNPACK and others in scalar loops, ten to a hundred times slower
 * (docs/engines.md). So: plain 2D products with the operand transposed before, exponentials by `elu`, and the products
 * of attention, one small pair of matrices for each head, as a depthwise convolution.
 */
import * as tf from "@tensorflow/tfjs-core";
import type { Means } from "./means.ts";
import { tokens, type Sizes } from "./network.ts";

export const wasmMeans: Means = {
  // Cutting one apart would copy all of it for each piece.
  parts: ["query", "key", "value"],
  transposedProduct(a, b) {
    // The narrower operand is the one to transpose: a pass over 384 columns costs half a product.
    if (a.shape[1] <= b.shape[1]) return tf.matMul(tf.transpose(a), b);
    return tf.transpose(tf.matMul(tf.transpose(b), a));
  },
  productTransposed: (a, b) => tf.matMul(a, tf.transpose(b)),
  columnSums,
  gelu,

  attend(q, k, v, sizes) {
    const weights = tf.softmax(headProducts(queries(q, sizes), channelsFirst(k, sizes)));
    const mixed = headProducts(tf.transpose(weights, [0, 2, 1]), tokensFirst(v, sizes));
    return { mixed: fromHeads(mixed, sizes), saved: [weights, q, k, v] };
  },

  attendBack(dMixed, [weights, q, k, v], sizes) {
    const [w, matrix] = [weights as tf.Tensor3D, (x: tf.Tensor) => x as tf.Tensor2D];
    const dv = headProducts(tf.transpose(w, [2, 0, 1]), tokensFirst(dMixed, sizes));
    const dWeights = headProducts(queries(dMixed, sizes), channelsFirst(matrix(v), sizes));
    const part = tf.mul(w, dWeights);
    const dLogits = tf.sub(part, tf.mul(w, tf.sum(part, -1, true))) as tf.Tensor3D;
    const dq = headProducts(tf.transpose(dLogits, [0, 2, 1]), tokensFirst(matrix(k), sizes));
    const dk = headProducts(tf.transpose(dLogits, [2, 0, 1]), tokensFirst(matrix(q), sizes));
    return [fromHeads(dq, sizes), fromHeads(dk, sizes), fromHeads(dv, sizes)];
  },
};

/**
 * A product with ones: a third of what `sum` over the first axis takes, and after `transposedProduct` with the same
 * right operand less still, for the backend keeps an operator for each right operand. It keeps it by the data alone: the
 * same data with another shape gets the operator of the first shape, and a wrong result, so `x` must not be folded here.
 */
function columnSums(x: tf.Tensor2D): tf.Tensor1D {
  return tf.reshape(tf.matMul(tf.ones([1, x.shape[0]]), x), [x.shape[1]]);
}

/**
 * Abramowitz & Stegun 7.1.26, which the kernel `Erf` computes too, but on XNNPACK: for z ≥ 0 and t = 1/(1 + p·z),
 * 1 − erf(z) = (a₁t + … + a₅t⁵)·exp(−z²), to 1.5e-7. With tail = ½(1 − erf(|x|/√2)), the distribution function of the
 * normal is Φ(x) = |step(x) − tail|. The exponential is that of the density φ too, and exp(y) = elu(y) + 1 for y ≤ 0.
 */
function gelu(x: tf.Tensor2D): [tf.Tensor2D, tf.Tensor2D] {
  const t = tf.div(1, tf.add(tf.mul(tf.abs(x), 0.3275911 * Math.SQRT1_2), 1));
  const bell = tf.add(tf.elu(tf.mul(tf.square(x), -0.5)), 1);
  let sum: tf.Tensor = tf.mul(t, 1.061405429 / 2);
  for (const a of [-1.453152027, 1.421413741, -0.284496736, 0.254829592]) sum = tf.mul(tf.add(sum, a / 2), t);
  const tail = tf.mul(sum, bell);
  const cdf = tf.abs(tf.sub(tf.step(x), tail));
  const density = tf.mul(bell, 1 / Math.sqrt(2 * Math.PI));
  return [tf.mul(x, cdf), tf.add(cdf, tf.mul(x, density))];
}

/** [batch·tokens, channels] → [tokens, channels of a head, heads of all samples]: a left operand of `headProducts`. */
function queries(x: tf.Tensor2D, sizes: Sizes): tf.Tensor3D {
  return arranged(x, [1, 3, 0, 2], [tokens, widthOf(sizes), headsOf(sizes)], sizes);
}

/** → [channels of a head, heads of all samples, tokens]: a right operand. */
function channelsFirst(x: tf.Tensor2D, sizes: Sizes): tf.Tensor3D {
  return arranged(x, [3, 0, 2, 1], [widthOf(sizes), headsOf(sizes), tokens], sizes);
}

/** → [tokens, heads of all samples, channels of a head]: a right operand. */
function tokensFirst(x: tf.Tensor2D, sizes: Sizes): tf.Tensor3D {
  return arranged(x, [1, 0, 2, 3], [tokens, headsOf(sizes), widthOf(sizes)], sizes);
}

function arranged(
  x: tf.Tensor2D,
  order: number[],
  shape: [number, number, number],
  sizes: Sizes,
): tf.Tensor3D {
  const axes = tf.reshape(x, [sizes.batch, tokens, sizes.heads, widthOf(sizes)]);
  return tf.reshape(tf.transpose(axes, order), shape);
}

/** `tokensFirst` undone. */
function fromHeads(x: tf.Tensor3D, { batch, channels }: Sizes): tf.Tensor2D {
  const axes = tf.reshape(x, [tokens, batch, channels]);
  return tf.reshape(tf.transpose(axes, [1, 0, 2]), [batch * tokens, channels]);
}

/**
 * out[i, g, m] = Σₖ left[i, k, g]·right[k, g, m]: for each head g a product of matrices. As a depthwise convolution
 * whose kernel covers all k: matMul with a batch is a scalar loop on this backend, this runs on XNNPACK.
 */
function headProducts(left: tf.Tensor3D, right: tf.Tensor3D): tf.Tensor3D {
  const [rows, inner, heads] = left.shape;
  const columns = right.shape[2];
  const image = tf.reshape(left, [1, rows, inner, heads]) as tf.Tensor4D;
  const kernel = tf.reshape(right, [1, inner, heads, columns]) as tf.Tensor4D;
  return tf.reshape(tf.depthwiseConv2d(image, kernel, 1, "valid"), [rows, heads, columns]);
}

function headsOf({ batch, heads }: Sizes): number {
  return batch * heads;
}

function widthOf({ channels, heads }: Sizes): number {
  return channels / heads;
}
