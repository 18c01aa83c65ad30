/**
 * SpaceToDepth: the size × size neighbours of a block joined into one token. `columns` takes them column by
 * column, (0,0), (1,0), (0,1), (1,1) as (row, column) offsets, as Swin's patch merging does; `rows` row by
 * row. Each neighbour gives all its channels in turn.
 *
 * Gain ("Rearrangement", proof in flatten.ts) with r = size²: l2, linf 1, token size.
 */
import { channelsOf } from "../gain/gain.ts";
import { affineRules } from "./affine.ts";
import { requireMultiple, requireRank } from "./check.ts";
import { permutation } from "./flatten.ts";
import { defineLayer, type Call, type ParamSignature } from "./layer.ts";

export type BlockConfig = { readonly size: number; readonly order: "rows" | "columns" };

export const blockParams: readonly ParamSignature[] = [
  { name: "size", type: "int", default: "2", doc: "side of a block" },
  {
    name: "order",
    type: "Word",
    words: ["rows", "columns"],
    default: "rows",
    doc: "order of the positions of a block in the channels",
  },
];

export function blockConfig(call: Call): BlockConfig {
  return { size: call.int("size"), order: call.word("order") === "columns" ? "columns" : "rows" };
}

export const spaceToDepth = defineLayer<BlockConfig>({
  name: "SpaceToDepth",
  summary: "Joins size x size neighbours into one token.",
  signature: { tensors: ["x"], params: blockParams, shape: "[h, w, c] -> [h / size, w / size, size^2 * c]" },
  infer(call) {
    const config = blockConfig(call);
    const { size } = config;
    if (!requireRank(call, "SpaceToDepth", [3], "a map", "[h, w, c]")) return undefined;
    const [h, w, c] = call.inputs[0].shape;
    if (!requireMultiple(call, "SpaceToDepth", h, size, "h / size")) return undefined;
    if (!requireMultiple(call, "SpaceToDepth", w, size, "w / size")) return undefined;
    return { config, outputs: [[h / size, w / size, size * size * c]] };
  },
  macs: () => 0,
  rules: affineRules("Rearrangement", ({ config }) => permutation(config.size * config.size)),
  lower({ builder, batch, config, inputs, shapes, outputs }) {
    const [h, w] = outputs[0];
    const k = config.size;
    const blocks = builder.reshape(inputs[0], [batch, h, k, w, k, channelsOf(shapes[0])]);
    const joined = builder.transpose(
      blocks,
      config.order === "rows" ? [0, 1, 3, 2, 4, 5] : [0, 1, 3, 4, 2, 5],
    );
    return [builder.reshape(joined, [batch, ...outputs[0]])];
  },
});
