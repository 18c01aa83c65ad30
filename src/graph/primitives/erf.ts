/** The error function in float64, to a few ulp. */

const twoOverRootPi = 2 / Math.sqrt(Math.PI);

/**
 * erf(x) = 2/√π · e^(−x²) · Σ 2ⁿ x^(2n+1)/(2n+1)!! for |x| < 2.5, all terms of one sign (Abramowitz & Stegun 7.1.6);
 * beyond that 1 − erfc(x) with the continued fraction 7.1.14, evaluated from behind.
 */
export function erf(x: number): number {
  const a = Math.abs(x);
  if (Number.isNaN(x)) return NaN;
  if (a >= 6) return Math.sign(x);
  const square = a * a;
  let value: number;
  if (a < 2.5) {
    let term = a;
    let sum = a;
    for (let n = 1; term > sum * 1e-17; n++) {
      term *= (2 * square) / (2 * n + 1);
      sum += term;
    }
    value = twoOverRootPi * Math.exp(-square) * sum;
  } else {
    let fraction = 0;
    for (let k = 40; k >= 1; k--) fraction = k / 2 / (a + fraction);
    value = 1 - Math.exp(-square) / (Math.sqrt(Math.PI) * (a + fraction));
  }
  return x < 0 ? -value : value;
}
