/** Matrix products over the last two axes; leading axes broadcast. */
import type { Builder, Tensor } from "../builder.ts";
import type { Primitive } from "./primitive.ts";
import {
  broadcastShapes,
  broadcastStrides,
  expectDType,
  expectInputs,
  reduceTo,
  sizeOf,
  walk,
} from "./arrays.ts";

export const matmul: Primitive<"matmul"> = {
  shape(inputs, { transposeA, transposeB }) {
    expectInputs("matmul", inputs, 2);
    const [a, b] = inputs;
    expectDType("matmul", a, "f32");
    expectDType("matmul", b, "f32");
    const text = () =>
      `matmul of [${a.shape}]${transposeA ? "ᵀ" : ""} and [${b.shape}]${transposeB ? "ᵀ" : ""}`;
    if (a.shape.length < 2 || b.shape.length < 2) throw new Error(text());
    const [m, k] = matrixOf(a.shape, transposeA);
    const [l, n] = matrixOf(b.shape, transposeB);
    if (k !== l) throw new Error(text());
    return { shape: [...broadcastShapes(a.shape.slice(0, -2), b.shape.slice(0, -2)), m, n], dtype: "f32" };
  },
  vjp(builder, { inputs: [a, b], attributes: { transposeA, transposeB }, output }, grad) {
    if (a.id === b.id && transposeA !== transposeB && a.shape.length === 2) {
      // AᵀA or AAᵀ: the gradients of both sides in one product, A(g + gᵀ) or (g + gᵀ)A.
      const both = builder.add(grad, builder.transpose(grad, [1, 0]));
      return [transposeA ? builder.matmul(a, both) : builder.matmul(both, a), null];
    }
    return [
      gradientA(builder, a, b, output, grad, transposeA, transposeB),
      gradientB(builder, a, b, output, grad, transposeA, transposeB),
    ];
  },
  evaluate([a, b], { transposeA, transposeB }, shape) {
    const [m, k] = matrixOf(a.shape, transposeA);
    const n = shape[shape.length - 1];
    const lead = shape.slice(0, -2);
    const out = new Float64Array(sizeOf(shape));
    const aAt = new Array<number>(sizeOf(lead));
    walk(lead, broadcastStrides(a.shape.slice(0, -2), lead), 0, (at, offset) => {
      aAt[at] = offset;
    });
    walk(lead, broadcastStrides(b.shape.slice(0, -2), lead), 0, (at, offset) => {
      const left = a.data.subarray(aAt[at] * m * k, (aAt[at] + 1) * m * k);
      const right = b.data.subarray(offset * k * n, (offset + 1) * k * n);
      multiply(
        transposeA ? transposed(left, k, m) : left,
        transposeB ? transposed(right, n, k) : right,
        out.subarray(at * m * n, (at + 1) * m * n),
        m,
        k,
        n,
      );
    });
    return out;
  },
};

/** Rows and columns of the operand after the flag. */
function matrixOf(shape: readonly number[], flag: boolean): readonly [number, number] {
  const [rows, columns] = shape.slice(-2);
  return flag ? [columns, rows] : [rows, columns];
}

function flat(builder: Builder, t: Tensor): Tensor {
  const width = t.shape[t.shape.length - 1];
  return builder.reshape(t, [sizeOf(t.shape) / width, width]);
}

function gradientA(
  b: Builder,
  a: Tensor,
  w: Tensor,
  out: Tensor,
  g: Tensor,
  ta: boolean,
  tb: boolean,
): Tensor {
  const batched = ta ? b.matmul(w, g, tb, true) : b.matmul(g, w, false, !tb);
  return reduceTo(b, batched, [...out.shape.slice(0, -2), ...a.shape.slice(-2)], a.shape);
}

function gradientB(
  b: Builder,
  a: Tensor,
  w: Tensor,
  out: Tensor,
  g: Tensor,
  ta: boolean,
  tb: boolean,
): Tensor {
  if (w.shape.length === 2 && a.shape.length > 2 && !ta) {
    // One product over all leading axes, in place of a batched one and a sum.
    const rows = flat(b, a);
    const grads = flat(b, g);
    return tb ? b.matmul(grads, rows, true, false) : b.matmul(rows, grads, true, false);
  }
  const batched = tb ? b.matmul(g, a, true, ta) : b.matmul(a, g, !ta, false);
  return reduceTo(b, batched, [...out.shape.slice(0, -2), ...w.shape.slice(-2)], w.shape);
}

/** The transpose of a rows × columns matrix. */
export function transposed(x: Float64Array, rows: number, columns: number): Float64Array {
  const out = new Float64Array(x.length);
  for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) out[j * rows + i] = x[i * columns + j];
  return out;
}

const block = 64;

/** out += a·b for row-major a (m × k), b (k × n): rows of b in blocks that stay in cache, four at a time. */
export function multiply(
  a: Float64Array,
  b: Float64Array,
  out: Float64Array,
  m: number,
  k: number,
  n: number,
): void {
  for (let from = 0; from < k; from += block) {
    const to = Math.min(k, from + block);
    for (let i = 0; i < m; i++) {
      const row = i * n;
      let l = from;
      for (; l + 3 < to; l += 4) {
        const a0 = a[i * k + l];
        const a1 = a[i * k + l + 1];
        const a2 = a[i * k + l + 2];
        const a3 = a[i * k + l + 3];
        const b0 = l * n;
        const b1 = b0 + n;
        const b2 = b1 + n;
        const b3 = b2 + n;
        for (let j = 0; j < n; j++)
          out[row + j] += a0 * b[b0 + j] + a1 * b[b1 + j] + a2 * b[b2 + j] + a3 * b[b3 + j];
      }
      for (; l < to; l++) {
        const x = a[i * k + l];
        for (let j = 0; j < n; j++) out[row + j] += x * b[l * n + j];
      }
    }
  }
}
