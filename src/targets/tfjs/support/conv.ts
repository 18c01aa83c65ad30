/**
 * Convolutions on [n, h, w, c] with kernels [out, in/groups, kh, kw], and their two gradients, made of what every backend
 * has: WebAssembly lacks the gradients of kernels and of depthwise convolutions. Embedded in generated files.
 */
import * as tf from "@tensorflow/tfjs-core";
import { multiply } from "./products.ts";
import { slice } from "./arrays.ts";

export interface Window {
  readonly stride: [number, number];
  /** top, left, bottom, right */
  readonly padding: [number, number, number, number];
  readonly dilation: [number, number];
  readonly groups: number;
}

/** [n, h, w, c] and kernel → [n, h', w', out] */
export function convolve(x: tf.Tensor, kernel: tf.Tensor, window: Window): tf.Tensor {
  return tf.tidy(() => {
    const [out, each, kh, kw] = kernel.shape;
    const { stride, padding, dilation, groups } = window;
    const [top, left, bottom, right] = padding;
    const whole = resize(x, [top, left], [bottom, right]);
    if (groups === 1) {
      const filter = spread(tf.transpose(kernel, [2, 3, 1, 0]), 0, dilation);
      return tf.conv2d(whole as tf.Tensor4D, filter as tf.Tensor4D, stride, "valid");
    }
    if (each === 1) {
      // Depthwise: `out / groups` kernels for each channel.
      const filter = tf.transpose(tf.reshape(kernel, [groups, out / groups, kh, kw]), [2, 3, 0, 1]);
      return depthwise(whole, spread(filter, 0, dilation), stride);
    }
    const alone = { ...window, padding: [0, 0, 0, 0] as Window["padding"], groups: 1 };
    const parts = split(whole, 3, groups).map((part, g) =>
      convolve(part, split(kernel, 0, groups)[g], alone),
    );
    return tf.concat(parts, 3);
  });
}

/** The gradient of the input [n, h, w, c]: the gradient of the output, spread by the stride, under the turned kernel. */
export function convolveGradInput(
  dy: tf.Tensor,
  kernel: tf.Tensor,
  input: number[],
  window: Window,
): tf.Tensor {
  return tf.tidy(() => {
    const [out, each, kh, kw] = kernel.shape;
    const { stride, padding, dilation, groups } = window;
    if (groups > 1 && (each > 1 || out > groups)) {
      const alone = { ...window, groups: 1 };
      const part = [...input.slice(0, 3), input[3] / groups];
      const kernels = split(kernel, 0, groups);
      const parts = split(dy, 3, groups).map((d, g) => convolveGradInput(d, kernels[g], part, alone));
      return tf.concat(parts, 3);
    }
    const apart = spread(dy, 1, stride);
    const reach = [dilation[0] * (kh - 1), dilation[1] * (kw - 1)];
    const before = [reach[0] - padding[0], reach[1] - padding[1]];
    const after = before.map((b, i) => input[1 + i] - apart.shape[1 + i] - b + reach[i]);
    const whole = resize(apart, before, after);
    const turned = tf.reverse(kernel, [2, 3]);
    if (groups === 1) {
      const filter = spread(tf.transpose(turned, [2, 3, 0, 1]), 0, dilation);
      return tf.conv2d(whole as tf.Tensor4D, filter as tf.Tensor4D, 1, "valid");
    }
    return depthwise(whole, spread(tf.transpose(turned, [2, 3, 0, 1]), 0, dilation), [1, 1]);
  });
}

/** The gradient of the kernel: each tap is a product of what it saw with the gradient of the output. */
export function convolveGradKernel(x: tf.Tensor, dy: tf.Tensor, kernel: number[], window: Window): tf.Tensor {
  return tf.tidy(() => {
    const { stride, padding, dilation, groups } = window;
    const [out, each, kh, kw] = kernel;
    const [top, left, bottom, right] = padding;
    const whole = resize(x, [top, left], [bottom, right]);
    if (groups > 1 && each === 1) return depthwiseGradKernel(whole, dy, window, kernel);
    if (groups > 1) {
      const alone = { ...window, padding: [0, 0, 0, 0] as Window["padding"], groups: 1 };
      const part = [out / groups, each, kh, kw];
      const grads = split(dy, 3, groups);
      const parts = split(whole, 3, groups).map((p, g) => convolveGradKernel(p, grads[g], part, alone));
      return tf.concat(parts, 0);
    }
    const [n, height, width] = dy.shape;
    const rows = n * height * width;
    const flat = tf.reshape(dy, [rows, out]);
    const taps: tf.Tensor[] = [];
    for (let ky = 0; ky < kh; ky++) {
      for (let kx = 0; kx < kw; kx++) {
        const start = [0, ky * dilation[0], kx * dilation[1], 0];
        const end = [
          n,
          start[1] + (height - 1) * stride[0] + 1,
          start[2] + (width - 1) * stride[1] + 1,
          each,
        ];
        taps.push(
          tf.tidy(() => {
            const seen = tf.reshape(slice(whole, start, end, [1, ...stride, 1]), [rows, each]);
            return multiply(seen, flat, true);
          }),
        );
      }
    }
    return tf.transpose(tf.reshape(tf.stack(taps), [kh, kw, each, out]), [3, 2, 0, 1]);
  });
}

