/**
 * Static numbers. Almost all are exact rationals; `sqrt`, `exp` and `log` give enclosures: an interval of rationals
 * that holds the real number, about 2^-128 wide relative to it. Operations keep enclosures sound.
 */
import * as q from "./rational.ts";
import type { Rational } from "./rational.ts";

export interface Interval {
  readonly low: Rational;
  readonly high: Rational;
}

export function exact(value: Rational): Interval {
  return { low: value, high: value };
}

export function isExact(a: Interval): boolean {
  return a.low === a.high || q.compare(a.low, a.high) === 0;
}

/** The end nearer to zero: a representative that is never larger in size than the number meant. */
export function towardZero(a: Interval): Rational {
  return a.low.n >= 0n ? a.low : a.high.n <= 0n ? a.high : q.zero;
}

function interval(values: readonly (Rational | null)[]): Interval | null {
  let low: Rational | null = null;
  let high: Rational | null = null;
  for (const v of values) {
    if (!v) return null;
    if (!low || q.compare(v, low) < 0) low = v;
    if (!high || q.compare(v, high) > 0) high = v;
  }
  return low && high && { low, high };
}

type Operation = (a: Rational, b: Rational) => Rational | null;

/** Monotone in each argument on each side of zero, so that the four corners hold all results. */
function corners(f: Operation, a: Interval, b: Interval): Interval | null {
  if (isExact(a) && isExact(b)) {
    const value = f(a.low, b.low);
    return value && exact(value);
  }
  return interval([f(a.low, b.low), f(a.low, b.high), f(a.high, b.low), f(a.high, b.high)]);
}

export const add = (a: Interval, b: Interval) => corners(q.add, a, b);
export const subtract = (a: Interval, b: Interval) => corners(q.subtract, a, b);
export const multiply = (a: Interval, b: Interval) => corners(q.multiply, a, b);

/** Null also where the divisor's enclosure holds zero. */
export function divide(a: Interval, b: Interval): Interval | null {
  if (b.low.n <= 0n && b.high.n >= 0n) return null;
  return corners(q.divide, a, b);
}

export function negate(a: Interval): Interval {
  return isExact(a) ? exact(q.negate(a.low)) : { low: q.negate(a.high), high: q.negate(a.low) };
}

/** Whole exponents; an enclosed base must be positive, where powers are monotone. */
export function power(a: Interval, b: Interval): Interval | null {
  if (!isExact(b)) return null;
  if (isExact(a)) {
    const value = q.power(a.low, b.low);
    return value && exact(value);
  }
  return a.low.n > 0n ? interval([q.power(a.low, b.low), q.power(a.high, b.low)]) : null;
}

export function modulo(a: Interval, b: Interval): Interval | null {
  if (!isExact(a) || !isExact(b)) return null;
  const value = q.modulo(a.low, b.low);
  return value && exact(value);
}

/** −1, 0, 1; null where two enclosures overlap and nothing can be said. */
export function compare(a: Interval, b: Interval): -1 | 0 | 1 | null {
  if (isExact(a) && isExact(b)) return q.compare(a.low, b.low);
  if (q.compare(a.high, b.low) < 0) return -1;
  if (q.compare(a.low, b.high) > 0) return 1;
  return null;
}

export function least(a: Interval, b: Interval): Interval {
  return {
    low: q.compare(a.low, b.low) <= 0 ? a.low : b.low,
    high: q.compare(a.high, b.high) <= 0 ? a.high : b.high,
  };
}
export function greatest(a: Interval, b: Interval): Interval {
  return {
    low: q.compare(a.low, b.low) >= 0 ? a.low : b.low,
    high: q.compare(a.high, b.high) >= 0 ? a.high : b.high,
  };
}

/** Null where the enclosure doesn't tell which whole number it is. */
export function floor(a: Interval): Interval | null {
  const low = q.floor(a.low);
  return q.compare(low, q.floor(a.high)) === 0 ? exact(low) : null;
}

export function ceil(a: Interval): Interval | null {
  const down = floor(negate(a));
  return down && negate(down);
}

/** Largest whole r with r² ≤ n. */
function integerRoot(n: bigint): bigint {
  if (n < 2n) return n;
  let r = 1n << BigInt((n.toString(2).length + 1) >> 1);
  for (;;) {
    const next = (r + n / r) >> 1n;
    if (next >= r) return r;
    r = next;
  }
}

function rootEnds(a: Rational): [Rational | null, Rational | null] {
  const n = integerRoot(a.n);
  const d = integerRoot(a.d);
  if (n * n === a.n && d * d === a.d) {
    const value = q.rational(n, d);
    return [value, value];
  }
  // √(n/d) = √(n·d)/d, scaled so that the whole root carries at least 128 more bits.
  const scale = 160n;
  const root = integerRoot((a.n * a.d) << (2n * scale));
  const bottom = a.d << scale;
  return [q.rational(root, bottom), q.rational(root + 1n, bottom)];
}

