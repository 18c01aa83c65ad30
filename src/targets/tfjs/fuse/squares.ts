/** The norm of all gradients, a chain of hundreds of additions, as one call with a list. */
import { operand, type Emitter, type Value } from "../program.ts";

/** (Σx² + Σy²) + Σz² → sumOfSquares([x, y, z]) */
export function fuseSumOfSquares(e: Emitter, value: Value): Value | null {
  if (value.callee !== "tf.add" || value.shape.length !== 0) return null;
  const [left, right] = value.args;
  if (left.kind !== "value" || right.kind !== "value") return null;
  const last = squaredIn(right.value);
  const first = left.value.callee === "sumOfSquares" ? listOf(left.value) : squaredIn(left.value);
  if (last === null || first === null) return null;
  return e.call("sumOfSquares", [[...[first].flat(), last]], []);
}

function listOf(value: Value): readonly Value[] {
  const [list] = value.args;
  return list.kind === "list" ? list.values : [];
}

/** x, where the value is the sum of x² over all axes. */
function squaredIn(value: Value): Value | null {
  const total = value.callee === "tf.reshape" ? operand(value, 0) : value;
  if (total.callee !== "sumOver" || total.shape.some((n) => n !== 1)) return null;
  const square = operand(total, 0);
  return square.callee === "tf.square" ? operand(square, 0) : null;
}
