/**
 * MaxPool: the largest entry of each window, channel by channel. Padding never wins.
 *
 * Gain ("MaxPool"): l2 √μ, μ the largest number of windows that read one position (1 for stride = kernel),
 * token √n, n the largest number of positions in a window, linf 1.
 * Proof. |max_t u_t − max_t v_t| ≤ max_t |u_t − v_t|: linf 1. Squared and summed over windows and channels
 * every position counts at most μ times: l2. One token: Σ_c max_t δ_tc² ≤ Σ_t Σ_c δ_tc² ≤ n·‖δ‖_token². (μ
 * along an axis is ⌈k/s⌉, and never more than there are windows.) A constant added to all tokens is added to
 * the result: R° ≤ √n·R°, by the proof of the token entry.
 */
import { closed, through } from "../gain/gain.ts";
import { closeRange } from "../gain/range.ts";
import { mulUp, sqrtUp } from "../gain/up.ts";
import { channelsOf } from "../gain/gain.ts";
import type { Shape } from "../model/model.ts";
import { defineLayer } from "./layer.ts";
import { inferPool, joinAxis, poolParams, type PoolConfig } from "./pool.ts";
import { mostReads, mostTaps, overPositions } from "./windows.ts";

function factors(config: PoolConfig, shape: Shape): { reads: number; taps: number } {
  return {
    reads: sqrtUp(overPositions(shape, (size) => mostReads(size, config))),
    taps: sqrtUp(overPositions(shape, (size) => mostTaps(size, config))),
  };
}

export const maxPool = defineLayer<PoolConfig>({
  name: "MaxPool",
  summary: "The largest entry of each window.",
  signature: { tensors: ["x"], params: poolParams, shape: "[h, w, c] -> [h', w', c]" },
  infer(call) {
    const pool = inferPool(call, "MaxPool");
    return pool && { config: pool.windows, outputs: [[...pool.positions, channelsOf(call.inputs[0].shape)]] };
  },
  macs: () => 0,
  rules: {
    gain({ config, shapes, outputs }, [input]) {
      const { reads, taps } = factors(config, shapes[0]);
      return [
        {
          gain: through(input, closed({ l2: reads, token: taps, linf: 1 }, shapes[0], outputs[0])),
          rule: "MaxPool",
        },
      ];
    },
    range({ config, shapes, outputs, ranges: [{ why, ...input }] }) {
      const { reads, taps } = factors(config, shapes[0]);
      const stated = {
        l2: mulUp(reads, input.l2),
        token: mulUp(taps, input.token),
        linf: input.linf,
        low: input.low,
        high: input.high,
        spread: mulUp(taps, input.spread),
      };
      return [closeRange(stated, outputs[0], why)];
    },
  },
  lower({ builder, config, inputs }) {
    let y = inputs[0];
    // Far below every float32 activation, and finite.
    const outside = -3.4e38;
    for (let axis = 1; axis < inputs[0].shape.length - 1; axis++) {
      y = joinAxis(builder, y, axis, config, outside, builder.maximum);
    }
    return [y];
  },
});
