/**
 * Normalize: y_c = (x_c − mean_c)·s_c with s_c the stored number nearest to 1/std_c.
 *
 * Gain ("Normalize"): max_c |s_c| in l2, token and linf: a diagonal matrix on each token; attained by a
 * perturbation of the channel with the largest |s_c|. It multiplies the bound of everything that follows. The
 * rule speaks of the numbers that the graph holds (docs/gains.md, "Stored numbers"): both lists are rounded
 * to float32 before anything is proven.
 * Range: channel by channel from the input's interval, or max|s_c|·R plus the constant; R° ≤ max|s_c|·R°,
 * because a constant token goes to a constant token.
 */
import { divide, one, show, toNumber } from "../elaborate/rational.ts";
import { channelsOf, closed, through, tokensOf } from "../gain/gain.ts";
import { diagonalMatrix } from "../gain/matrix.ts";
import { closeRange } from "../gain/range.ts";
import {
  addUp,
  hypotUp,
  maxUp,
  minBound,
  mulUp,
  nextDown,
  nextUp,
  sqrtUp,
  stored,
  subDown,
  subUp,
} from "../gain/up.ts";
import { showShape } from "./check.ts";
import { defineLayer } from "./layer.ts";

type NormalizeConfig = { readonly mean: readonly number[]; readonly scale: readonly number[] };

export const normalize = defineLayer<NormalizeConfig>({
  name: "Normalize",
  summary: "Takes away a fixed mean and divides by a fixed deviation, channel by channel.",
  signature: {
    tensors: ["x"],
    params: [
      { name: "mean", type: "real[]", doc: "one number per channel" },
      { name: "std", type: "real[]", doc: "one number > 0 per channel" },
    ],
    shape: "[..., c] -> [..., c]",
  },
  infer(call) {
    const lists = { mean: call.reals("mean"), std: call.reals("std") };
    const shape = call.inputs[0].shape;
    const channels = channelsOf(shape);
    for (const [list, { length }] of Object.entries(lists)) {
      if (length === channels) continue;
      call.fail("list-length", { layer: "Normalize", list, length, channels, found: showShape(shape) }, list);
    }
    const scale = lists.std.map((std) => {
      const inverse = std.n > 0n ? divide(one, std) : null;
      return inverse ? stored(toNumber(inverse)) : 0;
    });
    const mean = lists.mean.map((m) => stored(toNumber(m)));
    const bad = scale.findIndex((s) => !(s > 0 && Number.isFinite(s)));
    if (bad >= 0)
      call.fail("out-of-range", { argument: "std", found: show(lists.std[bad]), allowed: "> 0" }, "std");
    const far = mean.findIndex((m) => !Number.isFinite(m));
    if (far >= 0)
      call.fail(
        "out-of-range",
        { argument: "mean", found: show(lists.mean[far]), allowed: "a float32" },
        "mean",
      );
    return call.failed ? undefined : { config: { mean, scale }, outputs: [shape] };
  },
  macs: () => 0,
  rules: {
    gain({ config, shapes, outputs }, [input]) {
      const s = maxUp(...config.scale);
      return [
        {
          gain: through(input, closed({ l2: s, token: s, linf: s }, shapes[0], outputs[0])),
          rule: "Normalize",
        },
      ];
    },
    range({ config, ranges, shapes }) {
      const [input] = ranges;
      const [shape] = shapes;
      const s = maxUp(...config.scale);
      const high = config.scale.map((scale, c) => nextUp(subUp(input.high, config.mean[c]) * scale));
      const low = config.scale.map((scale, c) => nextDown(subDown(input.low, config.mean[c]) * scale));
      const entries = config.scale.map((_, c) => maxUp(Math.abs(low[c]), Math.abs(high[c])));
      const constant = hypotUp(...config.scale.map((scale, c) => mulUp(Math.abs(config.mean[c]), scale)));
      const token = minBound(hypotUp(...entries), addUp(mulUp(s, input.token), constant));
      const l2 = addUp(mulUp(s, input.l2), mulUp(sqrtUp(tokensOf(shape)), constant));
      const interval = { low: Math.min(...low), high: Math.max(...high) };
      return [closeRange({ l2, token, ...interval, spread: mulUp(s, input.spread) }, shape, input.why)];
    },
  },
  tokenwise: ({ config: { scale } }) => [[{ input: 0, matrix: diagonalMatrix(scale.length, scale) }]],
  lower({ builder, config, inputs }) {
    const size = [config.mean.length];
    const centred = builder.sub(inputs[0], builder.constant(config.mean, size));
    return [builder.mul(centred, builder.constant(config.scale, size))];
  },
});
