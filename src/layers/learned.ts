/**
 * Learned: the node behind `learned(…)` where it flows as a tensor: a weight that is a value (a position
 * embedding, a class token). It has no inputs; the elaborator makes the node itself, with config {} and
 * weights { value }.
 *
 * Gain ("Constant value"): 0 from every source: it does not depend on the input.
 * Range: of the weight's own facts. With two or more axes every token is part of a row of the reshaped
 * weight.
 */
import { nothing } from "../gain/gain.ts";
import { closeRange } from "../gain/range.ts";
import { defineLayer } from "./layer.ts";

export const learned = defineLayer<Record<never, never>>({
  name: "Learned",
  summary: "A learned value that flows: what `learned(…)` gives where a tensor is wanted.",
  signature: { tensors: [], params: [], shape: "-> S" },
  infer(call) {
    call.fail("written-otherwise", { layer: "Learned", form: "learned(start, shape: […])" });
    return undefined;
  },
  macs: () => 0,
  rules: {
    gain: ({ outputs }) => outputs.map(() => ({ gain: nothing, rule: "Constant value" })),
    range(context) {
      const { frobenius, rowNorm, maxAbs, low, high, why } = context.weight("value");
      const [shape] = context.outputs;
      const token = shape.length > 1 ? rowNorm : frobenius;
      return [closeRange({ l2: frobenius, token, linf: maxAbs, low, high }, shape, why)];
    },
  },
  lower({ builder, batch, outputs, weight }) {
    return [builder.broadcast(weight("value"), [batch, ...outputs[0]])];
  },
});
