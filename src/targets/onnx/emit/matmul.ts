/** Matrix products: Gemm for plain matrices, FusedMatMul for stacks of them where the provider has it. */
import type { Dims } from "../../../graph/graph.ts";
import type { Emitter } from "../emitter.ts";
import type { Emission } from "./emission.ts";

export const matmul: Emission<"matmul"> = (e, node, [a, b], [left, right]) => {
  const { transposeA, transposeB } = node.attributes;
  return emitMatmul(e, operandOf(a, left.shape, transposeA), operandOf(b, right.shape, transposeB));
};

export function operandOf(name: string, shape: Dims, transpose: boolean): Operand {
  return { name, rank: shape.length, columns: shape[shape.length - 1], transpose };
}

export interface Operand {
  readonly name: string;
  readonly rank: number;
  /** Of the operand as it lies in memory. */
  readonly columns: number;
  readonly transpose: boolean;
}

/** alpha · op(a) op(b). */
export function emitMatmul(e: Emitter, a: Operand, b: Operand, alpha = 1): string {
  if (a.rank === 2 && b.rank === 2) {
    if (e.provider === "cpu" && a.transpose && !b.transpose && b.columns > a.columns) {
      // aᵀb (a weight's gradient): ONNX Runtime's CPU product is faster with the wider operand in front.
      const turned = e.node("Gemm", [b.name, a.name], {
        transA: 1,
        ...(alpha === 1 ? {} : { alpha: { float: alpha } }),
      });
      return e.node("Transpose", [turned], { perm: [1, 0] });
    }
    return e.node("Gemm", [a.name, b.name], {
      transA: a.transpose ? 1 : 0,
      transB: b.transpose ? 1 : 0,
      ...(alpha === 1 ? {} : { alpha: { float: alpha } }),
    });
  }
  if (e.provider !== "webgpu" && (a.transpose || b.transpose || alpha !== 1)) {
    return e.node(
      "FusedMatMul",
      [a.name, b.name],
      { transA: a.transpose ? 1 : 0, transB: b.transpose ? 1 : 0, alpha: { float: alpha } },
      "com.microsoft",
    );
  }
  const [left, right] = [swapLast(e, a), swapLast(e, b)];
  const y = e.node("MatMul", [left, right]);
  return alpha === 1 ? y : e.node("Mul", [y, e.scalar(alpha, "f32")]);
}

function swapLast(e: Emitter, x: Operand): string {
  if (!x.transpose) return x.name;
  const order = Array.from({ length: x.rank }, (_, i) => (i < x.rank - 2 ? i : 2 * x.rank - 3 - i));
  return e.node("Transpose", [x.name], { perm: order });
}
