/**
 * Concat: values side by side, on the channels of every token or, for sequences, one after the other as
 * tokens.
 *
 * Gain ("Concatenation"), parts with gains a_i against one source: on channels l2, token √Σa_i² and linf max
 * a_i; on tokens l2 √Σa_i², token and linf max a_i.
 * Proof. ‖(y_1, …)‖₂² = Σ‖y_i‖₂², and the same for each token where every token holds a part of each; the
 * largest entry is the largest of the parts', and so is the largest token where tokens stand one after the
 * other. Parts that read disjoint channels of one value share its budget: f_i on part i gives max L_i in l2;
 * that bound is relative to the value and is taken by the analysis pass where it is smaller.
 */
import { beside, closeValue } from "../gain/gain.ts";
import type { Range } from "../gain/facts.ts";
import { closeRange } from "../gain/range.ts";
import { hypotUp, maxUp } from "../gain/up.ts";
import type { Shape } from "../model/model.ts";
import { requireRank, showShape } from "./check.ts";
import { defineLayer } from "./layer.ts";

type ConcatConfig = { readonly axis: "channels" | "tokens" };

/** Whether two shapes agree in all axes but this one. */
function agree(a: Shape, b: Shape, axis: number): boolean {
  return a.length === b.length && a.every((n, i) => i === axis || n === b[i]);
}

export const concat = defineLayer<ConcatConfig>({
  name: "Concat",
  summary: "Values side by side, on channels or as more tokens.",
  signature: {
    tensors: ["x"],
    rest: true,
    params: [
      {
        name: "axis",
        type: "Word",
        words: ["channels", "tokens"],
        default: "channels",
        doc: "the axis that grows",
      },
    ],
    shape: "[..., a], [..., b], … -> [..., a + b + …]",
  },
  infer(call) {
    const axis = call.word("axis") === "tokens" ? "tokens" : "channels";
    if (axis === "tokens" && !requireRank(call, "Concat", [2], "sequences, along tokens,", "[n, c]"))
      return undefined;
    const [first, ...others] = call.inputs.map((input) => input.shape);
    const at = axis === "tokens" ? 0 : first.length - 1;
    const other = others.find((shape) => !agree(first, shape, at));
    if (other) {
      call.fail("concat-mismatch", { axis, expected: showShape(first), found: showShape(other) });
      return undefined;
    }
    const total = call.inputs.reduce((sum, { shape }) => sum + shape[at], 0);
    return { config: { axis }, outputs: [first.map((n, i) => (i === at ? total : n))] };
  },
  macs: () => 0,
  rules: {
    gain({ config, outputs }, inputs) {
      return [{ gain: closeValue(beside(inputs, config.axis), outputs[0]), rule: "Concatenation" }];
    },
    range({ config, ranges, outputs }) {
      const of = (key: Exclude<keyof Range, "why">): number[] => ranges.map((range) => range[key]);
      const channels = config.axis === "channels";
      const stated = {
        l2: hypotUp(...of("l2")),
        token: channels ? hypotUp(...of("token")) : maxUp(...of("token")),
        linf: maxUp(...of("linf")),
        low: Math.min(...of("low")),
        high: Math.max(...of("high")),
        // Joined channels: the constants join too. Joined tokens may lie round different constants.
        ...(channels ? { spread: hypotUp(...of("spread")) } : {}),
      };
      return [closeRange(stated, outputs[0], ranges.find((range) => range.why)?.why ?? null)];
    },
  },
  lower({ builder, config, inputs }) {
    return [builder.concat(inputs, config.axis === "tokens" ? 1 : inputs[0].shape.length - 1)];
  },
});
