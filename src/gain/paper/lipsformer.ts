/**
 * The bound of the LipsFormer paper for its own attention, beside ours: for `check --explain-bound` only, no
 * claim rests on it.
 *
 * Qi, Wang, Chen, Shi, Zhang (ICLR 2023, arXiv 2304.09856), the theorem on scaled cosine similarity
 * attention, one head of N tokens, rows of q, k and v divided by √(‖·‖² + ε), logits τ·q̂·k̂, output ν·P·v̂:
 *   2N(N−1)·ντ·ε^(−½)·‖W_K‖ + 2(N−1)·ντ·ε^(−½)·‖W_Q‖ + 2N·ν·ε^(−½)·‖W_V‖   (l2 → l2).
 *
 * Ours for the same layer is ν·ε^(−½)·√(τ²‖W_Q‖² + min(c, N/2)·τ²‖W_K‖² + c·‖W_V‖²) (layers/attend/gain.ts),
 * c ≤ N. It is never larger for N ≥ 2, because √(a² + b² + d²) ≤ a + b + d and, term by term, 1 ≤ 2(N−1),
 * √(N/2) ≤ 2N(N−1), √N ≤ 2N. For N = 1 both score terms are 0 and 1 ≤ 2. The comparison is of the l2 norm and
 * one head; in the token norm √H would make it false.
 */
import { visibleTokens, softmaxFacts } from "../../layers/attend/softmax.ts";
import type { AttendConfig } from "../../layers/attend/config.ts";
import { hypotMoved, still, valuePath } from "../../layers/attend/paths.ts";
import { cosinePath, guardGain } from "../../layers/attend/score-cosine.ts";
import type { Coefficient, Model, Node, Phase } from "../../model/model.ts";
import { addUp, mulUp, subUp } from "../up.ts";
import { constantFacts, weightFacts } from "../weights.ts";
import type { WeightFacts } from "../facts.ts";

/** One attention layer with its projections, one head. */
export interface CosineAttention {
  /** Tokens that attend to each other. */
  readonly tokens: number;
  readonly tau: number;
  readonly nu: number;
  /** ε of queries and keys, and of values. The paper has one for all. */
  readonly eps: number;
  readonly valueEps: number;
  /** Spectral norms of the projections. */
  readonly query: number;
  readonly key: number;
  readonly value: number;
  /** Range of constants added to the logits; the paper has none. */
  readonly offsets: number;
}

/** The paper's constant, l2 → l2. Printed only, so plain arithmetic. */
export function paperConstant(layer: CosineAttention): number {
  const { tokens: n, tau, nu, eps, valueEps, query, key, value } = layer;
  const score = (Math.abs(nu) * Math.abs(tau)) / Math.sqrt(eps);
  return (
    2 * n * (n - 1) * score * key +
    2 * (n - 1) * score * query +
    ((2 * n * Math.abs(nu)) / Math.sqrt(valueEps)) * value
  );
}

/** Our constant for the same layer, l2 → l2, by the rules of Attend. */
export function ourConstant(layer: CosineAttention): number {
  const { tokens, tau, nu, eps, valueEps, query, key, value, offsets } = layer;
  const shape = [tokens, 1];
  const spread = addUp(mulUp(2, Math.abs(tau)), offsets);
  const softmax = softmaxFacts(visibleTokens({ kind: "global" }, false, shape, shape), spread);
  const setting = { heads: 1, softmax };
  // Perturbations of the input have l2 norm 1; a token's is no larger.
  const reach = (sigma: number): { l2: number; token: number; linf: number } => ({
    l2: sigma,
    token: sigma,
    linf: sigma,
  });
  const score = softmax.fixed ? still : cosinePath(Math.abs(tau), eps, reach(query), reach(key), setting);
  const slope = guardGain("root", valueEps);
  const values = valuePath(reach(value), setting);
  const scaled = {
    head: mulUp(slope, values.head),
    token: mulUp(slope, values.token),
    l2: mulUp(slope, values.l2),
  };
  return hypotMoved(Math.abs(nu), score, scaled).l2;
}

export interface PaperComparison {
  readonly node: Node;
  /** The layer with projections of norm 1. */
  readonly layer: CosineAttention;
  readonly tokens: number;
  readonly heads: number;
  /** Both for projections of spectral norm 1 and one head, l2 → l2. */
  readonly paper: number;
  readonly ours: number;
}

/** All attention layers of a model that the paper's theorem is about: cosine scores and unit values, guarded under the root. */
export function comparisonsWithPaper(model: Model, phase: Phase): readonly PaperComparison[] {
  const factsOf = (c: Coefficient): WeightFacts =>
    c.kind === "constant" ? constantFacts([c.value]) : weightFacts(model.weights[c.weight], phase);
  return model.nodes.flatMap((node) => {
    if (node.layer !== "Attend") return [];
    // The layer's own shape rule made it.
    const { score, values, over, position, heads, causal } = node.config as unknown as AttendConfig;
    if (causal || score.kind !== "cosine" || score.guard !== "root" || values.kind !== "unit") return [];
    const [q, k] = node.inputs.map((value) => model.values[value].shape);
    const tokens = Math.max(...visibleTokens(over, false, q, k).classes.map((one) => one.keys));
    const table = position === "relative" ? weightFacts(model.weights[node.weights.position], phase) : null;
    const layer = {
      tokens,
      tau: factsOf(score.tau).maxAbs,
      nu: factsOf(values.nu).maxAbs,
      eps: score.eps,
      valueEps: values.eps,
      query: 1,
      key: 1,
      value: 1,
      offsets: table ? Math.max(0, subUp(table.high, table.low)) : 0,
    };
    return [{ node, layer, tokens, heads, paper: paperConstant(layer), ours: ourConstant(layer) }];
  });
}
