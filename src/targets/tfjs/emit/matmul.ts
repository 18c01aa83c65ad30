/** Matrix products: `multiply` for matrices, `multiplyEach` for stacks of them, whose leading axes become one. */
import type { Dims } from "../../../graph/graph.ts";
import { sameShape, sizeOf } from "../../../graph/primitives/arrays.ts";
import { text, type Emitter, type Given, type Value } from "../program.ts";
import type { Emission } from "./emission.ts";
import { tensorOf } from "./operands.ts";

export const matmul: Emission<"matmul"> = (e, node, [left, right]) => {
  const { transposeA, transposeB } = node.attributes;
  const [a, b] = [tensorOf(e, left, "f32"), tensorOf(e, right, "f32")];
  const flags: Given[] = transposeA || transposeB ? [text(transposeA), text(transposeB)] : [];
  const matrix = node.shape.slice(-2);
  const lead = node.shape.slice(0, -2);
  const count = sizeOf(lead);
  const one = (x: Value): Value => e.reshape(x, x.shape.slice(-2));
  if (count === 1) return e.reshape(e.call("multiply", [one(a), one(b), ...flags], matrix), node.shape);
  if (sizeOf(b.shape.slice(0, -2)) === 1 && !transposeA) {
    // One matrix for all: a single product of many rows.
    const rows = e.reshape(a, [sizeOf(a.shape.slice(0, -1)), a.shape[a.shape.length - 1]]);
    const product = e.call("multiply", [rows, one(b), ...flags], [sizeOf(node.shape) / matrix[1], matrix[1]]);
    return e.reshape(product, node.shape);
  }
  const stack = (x: Value): Value => e.reshape(spread(e, x, lead), [count, ...x.shape.slice(-2)]);
  return e.reshape(e.call("multiplyEach", [stack(a), stack(b), ...flags], [count, ...matrix]), node.shape);
};

/** With all leading axes in full. */
function spread(e: Emitter, x: Value, lead: Dims): Value {
  const shape = [...lead, ...x.shape.slice(-2)];
  if (sameShape(x.shape, shape)) return x;
  return e.call("tf.broadcastTo", [x, text(shape)], shape);
}
