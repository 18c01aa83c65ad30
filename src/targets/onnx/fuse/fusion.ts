/** Peepholes: several primitives that become fewer operators of ONNX. */
import type { Graph, GraphNode, Op } from "../../../graph/graph.ts";
import type { Emitter, Provider } from "../emitter.ts";

export interface Fusion {
  /** Nodes that are not printed because of it; each is used by nothing outside. */
  readonly covers: readonly number[];
  /** Prints it; returns the name of the root's result. */
  emit(e: Emitter): string;
}

/** What becomes of the node `id`, seen as the last of a pattern. */
export type Fuser = (view: View, id: number) => Fusion | undefined;

/** A graph with its uses counted. */
export class View {
  readonly graph: Graph;
  readonly provider: Provider;
  private readonly counts: Int32Array;

  constructor(graph: Graph, provider: Provider) {
    this.graph = graph;
    this.provider = provider;
    this.counts = countUses(graph);
  }
  /** How many live operands and outputs read a node's result. */
  uses(id: number): number {
    return this.counts[id];
  }
  node(id: number): GraphNode {
    return this.graph.nodes[id];
  }
  /** The node, where it is of that kind. */
  as<O extends Op>(id: number, op: O): GraphNode<O> | undefined {
    const node = this.graph.nodes[id];
    return node.op === op ? (node as GraphNode<O>) : undefined;
  }
  /** The node, where it is of that kind and read once. */
  only<O extends Op>(id: number, op: O): GraphNode<O> | undefined {
    return this.counts[id] === 1 ? this.as(id, op) : undefined;
  }
  /** The one number that a constant is filled with. */
  number(id: number): number | undefined {
    const node = this.as(id, "constant");
    return node !== undefined && node.dtype === "f32" && node.attributes.data.length === 1
      ? node.attributes.data[0]
      : undefined;
  }
}

function countUses(graph: Graph): Int32Array {
  const counts = new Int32Array(graph.nodes.length);
  const live = new Uint8Array(graph.nodes.length);
  const stack = graph.outputs.map((o) => o.node);
  for (const id of stack) counts[id] += 1;
  for (let id = stack.pop(); id !== undefined; id = stack.pop()) {
    if (live[id] === 1) continue;
    live[id] = 1;
    for (const input of graph.nodes[id].inputs) {
      counts[input] += 1;
      stack.push(input);
    }
  }
  return counts;
}
