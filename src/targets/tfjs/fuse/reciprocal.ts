/** Division by something much smaller: its reciprocal once, and products, which are the faster passes over memory. */
import { sizeOf } from "../../../graph/primitives/arrays.ts";
import type { Emitter, Value } from "../program.ts";

/** How much larger the numerator must be. */
const larger = 8;

/** x/y → x·(1/y) for y that is spread over x, as a norm is over its vector; to an ulp the same. */
export function fuseReciprocal(e: Emitter, value: Value): Value | null {
  if (value.callee !== "tf.div") return null;
  const [x, y] = value.args;
  if (x.kind !== "value" || y.kind !== "value") return null;
  if (sizeOf(y.value.shape) * larger > sizeOf(x.value.shape)) return null;
  return e.call("tf.mul", [x.value, e.call("tf.div", [1, y.value], y.value.shape)], value.shape);
}
