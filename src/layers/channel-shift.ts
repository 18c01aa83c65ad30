/**
 * ChannelShift: four groups of ⌊part·c⌋ channels each move by one position: left, right, up, down; the other
 * channels stay. Zeros come in at the edge (`zeros`, as ShiftViT does: Wang et al. 2022, arXiv 2201.10801),
 * or what left at the other side (`circular`).
 *
 * Gain ("Rearrangement", proof in flatten.ts): l2, linf 1 (each entry is read at most once). token: √r, r the
 * number of different input tokens that one output token takes channels from: 5 inside of the map, 4 if all
 * channels move, fewer on maps that are one or two positions wide. Attained by tokens that hold all their
 * norm in the group that meets.
 */
import { requireRank } from "./check.ts";
import { compare, floor, fromInt, multiply, show, toNumber } from "../elaborate/rational.ts";
import { channelsOf } from "../gain/gain.ts";
import { sqrtUp } from "../gain/up.ts";
import type { Shape } from "../model/model.ts";
import { affineRules } from "./affine.ts";
import { defineLayer } from "./layer.ts";
import { edgeParam, shiftAxis, type EdgeMode } from "./shift.ts";

type ChannelShiftConfig = { readonly moved: number; readonly mode: EdgeMode };

/** Axis (0 rows, 1 columns) and direction of each group. */
const groups = [
  { axis: 1, by: -1 },
  { axis: 1, by: 1 },
  { axis: 0, by: -1 },
  { axis: 0, by: 1 },
] as const;

/** Different positions that the output at the middle of the map reads; no position reads more. */
function sources({ moved, mode }: ChannelShiftConfig, shape: Shape): number {
  const middle = [Math.floor(shape[0] / 2), Math.floor(shape[1] / 2)];
  const read = new Set<string>();
  if (4 * moved < channelsOf(shape)) read.add(middle.join());
  for (const { axis, by } of groups) {
    const from = [...middle];
    from[axis] -= by;
    if (mode === "circular") from[axis] = (from[axis] + shape[axis]) % shape[axis];
    if (from[axis] >= 0 && from[axis] < shape[axis]) read.add(from.join());
  }
  return read.size;
}

export const channelShift = defineLayer<ChannelShiftConfig>({
  name: "ChannelShift",
  summary: "Moves four groups of channels by one position: left, right, up, down.",
  signature: {
    tensors: ["x"],
    params: [
      { name: "part", type: "real", default: "1/12", doc: "share of the channels in each group" },
      edgeParam,
    ],
    shape: "[h, w, c] -> [h, w, c]",
  },
  infer(call) {
    const part = call.real("part");
    const mode: EdgeMode = call.word("mode") === "circular" ? "circular" : "zeros";
    if (!requireRank(call, "ChannelShift", [3], "a map", "[h, w, c]")) return undefined;
    const shape = call.inputs[0].shape;
    const channels = channelsOf(shape);
    const share = multiply(part, fromInt(channels));
    const moved = share && compare(share, fromInt(0)) > 0 ? toNumber(floor(share)) : 0;
    if (moved < 1 || 4 * moved > channels) {
      call.fail("bad-part", { part: show(part), channels, moved }, "part");
      return undefined;
    }
    return { config: { moved, mode }, outputs: [shape] };
  },
  macs: () => 0,
  rules: affineRules("Rearrangement", ({ config, shapes }) => {
    const root = sqrtUp(sources(config, shapes[0]));
    const circular = config.mode === "circular";
    return {
      stated: { l2: 1, token: root, linf: 1 },
      ...(circular ? { spread: root } : {}),
      entries: circular ? "kept" : "kept or zero",
    };
  }),
  lower({ builder, config, inputs, shapes }) {
    const [x] = inputs;
    const channels = channelsOf(shapes[0]);
    const parts = groups.map(({ axis, by }, i) => {
      const group = builder.slice(x, 3, i * config.moved, (i + 1) * config.moved);
      // A map of one row or column: everything leaves.
      if (config.mode === "zeros" && shapes[0][axis] === 1) return builder.mul(group, 0);
      return shiftAxis(builder, group, axis + 1, by, config.mode);
    });
    if (4 * config.moved < channels) parts.push(builder.slice(x, 3, 4 * config.moved, channels));
    return [builder.concat(parts, 3)];
  },
});
