/**
 * Certified radii (docs/gains.md, "Margins"): how far an input may be moved, within the declared domain (trust: T13), before the
 * largest logit can be another one. Pure arithmetic, rounded down; whatever isn't known makes the radius 0.
 */
import type { PairGains } from "../../gain/pairs.ts";
import { nextDown } from "../../gain/up.ts";

export interface Certified {
  /** The class with the largest logit, the first of equal ones; null where a logit is no finite number. */
  readonly predicted: number | null;
  /**
   * The real-arithmetic function gives `predicted` the strictly largest logit at every point of the domain that is less
   * than this far away: an open ball. 0: nothing is certified. ∞: no point of the domain changes the prediction.
   */
  readonly radius: number;
  /** The class that limits the radius; null where none does. */
  readonly nearest: number | null;
}

/**
 * min over j ≠ y of (f_y − f_j − 2e)/L_yj for one sample's logits f (as computed), with `error` e ≥ |computed − exact|
 * of every logit at this sample, or half of that of any difference of two.
 *
 * Proof. |(f_y − f_j)(x′) − (f_y − f_j)(x)| ≤ L_yj·‖x′ − x‖, and the exact f_y − f_j at x is at least the computed one
 * less 2e. So below the radius f_y − f_j stays above 0 for every j. Equal logits give 0; a NaN (of a logit, of e, of L)
 * passes no comparison and gives 0.
 */
export function certify(logits: ArrayLike<number>, gains: PairGains, error: number): Certified {
  const predicted = predictionOf(logits);
  if (predicted === null) return { predicted, radius: 0, nearest: null };
  let radius = Infinity;
  let nearest: number | null = null;
  for (let j = 0; j < logits.length; j++) {
    if (j === predicted) continue;
    const own = radiusAgainst(logits[predicted], logits[j], gains.between(predicted, j), error);
    if (own < radius) [radius, nearest] = [own, j];
  }
  return { predicted, radius, nearest };
}

/** Against one other class: 0 where the margin isn't surely positive, ∞ where nothing can move it. */
function radiusAgainst(own: number, other: number, gain: number, error: number): number {
  const margin = marginOf(own, other, error);
  if (!(margin > 0)) return 0;
  if (gain === 0) return Infinity;
  if (!(gain > 0) || gain === Infinity) return 0;
  return Math.max(0, nextDown(margin / gain));
}

/** ≤ own − other − 2e. Each operation rounds by at most half an ulp, so one step down covers it. */
function marginOf(own: number, other: number, error: number): number {
  if (!(error >= 0)) return NaN;
  return nextDown(nextDown(own - other) - 2 * error);
}

/** The first of the largest logits; null where one of them is not finite, or there is none. */
export function predictionOf(logits: ArrayLike<number>): number | null {
  if (logits.length === 0) return null;
  let best = 0;
  for (let k = 0; k < logits.length; k++) {
    if (!Number.isFinite(logits[k])) return null;
    if (logits[k] > logits[best]) best = k;
  }
  return best;
}

/** Every point at a distance up to ε is certified, ε included: `epsilon` is then rounded up. */
export function holdsAt({ radius }: Pick<Certified, "radius">, epsilon: number): boolean {
  return epsilon < radius;
}
