/**
 * Cosine scores: s_ij = τ·q̂_ih·k̂_jh + offset, ẑ = n(z).
 *
 * **guard: root**, n(z) = z/√(‖z‖² + ε), "attention, cosine" (coupled).
 * Dn = (I − n nᵀ)/√(‖z‖² + ε) and 1 − ‖n‖² = ε/(‖z‖² + ε), so ‖δn‖ ≤ √((1 − ‖n‖²)/ε)·‖δz‖.
 * With a = ‖q̂_i‖, b_j = ‖k̂_j‖, a' = √(1 − a²), b'_j = √(1 − b_j²), x = ‖δq_ih‖, y_j = ‖δk_jh‖:
 *   |δs_ij| ≤ (τ/√ε)(a'b_j·x + a b'_j·y_j).
 *   (i)  a'b + ab' ≤ 1 (the sine of a sum of angles), so |δs_ij| ≤ (τ/√ε)·max(x, max_j y_j), and S_ih too, because
 *        std ≤ max: one head t·max(Gq, Gk), token √H times that, with t = |τ|/√ε and token gains.
 *   (ii) std is a seminorm: S ≤ (τ/√ε)(a'x + a·Y), Y² ≥ Var_P(b'_j y_j) as in keyPath (E_P b_j² ≤ 1, b'_j ≤ 1), and
 *        a'x + aY ≤ √(x² + Y²). Summed over heads and queries: t·√(x² + Y²) in each of the three paths.
 * Biases of q and k, position tables and masks are constants of s and change nothing. x and y_j enter through ‖δq‖
 * and ‖δk‖ in the norms token and l2 only, for which the gains Gq and Gk against the source stand.
 * Source: direct; the layer is the scaled cosine similarity attention of Qi et al. (2023, arXiv 2304.09856).
 *
 * **guard: max**, n(z) = z/max(‖z‖, ε), "attention, cosine with guard max": εn is the projection to a ball, so n is
 * 1/ε-Lipschitz, and ‖n‖ ≤ 1. Nothing is coupled: S ≤ (τ/ε)(x + Y), by Minkowski over heads and queries.
 *
 * Spread of a row: |q̂·k̂| ≤ 1, so at most 2|τ|. Rotary positions turn q and k before n: ‖q̂‖ ≤ 1 as before, and x, y
 * grow by at most the stored rotation's gain.
 */
import { addUp, divUp, maxUp, mulUp, sqrtDown, sqrtUp } from "../../gain/up.ts";
import type { Reason } from "../../gain/gain.ts";
import {
  complete,
  hypotMoved,
  keyPath,
  least,
  sumMoved,
  type Moved,
  type Reach,
  type Setting,
} from "./paths.ts";

/** Gain of the guard: 1/√ε or 1/ε. */
export function guardGain(guard: "root" | "max", eps: number): number {
  return guard === "root" ? divUp(1, sqrtDown(eps)) : divUp(1, eps);
}

/** ‖δq‖ as a path: one query belongs to one token, and its heads share its norm. */
export function queryPath(q: Reach): Moved {
  return { head: q.token, token: q.token, l2: q.l2 };
}

/** S of "attention, cosine". */
export function cosinePath(tau: number, eps: number, q: Reach, k: Reach, setting: Setting): Moved {
  const t = mulUp(tau, guardGain("root", eps));
  const joint = hypotMoved(t, queryPath(q), keyPath(k, setting));
  const worst = mulUp(t, maxUp(q.token, k.token));
  const separate = { head: worst, token: mulUp(sqrtUp(setting.heads), worst), l2: Infinity };
  return complete(least(joint, separate), setting);
}

/** S of "attention, cosine with guard max": the sum of both paths, each at full slope. */
export function guardedCosinePath(tau: number, slope: number, q: Reach, k: Reach, setting: Setting): Moved {
  return complete(sumMoved(mulUp(tau, slope), queryPath(q), keyPath(k, setting), addUp), setting);
}

/** A guard that lets a tiny query or key be magnified this much is worth a word. */
const steep = 1000;

/** Why a cosine score moves fast, where it does: eps as the spec would write it. */
export function steepGuard(guard: "root" | "max", eps: number, path: string): Reason | null {
  const slope = guardGain(guard, eps);
  if (!(slope >= steep)) return null;
  const divisor = guard === "max" ? `max(‖·‖, ${short(eps)})` : `√(‖·‖² + ${short(eps)})`;
  const text =
    `queries and keys are divided by ${divisor}: ` +
    `a change of a small one is magnified ${short(slope)} times, so the attention weights all but jump`;
  return { text, path, because: [], fix: "score: cosine(eps: 1e-2, guard: root)" };
}

function short(x: number): string {
  const rounded = Number(x.toPrecision(3));
  return rounded >= 1e5 ? rounded.toExponential().replace("+", "") : String(rounded);
}
