/**
 * Distance scores: s_ij = −β‖q_ih − k_jh‖², β ≥ 0.
 *
 * **"attention, distance, tied"**: q = k = v is one value (Attend(p, p, p, …)), there is no position table, and a
 * query sees the key at its own place. No range, no β, no ε enters.
 *
 * Per head let z_j = k_j − k_i, η_j = δk_j − δk_i, t_j = β‖z_j‖²; n the number of other keys that i sees; w ≥ 0 with
 * w·e^(w+1) ≥ n; κ = max t/(e^t + 1) = W₀(1/e) < 0.278465. Then δs_ij = −2βz_j·η_j, and
 * δo_i = Σ_j P_ij δk_j + Cov_P(δs, z), because a covariance ignores the constant k_i.
 *   (1) E_P t ≤ w. As t_i = 0 has weight 1, this says Σ_{j≠i}(t_j − w)e^(−t_j) ≤ w. Each term is at most e^(−(w+1)),
 *       and n·e^(−(w+1)) ≤ w.
 *   (2) The part of δk_i: 2β‖Cov_P(z)·δk_i‖ ≤ 2βE_P‖z‖²·‖δk_i‖ ≤ 2w‖δk_i‖.
 *   (3) The part of the δk_j: at most 2β·√λmax(Cov z)·(Σ_j P_ij(z_j·δk_j)²)^½ ≤ 2√w·(Σ_j P_ij t_ij‖δk_j‖²)^½.
 *       By (1) that is at most 2w·max‖δk_j‖. From l2: P_ij t_ij ≤ t/(e^t + 1) ≤ κ, as self has weight 1, so it is
 *       at most 2√(wκ)·(Σ_{j≠i}‖δk_j‖²)^½. (2) and (3) from one budget Σ_j‖δk_j‖²: 2√(w² + wκ).
 *   (4) Column sums of P, unmasked: c ≤ √N. e^(−β‖·‖²) is a positive definite kernel with unit features φ; let
 *       K_ij be its entries, D_i = Σ_l K_il ≥ 1, g_i = K_ij. For u = Σ_i(g_i/D_i)φ_i, by 2ab ≤ a² + b²,
 *       ‖u‖² = Σ_ii' (g_i/D_i)(g_i'/D_i')K_ii' ≤ Σ_i(g_i/D_i)²D_i =: Q, and Q = ⟨φ_j, u⟩ ≤ ‖u‖ ≤ √Q. So
 *       Q = Σ_i g_i²/D_i ≤ 1, and Σ_i g_i/D_i ≤ √(N·Q) ≤ √N (D_i ≥ 1).
 *   (5) Column sums of P_ij t_ij: c_t ≤ κn. Unmasked and n ≥ 8 also c_t ≤ ½√n·ln n: with g = e^(−t), t·g = g·ln(1/g)
 *       lies under its tangent at g₀ = 1/√n, g₀ + (ℓ − 1)g with ℓ = ½ln n ≥ 1, and g ≤ ½√n·g² + ½g₀. Summed over
 *       i ≠ j, with Q ≤ 1 and D ≥ 1, that is at most √n·ℓ.
 * One head: (1 + 4w)·Gk[token], or (1 + 2√(w² + κw))·Gk[l2], which holds for a token, too (heads add in squares).
 * token: the part of δk_i costs no √H, its heads share ‖δk_i‖: (2w + √H(1 + 2w))·Gk[token].
 * l2 → l2: (√c + 2w + 2√(w·c_t))·Gk[l2], no head factor.
 * Source: Kim, Papamakarios and Mnih (2021, arXiv 2006.04710) for the layer; proof: direct. Kim's values are a linear
 * map of the keys, head by head; here they are the keys. With values of their own nothing bounds the product of a
 * change of scores with values that the keys don't see.
 *
 * **"attention, distance, tied keys"**: q = k, any v. Only std_P(δs) is needed:
 *   the part of δk_i:     2β·std_P(z_j·δk_i) ≤ 2√(βw)·‖δk_i‖;
 *   the part of the δk_j: 2√β·(Σ_j P_ij t_ij‖δk_j‖²)^½ ≤ 2√(βw)·max‖δk_j‖, or 2√(βκ)·(Σ_{j≠i}‖δk_j‖²)^½.
 * One head 4√(βw)·Gk[token]; from l2, one budget, also for a token: 2√(β(w + κ))·Gk[l2]; token
 * (1 + √H)·2√(βw)·Gk[token]; all 2√β(√w + √c_t)·Gk[l2].
 *
 * **"attention, distance on a range"**: q and k differ. δs_ij = −2β(q_i − k_j)·(δq_i − δk_j). As in score-dot.ts:
 *   query: 2β·std_P(k_j·δq_i) ≤ 2βR°_k·‖δq_ih‖, because q_i·δq_i is the same for all j;
 *   key:   |2β(q_i − k_j)·δk_j| ≤ 2β(R_q + R_k)·y_j.
 * One head 2β(R°_k·Gq[token] + (R_q + R_k)·Y.head), token √H times that,
 * all 2β(R°_k·Gq[l2] + (R_q + R_k)·Y.l2).
 *
 * Spread of a row: tied at most β(2R°_k)², else at most β(R_q + R_k)².
 */
