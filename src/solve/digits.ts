/** Numbers of three significant digits, exactly: the answers of `solve`. */
import { compare, divide, floor, multiply, negate, rational, type Rational } from "../elaborate/rational.ts";

/** Significant digits of an answer. */
export const digits = 3;

/** The unit of the last digit of a positive number: 10^(e − digits + 1) with 10^e ≤ x < 10^(e+1). */
function unitOf(x: Rational): Rational {
  // The lengths of numerator and denominator give the exponent, or one too many.
  let e = x.n.toString().length - x.d.toString().length;
  if (compare(tenTo(e), x) > 0) e--;
  return tenTo(e - digits + 1);
}

function tenTo(e: number): Rational {
  const power = 10n ** BigInt(Math.abs(e));
  return e >= 0 ? { n: power, d: 1n } : { n: 1n, d: power };
}

/** The largest number of three digits ≤ x; null past the cap of rationals. */
export function digitsBelow(x: Rational): Rational | null {
  if (x.n === 0n) return x;
  if (x.n < 0n) return turned(digitsAbove(negate(x)));
  return toUnit(x, unitOf(x), 0n);
}

/** The smallest number of three digits ≥ x. */
export function digitsAbove(x: Rational): Rational | null {
  if (x.n === 0n) return x;
  if (x.n < 0n) return turned(digitsBelow(negate(x)));
  const below = toUnit(x, unitOf(x), 0n);
  return below && compare(below, x) === 0 ? below : toUnit(x, unitOf(x), 1n);
}

/** The next number of three digits on one side of one; null from 0, which has no next. */
export function nextDigits(x: Rational, up: boolean): Rational | null {
  if (x.n === 0n) return null;
  if (x.n < 0n) return turned(nextDigits(negate(x), !up));
  const unit = unitOf(x);
  if (up) return toUnit(x, unit, 1n);
  // Below a power of ten the digits lie closer.
  const finer = divide(unit, { n: 10n, d: 1n });
  const isPower = compare(x, multiply(unit, tenTo(digits - 1)) ?? x) === 0;
  return toUnit(x, isPower && finer ? finer : unit, -1n);
}

function toUnit(x: Rational, unit: Rational, more: bigint): Rational | null {
  const count = divide(x, unit);
  return count && multiply(rational(floor(count).n + more) ?? x, unit);
}

function turned(x: Rational | null): Rational | null {
  return x && negate(x);
}
