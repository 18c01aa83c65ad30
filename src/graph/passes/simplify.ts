/** Dead code, constant folding of small tensors, and the algebra that saves passes over memory. */
import type { Builder, Tensor } from "../builder.ts";
import type { Graph, GraphNode, Op, OpAttributes } from "../graph.ts";
import { sameShape, sizeOf } from "../primitives/arrays.ts";
import type { Primitive } from "../primitives/primitive.ts";
import { primitives } from "../primitives/registry.ts";
import { rebuild } from "./rebuild.ts";

/** Removes what no output needs. */
export function eliminateDead(graph: Graph): Graph {
  return rebuild(graph, () => null);
}

/** Simplifies until nothing changes (a few rounds). */
export function simplify(graph: Graph): Graph {
  let before = graph;
  for (let round = 0; round < 4; round++) {
    const after = eliminateDead(rebuild(before, simplifyNode));
    if (
      after.nodes.length === before.nodes.length &&
      after.nodes.every((n, i) => n.op === before.nodes[i].op)
    ) {
      return after;
    }
    before = after;
  }
  return before;
}

/** Largest constant that is folded. */
const foldable = 16;

function simplifyNode(builder: Builder, node: GraphNode, inputs: readonly Tensor[]): Tensor | null {
  return fold(builder, node, inputs) ?? identity(builder, node, inputs) ?? regroup(builder, node, inputs);
}

function nodeOf(builder: Builder, t: Tensor): GraphNode {
  return builder.nodes[t.id];
}

/** A node that is the given op, with its attributes typed. */
function as<O extends Op>(builder: Builder, t: Tensor, op: O): GraphNode<O> | null {
  const node = nodeOf(builder, t);
  return node.op === op ? (node as GraphNode<O>) : null;
}

/** The number that fills a constant tensor. */
function filled(builder: Builder, t: Tensor): number | null {
  const node = as(builder, t, "constant");
  return node && (node.attributes.fill || node.attributes.data.length === 1) ? node.attributes.data[0] : null;
}

/** Operations of constants; the result must be finite, else the graph keeps them. */
function fold(builder: Builder, node: GraphNode, inputs: readonly Tensor[]): Tensor | null {
  if (inputs.length === 0 || sizeOf(node.shape) > foldable) return null;
  if (!inputs.every((t) => nodeOf(builder, t).op === "constant" && sizeOf(t.shape) <= foldable)) return null;
  const values = inputs.map((t) => {
    const { data, fill } = (nodeOf(builder, t) as GraphNode<"constant">).attributes;
    return {
      shape: t.shape,
      data: fill ? new Float64Array(sizeOf(t.shape)).fill(data[0]) : Float64Array.from(data),
    };
  });
  const result = (primitives[node.op] as Primitive<Op>).evaluate(values, node.attributes, node.shape);
  if (!result.every((x) => Number.isFinite(x))) return null;
  const same = result.length > 0 && result.every((x) => Object.is(x, result[0]));
  return builder.constant(same ? result[0] : result, node.shape, node.dtype);
}

/** x·1, x + 0, x − 0, x/1, −(−x): the operand itself, where the shape stays. */
function identity(builder: Builder, node: GraphNode, inputs: readonly Tensor[]): Tensor | null {
  const keeps = (t: Tensor) => (sameShape(t.shape, node.shape) ? t : null);
  const [x, y] = inputs;
  switch (node.op) {
    case "mul":
      return (filled(builder, y) === 1 ? keeps(x) : null) ?? (filled(builder, x) === 1 ? keeps(y) : null);
    case "add":
      return (filled(builder, y) === 0 ? keeps(x) : null) ?? (filled(builder, x) === 0 ? keeps(y) : null);
    case "sub":
      return filled(builder, y) === 0 ? keeps(x) : null;
    case "div":
      return filled(builder, y) === 1 ? keeps(x) : null;
    case "neg": {
      const inner = as(builder, x, "neg");
      return inner && builder.tensor(inner.inputs[0]);
    }
    case "reshape":
    case "broadcast":
      return keeps(x);
    default:
      return null;
  }
}

/** Two movements or two scalings in a row become one; a negated term becomes a difference. */
function regroup(builder: Builder, node: GraphNode, inputs: readonly Tensor[]): Tensor | null {
  const [x, y] = inputs;
  switch (node.op) {
    case "reshape": {
      const inner = as(builder, x, "reshape");
      return inner && builder.reshape(builder.tensor(inner.inputs[0]), node.shape);
    }
    case "transpose": {
      const inner = as(builder, x, "transpose");
      const { order } = node.attributes as OpAttributes["transpose"];
      return (
        inner &&
        builder.transpose(
          builder.tensor(inner.inputs[0]),
          order.map((o) => inner.attributes.order[o]),
        )
      );
    }
    case "mul":
      return scaled(builder, x, y) ?? scaled(builder, y, x);
    case "neg":
      return scaled(builder, x, null);
    case "add": {
      const right = as(builder, y, "neg");
      if (right) return builder.sub(x, builder.tensor(right.inputs[0]));
      const left = as(builder, x, "neg");
      return left && builder.sub(y, builder.tensor(left.inputs[0]));
    }
    case "sub": {
      const right = as(builder, y, "neg");
      return right && builder.add(x, builder.tensor(right.inputs[0]));
    }
    default:
      return null;
  }
}

/** (x·c)·d = x·(c·d) for scalars c and d (d = −1 where `by` is null), and (−x)·d = x·(−d). */
function scaled(builder: Builder, x: Tensor, by: Tensor | null): Tensor | null {
  const d = by === null ? -1 : filled(builder, by);
  if (d === null || (by !== null && (sizeOf(by.shape) !== 1 || by.shape.length > x.shape.length)))
    return null;
  if (by !== null) {
    const negated = as(builder, x, "neg");
    if (negated) return builder.mul(builder.tensor(negated.inputs[0]), -d);
    const moved = as(builder, x, "reshape");
    if (moved && builder.nodes[moved.inputs[0]].op === "matmul") {
      // Next to the matrix product, where targets make it a factor of the product.
      return builder.reshape(builder.mul(builder.tensor(moved.inputs[0]), d), x.shape);
    }
  }
  const product = as(builder, x, "mul");
  if (!product) return null;
  for (const [side, other] of [
    [0, 1],
    [1, 0],
  ]) {
    const factor = builder.tensor(product.inputs[side]);
    const rest = builder.tensor(product.inputs[other]);
    const c = filled(builder, factor);
    if (c === null || sizeOf(factor.shape) !== 1 || factor.shape.length > rest.shape.length) continue;
    const joined = Math.abs(c * d);
    return joined === 0 || (joined > 1e-37 && joined < 1e38) ? builder.mul(rest, c * d) : null;
  }
  return null;
}
