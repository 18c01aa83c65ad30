/** The primitive graph as a program of calls. */
import type { Graph, GraphNode, Op } from "../../graph/graph.ts";
import { relaxBroadcasts } from "../relax.ts";
import type { Emission, Operand } from "./emit/emission.ts";
import { tensorOf } from "./emit/operands.ts";
import { emissions, type EmittedOp } from "./emit/table.ts";
import { fuseBias } from "./fuse/bias.ts";
import { fuseGeluGradient, shareGelu } from "./fuse/gelu.ts";
import { fuseReciprocal } from "./fuse/reciprocal.ts";
import { fuseSumOfSquares } from "./fuse/squares.ts";
import { splitLinear } from "./fuse/split-linear.ts";
import { Emitter, liveProgram, text, type Program } from "./program.ts";

/** Throws for a graph that breaks its own rules. */
export function translate(given: Graph): Program {
  const graph = relaxBroadcasts(splitLinear(given));
  const e = new Emitter([fuseBias, fuseGeluGradient, fuseReciprocal, fuseSumOfSquares]);
  const made = new Map<number, Operand>();
  const live = liveNodes(graph);
  const operandOf = (id: number): Operand => {
    const known = made.get(id);
    if (known !== undefined) return known;
    const node = graph.nodes[id];
    if (node.op !== "constant") throw new Error(`node ${id} (${node.op}) is used before it is made`);
    const value = constantOf(e, node as GraphNode<"constant">);
    made.set(id, value);
    return value;
  };
  graph.nodes.forEach((node, id) => {
    if (node.op === "input") {
      const { name } = (node as GraphNode<"input">).attributes;
      made.set(id, e.input(name, node.shape, node.dtype));
    }
    if (node.op === "input" || node.op === "constant" || !live[id]) return;
    e.origin = node.origin;
    const emission = emissions[node.op as EmittedOp] as Emission<Op>;
    const value = emission(e, node, node.inputs.map(operandOf));
    if (`${value.shape}` !== `${node.shape}` || value.dtype !== node.dtype) {
      throw new Error(`${node.op} gave ${value.dtype} [${value.shape}] for ${node.dtype} [${node.shape}]`);
    }
    made.set(id, value);
  });
  const outputs = graph.outputs.map(({ name, node }) => {
    e.origin = graph.nodes[node].origin;
    return { name, value: tensorOf(e, operandOf(node), graph.nodes[node].dtype) };
  });
  return shareGelu(liveProgram({ name: graph.name, values: e.values, outputs }));
}

function constantOf(e: Emitter, node: GraphNode<"constant">): Operand {
  const { data, fill } = node.attributes;
  if (node.shape.length === 0) return node.dtype === "f32" ? data[0] : tensorOf(e, data[0], node.dtype);
  if (fill && node.dtype === "f32") return e.call("tf.fill", [text(node.shape), data[0]], node.shape);
  const count = node.shape.reduce((a, b) => a * b, 1);
  return e.constant(fill ? new Float64Array(count).fill(data[0]) : data, node.shape, node.dtype);
}

function liveNodes(graph: Graph): boolean[] {
  const live = graph.nodes.map(() => false);
  for (const { node } of graph.outputs) live[node] = true;
  for (let id = graph.nodes.length - 1; id >= 0; id--) {
    if (live[id]) for (const input of graph.nodes[id].inputs) live[input] = true;
  }
  return live;
}
