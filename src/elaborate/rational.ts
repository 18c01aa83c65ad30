/**
 * Exact rationals for numbers in a spec: `1/12` is 1/12 until a layer stores it. Sizes are capped, so that a
 * stranger's file can't hang the compiler: beyond `maxBits` an operation gives null and the caller reports it.
 */
export interface Rational {
  /** Numerator; carries the sign. */
  readonly n: bigint;
  /** Denominator, > 0, coprime to n. */
  readonly d: bigint;
}

const maxBits = 4096;
const tooBig = 1n << BigInt(maxBits);

function gcd(a: bigint, b: bigint): bigint {
  a = a < 0n ? -a : a;
  while (b !== 0n) [a, b] = [b, a % b];
  return a;
}

/** Null for a zero denominator or a number past the cap. */
export function rational(n: bigint, d: bigint = 1n): Rational | null {
  if (d === 0n) return null;
  if (d < 0n) [n, d] = [-n, -d];
  const g = gcd(n, d) || 1n;
  n /= g;
  d /= g;
  return n >= tooBig || n <= -tooBig || d >= tooBig ? null : { n, d };
}

export const zero: Rational = { n: 0n, d: 1n };
export const one: Rational = { n: 1n, d: 1n };

export function fromInt(x: number): Rational {
  return { n: BigInt(x), d: 1n };
}

/** `12`, `0.05`, `1_000`, `5e-4`; null past the cap. */
export function parseRational(text: string): Rational | null {
  const match = /^(\d[\d_]*)(?:\.(\d[\d_]*))?(?:[eE]([+-]?\d+))?$/.exec(text);
  if (!match) return null;
  const whole = match[1].replaceAll("_", "");
  const fraction = (match[2] ?? "").replaceAll("_", "");
  if (whole.length + fraction.length > 1000) return null;
  const exponent = Number(match[3] ?? "0") - fraction.length;
  if (!Number.isInteger(exponent) || Math.abs(exponent) > 1000) return null;
  const digits = BigInt(whole + fraction);
  return exponent >= 0
    ? rational(digits * 10n ** BigInt(exponent))
    : rational(digits, 10n ** BigInt(-exponent));
}

export function add(a: Rational, b: Rational): Rational | null {
  return rational(a.n * b.d + b.n * a.d, a.d * b.d);
}
export function subtract(a: Rational, b: Rational): Rational | null {
  return rational(a.n * b.d - b.n * a.d, a.d * b.d);
}
export function multiply(a: Rational, b: Rational): Rational | null {
  return rational(a.n * b.n, a.d * b.d);
}
export function divide(a: Rational, b: Rational): Rational | null {
  return rational(a.n * b.d, a.d * b.n);
}
export function negate(a: Rational): Rational {
  return { n: -a.n, d: a.d };
}
export function compare(a: Rational, b: Rational): -1 | 0 | 1 {
  const x = a.n * b.d;
  const y = b.n * a.d;
  return x < y ? -1 : x > y ? 1 : 0;
}
export function isInt(a: Rational): boolean {
  return a.d === 1n;
}
/** Largest whole number ≤ a. */
export function floor(a: Rational): Rational {
  const q = a.n / a.d;
  return { n: a.n < 0n && q * a.d !== a.n ? q - 1n : q, d: 1n };
}
/** a modulo b with the sign of b; null for b = 0. */
export function modulo(a: Rational, b: Rational): Rational | null {
  const q = divide(a, b);
  if (!q) return null;
  const whole = multiply(b, floor(q));
  return whole && subtract(a, whole);
}
/** a^k for a whole k; null past the cap or for 0^-k. */
export function power(a: Rational, k: Rational): Rational | null {
  if (!isInt(k)) return null;
  const size = k.n < 0n ? -k.n : k.n;
  if (size > BigInt(maxBits)) return a.n === 0n && k.n > 0n ? zero : a.n === 1n && a.d === 1n ? one : null;
  // Guard before computing: |a|^k would pass the cap.
  const bits = Math.max(a.n.toString(2).length, a.d.toString(2).length) - 1;
  if (bits * Number(size) > maxBits + 1) return null;
  const up = rational(a.n ** size, a.d ** size);
  return k.n >= 0n ? up : up && rational(up.d, up.n);
}

