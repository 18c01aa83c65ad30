/** Row-major strides and broadcasting, shared by the primitives' shape rules, meanings and gradients. */
import type { Builder, Tensor } from "../builder.ts";
import type { DType, Dims, GraphNode } from "../graph.ts";
import { sizeOf } from "./size.ts";

export { sizeOf };

export function sameShape(a: Dims, b: Dims): boolean {
  return a.length === b.length && a.every((n, i) => n === b[i]);
}

export function stridesOf(shape: Dims): number[] {
  const strides = new Array<number>(shape.length);
  let n = 1;
  for (let i = shape.length - 1; i >= 0; i--) {
    strides[i] = n;
    n *= shape[i];
  }
  return strides;
}

/** Numpy's rule; throws where the shapes don't fit. */
export function broadcastShapes(...shapes: readonly Dims[]): number[] {
  const rank = Math.max(...shapes.map((s) => s.length));
  const out = new Array<number>(rank).fill(1);
  for (const shape of shapes) {
    const offset = rank - shape.length;
    shape.forEach((n, i) => {
      if (n === 1) return;
      if (out[offset + i] !== 1 && out[offset + i] !== n) {
        throw new Error(`shapes ${shapes.map((s) => `[${s}]`).join(" and ")} do not broadcast`);
      }
      out[offset + i] = n;
    });
  }
  return out;
}

/** Strides of `shape` read as if it had shape `out`: 0 along broadcast axes. */
export function broadcastStrides(shape: Dims, out: Dims): number[] {
  const own = stridesOf(shape);
  const offset = out.length - shape.length;
  return out.map((_, i) => (i < offset || shape[i - offset] === 1 ? 0 : own[i - offset]));
}

/**
 * Calls `visit(outIndex, offset)` for every entry of `out` in row-major order, with the offset that `strides` (one per
 * axis) and `start` give. The innermost axis is a plain loop.
 */
export function walk(
  out: Dims,
  strides: readonly number[],
  start: number,
  visit: (at: number, offset: number) => void,
) {
  const rank = out.length;
  if (rank === 0) return visit(0, start);
  const total = sizeOf(out);
  if (total === 0) return;
  const last = out[rank - 1];
  const step = strides[rank - 1];
  const counter = new Array<number>(rank).fill(0);
  let base = start;
  for (let at = 0; at < total;) {
    for (let i = 0, offset = base; i < last; i++, offset += step) visit(at++, offset);
    for (let axis = rank - 2; axis >= 0; axis--) {
      base += strides[axis];
      if (++counter[axis] < out[axis]) break;
      base -= strides[axis] * out[axis];
      counter[axis] = 0;
    }
  }
}

/** Entries of `data` read through strides, as a new array of shape `out`. */
export function readStrided(
  data: Float64Array,
  out: Dims,
  strides: readonly number[],
  start = 0,
): Float64Array {
  const result = new Float64Array(sizeOf(out));
  walk(out, strides, start, (at, offset) => {
    result[at] = data[offset];
  });
  return result;
}

/** `data` of `shape` repeated to `out`; itself where nothing is to be repeated. */
export function expand(data: Float64Array, shape: Dims, out: Dims): Float64Array {
  if (sizeOf(shape) === sizeOf(out)) return data;
  if (data.length === 1) return new Float64Array(sizeOf(out)).fill(data[0]);
  return readStrided(data, out, broadcastStrides(shape, out));
}

/** Throws unless the number of operands is right. */
export function expectInputs(op: string, inputs: readonly GraphNode[], count: number): void {
  if (inputs.length !== count) throw new Error(`${op} takes ${count} operands, not ${inputs.length}`);
}

export function expectDType(op: string, node: GraphNode, ...allowed: readonly DType[]): void {
  if (!allowed.includes(node.dtype)) throw new Error(`${op} does not take ${node.dtype}`);
}

export function expectAxes(op: string, axes: readonly number[], rank: number): void {
  const ok =
    axes.every((a) => Number.isInteger(a) && a >= 0 && a < rank) && new Set(axes).size === axes.length;
  if (!ok) throw new Error(`${op}: axes [${axes}] of a tensor of rank ${rank}`);
}

/**
 * The gradient of an operand of shape `target` that was broadcast to `full`: sums over the repeated axes.
 * `grad` itself may be smaller than `full` (a gradient that is constant along an axis, see Primitive.lazy): such an
 * axis is multiplied by its length in place of being summed. The result broadcasts to `target`.
 */
export function reduceTo(builder: Builder, grad: Tensor, full: Dims, target: Dims): Tensor {
  const offset = full.length - target.length;
  const held = full.map((_, i) => {
    const at = i - (full.length - grad.shape.length);
    return at < 0 ? 1 : grad.shape[at];
  });
  const repeated = full.map((n, i) => (i < offset || target[i - offset] === 1) && n !== 1);
  let count = 1;
  const axes: number[] = [];
  repeated.forEach((yes, i) => {
    if (!yes) return;
    if (held[i] === 1) count *= full[i];
    else axes.push(i - (full.length - grad.shape.length));
  });
  let result = axes.length === 0 ? grad : builder.sum(grad, axes, true);
  // Leading axes that the operand does not have are of length 1 by now.
  const extra = result.shape.length - target.length;
  if (extra > 0) result = builder.reshape(result, result.shape.slice(extra));
  return count === 1 ? result : builder.mul(result, count);
}

/** A gradient that may be smaller than its tensor, made full. */
export function materialise(builder: Builder, grad: Tensor, shape: Dims): Tensor {
  return sameShape(grad.shape, shape) ? grad : builder.broadcast(grad, shape);
}
