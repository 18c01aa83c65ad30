/** Convolutions and their two gradients, all three as ordinary operators. */
import type { ConvAttributes, Dims, GraphNode } from "../../../graph/graph.ts";
import type { Emitter } from "../emitter.ts";
import type { Emission } from "./emission.ts";

function common({ stride, padding, dilation, groups }: ConvAttributes) {
  return { strides: stride, pads: padding, dilations: dilation, group: groups };
}

export const conv: Emission<"conv"> = (e, node, [x, kernel], [, k]) =>
  e.node("Conv", [x, kernel], { ...common(node.attributes), kernel_shape: k.shape.slice(2) });

/** The adjoint of a convolution is ConvTranspose; what the stride left over at the far edge is `output_padding`. */
export const convGradInput: Emission<"convGradInput"> = (e, node, [dy, kernel], [gradient, k]) => {
  if (mirrors(node.attributes, k.shape)) return mirrored(e, node, dy, kernel, k.shape);
  const { stride, padding, dilation, input } = node.attributes;
  const left = [0, 1].map((i) => {
    const reached = (gradient.shape[2 + i] - 1) * stride[i] + (k.shape[2 + i] - 1) * dilation[i] + 1;
    return input[2 + i] - (reached - padding[i] - padding[i + 2]);
  });
  const attributes = { ...common(node.attributes), kernel_shape: k.shape.slice(2) };
  // output_padding must stay under the stride or dilation; more than that is rows that no window reached: zeros.
  const allowed = left.map((n, i) => Math.min(n, Math.max(stride[i], dilation[i]) - 1));
  const dx = e.node("ConvTranspose", [dy, kernel], { ...attributes, output_padding: allowed });
  const missing = left.map((n, i) => n - allowed[i]);
  return missing.every((n) => n === 0) ? dx : e.node("Pad", [dx, e.int64([0, 0, 0, 0, 0, 0, ...missing])]);
};

/** Whether the adjoint is a convolution of the same kind with the taps in reverse order: stride 1, one channel a group. */
function mirrors(
  { stride, padding, dilation, groups }: ConvAttributes,
  [out, depth, ...taps]: Dims,
): boolean {
  const fits = (at: number) => padding[at] <= (taps[at % 2] - 1) * dilation[at % 2];
  return groups === out && depth === 1 && stride.every((s) => s === 1) && [0, 1, 2, 3].every(fits);
}

/** ONNX Runtime's CPU ConvTranspose takes four times as long as its Conv for depthwise kernels (docs/engines.md). */
function mirrored(
  e: Emitter,
  { attributes }: GraphNode<"convGradInput">,
  dy: string,
  kernel: string,
  k: Dims,
): string {
  const { padding, dilation } = attributes;
  const far = -(2 ** 31);
  const turned = e.node("Slice", [
    kernel,
    e.int64([-1, -1]),
    e.int64([far, far]),
    e.int64([2, 3]),
    e.int64([-1, -1]),
  ]);
  const pads = padding.map((p, at) => (k[2 + (at % 2)] - 1) * dilation[at % 2] - p);
  return e.node("Conv", [dy, turned], { ...common(attributes), pads, kernel_shape: k.slice(2) });
}

/**
 * dK[o, c, u, v] = Σ x[n, c, i·stride + u·dilation − pad] dy[n, o, i]: a convolution of x with dy as its kernel, batch
 * and channels swapped, stride and dilation swapped. Windows that the forward pass left out at the far edge are cut off.
 */
export const convGradKernel: Emission<"convGradKernel"> = (e, node, [x, dy], [input, gradient]) => {
  const { stride, padding, dilation, groups, kernel } = node.attributes;
  const [n, c, h, w] = input.shape;
  const [, o, oh, ow] = gradient.shape;
  const attributes = { strides: dilation, dilations: stride, pads: padding, kernel_shape: [oh, ow] };
  const cut = (t: string, leading: number) => {
    const size = [h, w].map(
      (s, i) =>
        Math.floor((s + padding[i] + padding[i + 2] - ([oh, ow][i] - 1) * stride[i] - 1) / dilation[i]) + 1,
    );
    if (size[0] === kernel[2] && size[1] === kernel[3]) return t;
    return e.node("Slice", [
      t,
      e.int64([0, 0]),
      e.int64([kernel[2], kernel[3]]),
      e.int64([leading, leading + 1]),
    ]);
  };
  if (groups === c && o === c) {
    // Depthwise: every image and channel is a group of its own; the sum over images follows.
    const flatX = e.node("Reshape", [x, e.int64([1, n * c, h, w])]);
    const flatDy = e.node("Reshape", [dy, e.int64([n * c, 1, oh, ow])]);
    const each = cut(e.node("Conv", [flatX, flatDy], { ...attributes, group: n * c }), 2);
    const apart = e.node("Reshape", [each, e.int64([n, c, 1, kernel[2], kernel[3]])]);
    return e.node("ReduceSum", [apart, e.int64([0])], { keepdims: 0 });
  }
  const [cg, og] = [c / groups, o / groups];
  const swappedX = e.node("Reshape", [
    e.node("Transpose", [e.node("Reshape", [x, e.int64([n, groups, cg, h, w])])], { perm: [2, 1, 0, 3, 4] }),
    e.int64([cg, groups * n, h, w]),
  ]);
  const swappedDy = e.node("Reshape", [
    e.node("Transpose", [e.node("Reshape", [dy, e.int64([n, groups, og, oh, ow])])], {
      perm: [1, 2, 0, 3, 4],
    }),
    e.int64([o, n, oh, ow]),
  ]);
  const swapped = cut(e.node("Conv", [swappedX, swappedDy], { ...attributes, group: groups }), 2);
  return e.node("Transpose", [swapped], { perm: [1, 0, 2, 3] });
};
