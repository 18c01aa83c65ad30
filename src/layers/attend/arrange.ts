/** Cutting values into groups and heads, and back: one transpose each way. */
import type { Builder, Tensor } from "../../graph/builder.ts";
import { groupsOf, sizeOf, type Partition } from "./regions.ts";

/**
 * x seen with axes `dims`, permuted by `order`, as `shape`. Axes of size 1 are left out and axes that stay
 * neighbours are joined first, so that engines see a transpose of the lowest possible rank, or none.
 */
export function permute(
  b: Builder,
  x: Tensor,
  dims: readonly number[],
  order: readonly number[],
  shape: readonly number[],
): Tensor {
  const axes = order.filter((axis) => dims[axis] !== 1);
  const runs: number[][] = [];
  const between = (from: number, to: number): boolean =>
    dims.slice(from + 1, to).every((n) => n === 1) && to > from;
  for (const axis of axes) {
    const run = runs[runs.length - 1];
    if (run && between(run[run.length - 1], axis)) run.push(axis);
    else runs.push([axis]);
  }
  const inOrder = [...runs].sort((a, c) => a[0] - c[0]);
  const sizes = inOrder.map((run) => run.reduce((n, axis) => n * dims[axis], 1));
  const turned = b.transpose(
    b.reshape(x, sizes),
    runs.map((run) => inOrder.indexOf(run)),
  );
  return b.reshape(turned, shape);
}

/** Axes of a map for cutting, and where its groups and its tokens are among them: [batch, …4 axes]. */
function cut(p: Partition): { sizes: number[]; groups: [number, number]; tokens: [number, number] } {
  const [down, across] = [p.height / p.rows, p.width / p.columns];
  return p.spaced
    ? { sizes: [p.rows, down, p.columns, across], groups: [2, 4], tokens: [1, 3] }
    : { sizes: [down, p.rows, across, p.columns], groups: [1, 3], tokens: [2, 4] };
}

function inverse(order: readonly number[]): number[] {
  return order.map((_, axis) => order.indexOf(axis));
}

/** [batch, positions…, c] → [batch·groups, heads, tokens, c/heads]. */
export function intoHeads(b: Builder, x: Tensor, batch: number, p: Partition, heads: number): Tensor {
  const channels = x.shape[x.shape.length - 1];
  const { sizes, groups, tokens } = cut(p);
  const dims = [batch, ...sizes, heads, channels / heads];
  const order = [0, ...groups, 5, ...tokens, 6];
  return permute(b, x, dims, order, [batch * groupsOf(p), heads, sizeOf(p), channels / heads]);
}

/** [batch·groups, heads, tokens, d] → [batch, positions…, heads·d]. */
export function fromHeads(
  b: Builder,
  x: Tensor,
  batch: number,
  p: Partition,
  shape: readonly number[],
): Tensor {
  const [, heads, , width] = x.shape;
  const { sizes, groups, tokens } = cut(p);
  const order = [0, ...groups, 5, ...tokens, 6];
  const dims = order.map((axis) => [batch, ...sizes, heads, width][axis]);
  return permute(b, x, dims, inverse(order), [batch, ...shape]);
}

/** [batch, positions…, c] → [batch·groups, c, rows, columns]: each group as an image. */
export function intoImages(b: Builder, x: Tensor, batch: number, p: Partition): Tensor {
  const channels = x.shape[x.shape.length - 1];
  const { sizes, groups, tokens } = cut(p);
  const order = [0, ...groups, 5, ...tokens];
  return permute(b, x, [batch, ...sizes, channels], order, [
    batch * groupsOf(p),
    channels,
    p.rows,
    p.columns,
  ]);
}

/** [batch·groups, c, rows, columns] → [batch, positions…, c]. */
export function fromImages(
  b: Builder,
  x: Tensor,
  batch: number,
  p: Partition,
  shape: readonly number[],
): Tensor {
  const channels = x.shape[1];
  const { sizes, groups, tokens } = cut(p);
  const order = [0, ...groups, 5, ...tokens];
  const dims = order.map((axis) => [batch, ...sizes, channels][axis]);
  return permute(b, x, dims, inverse(order), [batch, ...shape]);
}

/** Moves rows and columns of [batch, h, w, c] by `by` places towards the end, cyclically. */
export function roll(b: Builder, x: Tensor, by: number): Tensor {
  return [1, 2].reduce((map, axis) => {
    const size = map.shape[axis];
    const at = (((size - by) % size) + size) % size;
    return at === 0 ? map : b.concat([b.slice(map, axis, at, size), b.slice(map, axis, 0, at)], axis);
  }, x);
}
