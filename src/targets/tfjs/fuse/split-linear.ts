/**
 * Parts of a linear map's result (queries, keys, values) as linear maps of their own, made with parts of the weight: slices
 * of a weight are small, slices of a batch are passes over memory that some backends do slowly.
 */
import type { Builder, Tensor } from "../../../graph/builder.ts";
import type { Graph, GraphNode, OpAttributes } from "../../../graph/graph.ts";
import { rebuild } from "../../../graph/passes/rebuild.ts";
import { eliminateDead } from "../../../graph/passes/simplify.ts";
import { sizeOf } from "../../../graph/primitives/arrays.ts";

export function splitLinear(graph: Graph): Graph {
  return eliminateDead(rebuild(graph, splitNode));
}

/** slice(reshape(x·Wᵀ + b), last axis) → reshape(x·slice(W)ᵀ + slice(b)) */
function splitNode(builder: Builder, node: GraphNode, [x]: readonly Tensor[]): Tensor | null {
  if (node.op !== "slice") return null;
  const { start, end, step } = node.attributes as OpAttributes["slice"];
  const last = x.shape.length - 1;
  const alone = start.every((s, axis) => axis === last || (s === 0 && end[axis] === x.shape[axis]));
  if (last < 1 || !alone || step.some((s) => s !== 1)) return null;
  const [from, to] = [start[last], end[last]];
  const reshaped = builder.nodes[x.id];
  const sum = reshaped.op === "reshape" ? builder.nodes[reshaped.inputs[0]] : reshaped;
  if (sum.op !== "add" || sum.shape.length !== 2 || sum.shape[1] !== x.shape[last]) return null;
  const [product, bias] = sum.inputs.map((id) => builder.tensor(id));
  const matmul = builder.nodes[product.id];
  if (matmul.op !== "matmul" || bias.shape.length !== 1) return null;
  const [rows, weight] = matmul.inputs.map((id) => builder.tensor(id));
  const { transposeA, transposeB } = matmul.attributes as OpAttributes["matmul"];
  // Only where the weight is the small operand.
  if (transposeA || !transposeB || weight.shape.length !== 2 || sizeOf(weight.shape) > sizeOf(rows.shape))
    return null;
  const part = builder.matmul(rows, builder.slice(weight, 0, from, to), false, true);
  return builder.reshape(builder.add(part, builder.slice(bias, 0, from, to)), node.shape);
}
