/** Matrix product with what stands around it: transposed operands, a factor, a bias. */
import type { GraphNode } from "../../../graph/graph.ts";
import { emitMatmul, operandOf, type Operand } from "../emit/matmul.ts";
import type { Fuser, View } from "./fusion.ts";

/**
 * x W + b, b a vector of the last axis: one Gemm. ONNX Runtime's CPU Gemm first spreads b over the result in one thread,
 * which costs more than an Add afterwards unless the product is long for its width.
 */
export const fuseBias: Fuser = (view, id) => {
  const sum = view.as(id, "add");
  if (sum === undefined || sum.shape.length !== 2) return undefined;
  for (const [k, other] of [
    [0, 1],
    [1, 0],
  ]) {
    const product = view.only(sum.inputs[k], "matmul");
    const bias = view.node(sum.inputs[other]);
    if (product === undefined || !sameDims(product.shape, sum.shape)) continue;
    if (bias.shape.length > 1 || bias.shape[0] !== sum.shape[1]) continue;
    const [left, right] = product.inputs.map((input) => view.node(input));
    if (left.shape.length !== 2 || right.shape.length !== 2) continue;
    const { transposeA, transposeB } = product.attributes;
    const long = left.shape[transposeA ? 0 : 1] >= 2 * sum.shape[1];
    if (view.provider === "cpu" && !long) continue;
    return {
      covers: [sum.inputs[k]],
      emit: (e) =>
        e.node("Gemm", [e.value(product.inputs[0]), e.value(product.inputs[1]), e.value(sum.inputs[other])], {
          transA: transposeA ? 1 : 0,
          transB: transposeB ? 1 : 0,
        }),
    };
  }
  return undefined;
};

/** c · (a b) and a bᵀ written with a transpose: FusedMatMul or Gemm takes the factor and the transposition. */
export const fuseProduct: Fuser = (view, id) => {
  const covers: number[] = [];
  let root = view.node(id);
  let alpha = 1;
  if (root.op === "mul") {
    const k = view.number(root.inputs[0]) === undefined ? 1 : 0;
    const factor = view.number(root.inputs[k]);
    const product = view.only(root.inputs[1 - k], "matmul");
    if (factor === undefined || product === undefined || !sameDims(product.shape, root.shape))
      return undefined;
    alpha = factor;
    covers.push(root.inputs[1 - k]);
    root = product;
  }
  if (root.op !== "matmul" || view.provider === "webgpu") return undefined;
  const product = root as GraphNode<"matmul">;
  const { transposeA, transposeB } = product.attributes;
  const left = throughSwap(view, product.inputs[0], transposeA, covers);
  const right = throughSwap(view, product.inputs[1], transposeB, covers);
  if (covers.length === 0) return undefined;
  return {
    covers,
    emit: (e) => {
      const operand = (x: Swapped): Operand => operandOf(e.value(x.id), view.node(x.id).shape, x.transpose);
      return emitMatmul(e, operand(left), operand(right), alpha);
    },
  };
};

interface Swapped {
  readonly id: number;
  readonly transpose: boolean;
}

/** An operand that is only a transpose of its last two axes, read once, is taken without it. */
function throughSwap(view: View, id: number, transpose: boolean, covers: number[]): Swapped {
  const node = view.only(id, "transpose");
  if (node === undefined) return { id, transpose };
  const { order } = node.attributes;
  const last = order.length - 1;
  const swaps = last >= 1 && order.every((o, i) => o === (i === last ? last - 1 : i === last - 1 ? last : i));
  if (!swaps) return { id, transpose };
  covers.push(id);
  return { id: node.inputs[0], transpose: !transpose };
}

function sameDims(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((n, i) => n === b[i]);
}
