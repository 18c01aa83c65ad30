/** What every graph must satisfy, as a table of checks; tests run it after each pass. */
import type { Graph, GraphNode, Op } from "./graph.ts";
import type { Primitive } from "./primitives/primitive.ts";
import { sameShape, sizeOf } from "./primitives/arrays.ts";
import { primitives } from "./primitives/registry.ts";

type Check = (node: GraphNode, id: number, graph: Graph) => string | null;

const checks: readonly (readonly [name: string, check: Check])[] = [
  [
    "inputs are earlier nodes",
    (node, id) =>
      node.inputs.every((i) => Number.isInteger(i) && i >= 0 && i < id) ? null : `reads ${node.inputs}`,
  ],
  [
    "shapes are static",
    (node) => (node.shape.every((n) => Number.isInteger(n) && n >= 0) ? null : `is [${node.shape}]`),
  ],
  ["shape and dtype follow the primitive's rule", followsRule],
  ["constants are finite and complete", completeConstant],
  ["input names are unique", uniqueName],
];

function followsRule(node: GraphNode, _: number, graph: Graph): string | null {
  if (node.op === "input" || node.op === "constant") return node.inputs.length === 0 ? null : "has operands";
  try {
    const operands = node.inputs.map((i) => graph.nodes[i]);
    const { shape, dtype } = (primitives[node.op] as Primitive<Op>).shape(
      operands,
      node.attributes,
      node.dtype,
    );
    if (!sameShape(shape, node.shape)) return `is [${node.shape}], by its rule [${shape}]`;
    return dtype === node.dtype ? null : `is ${node.dtype}, by its rule ${dtype}`;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function completeConstant(node: GraphNode): string | null {
  if (node.op !== "constant") return null;
  const { data, fill } = (node as GraphNode<"constant">).attributes;
  if (data.length !== (fill ? 1 : sizeOf(node.shape)))
    return `holds ${data.length} numbers for [${node.shape}]`;
  return data.every((x) => Number.isFinite(x)) ? null : "holds a number that is not finite";
}

function uniqueName(node: GraphNode, id: number, graph: Graph): string | null {
  if (node.op !== "input") return null;
  const name = (n: GraphNode) => (n as GraphNode<"input">).attributes.name;
  return graph.nodes.some((n, i) => i < id && n.op === "input" && name(n) === name(node))
    ? `repeats ${name(node)}`
    : null;
}

/** Everything that is wrong with a graph, in words; empty for a legal one. */
export function illegalities(graph: Graph): string[] {
  const problems: string[] = [];
  graph.nodes.forEach((node, id) => {
    for (const [name, check] of checks) {
      const problem = check(node, id, graph);
      if (problem !== null) problems.push(`node ${id} (${node.op}, ${node.origin}) ${problem}: ${name}`);
    }
  });
  const names = new Set<string>();
  for (const { name, node } of graph.outputs) {
    if (!(node >= 0 && node < graph.nodes.length)) problems.push(`output ${name} names no node`);
    if (names.has(name)) problems.push(`output ${name} stands twice`);
    names.add(name);
  }
  return problems;
}
