import type { Coefficient } from "../model/model.ts";
import { maxUp } from "../gain/up.ts";
import { defineLayer } from "./layer.ts";
import { allNorms, intervalProduct, mapped, pointwiseRange, weightsOf } from "./pointwise.ts";

/**
 * PReLU (He et al., 2015, arXiv 1502.01852): x above 0, a·x below, a learned, one number or one per channel.
 * `gains.md`, "Pointwise".
 *
 * Gain: l2, token and linf max(1, max |a|): slopes are 1 or a_c. A learned slope without a range has none in `always`.
 */
export const prelu = defineLayer<{ slope: Coefficient }>({
  name: "PReLU",
  summary: "x above 0, a learned slope below",
  signature: {
    tensors: ["x"],
    params: [
      {
        name: "slope",
        type: "Coefficient",
        default: "learned(1/4)",
        doc: "slope below 0; may have shape [c]",
      },
    ],
    shape: "[..., c] -> [..., c]",
  },
  infer: (call) => {
    const { shape } = call.inputs[0];
    const slope = call.coefficient("slope", [[], [shape[shape.length - 1]]]);
    return { config: { slope }, outputs: [shape], weights: weightsOf("slope", slope) };
  },
  macs: () => 0,
  rules: {
    gain: (context, [input]) => {
      const facts = context.coefficient(context.config.slope);
      return mapped(context, input, allNorms(maxUp(1, facts.maxAbs)), "Pointwise", facts.why);
    },
    range: ({ config, ranges: [input], outputs: [shape], coefficient }) => {
      const facts = coefficient(config.slope);
      const below = intervalProduct(
        [Math.min(input.low, 0), Math.min(input.high, 0)],
        [facts.low, facts.high],
      );
      const image = [
        Math.min(Math.max(input.low, 0), below[0]),
        Math.max(Math.max(input.high, 0), below[1]),
      ] as const;
      return [pointwiseRange(input, shape, maxUp(1, facts.maxAbs), 0, image)];
    },
  },
  lower: ({ builder: b, inputs: [x], config, coefficient }) => [
    b.add(b.maximum(x, 0), b.mul(b.minimum(x, 0), coefficient(config.slope))),
  ],
});
