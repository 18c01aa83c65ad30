/** Reductions. Sums go through `sumOver`, which keeps long sums exact and column sums fast. */
import { text } from "../program.ts";
import type { Emission } from "./emission.ts";
import { tensorOf } from "./operands.ts";

export const sum: Emission<"sum"> = (e, node, [given]) => {
  const { axes, keep } = node.attributes;
  const x = tensorOf(e, given, node.dtype);
  // Axes of length 1 are dropped by a reshape.
  const long = axes.filter((axis) => x.shape[axis] !== 1);
  if (long.length === 0) return e.call("tf.reshape", [x, text(node.shape)], node.shape, node.dtype);
  const kept = x.shape.map((n, axis) => (long.includes(axis) ? 1 : n));
  if (node.dtype !== "f32") {
    return e.call("tf.sum", [x, text(axes), text(keep)], node.shape, node.dtype);
  }
  const total = e.call("sumOver", [x, text(long)], kept);
  return e.reshape(total, node.shape);
};

export const max: Emission<"max"> = (e, node, [given]) => {
  const { axes, keep } = node.attributes;
  const x = tensorOf(e, given, node.dtype);
  if (axes.length === 0) return e.call("tf.clone", [x], node.shape, node.dtype);
  return e.call("tf.max", [x, text(axes), text(keep)], node.shape, node.dtype);
};

export const softmax: Emission<"softmax"> = (e, node, [x]) =>
  e.call("tf.softmax", [tensorOf(e, x, "f32")], node.shape);
