/**
 * The two paths by which a perturbation moves the output of attention: through the values and through the scores.
 * Notation and proofs: docs/gains.md, section 10, with "Columns", "Value path" and "Key path".
 */
import { hypot, product, root, square, type Arith } from "./arith.ts";

/** Bounds of one head, of one token, and of all, per unit of the source's norm. */
export interface Moved<T> {
  readonly head: T;
  readonly token: T;
  readonly l2: T;
}
/** Gains of q, k or v from one norm of the source. */
export interface Reach<T> {
  readonly l2: T;
  readonly token: T;
  readonly linf: T;
}
export interface Setting<T> {
  readonly a: Arith<T>;
  readonly heads: number;
  /** Queries of the whole value; most keys that one sees. */
  readonly queries: number;
  readonly keys: number;
  readonly masked: boolean;
  /** ≥ every column sum of P; every entry; λmax of diag P − PPᵀ; its sum over queries. */
  readonly columnSum: T;
  readonly largest: T;
  readonly variance: T;
  readonly variances: T;
}

/** P_ij ≤ 1/(1 + (n − 1)e^−Δ) for a row that sees n keys with scores at most Δ apart. */
export function settingOf<T>(
  a: Arith<T>,
  heads: number,
  queries: number,
  classes: readonly (readonly [queries: number, keys: number])[],
  causal: boolean,
  masked: boolean,
  spread: T,
): Setting<T> {
  const decay = a.exp(a.sub(a.num(0), spread));
  const [one, half] = [a.num(1), a.num(0.5)];
  const entry = (n: number): T => (n === 1 ? one : a.div(one, a.add(one, a.mul(a.num(n - 1), decay))));
  let [columnSum, largest, variances] = [a.num(0), a.num(0), a.num(0)];
  for (const [rows, n] of classes) {
    const all = a.num(rows);
    const most = causal ? one : entry(n);
    let total = a.mul(all, most);
    if (causal) {
      total = a.num(0);
      for (let seen = 1; seen <= n; seen++) total = a.add(total, entry(seen));
    }
    total = a.min(total, all);
    columnSum = a.max(columnSum, total);
    largest = a.max(largest, most);
    variances = a.max(variances, a.min(total, a.mul(all, a.min(half, most))));
  }
  const keys = Math.max(...classes.map(([, n]) => n));
  const variance = a.min(half, largest);
  return { a, heads, queries, keys, masked, columnSum, largest, variance, variances };
}

/** (Σ over queries)^½ ≤ √N·max, one head ≤ one token ≤ √H·one head. */
export function complete<T>({ a, heads, queries }: Setting<T>, moved: Partial<Moved<T>>): Moved<T> {
  const infinite = a.num(Infinity);
  const head = a.min(moved.head ?? infinite, moved.token ?? infinite);
  const token = a.min(moved.token ?? infinite, a.mul(root(a, heads), head));
  return { head, token, l2: a.min(moved.l2 ?? infinite, a.mul(root(a, queries), token)) };
}

export function still<T>({ a }: Setting<T>): Moved<T> {
  return { head: a.num(0), token: a.num(0), l2: a.num(0) };
}

/** (Σ_j P_ij‖δv_j‖²)^½: a mean, and at most max P·Σ‖δv‖²; over all, column sums. */
export function valuePath<T>(s: Setting<T>, v: Reach<T>): Moved<T> {
  const { a } = s;
  const few = a.mul(a.sqrt(s.largest), v.l2);
  return complete(s, {
    head: a.min(v.token, few),
    token: a.min(a.mul(root(a, s.heads), v.token), few),
    l2: a.mul(a.sqrt(s.columnSum), v.l2),
  });
}

export function keyPath<T>(s: Setting<T>, k: Reach<T>): Moved<T> {
  const { a } = s;
  const few = a.mul(a.sqrt(s.variance), k.l2);
  return complete(s, {
    head: a.min(k.token, few),
    token: a.min(a.mul(root(a, s.heads), k.token), few),
    l2: a.mul(a.sqrt(s.variances), k.l2),
  });
}

export interface ScoreRanges<T> {
  readonly query: T;
  readonly queryL2: T;
  readonly key: T;
  readonly keySpread: T;
}

/** Coupled: t·√(x² + Y²), and max(x, y) for one head; t = |τ|/√ε. */
export function cosinePath<T>(s: Setting<T>, tau: T, eps: number, q: Reach<T>, k: Reach<T>): Moved<T> {
  const { a } = s;
  const t = a.div(tau, a.sqrt(a.num(eps)));
  const keys = keyPath(s, k);
  const joint = (x: T, y: T): T => a.mul(t, hypot(a, x, y));
  const worst = a.mul(t, a.max(q.token, k.token));
  return complete(s, {
    head: a.min(joint(q.token, keys.head), worst),
    token: a.min(joint(q.token, keys.token), a.mul(root(a, s.heads), worst)),
    l2: joint(q.l2, keys.l2),
  });
}

