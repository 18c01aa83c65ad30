/** Primitives that move numbers about. */
import { elementTypes } from "../proto.ts";
import type { Emission } from "./emission.ts";

export const reshape: Emission<"reshape"> = (e, node, [x]) =>
  e.node("Reshape", [x, e.int64(node.shape)], { allowzero: 1 });

export const broadcast: Emission<"broadcast"> = (e, node, [x]) => e.node("Expand", [x, e.int64(node.shape)]);

export const transpose: Emission<"transpose"> = (e, node, [x]) =>
  e.node("Transpose", [x], { perm: node.attributes.order });

export const slice: Emission<"slice"> = (e, node, [x], [operand]) => {
  const { start, end, step } = node.attributes;
  const axes = operand.shape
    .map((_, i) => i)
    .filter((i) => start[i] !== 0 || end[i] !== operand.shape[i] || step[i] !== 1);
  if (axes.length === 0) return e.node("Identity", [x]);
  const of = (values: readonly number[]) => e.int64(axes.map((i) => values[i]));
  return e.node("Slice", [x, of(start), of(end), e.int64(axes), of(step)]);
};

export const concat: Emission<"concat"> = (e, node, inputs) =>
  e.node("Concat", inputs, { axis: node.attributes.axis });

export const pad: Emission<"pad"> = (e, node, [x]) => {
  const { before, after } = node.attributes;
  return e.node("Pad", [x, e.int64([...before, ...after])]);
};

export const gather: Emission<"gather"> = (e, node, [x, indices]) =>
  e.node("Gather", [x, indices], { axis: node.attributes.axis });

/** Up to this many entries, a one-hot matrix product is faster than a scatter, and it is parallel. */
const oneHotLimit = 1 << 22;

/**
 * updates are summed into zeros along one axis. ScatterND would do it, but ONNX Runtime adds in parallel without
 * locking; so it is either a product with a one-hot matrix, or ScatterElements, which runs in order.
 */
export const scatterAdd: Emission<"scatterAdd"> = (e, node, [indices, updates], [indexNode, updateNode]) => {
  const { axis, size } = node.attributes;
  const before = node.shape.slice(0, axis);
  const after = node.shape.slice(axis + 1);
  const count = product(indexNode.shape);
  const [outer, inner] = [product(before), product(after)];
  const flat = e.node("Reshape", [indices, e.int64([count])]);
  const grouped = e.node("Reshape", [updates, e.int64([outer, count, inner])], { allowzero: 1 });
  if (updateNode.dtype === "f32" && count * size <= oneHotLimit && e.provider === "cpu") {
    // [size, count] × [outer, count, inner]
    const rows = e.node("Range", [e.scalar(0, "i32"), e.scalar(size, "i32"), e.scalar(1, "i32")]);
    const hits = e.node("Equal", [e.node("Reshape", [rows, e.int64([size, 1])]), flat]);
    const hot = e.node("Cast", [hits], { to: elementTypes.f32 });
    return e.node("Reshape", [e.node("MatMul", [hot, grouped]), e.int64(node.shape)], { allowzero: 1 });
  }
  const spread = e.node("Expand", [
    e.node("Reshape", [flat, e.int64([1, count, 1])], { allowzero: 1 }),
    e.int64([outer, count, inner]),
  ]);
  const zeros = e.node("Expand", [e.scalar(0, updateNode.dtype), e.int64([outer, size, inner])]);
  const sum = e.node("ScatterElements", [zeros, spread, grouped], { axis: 1, reduction: "add" });
  return e.node("Reshape", [sum, e.int64(node.shape)], { allowzero: 1 });
};

function product(dims: readonly number[]): number {
  return dims.reduce((a, b) => a * b, 1);
}
