/** A graph as text, one node a line, to be read and compared: `%12 = mul(%3, %7) [128, 49, 96]  // origin`. */
import type { Graph, GraphNode } from "./graph.ts";

/** Only the nodes' own facts: no order that depends on anything but the graph. */
export function printGraph(graph: Graph): string {
  const lines = graph.nodes.map((node, i) => {
    const type = `${node.dtype === "f32" ? "" : node.dtype}[${node.shape.join(", ")}]`;
    const inputs = node.inputs.map((id) => `%${id}`);
    const call = `${node.op}(${[...inputs, ...attributes(node)].join(", ")})`;
    return `%${i} = ${call} ${type}${node.origin === "" ? "" : `  // ${node.origin}`}`;
  });
  const outputs = graph.outputs.map(({ name, node }) => `${name} = %${node}`);
  return [`graph ${graph.name}`, ...lines, "outputs", ...outputs, ""].join("\n");
}

function attributes(node: GraphNode): string[] {
  if (node.op === "constant") {
    const { data } = (node as GraphNode<"constant">).attributes;
    return [data.length <= 8 ? Array.from(data).join(" ") : `${data.length} numbers`];
  }
  return Object.entries(node.attributes).map(([key, value]) => `${key}: ${show(value)}`);
}

function show(value: unknown): string {
  return Array.isArray(value) ? `[${value.join(", ")}]` : String(value);
}
