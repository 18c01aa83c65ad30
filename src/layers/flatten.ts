/**
 * Flatten: all entries as one token (`all`: [h·w·c], in the order row, column, channel), or the map as a
 * sequence (`tokens`: [h·w, c], row by row).
 *
 * Gain ("Rearrangement"). l2, linf: 1, token: √r, r the largest number of different input tokens that one
 * output token takes entries from: r = 1 for `tokens`, r = number of tokens for `all`.
 * Proof. The entries are permuted, so the root of the sum of squares and the largest entry are the same. An
 * output token holds distinct entries of at most r input tokens: its square is at most Σ_{r tokens} ‖x_u‖² ≤
 * r·max‖x_u‖². Attained when all r tokens are equally large. The same bound holds for distances from a
 * constant: R° ≤ √r·R°.
 */
import { channelsOf, tokensOf } from "../gain/gain.ts";
import { sqrtUp } from "../gain/up.ts";
import { affineRules, type Affine } from "./affine.ts";
import { requireRank } from "./check.ts";
import { defineLayer } from "./layer.ts";

/** A permutation of entries whose output tokens take entries from at most r input tokens. */
export function permutation(r: number): Affine {
  const root = sqrtUp(r);
  return { stated: { l2: 1, token: root, linf: 1 }, spread: root, entries: "kept" };
}

type FlattenConfig = { readonly what: "all" | "tokens" };

export const flatten = defineLayer<FlattenConfig>({
  name: "Flatten",
  summary: "All entries as one token, or a map as a sequence of tokens.",
  signature: {
    tensors: ["x"],
    params: [
      {
        name: "what",
        type: "Word",
        words: ["all", "tokens"],
        default: "all",
        doc: "all: one token; tokens: a sequence",
      },
    ],
    shape: "[h, w, c] -> [h * w * c] or [h * w, c]",
  },
  infer(call) {
    const what = call.word("what") === "tokens" ? "tokens" : "all";
    const shape = call.inputs[0].shape;
    if (what === "all") return { config: { what }, outputs: [[tokensOf(shape) * channelsOf(shape)]] };
    if (!requireRank(call, "Flatten", [2, 3], "a map", "[h, w, c]")) return undefined;
    return { config: { what }, outputs: [[tokensOf(shape), channelsOf(shape)]] };
  },
  macs: () => 0,
  rules: affineRules("Rearrangement", ({ config, shapes }) =>
    permutation(config.what === "all" ? tokensOf(shapes[0]) : 1),
  ),
  lower: ({ builder, batch, inputs, outputs }) => [builder.reshape(inputs[0], [batch, ...outputs[0]])],
});
