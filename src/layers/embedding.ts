/**
 * Embedding: row i of a table (count, width) for each token id i.
 *
 * Gain ("Embedding"). None from the ids: there is no distance between them. Claims start from the embedded
 * value.
 * Range: every output token is a row of the table: R_token ≤ largest row norm, R_linf ≤ largest absolute
 * entry.
 */
import { tokensOf, unproven } from "../gain/gain.ts";
import { closeRange } from "../gain/range.ts";
import { mulUp, sqrtUp } from "../gain/up.ts";
import { showShape } from "./check.ts";
import { defineLayer } from "./layer.ts";

type EmbeddingConfig = { readonly width: number; readonly count: number };

export const embedding = defineLayer<EmbeddingConfig>({
  name: "Embedding",
  summary: "A row of a table for each token id.",
  signature: {
    tensors: ["ids"],
    ids: true,
    params: [
      { name: "width", type: "int", doc: "channels of the result" },
      { name: "init", type: "Init", optional: true, doc: "initialiser; else as the weights policy says" },
      {
        name: "constraint",
        type: "Constraint",
        optional: true,
        doc: "constraint; else as the weights policy says",
      },
    ],
    shape: "[n] in tokens -> [n, width]",
  },
  infer(call) {
    const width = call.int("width");
    const [{ shape, tokens: count }] = call.inputs;
    if (count === undefined || shape.length !== 1) {
      call.fail("not-token-ids", { found: `${showShape(shape)}${count === undefined ? "" : " in tokens"}` });
      return undefined;
    }
    const weight = call.weight("weight", { shape: [count, width], role: "table" });
    return { config: { width, count }, outputs: [[shape[0], width]], weights: { weight } };
  },
  macs: () => 0,
  rules: {
    gain({ node }, inputs) {
      const text = "token ids are looked up in a table: there is no distance between them";
      const reason = { text, path: node.path, because: [], fix: "claim from the embedded value instead" };
      return [{ gain: unproven(reason, ...inputs), rule: "Embedding" }];
    },
    range(context) {
      const { rowNorm, maxAbs, low, high, why } = context.weight("weight");
      const [shape] = context.outputs;
      const l2 = mulUp(sqrtUp(tokensOf(shape)), rowNorm);
      return [closeRange({ l2, token: rowNorm, linf: maxAbs, low, high }, shape, why)];
    },
  },
  lower({ builder, inputs, weight }) {
    return [builder.gather(weight("weight"), builder.cast(inputs[0], "i32"), 0)];
  },
});