export function sqrt(a: Interval): Interval | null {
  if (a.low.n < 0n) return null;
  const [low, first] = rootEnds(a.low);
  if (isExact(a)) return low && first && { low, high: first };
  const high = rootEnds(a.high)[1];
  return low && high && { low, high };
}

/** Fixed point with 320 bits after the point; results are widened by 2^-240 of themselves, far above the error made. */
const bits = 320n;
const unit = 1n << bits;

function toFixed(a: Rational): bigint {
  return (a.n << bits) / a.d;
}

function widen(value: bigint): [bigint, bigint] {
  const margin = (value < 0n ? -value : value) / (1n << 240n) + (1n << 70n);
  return [value - margin, value + margin];
}

/** e^x for |x| ≤ 2000: Taylor's series of x/2^12, squared twelve times (which multiplies the relative error by 2^12). */
function expFixed(a: Rational): bigint {
  const reduced = toFixed(a) / 4096n;
  let term = unit;
  let sum = unit;
  for (let i = 1n; term !== 0n && i < 400n; i++) {
    term = (term * reduced) / unit / i;
    sum += term;
  }
  for (let i = 0; i < 12; i++) sum = (sum * sum) / unit;
  return sum;
}

function expEnds(a: Rational): [Rational, Rational] | null {
  if (a.n === 0n) return [q.one, q.one];
  const size = a.n < 0n ? q.negate(a) : a;
  if (q.compare(size, q.fromInt(2000)) > 0) return null;
  const [low, high] = widen(expFixed(size));
  const ends =
    a.n > 0n
      ? [q.rational(low, unit), q.rational(high, unit)]
      : [q.rational(unit, high), q.rational(unit, low)];
  return ends[0] && ends[1] && [ends[0], ends[1]];
}

export function exp(a: Interval): Interval | null {
  const low = expEnds(a.low);
  const high = expEnds(a.high);
  return low && high && { low: low[0], high: high[1] };
}

/** ln((1+z)/(1−z)) = 2·(z + z³/3 + …), z in fixed point, |z| ≤ 1/3. */
function logSeries(z: bigint): bigint {
  const square = (z * z) / unit;
  let sum = 0n;
  let powered = z;
  for (let i = 1n; powered !== 0n && i < 1000n; i += 2n) {
    sum += powered / i;
    powered = (powered * square) / unit;
  }
  return 2n * sum;
}

function logEnds(a: Rational): [Rational, Rational] | null {
  if (a.n === a.d) return [q.zero, q.zero];
  // a = m·2^k with m in (1/2, 2).
  const k = a.n.toString(2).length - a.d.toString(2).length;
  const m = k >= 0 ? { n: a.n, d: a.d << BigInt(k) } : { n: a.n << BigInt(-k), d: a.d };
  const z = ((m.n - m.d) << bits) / (m.n + m.d);
  const [low, high] = widen(logSeries(z) + BigInt(k) * logSeries(unit / 3n));
  const ends = [q.rational(low, unit), q.rational(high, unit)];
  return ends[0] && ends[1] && [ends[0], ends[1]];
}

export function log(a: Interval): Interval | null {
  if (a.low.n <= 0n) return null;
  const low = logEnds(a.low);
  const high = logEnds(a.high);
  return low && high && { low: low[0], high: high[1] };
}

/** A number for messages; of an enclosure the first digits. */
export function showNumber(a: Interval): string {
  return isExact(a) ? q.show(a.low) : q.approximate(a.low);
}

const view = new DataView(new ArrayBuffer(4));

function floatAbove(f: number): number {
  if (f === 0) return 2 ** -149;
  view.setFloat32(0, f);
  view.setInt32(0, view.getInt32(0) + (f > 0 ? 1 : -1));
  return view.getFloat32(0);
}

/** The smallest float32 that is not below `a`: the lower end of a range, rounded inwards. */
export function storedNotBelow(a: Rational): number {
  let f = Math.fround(q.toNumber(a));
  if (!Number.isFinite(f)) return f > 0 ? Infinity : -3.4028234663852886e38;
  if (q.compare(q.fromNumber(f), a) < 0) f = floatAbove(f);
  return f === 0 ? 0 : f;
}

/** The largest float32 that is not above `a`: the upper end of a range, rounded inwards. */
export function storedNotAbove(a: Rational): number {
  const f = -storedNotBelow(q.negate(a));
  return f === 0 ? 0 : f;
}
