/** Sums of stored numbers in float64, with every rounding error counted: all results are upper bounds. */
import { addUp, divUp, mulUp, sqrtUp, subDown } from "../gain/up.ts";

/** Unit roundoff of float64. */
export const roundoff = 2 ** -53;
/** The largest error of one operation that underflows. */
export const underflow = 2 ** -1074;

/** γ_k = ku/(1 − ku), rounded up: the relative error of k operations in a row (Higham 2002, lemma 3.1). */
export function gamma(k: number): number {
  const ku = mulUp(k, roundoff);
  return ku < 0.5 ? divUp(ku, subDown(1, ku)) : Infinity;
}

/** ≥ Σ of `count` numbers ≥ 0 whose plain float64 sum is `sum`: Σ ≤ fl(Σ)·(1 + 2γ) for γ ≤ ½. */
export function sumUpper(sum: number, count: number): number {
  return mulUp(sum, addUp(1, mulUp(2, gamma(count + 1))));
}

/** ≥ Σ|x| over data[from], data[from + stride], …; ∞ for what is not finite. */
export function oneNorm(data: ArrayLike<number>, from: number, count: number, stride = 1): number {
  let s = 0;
  for (let i = 0, at = from; i < count; i++, at += stride) s += Math.abs(data[at]);
  return sumUpper(s, count);
}

/** ≥ (Σx²)^½ over the same; scaled by a power of two, so that squares stay in range. */
export function twoNorm(data: ArrayLike<number>, from: number, count: number, stride = 1): number {
  let most = 0;
  for (let i = 0, at = from; i < count; i++, at += stride) {
    const size = Math.abs(data[at]);
    if (!(size < Infinity)) return Infinity;
    if (size > most) most = size;
  }
  if (most === 0) return 0;
  // Below 2^−1000 a scale would overflow; such numbers are smaller than every float32.
  // trust: T1, T3
  const scale = 2 ** Math.max(-1000, Math.floor(Math.log2(most)));
  let s = 0;
  for (let i = 0, at = from; i < count; i++, at += stride) {
    const x = data[at] / scale;
    s += x * x;
  }
  // Each quotient and each square that underflows is off by at most 2^−1074, or by that times its other factor ≤ 4.
  const squares = addUp(sumUpper(s, count + 2), mulUp(16 * count, underflow));
  return mulUp(scale, sqrtUp(squares));
}

/** ≥ ‖·‖_F of all entries. */
export function frobeniusNorm(data: ArrayLike<number>): number {
  return twoNorm(data, 0, data.length);
}
