/**
 * Exact arithmetic: a number is enclosed by two rationals m·2^e, m a whole number of any size. Sums, differences, products,
 * maxima and minima are exact; quotients, roots, exponentials, logarithms, and what would grow beyond 640 bits, are
 * enclosed to at least 384 bits, roots by squaring whole numbers. A quotient or root that comes out even is exact.
 * Every stated number of a certificate is a float64, so itself such a rational. trust: T18
 */
import type { Arith } from "./rules/arith.ts";

interface Dyadic {
  readonly m: bigint;
  readonly e: number;
}

/** An end: a rational, or −∞ or ∞ where nothing is known. */
type End = Dyadic | number;

/** Encloses one real number; nothing is known of it between −∞ and ∞. */
export interface Enclosure {
  readonly lo: End;
  readonly hi: End;
}

const precision = 384;
const mostBits = 640n;
const big = 1n << mostBits;
const zero: Dyadic = { m: 0n, e: 0 };
const one: Dyadic = { m: 1n, e: 0 };
const nothing: Enclosure = { lo: -Infinity, hi: Infinity };

const isInfinite = (x: End): x is number => typeof x === "number";

function bitsOf(m: bigint): number {
  const hex = (m < 0n ? -m : m).toString(16);
  return 4 * hex.length - Math.clz32(parseInt(hex[0], 16)) + 28;
}

/** ⌊m/2^k⌋ or ⌈m/2^k⌉, k ≥ 0. */
function shifted(m: bigint, k: number, up: boolean): bigint {
  const floor = m >> BigInt(k);
  return up && floor << BigInt(k) !== m ? floor + 1n : floor;
}

/** Cuts an end that has grown too long, outwards. */
function cut(x: Dyadic, up: boolean): Dyadic {
  if (x.m < big && x.m > -big) return x;
  const extra = bitsOf(x.m) - precision;
  return { m: shifted(x.m, extra, up), e: x.e + extra };
}

export function dyadic(x: number): End {
  if (!Number.isFinite(x)) return x;
  if (x === 0) return zero;
  let e = 0;
  let m = x;
  // Powers of two scale exactly, subnormal numbers too.
  while (!Number.isInteger(m)) {
    m *= 2 ** 32;
    e -= 32;
  }
  let whole = BigInt(m);
  while ((whole & 0xffffn) === 0n) {
    whole >>= 16n;
    e += 16;
  }
  return { m: whole, e };
}

export function compare(a: End, b: End): number {
  if (isInfinite(a) || isInfinite(b)) {
    const [x, y] = [isInfinite(a) ? a : 0, isInfinite(b) ? b : 0];
    return x === y ? 0 : x < y ? -1 : 1;
  }
  const e = Math.min(a.e, b.e);
  const d = (a.m << BigInt(a.e - e)) - (b.m << BigInt(b.e - e));
  return d === 0n ? 0 : d < 0n ? -1 : 1;
}

/** `unknown` stands for ∞ − ∞. */
function addEnd(a: End, b: End, up: boolean): End {
  if (isInfinite(a)) return isInfinite(b) && a !== b ? (up ? Infinity : -Infinity) : a;
  if (isInfinite(b)) return b;
  const e = Math.min(a.e, b.e);
  return cut({ m: (a.m << BigInt(a.e - e)) + (b.m << BigInt(b.e - e)), e }, up);
}

function negate(a: End): End {
  return isInfinite(a) ? -a : { m: -a.m, e: a.e };
}

function signOf(a: End): number {
  if (isInfinite(a)) return Math.sign(a);
  return a.m === 0n ? 0 : a.m < 0n ? -1 : 1;
}

function mulEnd(a: End, b: End, up: boolean): End {
  const sign = signOf(a) * signOf(b);
  if (sign === 0) return zero;
  if (isInfinite(a) || isInfinite(b)) return sign * Infinity;
  return cut({ m: a.m * b.m, e: a.e + b.e }, up);
}

/** a/b for b > 0. */
function divEnd(a: End, b: Dyadic, up: boolean): End {
  if (isInfinite(a)) return a;
  const shift = Math.max(0, precision + bitsOf(b.m) - bitsOf(a.m));
  const m = a.m << BigInt(shift);
  let quotient = m / b.m;
  const rest = m - quotient * b.m;
  if (rest > 0n && up) quotient += 1n;
  if (rest < 0n && !up) quotient -= 1n;
  return { m: quotient, e: a.e - b.e - shift };
}

