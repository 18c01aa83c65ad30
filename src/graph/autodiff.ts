/** Reverse-mode differentiation at compile time: the backward pass is appended to the builder as ordinary nodes. */
import type { Builder, Tensor } from "./builder.ts";
import type { GraphNode, Op } from "./graph.ts";
import type { Primitive } from "./primitives/primitive.ts";
import { materialise, sameShape } from "./primitives/arrays.ts";
import { primitives } from "./primitives/registry.ts";

export interface DifferentiationOptions {
  /** Tensors taken as constants beside the builder's `fixed` ones: no gradient flows into or through them. */
  readonly stop?: readonly Tensor[];
}

/** Gradients of a scalar. Nodes get the origin of the node that they differentiate, with `~` before it. */
export function gradients(
  builder: Builder,
  output: Tensor,
  wrt: readonly Tensor[],
  options: DifferentiationOptions = {},
): Tensor[] {
  if (output.shape.length !== 0) throw new Error(`gradients of a tensor [${output.shape}], not a scalar`);
  return vjp(builder, [output], [builder.constant(1)], wrt, options);
}

/** Σ seedᵢ·∂outputᵢ/∂w for every w, each in w's shape; where nothing flows, a constant zero. */
export function vjp(
  builder: Builder,
  outputs: readonly Tensor[],
  seeds: readonly Tensor[],
  wrt: readonly Tensor[],
  options: DifferentiationOptions = {},
): Tensor[] {
  const count = builder.nodes.length;
  const reaches = reachedFrom(builder, wrt, [...builder.fixedNodes, ...(options.stop ?? [])]);
  const parts = new Map<number, Tensor[]>();
  const origin = builder.origin;
  const accumulate = (id: number, grad: Tensor) => {
    const before = parts.get(id);
    if (before) before.push(grad);
    else parts.set(id, [grad]);
  };
  outputs.forEach((output, i) => {
    if (!sameShape(output.shape, seeds[i].shape))
      throw new Error(`seed [${seeds[i].shape}] of [${output.shape}]`);
    if (reaches[output.id]) accumulate(output.id, seeds[i]);
  });
  for (let id = count - 1; id >= 0; id--) {
    const grads = parts.get(id);
    const node: GraphNode = builder.nodes[id];
    if (!grads) continue;
    const standIn = builder.standIns.get(id);
    if (standIn) {
      accumulate(standIn.id, total(builder, grads));
      continue;
    }
    if (!node.inputs.some((input) => reaches[input])) continue;
    const primitive = primitives[node.op] as Primitive<Op>;
    if (primitive.vjp === "none") continue;
    builder.origin = `~${node.origin}`;
    const output = builder.tensor(id);
    const inputs = node.inputs.map((input) => builder.tensor(input));
    const grad = total(builder, grads);
    const given = primitive.lazy ? grad : materialise(builder, grad, output.shape);
    primitive.vjp(builder, { inputs, attributes: node.attributes, output }, given).forEach((part, i) => {
      if (part && reaches[inputs[i].id]) accumulate(inputs[i].id, part);
    });
  }
  builder.origin = origin;
  return wrt.map((w) => {
    const grads = parts.get(w.id);
    return grads ? materialise(builder, total(builder, grads), w.shape) : builder.constant(0, w.shape);
  });
}

/** The sum of all contributions. Those of slices side by side (queries, keys, values) are joined, not padded and added. */
function total(builder: Builder, grads: readonly Tensor[]): Tensor {
  const pieces = grads.map((grad) => pieceOf(builder, grad));
  const first = pieces.find((piece) => piece !== null);
  if (!first) return grads.reduce((a, b) => builder.add(a, b));
  const beside = pieces
    .filter(
      (piece) => piece !== null && piece.axis === first.axis && sameShape(piece.full.shape, first.full.shape),
    )
    .map((piece) => piece as Piece)
    .sort((a, b) => a.from - b.from);
  if (beside.length < 2 || beside.some((piece, i) => i > 0 && piece.from < end(beside[i - 1]))) {
    return grads.reduce((a, b) => builder.add(a, b));
  }
  const joined = join(builder, beside);
  return grads
    .filter((grad) => !beside.some((piece) => piece.full.id === grad.id))
    .reduce((a, b) => builder.add(a, b), joined);
}

/** A contribution that is zero outside of one range of one axis. */
interface Piece {
  readonly full: Tensor;
  readonly part: Tensor;
  readonly axis: number;
  readonly from: number;
}

function end({ part, axis, from }: Piece): number {
  return from + part.shape[axis];
}

function pieceOf(builder: Builder, full: Tensor): Piece | null {
  const node: GraphNode = builder.nodes[full.id];
  if (node.op !== "pad") return null;
  const { before } = (node as GraphNode<"pad">).attributes;
  const part = builder.tensor(node.inputs[0]);
  const axes = part.shape.flatMap((n, axis) => (n === full.shape[axis] ? [] : [axis]));
  return axes.length === 1 ? { full, part, axis: axes[0], from: before[axes[0]] } : null;
}

function join(builder: Builder, pieces: readonly Piece[]): Tensor {
  const { axis, full } = pieces[0];
  const parts: Tensor[] = [];
  const fill = (from: number, to: number) => {
    if (to > from)
      parts.push(
        builder.constant(
          0,
          full.shape.map((n, i) => (i === axis ? to - from : n)),
        ),
      );
  };
  let at = 0;
  for (const piece of pieces) {
    fill(at, piece.from);
    parts.push(piece.part);
    at = end(piece);
  }
  fill(at, full.shape[axis]);
  return builder.concat(parts, axis);
}

/** For every node whether it depends on one of `from` by a path of float tensors that avoids `stop`. */
function reachedFrom(
  { nodes, standIns }: Builder,
  from: readonly Tensor[],
  stop: readonly Tensor[],
): boolean[] {
  const stopped = new Set(stop.map((t) => t.id));
  const wanted = new Set(from.map((t) => t.id));
  const reached: boolean[] = [];
  nodes.forEach((node, id) => {
    const flows = node.dtype === "f32" && !stopped.has(id);
    const standIn = standIns.get(id);
    const from = standIn ? [standIn.id] : node.inputs;
    reached.push(wanted.has(id) || (flows && from.some((input) => reached[input])));
  });
  return reached;
}
