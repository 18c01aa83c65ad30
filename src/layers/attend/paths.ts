/**
 * How far a perturbation moves the attention output, in two paths (docs/gains.md, "Attention").
 *
 * Notation. Token i, head h; q_ih, k_jh, v_jh the heads' parts, so that ‖z_i‖² = Σ_h‖z_ih‖². P_i is a row of weights,
 * o_ih = Σ_j P_ij v_jh. Along the straight segment between two inputs of the (convex) domain q, k, v and their
 * normalised forms are Lipschitz in its parameter, so differentiable almost everywhere, with ‖δq‖_t ≤ Gq[p→t]·‖δs‖_p
 * and so on; o is smooth in them. A bound of ‖δo‖ by ‖δq‖, ‖δk‖, ‖δv‖ that holds at every point therefore integrates
 * to a gain against the source, with the gains of q, k and v in place of the perturbations. Ranges hold along the
 * whole segment.
 *
 *   δo_ih = Σ_j P_ij δv_jh + Σ_j δP_ij v_jh,    Σ_j δP_ij v_jh = Cov_{P_i}(δs_ih, v_h),
 *   value path  ‖Σ_j P_ij δv_jh‖ ≤ V_ih := (Σ_j P_ij‖δv_jh‖²)^½ (Jensen),
 *   score path  ‖Cov_P(δs, v)‖ ≤ S_ih·std_P(v),  S_ih := std_{P_i}(δs_ih) (Cauchy-Schwarz; std of a vector is
 *               the root of the mean squared distance from its mean, and at most that from any fixed point).
 *
 * `Moved` holds bounds of such a quantity A_ih per unit of ‖δs‖_p: of one head and query, of one token
 * max_i (Σ_h A_ih²)^½, and of all (Σ_i Σ_h A_ih²)^½.
 */
import { hypotUp, minBound, mulUp, sqrtUp } from "../../gain/up.ts";
import type { SoftmaxFacts } from "./softmax.ts";

export interface Moved {
  readonly head: number;
  readonly token: number;
  readonly l2: number;
}

/** Gains of one of q, k, v from the source's norm p: to l2, token, linf. */
export interface Reach {
  readonly l2: number;
  readonly token: number;
  readonly linf: number;
}

/** What the rules of a score need to know. */
export interface Setting {
  readonly heads: number;
  readonly softmax: SoftmaxFacts;
}

export const still: Moved = { head: 0, token: 0, l2: 0 };

/** Puts what follows from the others in: (Σ_i ·)^½ ≤ √N·max_i, one head ≤ one token ≤ √H·one head. */
export function complete(moved: Moved, { heads, softmax }: Setting): Moved {
  const head = minBound(moved.head, moved.token);
  const token = minBound(moved.token, mulUp(sqrtUp(heads), head));
  return { head, token, l2: minBound(moved.l2, mulUp(sqrtUp(softmax.queries), token)) };
}

/**
 * The value path V. Σ_j P_ij‖δv_jh‖² is at most max_j‖δv_jh‖² (a mean), and at most max P·Σ_j‖δv_jh‖². Over
 *   heads: token: H·max_j‖δv_j‖², or max P·‖δv‖²;  all: Σ_i P_ij ≤ c gives c·‖δv‖².
 */
export function valuePath(v: Reach, setting: Setting): Moved {
  const { softmax, heads } = setting;
  const few = mulUp(sqrtUp(softmax.largest), v.l2);
  return complete(
    {
      head: minBound(v.token, few),
      token: minBound(mulUp(sqrtUp(heads), v.token), few),
      l2: mulUp(sqrtUp(softmax.columnSum), v.l2),
    },
    setting,
  );
}

/**
 * How far keys move the scores of a row, before the factor of the score: Y_ih with, for each (i, h),
 * Y_ih² ≥ Var_{P_i}(y_·h), y_jh = ‖δk_jh‖ times numbers in [0, 1].
 *   Var ≤ max_j y²;  Var = yᵀJy ≤ λmax(J)·Σ_j y²;  Var ≤ Σ_j P_ij y_j², and Σ_i P_ij ≤ c.
 * `apart` is max_i (Σ_h Y_ih²)^½ where each head may have its own furthest key: √H·max_j‖δk_j‖.
 */
export function keyPath(k: Reach, setting: Setting): Moved {
  const { softmax, heads } = setting;
  const few = mulUp(sqrtUp(softmax.variance), k.l2);
  const apart = minBound(mulUp(sqrtUp(heads), k.token), few);
  const all = mulUp(sqrtUp(softmax.variances), k.l2);
  return complete({ head: minBound(k.token, few), token: apart, l2: all }, setting);
}

/** factor·√(a² + b²), path by path. */
export function hypotMoved(factor: number, a: Moved, b: Moved): Moved {
  const of = (x: number, y: number): number => mulUp(factor, hypotUp(x, y));
  return { head: of(a.head, b.head), token: of(a.token, b.token), l2: of(a.l2, b.l2) };
}

/** factor·(a + b), path by path: the triangle inequality over heads and queries. */
export function sumMoved(factor: number, a: Moved, b: Moved, add: (x: number, y: number) => number): Moved {
  const of = (x: number, y: number): number => mulUp(factor, add(x, y));
  return { head: of(a.head, b.head), token: of(a.token, b.token), l2: of(a.l2, b.l2) };
}

export function least(a: Moved, b: Moved): Moved {
  return { head: minBound(a.head, b.head), token: minBound(a.token, b.token), l2: minBound(a.l2, b.l2) };
}