/** All samples and channels at once: samples become channels, the gradient of the output is the kernel. */
function depthwiseGradKernel(
  whole: tf.Tensor,
  dy: tf.Tensor,
  { stride, dilation, groups }: Window,
  [out, , kh, kw]: number[],
): tf.Tensor {
  const [n, height, width] = dy.shape;
  const each = out / groups;
  const grads = tf.transpose(tf.reshape(dy, [n, height, width, out]), [1, 2, 0, 3]);
  const filter = spread(tf.reshape(grads, [height, width, n * groups, each]), 0, stride);
  const [fh, fw] = filter.shape;
  const extent = [(kh - 1) * dilation[0] + fh, (kw - 1) * dilation[1] + fw];
  const seen = resize(
    whole,
    [0, 0],
    extent.map((length, i) => length - whole.shape[1 + i]),
  );
  const maps = tf.reshape(tf.transpose(seen, [1, 2, 0, 3]), [1, extent[0], extent[1], n * groups]);
  const taps = tf.reshape(depthwise(maps, filter, dilation), [kh * kw, n, out]);
  return tf.reshape(tf.transpose(tf.sum(taps, 1)), [out, 1, kh, kw]);
}

/** [n, h, w, c] and filter [kh, kw, c, m] → [n, h', w', c·m], without padding. */
function depthwise(x: tf.Tensor, filter: tf.Tensor, stride: number[]): tf.Tensor {
  const even = stride[0] === stride[1];
  const y = tf.depthwiseConv2d(x as tf.Tensor4D, filter as tf.Tensor4D, even ? stride[0] : 1, "valid");
  if (even) return y;
  return slice(y, [0, 0, 0, 0], y.shape, [1, stride[0], stride[1], 1]);
}

/** Zeros between the entries of two axes: `stride` apart. */
function spread(x: tf.Tensor, axis: number, stride: number[]): tf.Tensor {
  let y = x;
  stride.forEach((s, i) => {
    const at = axis + i;
    const n = y.shape[at];
    if (s === 1 || n === 1) return;
    const [outer, inner] = [y.shape.slice(0, at), y.shape.slice(at + 1)];
    const count = inner.reduce((a, b) => a * b, 1);
    const rows = tf.reshape(y, [y.size / count, 1, count]);
    const wide = tf.reshape(
      tf.pad(rows, [
        [0, 0],
        [0, s - 1],
        [0, 0],
      ]),
      [...outer, n * s, ...inner],
    );
    const end = wide.shape.map((length, k) => (k === at ? (n - 1) * s + 1 : length));
    y = slice(
      wide,
      end.map(() => 0),
      end,
      end.map(() => 1),
    );
  });
  return y;
}

/** Rows and columns of [n, h, w, c] added as zeros, or taken away where the number is negative. */
function resize(x: tf.Tensor, before: number[], after: number[]): tf.Tensor {
  if ([...before, ...after].every((n) => n === 0)) return x;
  const pads = before.map((b, i): [number, number] => [Math.max(0, b), Math.max(0, after[i])]);
  // Zeros first: what is taken away may be more than x has.
  const wide = tf.pad(x, [[0, 0], ...pads, [0, 0]]);
  const start = before.map((n) => Math.max(0, -n));
  const end = after.map((n, i) => wide.shape[1 + i] - Math.max(0, -n));
  if (start.every((n) => n === 0) && end.every((n, i) => n === wide.shape[1 + i])) return wide;
  const [n, , , c] = x.shape;
  return slice(wide, [0, ...start, 0], [n, ...end, c], [1, 1, 1, 1]);
}

function split(x: tf.Tensor, axis: number, parts: number): tf.Tensor[] {
  return tf.split(x, parts, axis);
}
