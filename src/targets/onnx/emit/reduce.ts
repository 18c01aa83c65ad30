/** Sums, maxima and softmax. */
import type { Dims } from "../../../graph/graph.ts";
import type { Emitter } from "../emitter.ts";
import type { Emission } from "./emission.ts";

export const sum: Emission<"sum"> = (e, node, [x], [operand]) => {
  const { axes, keep } = node.attributes;
  const leading =
    axes.length < operand.shape.length && [...axes].sort((a, b) => a - b).every((a, i) => a === i);
  if (
    e.provider === "cpu" &&
    operand.dtype === "f32" &&
    axes.length > 0 &&
    leading &&
    node.shape.length > 0
  ) {
    // Over leading axes (a bias's gradient): a product with ones takes half the time of the CPU's ReduceSum.
    const rows = product(operand.shape.slice(0, axes.length));
    const columns = product(operand.shape.slice(axes.length));
    const row = node.shape.length === 2 && node.shape[0] === 1;
    const ones = e.node("Expand", [e.scalar(1, "f32"), e.int64(row ? [1, rows] : [rows])]);
    const matrix = reshaped(e, x, operand.shape, [rows, columns]);
    const total = e.node("MatMul", [ones, matrix]);
    return reshaped(e, total, row ? [1, columns] : [columns], node.shape);
  }
  // An empty list of axes would mean all of them.
  if (axes.length === 0) return e.node("Identity", [x]);
  return e.node("ReduceSum", [x, e.int64(axes)], { keepdims: keep ? 1 : 0 });
};

export const max: Emission<"max"> = (e, node, [x]) => {
  const { axes, keep } = node.attributes;
  if (axes.length === 0) return e.node("Identity", [x]);
  return e.node("ReduceMax", [x, e.int64(axes)], { keepdims: keep ? 1 : 0 });
};

export const softmax: Emission<"softmax"> = (e, _node, [x]) => e.node("Softmax", [x], { axis: -1 });

/** Itself where it has the shape already. */
function reshaped(e: Emitter, x: string, from: Dims, to: Dims): string {
  if (from.length === to.length && from.every((n, i) => n === to[i])) return x;
  return e.node("Reshape", [x, e.int64(to)], { allowzero: 1 });
}

function product(dims: readonly number[]): number {
  return dims.reduce((a, b) => a * b, 1);
}
