/**
 * The vision transformer of bench/specs/vit-bench.lips in TensorFlow.js: what its two hand-written versions share.
 *
 * 28 × 28 images, 49 patches of 4 × 4, pre-norm blocks of cosine attention and a perceptron with GELU, LayerNorm, mean
 * over tokens, 10 classes; cross-entropy with label smoothing, AdamW. Kernels are [in, out], as TensorFlow.js has them.
 */
import * as tf from "@tensorflow/tfjs-core";

export interface Sizes {
  readonly batch: number;
  readonly depth: number;
  readonly channels: number;
  readonly heads: number;
  readonly classes: number;
}

export const benchSizes: Sizes = { batch: 128, depth: 6, channels: 96, heads: 3, classes: 10 };

/** Pixels of an image's side, of a patch's side, and patches of an image. */
export const side = 28;
export const patch = 4;
export const tokens = (side / patch) ** 2;

export const tau = 10;
export const unitEps = 1e-2;
export const normEps = 1e-5;
export const smoothing = 0.1;

/** Tensors by name: `blocks.0.query.weight`, … */
export type Parameters = Readonly<Record<string, tf.Tensor>>;

/** A parameter, and where it is in the spec's weights. */
export interface Entry {
  readonly name: string;
  readonly shape: readonly number[];
  /** Weight.path in the spec. */
  readonly path: string;
  /** Rows of the spec's weight, which is [out, in]. */
  readonly rows: readonly [number, number];
  readonly transposed: boolean;
}

/** All parameters; `parts` are the projections before the attention: `["qkv"]` for one, or three. */
export function entriesOf({ depth, channels: d, classes }: Sizes, parts: readonly string[]): Entry[] {
  const vector = (name: string, path: string, [from, to]: [number, number]): Entry => ({
    name,
    path,
    shape: [to - from],
    rows: [from, to],
    transposed: false,
  });
  const norm = (name: string, path: string): Entry[] => [
    vector(`${name}.gamma`, `${path}.gamma`, [0, d]),
    vector(`${name}.beta`, `${path}.beta`, [0, d]),
  ];
  const linear = (name: string, path: string, input: number, rows: [number, number]): Entry[] => [
    {
      name: `${name}.weight`,
      path: `${path}.weight`,
      shape: [input, rows[1] - rows[0]],
      rows,
      transposed: true,
    },
    vector(`${name}.bias`, `${path}.bias`, rows),
  ];
  const width = (3 * d) / parts.length;
  const block = (i: number): Entry[] => [
    ...norm(`blocks.${i}.norm1`, `layer_norm.${i}`),
    ...parts.flatMap((part, k) =>
      linear(`blocks.${i}.${part}`, `attention.${i}.linear`, d, [k * width, (k + 1) * width]),
    ),
    ...linear(`blocks.${i}.out`, `attention.${i}.linear_2`, d, [0, d]),
    ...norm(`blocks.${i}.norm2`, `layer_norm_2.${i}`),
    ...linear(`blocks.${i}.expand`, `mlp.${i}.linear`, d, [0, 4 * d]),
    ...linear(`blocks.${i}.shrink`, `mlp.${i}.linear_2`, 4 * d, [0, d]),
  ];
  return [
    ...linear("embed", "patch_embed.conv", patch * patch, [0, d]),
    { name: "position", path: "learned.value", shape: [tokens, d], rows: [0, tokens], transposed: false },
    ...Array.from({ length: depth }, (_, i) => block(i)).flat(),
    ...norm("norm", "layer_norm_3"),
    ...linear("head", "linear", d, [0, classes]),
  ];
}

/** From the spec's weights by path, row-major as they are stored there. */
export function importParameters(
  entries: readonly Entry[],
  weight: (path: string) => Float32Array,
): Record<string, tf.Tensor> {
  return Object.fromEntries(
    entries.map(({ name, shape, path, rows: [from, to], transposed }) => {
      const width = shape.reduce((a, b) => a * b, 1) / (to - from);
      const data = weight(path).subarray(from * width, to * width);
      const tensor = tf.tidy(() =>
        transposed ? tf.transpose(tf.tensor2d(data, [to - from, width])) : tf.tensor(data, [...shape]),
      );
      return [name, tensor];
    }),
  );
}

/** Back to the spec's weights by path: what `importParameters` made of them, or gradients of that. */
export async function exportParameters(
  entries: readonly Entry[],
  tensors: Parameters,
): Promise<Map<string, Float32Array>> {
  const parts = new Map<string, Float32Array[]>();
  for (const { name, path, transposed } of entries) {
    const stored = transposed ? tf.transpose(tensors[name]) : tf.clone(tensors[name]);
    parts.set(path, [...(parts.get(path) ?? []), Float32Array.from(await stored.data())]);
    stored.dispose();
  }
  return new Map([...parts].map(([path, pieces]) => [path, joined(pieces)]));
}

function joined(pieces: readonly Float32Array[]): Float32Array {
  const all = new Float32Array(pieces.reduce((n, p) => n + p.length, 0));
  let at = 0;
  for (const piece of pieces) {
    all.set(piece, at);
    at += piece.length;
  }
  return all;
}

/** Images [batch, 28, 28, 1] → patches [batch·49, 16], pixels of a patch row by row. */
export function patchesOf(image: tf.Tensor, { batch }: Sizes): tf.Tensor2D {
  const across = side / patch;
  // Four axes: transposes of five are slow on the wasm backend.
  const cut = tf.transpose(tf.reshape(image, [batch * across, patch, across, patch]), [0, 2, 1, 3]);
  return tf.reshape(cut, [batch * tokens, patch * patch]) as tf.Tensor2D;
}

/** Labels [batch] → smoothed targets [batch, classes]. */
export function targetsOf(labels: tf.Tensor1D, { classes }: Sizes): tf.Tensor2D {
  const hot = tf.cast(tf.oneHot(labels, classes), "float32");
  return tf.add(tf.mul(hot, 1 - smoothing), smoothing / classes);
}

/** One of the two versions. */
export interface Version {
  readonly entries: readonly Entry[];
  /** Mean loss and its gradients by parameter. The caller disposes of both. */
  lossAndGradients(
    parameters: Parameters,
    image: tf.Tensor,
    labels: tf.Tensor1D,
  ): { loss: tf.Scalar; gradients: Record<string, tf.Tensor> };
}
