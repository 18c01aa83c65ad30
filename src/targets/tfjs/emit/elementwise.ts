/** Elementwise primitives: TensorFlow.js broadcasts as numpy does, and takes numbers in the place of tensors. */
import type { Emission, Operand } from "./emission.ts";
import { text, type Emitter, type Value } from "../program.ts";
import { tensorOf } from "./operands.ts";

type Binary = "add" | "sub" | "mul" | "div" | "maximum" | "minimum" | "greater" | "equal";
type Unary = "neg" | "exp" | "log" | "sqrt" | "erf" | "tanh" | "sigmoid" | "abs" | "sign" | "floor";

function binary<O extends Binary>(op: O): Emission<O> {
  return (e, node, [x, y]) => {
    if (op === "mul" && x === y) return e.call("tf.square", [x], node.shape, node.dtype);
    // Numbers are float32 to TensorFlow.js: one of the two must be a tensor, of the right type.
    const numbers = typeof x === "number" && typeof y === "number";
    const left = numbers || (typeof x === "number" && isInteger(y)) ? tensorOf(e, x, typeOf(y)) : x;
    const right = typeof y === "number" && isInteger(x) ? tensorOf(e, y, "i32") : y;
    return e.call(`tf.${op}`, [left, right], node.shape, node.dtype);
  };
}

function isInteger(x: Operand): boolean {
  return typeof x !== "number" && x.dtype === "i32";
}

function typeOf(x: Operand): "f32" | "i32" {
  return isInteger(x) ? "i32" : "f32";
}

function unary<O extends Unary>(op: O): Emission<O> {
  return (e, node, [x]) => e.call(`tf.${op}`, [tensorOf(e, x, "f32")], node.shape);
}

export const add = binary("add");
export const sub = binary("sub");
export const mul = binary("mul");
export const div = binary("div");
export const maximum = binary("maximum");
export const minimum = binary("minimum");
export const greater = binary("greater");
export const equal = binary("equal");

export const neg = unary("neg");
export const exp = unary("exp");
export const log = unary("log");
export const sqrt = unary("sqrt");
export const erf = unary("erf");
export const tanh = unary("tanh");
export const sigmoid = unary("sigmoid");
export const abs = unary("abs");
export const sign = unary("sign");
export const floor = unary("floor");

export const select: Emission<"select"> = (e, node, [condition, x, y]) => {
  const given = tensorOf(e, condition, "bool");
  const type = node.dtype === "i32" ? "i32" : "f32";
  const side = (side: Operand): Value | number => (type === "i32" ? tensorOf(e, side, "i32") : side);
  return e.call("tf.where", [given, side(x), side(y)], node.shape, node.dtype);
};

export const gelu: Emission<"gelu"> = (e, node, [x]) =>
  e.call(node.attributes.form === "exact" ? "gelu" : "geluTanh", [tensorOf(e, x, "f32")], node.shape);

const types = { f32: "float32", i32: "int32", bool: "bool" } as const;

export const cast: Emission<"cast"> = (e, node, [x]) =>
  castTo(e, tensorOf(e, x, "f32"), node.attributes.to, node.shape);

function castTo(e: Emitter, x: Value, to: keyof typeof types, shape: readonly number[]): Value {
  const labelled = e.call("tf.cast", [x, text(types[to])], shape, to);
  // On WebGPU a cast to float32 changes the label only, and some kernels then read the integers' bits, or don't compile.
  return to === "f32" && x.dtype !== "f32" ? e.call("tf.mul", [labelled, 1], shape) : labelled;
}
