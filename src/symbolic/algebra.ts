/**
 * Formulas for people: products of powers, sums, and a few functions, in one normal form, so that √(τ²·σ²/ε) is τ·σ/√ε.
 * Only what is printed is made here; proofs are about expressions (expression.ts).
 */
import type { Symbol } from "./expression.ts";

/** sign·√(n/d)·∏ atom^power. */
export interface Product {
  readonly sign: 1 | -1;
  /** The coefficient, squared. */
  readonly n: bigint;
  readonly d: bigint;
  /** By key; no power is 0. */
  readonly powers: ReadonlyMap<string, { readonly atom: Atom; readonly power: number }>;
}

export type Atom =
  /** A number > 0 that is no fraction: 1.1289041451852, or ∞. */
  | { readonly kind: "decimal"; readonly key: string; readonly value: number }
  | { readonly kind: "symbol"; readonly key: string; readonly symbol: Symbol }
  | { readonly kind: "sum"; readonly key: string; readonly terms: readonly Product[] }
  | {
      readonly kind: "call";
      readonly key: string;
      readonly name: "max" | "min" | "exp" | "log" | "abs";
      readonly args: readonly Product[];
    };

const none: Product["powers"] = new Map();
export const one: Product = { sign: 1, n: 1n, d: 1n, powers: none };
export const zero: Product = { ...one, n: 0n };

export function isZero(p: Product): boolean {
  return p.n === 0n;
}

export function isOne(p: Product): boolean {
  return p.sign === 1 && p.n === p.d && p.powers.size === 0;
}

/** Denominators beyond this are no fractions that a person would write. */
const largestDenominator = 4096;

export function number(x: number): Product {
  if (x === 0) return zero;
  const [sign, size] = [x < 0 ? (-1 as const) : (1 as const), Math.abs(x)];
  for (let d = 1; d <= largestDenominator; d *= 2) {
    if (Number.isSafeInteger(size * d) && size * d < 2 ** 40)
      return reduced({ ...one, sign, n: BigInt(size * d) ** 2n, d: BigInt(d) ** 2n });
  }
  return { ...decimal(size), sign };
}

function decimal(value: number): Product {
  return atom({ kind: "decimal", key: `${value}`, value });
}

function gcd(a: bigint, b: bigint): bigint {
  while (b !== 0n) [a, b] = [b, a % b];
  return a;
}

/** In lowest terms; what has too many digits becomes a decimal. */
function reduced(p: Product): Product {
  const g = gcd(p.n, p.d) || 1n;
  const [n, d] = [p.n / g, p.d / g];
  if (n < 2n ** 100n && d < 2n ** 100n) return { ...p, n, d };
  return multiply({ ...p, n: 1n, d: 1n }, decimal(Math.sqrt(Number(n) / Number(d))));
}

export function symbol(of: Symbol): Product {
  return atom({ kind: "symbol", key: `${of.letter} ${of.path}`, symbol: of });
}

function atom(of: Atom, power = 1): Product {
  return { ...one, powers: new Map([[of.key, { atom: of, power }]]) };
}

export function keyOf(p: Product): string {
  const powers = [...p.powers].map(([key, { power }]) => `${key}^${power}`).sort();
  return `${p.sign < 0 ? "-" : ""}${p.n}/${p.d}{${powers.join("·")}}`;
}

export function multiply(x: Product, y: Product): Product {
  if (isZero(x) || isZero(y)) return zero;
  const powers = new Map(x.powers);
  for (const [key, { atom, power }] of y.powers) {
    const sum = power + (powers.get(key)?.power ?? 0);
    if (sum === 0) powers.delete(key);
    else powers.set(key, { atom, power: sum });
  }
  const sign = x.sign === y.sign ? 1 : -1;
  return reduced({ sign, n: x.n * y.n, d: x.d * y.d, powers });
}

export function inverse(p: Product): Product {
  const powers = new Map([...p.powers].map(([key, { atom, power }]) => [key, { atom, power: -power }]));
  return { sign: p.sign, n: p.d, d: p.n, powers };
}

function squareRoot(n: bigint): bigint | null {
  const root = BigInt(Math.round(Math.sqrt(Number(n))));
  return root * root === n ? root : null;
}

/** √p for p ≥ 0. */
export function root(p: Product): Product {
  if (isZero(p)) return p;
  const powers = new Map([...p.powers].map(([key, { atom, power }]) => [key, { atom, power: power / 2 }]));
  const [n, d] = [squareRoot(p.n), squareRoot(p.d)];
  if (n !== null && d !== null) return reduced({ ...one, n, d, powers });
  // √√n of what is no square: a decimal.
  return multiply({ ...one, powers }, decimal((Number(p.n) / Number(p.d)) ** 0.25));
}

