/** An engine that rounds every operation as unkindly as float32 may, and adds in an order of its own. */
import type { Graph, GraphNode } from "../../src/graph/graph.ts";
import { broadcastStrides, walk } from "../../src/graph/primitives/arrays.ts";
import type { Array64, Primitive } from "../../src/graph/primitives/primitive.ts";
import { primitives } from "../../src/graph/primitives/registry.ts";
import type { Dice } from "./dice.ts";

/** Units of 2⁻²⁴ by which a result may be off before it is stored; what is not here rounds once, to nearest, or not at all. */
const units: Readonly<Record<string, number>> = {
  ...{ sum: 1, softmax: 2, div: 3, sqrt: 3 },
  ...{ exp: 8, log: 8, erf: 8, tanh: 8, sigmoid: 8, gelu: 8 },
};

/** What IEEE 754 allows one operation. */
const most = 2 ** -24 / (1 + 2 ** -24);

const orders: Readonly<Record<string, (terms: number[]) => number[]>> = {
  "as they come": (terms) => terms,
  ascending: (terms) => terms.sort((a, b) => Math.abs(a) - Math.abs(b)),
  descending: (terms) => terms.sort((a, b) => Math.abs(b) - Math.abs(a)),
  "positive ones first": (terms) => terms.sort((a, b) => b - a),
};

type Product = GraphNode<"matmul"> | GraphNode<"conv">;
const isProduct = (node: GraphNode): node is Product => node.op === "matmul" || node.op === "conv";

export function unkind(
  graph: Graph,
  feeds: Readonly<Record<string, Array64>>,
  d: Dice,
): Record<string, Array64> {
  const way = d.below(4);
  const [nearest, fused, goesOn] = [d.chance(0.3), d.chance(0.5), d.chance(0.5)];
  const order = orders[d.pick(Object.keys(orders))];
  const readers = graph.nodes.map(() => 0);
  for (const { inputs } of graph.nodes) for (const i of inputs) readers[i]++;
  const values: Array64[] = [];
  const side = (i: number): number =>
    way === 0 ? 1 : way === 1 ? -1 : way === 2 ? (i % 2) * 2 - 1 : d.random() * 2 - 1;

  /** Entry by entry, from `start` on where it is given. */
  function product(node: Product, start: Array64 | null): Array64 {
    const [a, b] = node.inputs.map((i) => values[i]);
    const all = node.op === "matmul" ? matmulTerms(node, a, b) : convTerms(node as GraphNode<"conv">, a, b);
    const data = Float64Array.from(all, (terms, i) => {
      const to = side(i);
      const store = (x: number): number => (nearest ? Math.fround(x) : x * (1 + Math.sign(x) * to * most));
      const added = order(fused ? terms : terms.map(store));
      return added.reduce((sum, term) => store(sum + term), start?.data[i] ?? 0);
    });
    return { shape: node.shape, data };
  }

  /** An addition that goes on with one operand's product from the other operand; null where it can't. */
  function goingOn(node: GraphNode): Array64 | null {
    for (const [k, id] of node.inputs.entries()) {
      const [of, other] = [graph.nodes[id], values[node.inputs[1 - k]]];
      const same = other.data.length === values[id].data.length;
      if (isProduct(of) && readers[id] === 1 && same && `${of.shape}` === `${node.shape}`)
        return product(of, other);
    }
    return null;
  }

  for (const node of graph.nodes) {
    if (node.op === "input") values.push(feeds[(node.attributes as { name: string }).name]);
    else if (isProduct(node)) values.push(product(node, null));
    else {
      const on = node.op === "add" && goesOn ? goingOn(node) : null;
      const data = (primitives[node.op] as Primitive<never>).evaluate(
        node.inputs.map((i) => values[i]),
        node.attributes as never,
        node.shape,
      );
      const off = (x: number, i: number): number => x * (1 + side(i) * (units[node.op] ?? 0) * 2 ** -24);
      values.push(
        on ?? { shape: node.shape, data: Float64Array.from(data, (x, i) => Math.fround(off(x, i))) },
      );
    }
  }
  return Object.fromEntries(graph.outputs.map(({ name, node }) => [name, values[node]]));
}

function* matmulTerms(
  { attributes, shape }: GraphNode<"matmul">,
  a: Array64,
  b: Array64,
): Iterable<number[]> {
  const { transposeA, transposeB } = attributes;
  const [m, n] = shape.slice(-2);
  const k = a.shape[a.shape.length - (transposeA ? 2 : 1)];
  const lead = shape.slice(0, -2);
  const [lefts, rights] = [a, b].map((x) => {
    const found: number[] = [];
    walk(lead, broadcastStrides(x.shape.slice(0, -2), lead), 0, (_, matrix) => found.push(matrix));
    return found;
  });
  for (const [at, left] of lefts.entries())
    for (let i = 0; i < m; i++)
      for (let j = 0; j < n; j++)
        yield Array.from(
          { length: k },
          (_, l) =>
            a.data[left * m * k + (transposeA ? l * m + i : i * k + l)] *
            b.data[rights[at] * k * n + (transposeB ? j * k + l : l * n + j)],
        );
}

function* convTerms(
  { attributes, shape }: GraphNode<"conv">,
  x: Array64,
  kernel: Array64,
): Iterable<number[]> {
  const { stride, padding, dilation, groups } = attributes;
  const [samples, out, down, across] = shape;
  const [, channels, height, width] = x.shape;
  const [, inner, rows, columns] = kernel.shape;
  for (let s = 0; s < samples; s++)
    for (let o = 0; o < out; o++)
      for (let i = 0; i < down; i++)
        for (let j = 0; j < across; j++) {
          const terms: number[] = [];
          const first = s * channels + Math.floor(o / (out / groups)) * inner;
          for (let c = 0; c < inner; c++)
            for (let p = 0; p < rows; p++)
              for (let q = 0; q < columns; q++) {
                const y = i * stride[0] + p * dilation[0] - padding[0];
                const z = j * stride[1] + q * dilation[1] - padding[1];
                if (y < 0 || z < 0 || y >= height || z >= width) continue;
                const tap = ((o * inner + c) * rows + p) * columns + q;
                terms.push(x.data[((first + c) * height + y) * width + z] * kernel.data[tap]);
              }
          yield terms;
        }
}
