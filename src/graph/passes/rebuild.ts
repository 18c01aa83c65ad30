/** A pass as a rewriting of nodes: live nodes are made again, in order, through a new builder (so equal ones merge). */
import { Builder, type Tensor } from "../builder.ts";
import type { Graph, GraphNode } from "../graph.ts";

/** Gives another tensor in place of a node, or null to keep the node as it is. `inputs` are the rewritten operands. */
export type Rule = (builder: Builder, node: GraphNode, inputs: readonly Tensor[]) => Tensor | null;

/** Inputs stay, also unused ones: they are the graph's signature. A builder that is given must be empty. */
export function rebuild(graph: Graph, rule: Rule, builder = new Builder()): Graph {
  const live = liveNodes(graph);
  const made: (Tensor | null)[] = graph.nodes.map(() => null);
  graph.nodes.forEach((node, id) => {
    if (!live[id]) return;
    builder.origin = node.origin;
    const inputs = node.inputs.map((i) => made[i] as Tensor);
    made[id] = rule(builder, node, inputs) ?? copy(builder, node, inputs);
  });
  const outputs = graph.outputs.map(({ name, node }) => ({ name, tensor: made[node] as Tensor }));
  return builder.graph(graph.name, outputs);
}

function copy(builder: Builder, node: GraphNode, inputs: readonly Tensor[]): Tensor {
  if (node.op === "input") {
    return builder.input((node as GraphNode<"input">).attributes.name, node.shape, node.dtype);
  }
  if (node.op === "constant") {
    const { data, fill } = (node as GraphNode<"constant">).attributes;
    return builder.constant(fill ? data[0] : data, node.shape, node.dtype);
  }
  return builder.op(node.op, inputs, node.attributes as never, node.dtype);
}

function liveNodes(graph: Graph): boolean[] {
  const live = graph.nodes.map((node) => node.op === "input");
  for (const { node } of graph.outputs) live[node] = true;
  for (let id = graph.nodes.length - 1; id >= 0; id--) {
    if (live[id]) for (const input of graph.nodes[id].inputs) live[input] = true;
  }
  return live;
}
