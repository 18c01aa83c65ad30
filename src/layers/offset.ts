/**
 * Offset: a fixed or learned number, or one per channel, added to every token: what `x + 1` and `x - 1/2`
 * mean.
 *
 * Gain ("Offset"): 1 in l2, token and linf: the same constant on both sides of a difference cancels.
 * Range: the radii grow by the constant's norms, the interval moves, R° stays (a constant token moves by the
 * constant).
 */
import { closeRange } from "../gain/range.ts";
import { channelsOf, tokensOf } from "../gain/gain.ts";
import { identityMatrix } from "../gain/matrix.ts";
import { addUp, mulUp, sqrtUp } from "../gain/up.ts";
import type { Coefficient } from "../model/model.ts";
import { defineLayer } from "./layer.ts";

type OffsetConfig = { readonly by: Coefficient };

export const offset = defineLayer<OffsetConfig>({
  name: "Offset",
  summary: "Adds a number, or one number per channel, to every token.",
  signature: {
    tensors: ["x"],
    params: [{ name: "by", type: "Coefficient", doc: "the number, or `learned(…, shape: [c])`" }],
    shape: "S -> S",
  },
  infer(call) {
    const shape = call.inputs[0].shape;
    const by = call.coefficient("by", [[], [channelsOf(shape)]]);
    return {
      config: { by },
      outputs: [shape],
      ...(by.kind === "learned" ? { weights: { by: by.weight } } : {}),
    };
  },
  macs: () => 0,
  rules: {
    gain: (_, [input]) => [{ gain: input, rule: "Offset" }],
    range(context) {
      const [input] = context.ranges;
      const [shape] = context.outputs;
      const by = context.coefficient(context.config.by);
      const token = mulUp(sqrtUp(channelsOf(shape)), by.maxAbs);
      const stated = {
        l2: addUp(input.l2, mulUp(sqrtUp(tokensOf(shape)), token)),
        token: addUp(input.token, token),
        linf: addUp(input.linf, by.maxAbs),
        low: -addUp(-input.low, -by.low),
        high: addUp(input.high, by.high),
        spread: input.spread,
      };
      return [closeRange(stated, shape, input.why ?? by.why)];
    },
  },
  tokenwise: ({ shapes: [shape] }) => [[{ input: 0, matrix: identityMatrix(channelsOf(shape)) }]],
  lower: ({ builder, config, inputs, coefficient }) => [builder.add(inputs[0], coefficient(config.by))],
});
