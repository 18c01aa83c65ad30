/**
 * Split: the channels of every token in n equal parts, one value each.
 *
 * Gain ("Restriction", proof in shift.ts): 1 in l2, token and linf for each part. That the parts share one
 * budget is known to Concat's rule.
 */
import { closed, through } from "../gain/gain.ts";
import { closeRange } from "../gain/range.ts";
import { channelsOf } from "../gain/gain.ts";
import { identityMatrix, rowsOf } from "../gain/matrix.ts";
import { requireMultiple } from "./check.ts";
import { defineLayer } from "./layer.ts";

/** Each part is a value of its own in the model. */
const mostParts = 4096;

type SplitConfig = { readonly parts: number };

export const split = defineLayer<SplitConfig>({
  name: "Split",
  summary: "The channels of every token in equal parts.",
  signature: {
    tensors: ["x"],
    params: [{ name: "parts", type: "int", doc: "how many" }],
    shape: "[..., parts * c] -> parts x [..., c]",
  },
  infer(call) {
    const parts = call.int("parts");
    const shape = call.inputs[0].shape;
    if (parts > mostParts) {
      call.fail(
        "out-of-range",
        { argument: "parts", found: String(parts), allowed: `at most ${mostParts}` },
        "parts",
      );
      return undefined;
    }
    if (!requireMultiple(call, "Split", channelsOf(shape), parts, "c / parts")) return undefined;
    const part = [...shape.slice(0, -1), channelsOf(shape) / parts];
    return { config: { parts }, outputs: Array.from({ length: parts }, () => part) };
  },
  macs: () => 0,
  rules: {
    gain({ shapes, outputs }, [input]) {
      const gain = through(input, closed({ l2: 1, token: 1, linf: 1 }, shapes[0], outputs[0]));
      return outputs.map(() => ({ gain, rule: "Restriction" }));
    },
    range({ ranges, outputs }) {
      const { why, ...range } = ranges[0];
      return outputs.map((shape) => closeRange(range, shape, why));
    },
  },
  tokenwise({ shapes, outputs }) {
    const whole = identityMatrix(channelsOf(shapes[0]));
    const width = channelsOf(outputs[0]);
    return outputs.map((_, i) => [{ input: 0, matrix: rowsOf(whole, i * width, width) }]);
  },
  lower({ builder, inputs, outputs }) {
    const [x] = inputs;
    const last = x.shape.length - 1;
    const c = channelsOf(outputs[0]);
    return outputs.map((_, i) => builder.slice(x, last, i * c, (i + 1) * c));
  },
});
