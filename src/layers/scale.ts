import type { Coefficient } from "../model/model.ts";
import { closeRange } from "../gain/range.ts";
import { mulUp } from "../gain/up.ts";
import { defineLayer } from "./layer.ts";
import { allNorms, intervalProduct, mapped, weightsOf } from "./pointwise.ts";

/**
 * y = by·x with a number, a learned number or a learned vector over channels. `gains.md`, "Scale".
 *
 * Gain: l2, token and linf max |by|: a diagonal map. A constant is stored rounded towards zero, so that a claim made
 * with the written number holds: two Scale(sqrt(γ)) around a 1-Lipschitz map stay ≤ γ.
 * Range: every norm times max |by|; entries by the interval product; the spread too, by·c being one constant token.
 */
export const scale = defineLayer<{ by: Coefficient }>({
  name: "Scale",
  summary: "times a number, fixed or learned, or a learned vector over channels",
  signature: {
    tensors: ["x"],
    params: [{ name: "by", type: "Coefficient", doc: "number, `learned(…)` or `learned(…, shape: [c])`" }],
    shape: "S -> S",
  },
  infer: (call) => {
    const { shape } = call.inputs[0];
    const by = call.coefficient("by", [[], [shape[shape.length - 1]]], "toward-zero");
    return { config: { by }, outputs: [shape], weights: weightsOf("by", by) };
  },
  macs: () => 0,
  rules: {
    gain: (context, [input]) => {
      const facts = context.coefficient(context.config.by);
      return mapped(context, input, allNorms(facts.maxAbs), "Scale", facts.why);
    },
    range: ({ config: { by }, ranges: [input], outputs: [shape], coefficient }) => {
      const facts = coefficient(by);
      const [low, high] = intervalProduct([input.low, input.high], [facts.low, facts.high]);
      const stated = {
        low,
        high,
        l2: mulUp(facts.maxAbs, input.l2),
        token: mulUp(facts.maxAbs, input.token),
        linf: mulUp(facts.maxAbs, input.linf),
        spread: mulUp(facts.maxAbs, input.spread),
      };
      return [closeRange(stated, shape, input.why ?? facts.why)];
    },
  },
  tokenwise: ({ config: { by }, coefficient }) => [[{ input: 0, matrix: coefficient(by) }]],
  lower: ({ builder, inputs: [x], config: { by }, coefficient }) => [builder.mul(x, coefficient(by))],
});
