import { defineLayer } from "./layer.ts";
import { allNorms, mapped, nearest, pointwiseRange, storedDown, storedUp } from "./pointwise.ts";
import { show } from "../elaborate/rational.ts";

/**
 * min(max(x, low), high), entry by entry. `gains.md`, "Clamp and Project".
 *
 * Gain 1 in l2, token and linf: slopes are 0 or 1. Range: the image of the interval. The ends are stored rounded
 * inwards, so that the written interval holds what comes out.
 */
export const clamp = defineLayer<{ low: number; high: number }>({
  name: "Clamp",
  summary: "entries limited to an interval",
  signature: {
    tensors: ["x"],
    params: [
      { name: "low", type: "real", doc: "smallest entry" },
      { name: "high", type: "real", doc: "largest entry" },
    ],
    shape: "S -> S",
  },
  infer: (call) => {
    const [low, high] = [call.real("low"), call.real("high")];
    if (call.failed) return undefined;
    let ends = [storedUp(low), storedDown(high)];
    // Two ends with no float32 between them: the nearest stands for both.
    if (ends[0] > ends[1]) ends = [nearest(low), nearest(high)];
    if (!(ends[0] <= ends[1]) || !ends.every(Number.isFinite)) {
      call.fail(
        "out-of-range",
        { argument: "low", found: show(low), allowed: `at most high = ${show(high)}` },
        "low",
      );
      return undefined;
    }
    return { config: { low: ends[0], high: ends[1] }, outputs: [call.inputs[0].shape] };
  },
  macs: () => 0,
  rules: {
    gain: (context, [input]) => mapped(context, input, allNorms(1), "Clamp and Project"),
    range: ({ config: { low, high }, ranges: [input], outputs: [shape] }) => {
      const limit = (x: number): number => Math.min(Math.max(x, low), high);
      return [pointwiseRange(input, shape, 1, Math.abs(limit(0)), [limit(input.low), limit(input.high)])];
    },
  },
  lower: ({ builder: b, inputs: [x], config: { low, high } }) => [b.minimum(b.maximum(x, low), high)],
});
