/**
 * Operands of elementwise nodes as small as numpy's broadcasting allows: no `broadcast` before an addition, and a
 * filled constant as one number. Saves a pass over memory for each.
 */
import type { Dims, Graph, GraphNode, Op } from "../graph/graph.ts";

const elementwise: ReadonlySet<Op> = new Set<Op>([
  "add",
  "sub",
  "mul",
  "div",
  "maximum",
  "minimum",
  "greater",
  "equal",
  "select",
]);

export function relaxBroadcasts(graph: Graph): Graph {
  const nodes: GraphNode[] = [...graph.nodes];
  // Scalars go to the end: constants are printed where they are first used, so their order doesn't matter.
  const scalars = new Map<string, number>();
  const scalarOf = (node: GraphNode<"constant">): number => {
    const key = `${node.dtype}${Object.is(node.attributes.data[0], -0) ? "-0" : node.attributes.data[0]}`;
    const known = scalars.get(key);
    if (known !== undefined) return known;
    scalars.set(key, nodes.length);
    nodes.push({ ...node, shape: [] });
    return nodes.length - 1;
  };
  const smaller = (id: number): number => {
    const node = nodes[id];
    if (node.op === "broadcast") return smaller(node.inputs[0]);
    const filled =
      node.op === "constant" && (node as GraphNode<"constant">).attributes.fill && node.shape.length > 0;
    return filled ? scalarOf(node as GraphNode<"constant">) : id;
  };
  for (let id = 0; id < graph.nodes.length; id++) {
    const node = graph.nodes[id];
    if (!elementwise.has(node.op)) continue;
    const inputs = [...node.inputs];
    inputs.forEach((input, i) => {
      const before = inputs[i];
      inputs[i] = smaller(input);
      if (!same(broadcastAll(inputs.map((k) => nodes[k].shape)), node.shape)) inputs[i] = before;
    });
    nodes[id] = { ...node, inputs };
  }
  return { ...graph, nodes };
}

function broadcastAll(shapes: readonly Dims[]): Dims {
  const rank = Math.max(...shapes.map((s) => s.length));
  return Array.from({ length: rank }, (_, i) => {
    const sizes = shapes.map((s) => s[s.length - rank + i] ?? 1);
    return sizes.find((n) => n !== 1) ?? 1;
  });
}

function same(a: Dims, b: Dims): boolean {
  return a.length === b.length && a.every((n, i) => n === b[i]);
}
