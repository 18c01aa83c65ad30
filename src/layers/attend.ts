/**
 * `Attend`: multi-head attention of three values, the weighted mean of the values by a softmax of scores.
 *
 * Per head h and region: s_ij = score(q_i, k_j) + bias_ij, P = row softmax of s over the keys that i sees,
 * o_i = Σ_j P_ij v_j; heads are joined on channels. The projections in and out are layers of their own
 * (std/attention). Gain rules: attend/gain-*.ts; lowering: attend/lower.ts.
 */
import { tokensOf } from "../gain/gain.ts";
import type { AttendConfig } from "./attend/config.ts";
import { attendGain, attendRange } from "./attend/gain.ts";
import { inferAttend } from "./attend/infer.ts";
import { lowerAttend } from "./attend/lower.ts";
import { partitionOf, sizeOf } from "./attend/regions.ts";
import { defineLayer } from "./layer.ts";

export const attend = defineLayer<AttendConfig>({
  name: "Attend",
  summary: "Multi-head attention of queries, keys and values: a softmax-weighted mean of the values.",
  signature: {
    tensors: ["q", "k", "v"],
    params: [
      { name: "heads", type: "int", doc: "number of heads; divides the channels of queries and values" },
      { name: "score", type: "Score", doc: "how queries and keys are compared" },
      {
        name: "values",
        type: "Values",
        default: "raw",
        doc: "raw values, or each head's value divided by its norm",
      },
      { name: "over", type: "Region", default: "global", doc: "which tokens attend to each other" },
      {
        name: "position",
        type: "Position",
        default: "none",
        doc: "none, a learned table of relative positions, or rotary",
      },
      { name: "causal", type: "bool", default: "false", doc: "a token sees itself and earlier ones only" },
      {
        name: "local",
        type: "Layer",
        optional: true,
        doc: "DepthwiseConv of the values inside each window, added (LePE)",
      },
    ],
    shape: "[..., c], [..., c], [..., e] -> [..., e]",
  },
  infer: inferAttend,
  /** q·k and P·v for every query and every key of its region (masked ones as well), and the taps of `local`. */
  macs({ config, shapes: [q, k, v], outputs }) {
    const queries = tokensOf(q);
    const keys = config.over.kind === "global" ? tokensOf(k) : sizeOf(partitionOf(config.over, k));
    const [channels, width] = [q[q.length - 1], v[v.length - 1]];
    const taps = config.local ? tokensOf(outputs[0]) * width * config.local.kernel ** 2 : 0;
    return queries * keys * (channels + width) + taps;
  },
  rules: { gain: attendGain, range: attendRange },
  refuses: ({ score }) =>
    score.kind === "distance" && !score.scale
      ? "a score scaled by the whole input has no lowering yet"
      : undefined,
  lower: lowerAttend,
});
