/** Movements of entries. */
import { sizeOf } from "../../../graph/primitives/arrays.ts";
import { text } from "../program.ts";
import type { Emission } from "./emission.ts";
import { tensorOf } from "./operands.ts";

export const reshape: Emission<"reshape"> = (e, node, [x]) => {
  const from = tensorOf(e, x, node.dtype);
  return e.reshape(from, node.attributes.shape);
};

export const broadcast: Emission<"broadcast"> = (e, node, [given]) => {
  const x = tensorOf(e, given, node.dtype);
  if (node.dtype === "f32") return e.call("tf.broadcastTo", [x, text(node.shape)], node.shape);
  const { shape } = node;
  const rank = shape.length;
  const same = e.reshape(x, [...new Array<number>(rank - x.shape.length).fill(1), ...x.shape]);
  const times = shape.map((n, i) => (same.shape[i] === n ? 1 : n));
  return e.call("tf.tile", [same, text(times)], shape, node.dtype);
};

export const transpose: Emission<"transpose"> = (e, node, [x]) =>
  e.transpose(tensorOf(e, x, node.dtype), node.attributes.order);

export const slice: Emission<"slice"> = (e, node, [given]) => {
  const x = tensorOf(e, given, node.dtype);
  const { start, end, step } = node.attributes;
  if (start.every((s, i) => s === 0 && end[i] === x.shape[i] && step[i] === 1)) return x;
  return e.call("slice", [x, text(start), text(end), text(step)], node.shape, node.dtype);
};

export const concat: Emission<"concat"> = (e, node, inputs) => {
  const values = inputs.map((x) => tensorOf(e, x, node.dtype));
  if (values.length === 1) return values[0];
  return e.call("tf.concat", [values, text(node.attributes.axis)], node.shape, node.dtype);
};

export const pad: Emission<"pad"> = (e, node, [given]) => {
  const x = tensorOf(e, given, node.dtype);
  const { before, after } = node.attributes;
  if ([...before, ...after].every((n) => n === 0)) return x;
  return e.call("pad", [x, text(before), text(after)], node.shape, node.dtype);
};

/** Indices are flat, the axis is the first of three: so every backend does the same. */
export const gather: Emission<"gather"> = (e, node, [data, indices]) => {
  const { axis } = node.attributes;
  const x = tensorOf(e, data, node.dtype);
  const which = tensorOf(e, indices, "i32");
  const count = sizeOf(which.shape);
  const [outer, inner] = [sizeOf(x.shape.slice(0, axis)), sizeOf(x.shape.slice(axis + 1))];
  const from = e.reshape(x, [outer, x.shape[axis], inner]);
  const rows = e.reshape(which, [count]);
  const found = e.call("tf.gather", [from, rows, text(1)], [outer, count, inner], node.dtype);
  return e.reshape(found, node.shape);
};

/** Rows are added where their index says: `tf.scatterND` adds up what has the same index. */
export const scatterAdd: Emission<"scatterAdd"> = (e, node, [indices, updates]) => {
  const { axis, size } = node.attributes;
  const which = tensorOf(e, indices, "i32");
  const given = tensorOf(e, updates, "f32");
  const count = sizeOf(which.shape);
  const [outer, inner] = [
    sizeOf(given.shape.slice(0, axis)),
    sizeOf(given.shape.slice(axis + which.shape.length)),
  ];
  const first = e.transpose(e.reshape(given, [outer, count, inner]), [1, 0, 2]);
  const rows = e.reshape(first, [count, outer * inner]);
  const flat = e.reshape(which, [count]);
  const added = e.call("addRows", [flat, rows, text(size)], [size, outer * inner]);
  return e.reshape(e.transpose(e.reshape(added, [size, outer, inner]), [1, 0, 2]), node.shape);
};