/** The coefficient as a number. */
export function coefficient(p: Product): number {
  return p.sign * Math.sqrt(Number(p.n) / Number(p.d));
}

/** The terms of p, where it is a sum as it stands. */
function termsOf(p: Product): readonly Product[] {
  if (p.powers.size !== 1) return [p];
  const [{ atom, power }] = p.powers.values();
  if (atom.kind !== "sum" || power !== 1) return [p];
  const scale = { ...p, powers: none };
  return atom.terms.map((term) => multiply(scale, term));
}

export function add(...xs: readonly Product[]): Product {
  const terms = new Map<string, Product>();
  for (const term of xs.flatMap(termsOf)) {
    if (isZero(term)) continue;
    const key = keyOf({ ...one, powers: term.powers });
    const known = terms.get(key);
    const sum = known ? joined(known, term) : term;
    if (isZero(sum)) terms.delete(key);
    else terms.set(key, sum);
  }
  const list = [...terms.values()];
  if (list.length === 0) return zero;
  if (list.length === 1) return list[0];
  const { common, rest } = factored(list);
  const sorted = rest.map((term) => [keyOf(term), term] as const).sort(([a], [b]) => (a < b ? -1 : 1));
  const key = `(${sorted.map(([k]) => k).join(" + ")})`;
  // Constants first, as 1 + α… is written.
  const ordered = [...rest].sort((a, b) => Number(a.powers.size > 0) - Number(b.powers.size > 0));
  return multiply(common, atom({ kind: "sum", key, terms: ordered }));
}

/** x + y with the same powers: fractions stay fractions, multiples of one root too. */
function joined(x: Product, y: Product): Product {
  const ratio = reduced({ ...one, n: y.n * x.d, d: y.d * x.n });
  const [n, d] = [squareRoot(ratio.n), squareRoot(ratio.d)];
  if (n === null || d === null)
    return multiply(number(coefficient(x) + coefficient(y)), { ...one, powers: x.powers });
  // x·(1 ± n/d)
  const top = d + (x.sign === y.sign ? n : -n);
  const sign = top < 0n ? (-x.sign as 1 | -1) : x.sign;
  return reduced({ ...x, sign, n: x.n * top * top, d: x.d * d * d });
}

/** What all terms have in common, taken out. */
function factored(terms: readonly Product[]): { common: Product; rest: Product[] } {
  const [first, ...others] = terms;
  const powers = new Map<string, { atom: Atom; power: number }>();
  for (const [key, { atom, power }] of first.powers) {
    const all = [power, ...others.map((term) => term.powers.get(key)?.power ?? 0)];
    const least = all.every((p) => p > 0) ? Math.min(...all) : all.every((p) => p < 0) ? Math.max(...all) : 0;
    if (least !== 0) powers.set(key, { atom, power: least });
  }
  // 192/191 + 576/191·x is 192/191·(1 + 3·x).
  const whole = terms.every((term) => {
    const ratio = reduced({ ...one, n: term.n * first.d, d: term.d * first.n });
    return ratio.d === 1n && squareRoot(ratio.n) !== null;
  });
  const common = { ...one, ...(whole ? { n: first.n, d: first.d, sign: first.sign } : {}), powers };
  return { common, rest: terms.map((term) => multiply(term, inverse(common))) };
}

export function call(name: "max" | "min" | "exp" | "log" | "abs", ...args: readonly Product[]): Product {
  const keys = args.map(keyOf);
  const different = args.filter((_, i) => keys.indexOf(keys[i]) === i);
  if ((name === "max" || name === "min") && different.length === 1) return different[0];
  return atom({ kind: "call", key: `${name}(${keys.join(", ")})`, name, args: different });
}

/** The value of a formula, in plain arithmetic. */
export function valueOf(p: Product, values: (symbol: Symbol) => number): number {
  let value = coefficient(p);
  for (const { atom, power } of p.powers.values()) value *= atomValue(atom, values) ** power;
  return value;
}

function atomValue(of: Atom, values: (symbol: Symbol) => number): number {
  if (of.kind === "decimal") return of.value;
  if (of.kind === "symbol") return values(of.symbol);
  if (of.kind === "sum") return of.terms.reduce((sum, term) => sum + valueOf(term, values), 0);
  const args = of.args.map((arg) => valueOf(arg, values));
  return Math[of.name](...(args as [number]));
}