/** Nearest float64 (ties to even), by scaling to 64 significant bits first. */
export function toNumber(a: Rational): number {
  if (a.n === 0n) return 0;
  const negative = a.n < 0n;
  const n = negative ? -a.n : a.n;
  const shift = n.toString(2).length - a.d.toString(2).length - 64;
  const scaled = shift >= 0 ? n / (a.d << BigInt(shift)) : (n << BigInt(-shift)) / a.d;
  // A sticky bit makes the second rounding see that something was cut off.
  const exact = shift >= 0 ? scaled * (a.d << BigInt(shift)) === n : scaled * a.d === n << BigInt(-shift);
  const sticky = exact ? scaled : scaled | 1n;
  const value = Number(sticky) * 2 ** Math.max(shift, -1000) * (shift < -1000 ? 2 ** (shift + 1000) : 1);
  return negative ? -value : value;
}

/** The exact value of a finite float64. */
export function fromNumber(x: number): Rational {
  if (Number.isInteger(x)) return { n: BigInt(x), d: 1n };
  let d = 1n;
  while (!Number.isInteger(x)) {
    x *= 2;
    d *= 2n;
  }
  return rational(BigInt(x), d) ?? zero;
}

/** Largest float64 ≤ a, smallest float64 ≥ a. */
export function numberDown(a: Rational): number {
  const x = toNumber(a);
  return Number.isFinite(x) && compare(fromNumber(x), a) > 0 ? below(x) : x;
}
export function numberUp(a: Rational): number {
  return -numberDown(negate(a));
}

function below(x: number): number {
  const view = new DataView(new ArrayBuffer(8));
  if (x === 0) return -Number.MIN_VALUE;
  view.setFloat64(0, x);
  view.setBigInt64(0, view.getBigInt64(0) + (x > 0 ? -1n : 1n));
  return view.getFloat64(0);
}

/** For messages: `7`, `0.05` and `1e300` where a decimal says it all, `1/12` where it doesn't; long ones are cut: `3.14…`. */
export function show(a: Rational): string {
  if (a.d === 1n && a.n < 10n ** 21n && a.n > -(10n ** 21n)) return `${a.n}`;
  const decimal = `${toNumber(a)}`.replace("e+", "e");
  const again = parseRational(decimal.replace(/^-/, ""));
  if (again && compare(a.n < 0n ? negate(again) : again, a) === 0) return decimal;
  const fraction = `${a.n}/${a.d}`;
  return a.d > 1n && fraction.length <= 24 ? fraction : approximate(a);
}

/** The whole number as text: a short decimal where that says it all, else a fraction. */
export function exactText(a: Rational): string {
  const shown = show(a);
  return shown.includes("…") ? `${a.n}/${a.d}` : shown;
}

/** What `exactText` wrote; also any decimal with a sign. null for other text. */
export function readExact(text: string): Rational | null {
  const negative = text.startsWith("-");
  const [above, below = "1"] = (negative ? text.slice(1) : text).split("/");
  const [n, d] = [parseRational(above), parseRational(below)];
  const value = n && d && divide(n, d);
  return value && (negative ? negate(value) : value);
}

/** Six digits, also of what no float64 holds: `1.41421…`, `1.97007…e434`, `1e400`. */
export function approximate(a: Rational): string {
  if (a.n === 0n) return "0";
  const near = toNumber(a);
  if (Math.abs(near) >= 1e-6 && Math.abs(near) < 1e15) return `${Number(near.toPrecision(6))}…`;
  const size = a.n < 0n ? -a.n : a.n;
  const shift = a.d.toString().length - size.toString().length + 7;
  const [top, bottom] = shift >= 0 ? [size * 10n ** BigInt(shift), a.d] : [size, a.d * 10n ** BigInt(-shift)];
  const digits = (top / bottom).toString();
  const exact = top % bottom === 0n && /^0*$/.test(digits.slice(6));
  const mantissa = `${digits[0]}.${digits.slice(1, 6)}`;
  const shown = exact ? mantissa.replace(/\.?0*$/, "") : `${mantissa}…`;
  return `${a.n < 0n ? "-" : ""}${shown}e${digits.length - 1 - shift}`;
}
