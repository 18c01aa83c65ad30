/** A linear map with its bias, as one call in place of a product and a pass over its result. */
import { operand, type Emitter, type Value } from "../program.ts";

/** x·Wᵀ + b → affine(x, W, b) */
export function fuseBias(e: Emitter, value: Value): Value | null {
  if (value.callee !== "tf.add" || value.shape.length !== 2) return null;
  const [product, bias] = value.args;
  if (product.kind !== "value" || bias.kind !== "value" || product.value.callee !== "multiply") return null;
  const [, , transposeA, transposeB] = product.value.args;
  const turned = transposeA?.kind === "text" && transposeA.text === "false" && transposeB?.kind === "text";
  if (!turned || transposeB.text !== "true") return null;
  if (bias.value.shape.length !== 1 || bias.value.shape[0] !== value.shape[1]) return null;
  return e.call("affine", [operand(product.value, 0), operand(product.value, 1), bias.value], value.shape);
}
