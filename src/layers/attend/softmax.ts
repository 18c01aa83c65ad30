/**
 * What is proven of the attention weights P (rows: softmax over the keys that a query sees), from how many keys each
 * query sees and from how far apart the scores of one row can be (docs/gains.md, "Attention weights").
 *
 * Let Δ ≥ max − min of a row's scores, position offsets included, and n_i ≥ 1 the number of keys that query i sees.
 * With m the row's largest score and the other n_i − 1 at least m − Δ: P_ij ≤ e^m/(e^m + (n_i − 1)e^(m−Δ)), so
 *   every entry  P_ij ≤ 1/(1 + (n_i − 1)e^(−Δ)),
 *   column sum   Σ_i P_ij ≤ c := max_j Σ_{i sees j} 1/(1 + (n_i − 1)e^(−Δ)).
 * The tokens of one region split into classes that see only each other: one class or, in shifted windows, up to four.
 *   all see all: c = N_q/(1 + (n − 1)e^(−Δ)), which grows with the class, so the largest class counts;
 *   causal:      n_i = i, and the first key is seen by all: c = Σ_{r<n} 1/(1 + r·e^(−Δ)).
 * Without a bound of the scores Δ = ∞: P_ij ≤ 1, c ≤ N_q. A mask takes keys out; it is no score of −100.
 * Source: direct.
 */
import { addUp, divUp, expDown, minBound, mulUp, nextDown } from "../../gain/up.ts";
import { partitionOf, shiftLabels, sizeOf, type RegionConfig } from "./regions.ts";
import { tokensOf } from "../../gain/gain.ts";
import type { Shape } from "../../model/model.ts";

/** Queries and keys of one class of tokens that see each other. */
interface Class {
  readonly queries: number;
  readonly keys: number;
}

export interface Visible {
  readonly classes: readonly Class[];
  readonly causal: boolean;
  /** Queries of the whole value. */
  readonly queries: number;
  /** Keys are taken out by a causal order or a shift. */
  readonly masked: boolean;
}

export function visibleTokens(over: RegionConfig, causal: boolean, q: Shape, k: Shape): Visible {
  const partition = partitionOf(over, q);
  const queries = tokensOf(q);
  if (over.kind === "global")
    return { classes: [{ queries, keys: tokensOf(k) }], causal, queries, masked: causal };
  const labels = shiftLabels(partition);
  if (!labels)
    return {
      classes: [{ queries: sizeOf(partition), keys: sizeOf(partition) }],
      causal,
      queries,
      masked: causal,
    };
  const sizes = new Set<number>();
  for (const group of labels) {
    const counts = [0, 0, 0, 0];
    for (const label of group) counts[label]++;
    for (const count of counts) if (count > 0) sizes.add(count);
  }
  return { classes: [...sizes].map((n) => ({ queries: n, keys: n })), causal, queries, masked: true };
}

export interface SoftmaxFacts {
  /** ≥ every column sum of P. */
  readonly columnSum: number;
  /** ≥ every entry of P. */
  readonly largest: number;
  /**
   * ≥ λmax(J) for every row, J = diag p − p pᵀ: p has at most ½ (Nair 2025, arXiv 2510.23012), and J ≤ diag
   * p. Var_P(a) = aᵀJa.
   */
  readonly variance: number;
  /** ≥ Σ_i Var_{P_i}(a)/‖a‖² for one a, summed over the queries that see it: min(column sum, N_q·variance). */
  readonly variances: number;
  /** Every query sees one key only: P is constant. */
  readonly fixed: boolean;
  readonly queries: number;
  /** Most keys that a query sees. */
  readonly keys: number;
}

/** Facts of P when the scores of a row are at most `spread` apart. */
export function softmaxFacts(visible: Visible, spread: number): SoftmaxFacts {
  const decay = Number.isFinite(spread) ? expDown(-spread) : 0;
  // ≥ 1/(1 + (keys − 1)·e^(−spread)): the denominator rounds down.
  const entry = (keys: number): number => {
    const others = keys === 1 ? 0 : Math.max(0, nextDown((keys - 1) * decay));
    return divUp(1, -addUp(-1, -others));
  };
  let columnSum = 0;
  let largest = 0;
  let variances = 0;
  let keys = 0;
  for (const { queries, keys: n } of visible.classes) {
    let sum = mulUp(queries, entry(n));
    let most = entry(n);
    if (visible.causal) {
      sum = 0;
      for (let seen = 1; seen <= n; seen++) sum = addUp(sum, entry(seen));
      most = 1;
    }
    sum = minBound(sum, queries);
    columnSum = Math.max(columnSum, sum);
    largest = Math.max(largest, most);
    variances = Math.max(variances, minBound(sum, mulUp(queries, Math.min(0.5, most))));
    keys = Math.max(keys, n);
  }
  const fixed = keys === 1;
  return {
    columnSum,
    largest,
    variance: Math.min(0.5, largest),
    variances,
    fixed,
    queries: visible.queries,
    keys,
  };
}
