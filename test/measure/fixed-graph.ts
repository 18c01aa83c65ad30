/** A graph in the arithmetic of fixed.ts: every primitive that constraints are made of, written again. */
import type { Graph, GraphNode, OpAttributes } from "../../src/graph/graph.ts";
import { broadcastStrides, stridesOf, walk } from "../../src/graph/primitives/arrays.ts";
import { sizeOf } from "../../src/graph/primitives/size.ts";
import * as f from "./fixed.ts";

interface Tensor {
  readonly shape: readonly number[];
  readonly data: readonly f.Fixed[];
}

const binary: Readonly<Record<string, (a: f.Fixed, b: f.Fixed) => f.Fixed>> = {
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  mul: f.times,
  div: f.over,
  maximum: (a, b) => (a > b ? a : b),
  minimum: (a, b) => (a < b ? a : b),
  greater: (a, b) => (a > b ? 1n : 0n),
  equal: (a, b) => (a === b ? 1n : 0n),
};
const unary: Readonly<Record<string, (a: f.Fixed) => f.Fixed>> = {
  abs: f.size,
  sqrt: f.root,
  neg: (a) => -a,
};

export function inFixed(graph: Graph, feeds: Readonly<Record<string, ArrayLike<number>>>): Tensor {
  const values: Tensor[] = [];
  for (const node of graph.nodes) {
    const inputs = node.inputs.map((i) => values[i]);
    values.push({ shape: node.shape, data: dataOf(node, inputs, feeds) });
  }
  return values[graph.outputs[0].node];
}

function expand({ shape, data }: Tensor, out: readonly number[]): f.Fixed[] {
  const result: f.Fixed[] = [];
  walk(out, broadcastStrides(shape, out), 0, (_, offset) => result.push(data[offset]));
  return result;
}

function dataOf(
  node: GraphNode,
  inputs: readonly Tensor[],
  feeds: Readonly<Record<string, ArrayLike<number>>>,
): readonly f.Fixed[] {
  const { op, shape } = node;
  const [x, y, z] = inputs;
  if (op in binary) {
    const [a, b] = [expand(x, shape), expand(y, shape)];
    return a.map((v, i) => binary[op](v, b[i]));
  }
  if (op in unary) return x.data.map(unary[op]);
  switch (op) {
    case "input":
      return Array.from(feeds[(node.attributes as OpAttributes["input"]).name], f.fixed);
    case "constant": {
      const { data, fill } = node.attributes as OpAttributes["constant"];
      return Array.from({ length: sizeOf(shape) }, (_, i) => f.fixed(data[fill ? 0 : i]));
    }
    case "reshape":
      return x.data;
    case "broadcast":
      return expand(x, shape);
    case "cast":
      return x.data.map((truth) => truth * f.unit);
    case "select": {
      const [held, a, b] = [expand(x, shape), expand(y, shape), expand(z, shape)];
      return held.map((yes, i) => (yes !== 0n ? a[i] : b[i]));
    }
    case "sum":
    case "max": {
      const { axes } = node.attributes as OpAttributes["sum"];
      const kept = x.shape.map((n, i) => (axes.includes(i) ? 1 : n));
      const strides = stridesOf(kept).map((s, i) => (axes.includes(i) ? 0 : s));
      const out: f.Fixed[] = [];
      walk(x.shape, strides, 0, (at, offset) => {
        const v = x.data[at];
        const before = out[offset];
        out[offset] = before === undefined ? v : op === "sum" ? before + v : before > v ? before : v;
      });
      return out;
    }
    case "transpose": {
      const { order } = node.attributes as OpAttributes["transpose"];
      const out: f.Fixed[] = [];
      const strides = stridesOf(x.shape);
      const turned = order.map((o) => strides[o]);
      walk(shape, turned, 0, (_, offset) => out.push(x.data[offset]));
      return out;
    }
    case "matmul":
      return product(x, y, node.attributes as OpAttributes["matmul"]);
    case "conv":
      return convolution(x, y, shape, node.attributes as OpAttributes["conv"]);
    default:
      throw new Error(`${op} is not written here`);
  }
}

/** Of matrices, or of as many on both sides. */
function product(
  a: Tensor,
  b: Tensor,
  { transposeA, transposeB }: OpAttributes["matmul"],
): readonly f.Fixed[] {
  const matrixOf = ({ shape, data }: Tensor, index: number): f.FixedMatrix => {
    const [rows, columns] = shape.slice(-2);
    return { rows, columns, at: (r, c) => data[(index * rows + r) * columns + c] };
  };
  return Array.from({ length: sizeOf(a.shape.slice(0, -2)) }, (_, index) => {
    const [left, right] = [matrixOf(a, index), matrixOf(b, index)];
    const m = f.product(transposeA ? f.turned(left) : left, transposeB ? f.turned(right) : right);
    return Array.from({ length: m.rows * m.columns }, (_, i) =>
      m.at(Math.floor(i / m.columns), i % m.columns),
    );
  }).flat();
}

/** Without groups and dilation. */
function convolution(
  x: Tensor,
  kernel: Tensor,
  [, out, height, width]: readonly number[],
  { stride, padding }: OpAttributes["conv"],
): readonly f.Fixed[] {
  const [samples, inner, rows, columns] = x.shape;
  const [, , kh, kw] = kernel.shape;
  const result: f.Fixed[] = [];
  for (let s = 0; s < samples; s++)
    for (let o = 0; o < out; o++)
      for (let i = 0; i < height; i++)
        for (let j = 0; j < width; j++) {
          let sum = 0n;
          for (let c = 0; c < inner; c++)
            for (let p = 0; p < kh; p++)
              for (let q = 0; q < kw; q++) {
                const [r, t] = [i * stride[0] + p - padding[0], j * stride[1] + q - padding[1]];
                if (r < 0 || t < 0 || r >= rows || t >= columns) continue;
                const v = x.data[((s * inner + c) * rows + r) * columns + t];
                sum += f.times(v, kernel.data[((o * inner + c) * kh + p) * kw + q]);
              }
          result.push(sum);
        }
  return result;
}