/** z/max(‖z‖, ε): slope 1/ε, nothing coupled. */
export function guardedPath<T>(s: Setting<T>, tau: T, eps: number, q: Reach<T>, k: Reach<T>): Moved<T> {
  const { a } = s;
  const t = a.div(tau, a.num(eps));
  const keys = keyPath(s, k);
  return complete(s, {
    head: a.mul(t, a.add(q.token, keys.head)),
    token: a.mul(t, a.add(q.token, keys.token)),
    l2: a.mul(t, a.add(q.l2, keys.l2)),
  });
}

/** |scale|(R°_k‖δq‖ + ‖q‖·Y). */
export function dotPath<T>(s: Setting<T>, scale: T, r: ScoreRanges<T>, q: Reach<T>, k: Reach<T>): Moved<T> {
  const { a } = s;
  const keys = keyPath(s, k);
  const of = (query: T, key: T): T => a.mul(scale, a.add(a.mul(r.keySpread, query), key));
  const one = of(q.token, a.mul(r.query, keys.head));
  const all = of(q.l2, a.min(a.mul(r.query, keys.l2), a.mul(r.queryL2, keys.head)));
  return complete(s, { head: one, token: one, l2: all });
}

/** 2β(R°_k‖δq‖ + (R_q + R_k)·Y). */
export function distancePath<T>(
  s: Setting<T>,
  beta: T,
  r: ScoreRanges<T>,
  q: Reach<T>,
  k: Reach<T>,
): Moved<T> {
  const { a } = s;
  const keys = keyPath(s, k);
  const apart = a.add(r.query, r.key);
  const of = (query: T, key: T): T =>
    product(a, a.num(2), beta, a.add(a.mul(r.keySpread, query), a.mul(apart, key)));
  return complete(s, { head: of(q.token, keys.head), l2: of(q.l2, keys.l2) });
}

/** ≥ W₀(1/e) = max of t/(e^t + 1). */
const kappa = 0.2784645427610739;

export interface Tied<T> {
  readonly w: T;
  readonly columnSum: T;
  readonly columnSumT: T;
}

/** w·e^(w+1) ≥ n, proven by putting w in; ∞ where that fails. */
function meanSquare<T>(a: Arith<T>, n: number): T {
  if (n === 0) return a.num(0);
  // A guess that is put in. trust: T3
  let start = Math.max(0.1, Math.log(n + 1) - Math.log(Math.log(n + 2)) - 0.5);
  for (let i = 0; i < 60; i++)
    start = Math.max(start / 4, start - ((start + 1 + Math.log(start / n)) * start) / (start + 1));
  const w = a.num(start * (1 + 2 ** -51));
  return a.surelyLess(a.num(n), a.mul(w, a.exp(a.add(w, a.num(1))))) ? w : a.num(Infinity);
}

export function tiedFacts<T>(s: Setting<T>): Tied<T> {
  const { a, keys, masked } = s;
  const n = keys - 1;
  const flat = a.mul(a.num(kappa), a.num(n));
  const tangent = n >= 8 ? product(a, a.num(0.5), root(a, n), a.log(a.num(n))) : a.num(Infinity);
  return {
    w: meanSquare(a, n),
    columnSum: masked ? s.columnSum : a.min(s.columnSum, root(a, keys)),
    columnSumT: masked ? flat : a.min(flat, tangent),
  };
}

/** The whole output where q = k = v. */
export function tiedOutput<T>(s: Setting<T>, { w, columnSum, columnSumT }: Tied<T>, k: Reach<T>): Moved<T> {
  const { a } = s;
  const [one, two, four] = [a.num(1), a.num(2), a.num(4)];
  const twice = a.mul(two, w);
  const both = a.sqrt(a.add(square(a, w), a.mul(a.num(kappa), w)));
  const fromAll = a.mul(a.add(one, a.mul(two, both)), k.l2);
  const heads = a.mul(root(a, s.heads), a.add(one, twice));
  const all = a.add(a.add(a.sqrt(columnSum), twice), a.mul(two, a.sqrt(a.mul(w, columnSumT))));
  return complete(s, {
    head: a.min(a.mul(a.add(one, a.mul(four, w)), k.token), fromAll),
    token: a.min(a.mul(a.add(twice, heads), k.token), fromAll),
    l2: a.mul(all, k.l2),
  });
}

/** std_P(δs) where q = k and v is any value. */
export function tiedPath<T>(s: Setting<T>, beta: T, { w, columnSumT }: Tied<T>, k: Reach<T>): Moved<T> {
  const { a } = s;
  const two = a.num(2);
  const one = a.mul(two, a.sqrt(a.mul(beta, w)));
  const fromAll = product(a, two, a.sqrt(a.mul(beta, a.add(w, a.num(kappa)))), k.l2);
  return complete(s, {
    head: a.min(product(a, two, one, k.token), fromAll),
    token: a.min(product(a, one, a.add(a.num(1), root(a, s.heads)), k.token), fromAll),
    l2: product(a, two, a.sqrt(beta), a.add(a.sqrt(w), a.sqrt(columnSumT)), k.l2),
  });
}
