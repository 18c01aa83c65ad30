/**
 * Token: one token of a sequence, counted from 0.
 *
 * Gain ("Restriction", proof in shift.ts): 1 in l2, token and linf; also 1 from token to l2, because there is
 * one token.
 */
import { affineRules } from "./affine.ts";
import { requireRank, showShape } from "./check.ts";
import { defineLayer } from "./layer.ts";

type TokenConfig = { readonly index: number };

export const token = defineLayer<TokenConfig>({
  name: "Token",
  summary: "One token of a sequence.",
  signature: {
    tensors: ["x"],
    params: [{ name: "index", type: "int", doc: "which token, from 0" }],
    shape: "[n, c] -> [c]",
  },
  infer(call) {
    const index = call.int("index", 0);
    if (!requireRank(call, "Token", [2], "a sequence", "[n, c]")) return undefined;
    const shape = call.inputs[0].shape;
    if (index >= shape[0]) {
      call.fail("token-out-of-range", { index, count: shape[0], found: showShape(shape) }, "index");
      return undefined;
    }
    return { config: { index }, outputs: [[shape[1]]] };
  },
  macs: () => 0,
  rules: affineRules("Restriction", () => ({
    stated: { l2: 1, token: 1, linf: 1, "token->l2": 1 },
    spread: 1,
    entries: "kept",
  })),
  lower({ builder, batch, config, inputs, outputs }) {
    return [
      builder.reshape(builder.slice(inputs[0], 1, config.index, config.index + 1), [batch, ...outputs[0]]),
    ];
  },
});
