/**
 * Dot-product scores: s_ij = scale·q_ih·k_jh + offset, "attention, dot product on a range".
 *
 * Not Lipschitz on an unbounded domain (Kim, Papamakarios and Mnih 2021, arXiv 2006.04710). On a range, with R_q the
 * largest token norm of q (bias included) and R°_k the largest distance of a key token from one constant token t:
 *   δs_ij = scale·(δq_i·k_j + q_i·δk_j);
 *   query: a covariance ignores constants, so std_P(δq_ih·k_jh) = std_P(δq_ih·(k_jh − t_h)) ≤ ‖δq_ih‖·R°_k;
 *   key:   |q_ih·δk_jh| ≤ ‖q_ih‖·y_jh, so its std is at most ‖q_ih‖·Y_ih with Y as in keyPath.
 * S_ih ≤ |scale|(R°_k‖δq_ih‖ + ‖q_ih‖Y_ih). Over heads Σ_h‖q_ih‖²Y_ih² ≤ ‖q_i‖²·max_h Y_ih²: no factor √H. Hence
 *   one head, token: |scale|(R°_k·Gq[token] + R_q·Y.head);
 *   all:             |scale|(R°_k·Gq[l2] + min(R_q·Y.l2, R_q,l2·Y.head)).
 * Spread of a row: scale·q_i·(k_j − k_j'), at most 2|scale|R_q R°_k.
 * Rotary positions turn every key by its own angle: there is no constant token any more, R°_k := R_k.
 * Source: direct; gains of q and k against the source stand for ‖δq‖ and ‖δk‖.
 */
import { addUp, minBound, mulUp } from "../../gain/up.ts";
import { complete, keyPath, type Moved, type Reach, type Setting } from "./paths.ts";

/** Ranges that the rules of dot and distance scores read. */
export interface ScoreRanges {
  /** Largest token norm, and largest Frobenius norm, of the queries. */
  readonly query: number;
  readonly queryL2: number;
  /** Largest token norm of the keys, and their radius round one constant token. */
  readonly key: number;
  readonly keySpread: number;
}

/** S of "attention, dot product on a range". */
export function dotPath(scale: number, ranges: ScoreRanges, q: Reach, k: Reach, setting: Setting): Moved {
  const keys = keyPath(k, setting);
  const of = (query: number, key: number): number => mulUp(scale, addUp(mulUp(ranges.keySpread, query), key));
  const one = of(q.token, mulUp(ranges.query, keys.head));
  const all = of(q.l2, minBound(mulUp(ranges.query, keys.l2), mulUp(ranges.queryL2, keys.head)));
  return complete({ head: one, token: one, l2: all }, setting);
}

export function dotSpread(scale: number, ranges: ScoreRanges): number {
  return mulUp(2, mulUp(scale, mulUp(ranges.query, ranges.keySpread)));
}