import { addUp, expDown, logUp, minBound, mulUp, nextUp, sqrtUp } from "../../gain/up.ts";
import { complete, keyPath, type Moved, type Reach, type Setting } from "./paths.ts";
import type { ScoreRanges } from "./score-dot.ts";

/** ≥ W₀(1/e) = 0.2784645427610737951… = max of t/(e^t + 1). */
export const kappa = 0.2784645427610739;

/** The least w found with w·e^(w+1) ≥ n, proven by evaluating the product rounded down. */
export function meanSquare(n: number): number {
  if (n === 0) return 0;
  // Newton on w + 1 + ln w = ln n, then steps up until the proof goes through.
  // Newton's steps find it; `proves` decides. trust: T3
  let w = Math.max(0.1, Math.log(n + 1) - Math.log(Math.log(n + 2)) - 0.5);
  for (let i = 0; i < 50; i++) w = Math.max(w / 4, w - ((w + 1 + Math.log(w) - Math.log(n)) * w) / (w + 1));
  const proves = (x: number): boolean =>
    x * (1 - 2 ** -50) * expDown((x + 1) * (1 - 2 ** -50)) * (1 - 2 ** -50) >= n;
  for (let i = 0; i < 100 && !proves(w); i++) w = nextUp(w * (1 + 2 ** -48));
  return proves(w) ? w : Infinity;
}

/** Column sums of P_ij t_ij, and of P, over classes of `keys` tokens. */
export interface TiedFacts {
  readonly w: number;
  readonly columnSum: number;
  readonly columnSumT: number;
}

export function tiedFacts(setting: Setting, masked: boolean): TiedFacts {
  const { keys, columnSum } = setting.softmax;
  const n = keys - 1;
  const flat = mulUp(kappa, n);
  const tangent = n >= 8 ? mulUp(0.5, mulUp(sqrtUp(n), logUp(n))) : Infinity;
  return {
    w: meanSquare(n),
    columnSum: masked ? columnSum : minBound(columnSum, sqrtUp(keys)),
    columnSumT: masked ? flat : minBound(flat, tangent),
  };
}

/** The whole output of "attention, distance, tied". */
export function tiedOutput(tied: TiedFacts, k: Reach, setting: Setting): Moved {
  const { w, columnSum, columnSumT } = tied;
  const fromAll = mulUp(addUp(1, mulUp(2, sqrtUp(addUp(mulUp(w, w), mulUp(kappa, w))))), k.l2);
  const others = mulUp(sqrtUp(setting.heads), addUp(1, mulUp(2, w)));
  const all = addUp(addUp(sqrtUp(columnSum), mulUp(2, w)), mulUp(2, sqrtUp(mulUp(w, columnSumT))));
  return complete(
    {
      head: minBound(mulUp(addUp(1, mulUp(4, w)), k.token), fromAll),
      token: minBound(mulUp(addUp(mulUp(2, w), others), k.token), fromAll),
      l2: mulUp(all, k.l2),
    },
    setting,
  );
}

/** S of "attention, distance, tied keys". */
export function tiedPath(beta: number, tied: TiedFacts, k: Reach, setting: Setting): Moved {
  const { w, columnSumT } = tied;
  const root = mulUp(2, sqrtUp(mulUp(beta, w)));
  const fromAll = mulUp(mulUp(2, sqrtUp(mulUp(beta, addUp(w, kappa)))), k.l2);
  return complete(
    {
      head: minBound(mulUp(mulUp(2, root), k.token), fromAll),
      token: minBound(mulUp(mulUp(root, addUp(1, sqrtUp(setting.heads))), k.token), fromAll),
      l2: mulUp(mulUp(2, mulUp(sqrtUp(beta), addUp(sqrtUp(w), sqrtUp(columnSumT)))), k.l2),
    },
    setting,
  );
}

/** S of "attention, distance on a range". */
export function distancePath(beta: number, ranges: ScoreRanges, q: Reach, k: Reach, setting: Setting): Moved {
  const keys = keyPath(k, setting);
  const apart = addUp(ranges.query, ranges.key);
  const of = (query: number, key: number): number =>
    mulUp(mulUp(2, beta), addUp(mulUp(ranges.keySpread, query), key));
  const one = of(q.token, mulUp(apart, keys.head));
  return complete({ head: one, token: Infinity, l2: of(q.l2, mulUp(apart, keys.l2)) }, setting);
}

export function distanceSpread(beta: number, ranges: ScoreRanges, tied: boolean): number {
  const far = tied ? mulUp(2, ranges.keySpread) : addUp(ranges.query, ranges.key);
  return mulUp(beta, mulUp(far, far));
}
