/**
 * DepthToSpace: the inverse of SpaceToDepth: the channels of a token, cut into size² parts, become a size ×
 * size block.
 *
 * Gain ("Rearrangement", proof in flatten.ts) with r = 1: every output token takes its entries from one input
 * token. The parts of a constant token differ from each other, so R° does not pass, only the token radius.
 */
import { affineRules } from "./affine.ts";
import { requireMultiple, requireRank } from "./check.ts";
import { defineLayer } from "./layer.ts";
import { blockConfig, blockParams, type BlockConfig } from "./space-to-depth.ts";

export const depthToSpace = defineLayer<BlockConfig>({
  name: "DepthToSpace",
  summary: "Spreads the channels of each token over a size x size block.",
  signature: { tensors: ["x"], params: blockParams, shape: "[h, w, size^2 * c] -> [size * h, size * w, c]" },
  infer(call) {
    const config = blockConfig(call);
    const { size } = config;
    if (!requireRank(call, "DepthToSpace", [3], "a map", "[h, w, c]")) return undefined;
    const [h, w, c] = call.inputs[0].shape;
    if (!requireMultiple(call, "DepthToSpace", c, size * size, "c / size^2")) return undefined;
    return { config, outputs: [[h * size, w * size, c / (size * size)]] };
  },
  macs: () => 0,
  rules: affineRules("Rearrangement", () => ({ stated: { l2: 1, token: 1, linf: 1 }, entries: "kept" })),
  lower({ builder, batch, config, inputs, shapes, outputs }) {
    const [h, w] = shapes[0];
    const k = config.size;
    const parts = builder.reshape(inputs[0], [batch, h, w, k, k, outputs[0][2]]);
    const spread = builder.transpose(
      parts,
      config.order === "rows" ? [0, 1, 3, 2, 4, 5] : [0, 1, 4, 2, 3, 5],
    );
    return [builder.reshape(spread, [batch, ...outputs[0]])];
  },
});
