/** The reference engine: runs a graph in float64. Slow beside an engine, fast enough for tests; frees values when last used. */
import type { Graph, GraphNode, Op } from "./graph.ts";
import type { Array64, Primitive } from "./primitives/primitive.ts";
import { sameShape, sizeOf } from "./primitives/arrays.ts";
import { primitives } from "./primitives/registry.ts";

/** A tensor for feeds. */
export function array64(shape: readonly number[], data: ArrayLike<number> | number): Array64 {
  const full =
    typeof data === "number" ? new Float64Array(sizeOf(shape)).fill(data) : Float64Array.from(data);
  if (full.length !== sizeOf(shape)) throw new Error(`${full.length} numbers for a tensor [${shape}]`);
  return { shape, data: full };
}

/** All inputs by name in (only those that outputs need), the outputs by name out. */
export function interpret(graph: Graph, feeds: Readonly<Record<string, Array64>>): Record<string, Array64> {
  const { nodes, outputs } = graph;
  // Last use of each node; 0 means never needed.
  const last = new Uint32Array(nodes.length);
  for (const { node } of outputs) last[node] = nodes.length;
  for (let i = nodes.length - 1; i >= 0; i--) {
    if (last[i] > 0) for (const input of nodes[i].inputs) last[input] = Math.max(last[input], i);
  }
  const values = new Array<Array64 | undefined>(nodes.length);
  for (let i = 0; i < nodes.length; i++) {
    if (last[i] === 0) continue;
    const node = nodes[i];
    values[i] = { shape: node.shape, data: run(node, values, feeds) };
    for (const input of node.inputs) if (last[input] === i) values[input] = undefined;
  }
  return Object.fromEntries(outputs.map(({ name, node }) => [name, values[node] as Array64]));
}

function run(
  node: GraphNode,
  values: readonly (Array64 | undefined)[],
  feeds: Readonly<Record<string, Array64>>,
) {
  if (node.op === "input") {
    const { name } = (node as GraphNode<"input">).attributes;
    const fed = feeds[name];
    if (!fed) throw new Error(`input ${name} is not fed`);
    if (!sameShape(fed.shape, node.shape))
      throw new Error(`input ${name} is [${node.shape}], fed with [${fed.shape}]`);
    return fed.data;
  }
  const inputs = node.inputs.map((id) => values[id] as Array64);
  return (primitives[node.op] as Primitive<Op>).evaluate(inputs, node.attributes, node.shape);
}
