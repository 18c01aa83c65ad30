/** Elementwise primitives: one ONNX operator each, with numpy's broadcasting as it is. */
import type { Op } from "../../../graph/graph.ts";
import { elementTypes } from "../proto.ts";
import type { Emission } from "./emission.ts";

const plain =
  (opType: string): Emission<Op> =>
  (e, _node, inputs) =>
    e.node(opType, inputs);

export const add = plain("Add");
export const sub = plain("Sub");
export const mul = plain("Mul");
export const div = plain("Div");
export const maximum = plain("Max");
export const minimum = plain("Min");
export const greater = plain("Greater");
export const equal = plain("Equal");
export const neg = plain("Neg");
export const exp = plain("Exp");
export const log = plain("Log");
export const sqrt = plain("Sqrt");
export const erf = plain("Erf");
export const tanh = plain("Tanh");
export const sigmoid = plain("Sigmoid");
export const abs = plain("Abs");
export const sign = plain("Sign");
export const floor = plain("Floor");

export const select: Emission<"select"> = (e, node, [condition, a, b]) => {
  if (node.dtype !== "bool") return e.node("Where", [condition, a, b]);
  // ONNX Runtime's CPU provider has no Where of bool.
  const no = e.node("Not", [condition]);
  return e.node("Or", [e.node("And", [condition, a]), e.node("And", [no, b])]);
};

export const gelu: Emission<"gelu"> = (e, node, [x]) =>
  e.node("Gelu", [x], { approximate: node.attributes.form === "tanh" ? "tanh" : "none" });

export const cast: Emission<"cast"> = (e, node, [x]) =>
  e.node("Cast", [x], { to: elementTypes[node.attributes.to] });
