/** State that stays with a session between runs, in two halves that change places after each run. */
import type { Graph, GraphNode } from "../../graph/graph.ts";
import type { HostTensor, SessionOptions } from "../engine.ts";

export interface GraphValue {
  readonly name: string;
  readonly node: GraphNode;
}

export function inputsOf(graph: Graph): GraphValue[] {
  return graph.nodes.flatMap((node) =>
    node.op === "input" ? [{ name: (node as GraphNode<"input">).attributes.name, node }] : [],
  );
}

export function outputsOf(graph: Graph): GraphValue[] {
  return graph.outputs.map(({ name, node }) => ({ name, node: graph.nodes[node] }));
}

/** Zeros of a node's shape and type. */
export function zerosOf(node: GraphNode): HostTensor {
  const count = node.shape.reduce((a, b) => a * b, 1);
  const data =
    node.dtype === "f32"
      ? new Float32Array(count)
      : node.dtype === "i32"
        ? new Int32Array(count)
        : new Uint8Array(count);
  return { dtype: node.dtype, dims: node.shape, data };
}

/** The carried inputs; a name that is no input, or whose output doesn't fit it, is a bug of the caller. */
export function carriedValues(graph: Graph, carry: SessionOptions["carry"] = []): GraphValue[] {
  const inputs = new Map(inputsOf(graph).map((v) => [v.name, v]));
  const outputs = new Map(outputsOf(graph).map((v) => [v.name, v]));
  return carry.map((name) => {
    const input = inputs.get(name);
    const output = outputs.get(name);
    if (input === undefined || output === undefined)
      throw new Error(`${name} is not both an input and an output`);
    const fits = input.node.dtype === output.node.dtype && `${input.node.shape}` === `${output.node.shape}`;
    if (!fits) throw new Error(`output ${name} doesn't fit the input`);
    return input;
  });
}

/** Copies `from` into `to`; they must be alike. */
export function copyInto(to: HostTensor, from: HostTensor, name: string): void {
  if (to.dtype !== from.dtype || to.data.length !== from.data.length) {
    throw new Error(`${name}: ${from.dtype} [${from.dims}] given for ${to.dtype} [${to.dims}]`);
  }
  to.data.set(from.data);
}

/** A tensor with memory of its own. */
export function copyOf(tensor: HostTensor): HostTensor {
  return { ...tensor, data: tensor.data.slice() };
}
