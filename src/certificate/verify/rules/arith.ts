/**
 * The numbers that rules calculate with. The table of rules is written once, over any such arithmetic: with rational
 * enclosures (../enclosure.ts) a rule checks a certificate, with expression trees it prints a formula.
 */
export interface Arith<T> {
  /** Exactly this float64; ±∞ stands for "nothing is known on this side". */
  num(x: number): T;
  add(a: T, b: T): T;
  sub(a: T, b: T): T;
  /** 0·∞ is 0 where the 0 is exact. */
  mul(a: T, b: T): T;
  /** Nothing is known of a quotient whose divisor may be 0 or ∞. */
  div(a: T, b: T): T;
  sqrt(a: T): T;
  exp(a: T): T;
  /** Natural logarithm. */
  log(a: T): T;
  abs(a: T): T;
  max(first: T, ...others: readonly T[]): T;
  /** The smallest: of several bounds of one thing, or of several numbers. */
  min(first: T, ...others: readonly T[]): T;
  /** Whether a < b for certain: rules with a side condition ask for it. */
  surelyLess(a: T, b: T): boolean;
  /** Whether a = b for certain. */
  surelyEqual(a: T, b: T): boolean;
}

export function sum<T>(a: Arith<T>, xs: readonly T[]): T {
  return xs.reduce((total, x) => a.add(total, x), a.num(0));
}

export function product<T>(a: Arith<T>, ...xs: readonly T[]): T {
  return xs.reduce((total, x) => a.mul(total, x));
}

export function square<T>(a: Arith<T>, x: T): T {
  return a.mul(x, x);
}

/** √(Σx²); one operand gives its absolute value exactly. */
export function hypot<T>(a: Arith<T>, ...xs: readonly T[]): T {
  if (xs.length === 1) return a.abs(xs[0]);
  return a.sqrt(
    sum(
      a,
      xs.map((x) => square(a, x)),
    ),
  );
}

/** √n for a count. */
export function root<T>(a: Arith<T>, n: number): T {
  return a.sqrt(a.num(n));
}

export function negative<T>(a: Arith<T>, x: T): T {
  return a.sub(a.num(0), x);
}

/** Ends of the products of two intervals: extremes lie at corners. */
export function intervalProduct<T>(a: Arith<T>, x: readonly [T, T], y: readonly [T, T]): [low: T, high: T] {
  const [first, ...others] = x.flatMap((p) => y.map((q) => a.mul(p, q)));
  return [a.min(first, ...others), a.max(first, ...others)];
}
