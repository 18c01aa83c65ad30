/** Nodes without operands: what is fed, and constants. `Builder` makes them; their shape stands in the node itself. */
import type { Primitive } from "./primitive.ts";
import { sizeOf } from "./arrays.ts";

export const input: Primitive<"input"> = {
  shape() {
    throw new Error("inputs are made by Builder.input");
  },
  vjp: "none",
  evaluate(_, attributes) {
    throw new Error(`input ${attributes.name} is not fed`);
  },
};

export const constant: Primitive<"constant"> = {
  shape() {
    throw new Error("constants are made by Builder.constant");
  },
  vjp: "none",
  evaluate(_, { data, fill }, shape) {
    return fill ? new Float64Array(sizeOf(shape)).fill(data[0]) : Float64Array.from(data);
  },
};
