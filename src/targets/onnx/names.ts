import type { Graph, GraphNode } from "../../graph/graph.ts";

const inputNames = new WeakMap<Graph, ReadonlySet<string>>();

/**
 * The name of an output in the ONNX file. A value that comes in and goes out again (a parameter, a moment) has one name
 * in the graph; ONNX wants two: what goes out is `next/NAME`.
 */
export function modelOutputName(graph: Graph, name: string): string {
  let inputs = inputNames.get(graph);
  if (inputs === undefined) {
    inputs = new Set(
      graph.nodes.flatMap((n) => (n.op === "input" ? [(n as GraphNode<"input">).attributes.name] : [])),
    );
    inputNames.set(graph, inputs);
  }
  return inputs.has(name) ? `next/${name}` : name;
}