/** ⌊√n⌋. */
export function wholeRoot(n: bigint): bigint {
  if (n < 2n) return n;
  let x = 1n << BigInt((bitsOf(n) + 1) >> 1);
  for (;;) {
    const next = (x + n / x) >> 1n;
    if (next >= x) return x;
    x = next;
  }
}

function sqrtEnd(a: End, up: boolean): End {
  if (isInfinite(a)) return a > 0 ? a : zero;
  if (a.m <= 0n) return zero;
  let shift = Math.max(0, 2 * precision - bitsOf(a.m));
  if ((a.e - shift) % 2 !== 0) shift += 1;
  const n = a.m << BigInt(shift);
  const r = wholeRoot(n);
  return { m: up && r * r !== n ? r + 1n : r, e: (a.e - shift) / 2 };
}

const smaller = (a: End, b: End): End => (compare(a, b) <= 0 ? a : b);
const larger = (a: End, b: End): End => (compare(a, b) >= 0 ? a : b);

const add = (a: Enclosure, b: Enclosure): Enclosure => ({
  lo: addEnd(a.lo, b.lo, false),
  hi: addEnd(a.hi, b.hi, true),
});
const exactly = (x: End): Enclosure => ({ lo: x, hi: x });

const isNothing = ({ lo, hi }: Enclosure): boolean => lo === -Infinity && hi === Infinity;

/** 0·∞ is 0 for a bound that isn't known, but not for what may be no number at all, such as a quotient by 0. */
function mul(a: Enclosure, b: Enclosure): Enclosure {
  if (isNothing(a) || isNothing(b)) return nothing;
  if (signOf(a.lo) >= 0 && signOf(b.lo) >= 0)
    return { lo: mulEnd(a.lo, b.lo, false), hi: mulEnd(a.hi, b.hi, true) };
  const corners = [a.lo, a.hi].flatMap((x) => [b.lo, b.hi].map((y) => [x, y] as const));
  return {
    lo: corners.map(([x, y]) => mulEnd(x, y, false)).reduce(smaller),
    hi: corners.map(([x, y]) => mulEnd(x, y, true)).reduce(larger),
  };
}

function div(a: Enclosure, b: Enclosure): Enclosure {
  const { lo, hi } = b;
  if (isInfinite(lo) || isInfinite(hi) || signOf(lo) <= 0) return nothing;
  return {
    lo: divEnd(a.lo, signOf(a.lo) >= 0 ? hi : lo, false),
    hi: divEnd(a.hi, signOf(a.hi) >= 0 ? lo : hi, true),
  };
}

/**
 * e^x: e^(x/2^k), |x/2^k| ≤ 2⁻⁸, by its series, the rest of it added to the upper end (below twice the first term left
 * out), then squared k times.
 */
function expEnd(x: End, up: boolean): End {
  if (isInfinite(x)) return x < 0 ? zero : x;
  if (x.m === 0n) return one;
  const size = bitsOf(x.m) + x.e;
  // Beyond e^±4096 a bound will do: nothing that a certificate can state lies there.
  if (size > 13) return x.m < 0n ? (up ? { m: 1n, e: -5000 } : zero) : up ? Infinity : { m: 1n, e: 5000 };
  const halvings = Math.max(0, size + 8);
  const small = exactly({ m: x.m, e: x.e - halvings });
  let term: Enclosure = exactly(one);
  let total: Enclosure = exactly(one);
  for (let n = 1; n <= 60; n++) {
    term = div(mul(term, small), exactly({ m: BigInt(n), e: 0 }));
    total = add(total, term);
  }
  const rest = larger(term.hi, negate(term.lo));
  let power = add(total, { lo: negate(rest), hi: rest });
  for (let k = 0; k < halvings; k++) power = mul(power, power);
  return up ? power.hi : power.lo;
}

/** ln m = 2·artanh(z), z = (m − 1)/(m + 1) ≤ 1/3 for m in [1, 2]; what is left out stays below 2⁻⁶⁹⁰. */
function logOf(m: Dyadic): Enclosure {
  if (compare(m, one) === 0) return exactly(zero);
  const z = div(add(exactly(m), exactly({ m: -1n, e: 0 })), add(exactly(m), exactly(one)));
  const square = mul(z, z);
  let power = z;
  let total = z;
  for (let n = 3; n < 440; n += 2) {
    power = mul(power, square);
    total = add(total, div(power, exactly({ m: BigInt(n), e: 0 })));
  }
  return mul(exactly({ m: 2n, e: 0 }), add(total, { lo: zero, hi: { m: 1n, e: -640 } }));
}

