import type { DType } from "../../../graph/graph.ts";
import { text, type Emitter, type Value } from "../program.ts";
import type { Operand } from "./emission.ts";

const types = { f32: "float32", i32: "int32", bool: "bool" } as const;

/** A number as a tensor of rank 0. */
export function tensorOf(e: Emitter, x: Operand, dtype: DType): Value {
  if (typeof x !== "number") return x;
  const value = dtype === "bool" ? text(x !== 0) : x;
  return e.call("tf.scalar", dtype === "f32" ? [value] : [value, text(types[dtype])], [], dtype);
}