let ln2: Enclosure | null = null;

/** ln x for x > 0, as k·ln 2 + ln of a number in [1, 2). */
function logEnd(x: End, up: boolean): End {
  if (isInfinite(x)) return x;
  if (x.m <= 0n) return -Infinity;
  const k = bitsOf(x.m) - 1;
  ln2 ??= logOf({ m: 2n, e: 0 });
  const all = add(mul(exactly(dyadic(k + x.e)), ln2), logOf({ m: x.m, e: -k }));
  return up ? all.hi : all.lo;
}

export const enclosures: Arith<Enclosure> = {
  num: (x) => (Number.isNaN(x) ? nothing : exactly(dyadic(x))),
  add,
  sub: (a, b) => add(a, { lo: negate(b.hi), hi: negate(b.lo) }),
  mul,
  div,
  sqrt: (a) => (signOf(a.hi) < 0 ? nothing : { lo: sqrtEnd(a.lo, false), hi: sqrtEnd(a.hi, true) }),
  exp: (a) => ({ lo: expEnd(a.lo, false), hi: expEnd(a.hi, true) }),
  log: (a) => (signOf(a.hi) <= 0 ? nothing : { lo: logEnd(a.lo, false), hi: logEnd(a.hi, true) }),
  abs: (a) => {
    if (signOf(a.lo) >= 0) return a;
    if (signOf(a.hi) <= 0) return { lo: negate(a.hi), hi: negate(a.lo) };
    return { lo: zero, hi: larger(negate(a.lo), a.hi) };
  },
  max: (...xs) => ({ lo: xs.map((x) => x.lo).reduce(larger), hi: xs.map((x) => x.hi).reduce(larger) }),
  min: (...xs) => ({ lo: xs.map((x) => x.lo).reduce(smaller), hi: xs.map((x) => x.hi).reduce(smaller) }),
  surelyLess: (a, b) => compare(a.hi, b.lo) < 0,
  surelyEqual: (a, b) => compare(a.lo, b.hi) === 0 && compare(a.hi, b.lo) === 0,
};

/** Whether a stated upper bound is at least the enclosed number; NaN never is. */
export function bounds(stated: number, derived: Enclosure): boolean {
  return !Number.isNaN(stated) && compare(dyadic(stated), derived.hi) >= 0;
}

/** Whether a stated lower bound is at most the enclosed number. */
export function boundsBelow(stated: number, derived: Enclosure): boolean {
  return !Number.isNaN(stated) && compare(dyadic(stated), derived.lo) <= 0;
}

/** The least float64 that is at least the enclosed number; ∞ where there is none. */
export function numberAbove({ hi }: Enclosure): number {
  if (isInfinite(hi)) return hi > 0 ? hi : -Number.MAX_VALUE;
  let x = near(hi);
  while (x < Infinity && compare(dyadic(x), hi) < 0) x = step(x, 1n);
  for (let below = step(x, -1n); compare(dyadic(below), hi) >= 0; below = step(x, -1n)) x = below;
  return x;
}

/** The largest float64 that is at most the enclosed number. */
export function numberBelow({ lo }: Enclosure): number {
  return -numberAbove({ lo: negate(lo), hi: negate(lo) }) + 0;
}

/** A float64 within a few units of the last place. */
function near({ m, e }: Dyadic): number {
  const extra = Math.max(0, bitsOf(m) - 60);
  const power = e + extra;
  const whole = Number(m >> BigInt(extra));
  // In two halves, so that neither overflows before the product does.
  const half = Math.trunc(power / 2);
  return whole * 2 ** half * 2 ** (power - half);
}

const view = new DataView(new ArrayBuffer(8));
function step(x: number, by: 1n | -1n): number {
  if (x === 0) return by > 0n ? Number.MIN_VALUE : -Number.MIN_VALUE;
  view.setFloat64(0, x);
  view.setBigInt64(0, view.getBigInt64(0) + (x > 0 === by > 0n ? 1n : -1n));
  return view.getFloat64(0);
}
