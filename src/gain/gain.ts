/**
 * Gain matrices: the algebra of docs/gains.md §1 as code.
 *
 * Three norms are tracked together for a perturbation of a value with N tokens of d channels:
 *   l2     Frobenius norm of the whole tensor
 *   token  largest l2 norm of one token
 *   linf   largest absolute entry
 * A Gain holds, for each norm p of a source and q of a value, a proven upper bound of ‖δvalue‖_q / ‖δsource‖_p;
 * ∞ means "not proven", and `why` is then the chain of reasons.
 */
import type { Norm, Shape } from "../model/model.ts";
import { addUp, hypotUp, maxUp, minBound, mulUp, sqrtUp } from "./up.ts";

export const norms: readonly Norm[] = ["l2", "token", "linf"];

/** One link of a chain of reasons: what is not bounded, where (a node's path), and because of what. */
export interface Reason {
  readonly text: string;
  readonly path: string | null;
  readonly because: readonly Reason[];
  /** What to change in the spec, in its own words: "values: unit(eps: 1e-2)". */
  readonly fix?: string;
  /** What tools must recognise: a weight that training may take anywhere. */
  readonly kind?: "free-weight";
}

/** Row p (source norm), column q (value norm), each in the order of `norms`: entry 3·p + q. */
export interface Gain {
  readonly entries: readonly number[];
  /** Why entries are ∞; null where all are finite. */
  readonly why: Reason | null;
}

const index: Record<Norm, number> = { l2: 0, token: 1, linf: 2 };

export function entry(gain: Gain, from: Norm, to: Norm): number {
  return gain.entries[3 * index[from] + index[to]];
}

/** Tokens and channels of a shape: [positions…, channels]. A scalar counts as one token of one channel. */
export function tokensOf(shape: Shape): number {
  return shape.slice(0, -1).reduce((a, b) => a * b, 1);
}
export function channelsOf(shape: Shape): number {
  return shape.length === 0 ? 1 : shape[shape.length - 1];
}

/**
 * Conversion on one value, as a gain of the identity: K[p→q] = sup ‖x‖_q/‖x‖_p.
 * linf ≤ token ≤ l2 ≤ √N·token, token ≤ √d·linf, l2 ≤ √(N·d)·linf; all tight.
 */
export function conversion(shape: Shape): readonly number[] {
  const n = tokensOf(shape);
  const d = channelsOf(shape);
  return [1, 1, 1, sqrtUp(n), 1, 1, sqrtUp(n * d), sqrtUp(d), 1];
}

/** (min, ×) product of 3×3 matrices: first `a`, then `b`. */
function product(a: readonly number[], b: readonly number[]): number[] {
  const out: number[] = [];
  for (let p = 0; p < 3; p++) {
    for (let r = 0; r < 3; r++) {
      let best = Infinity;
      for (let q = 0; q < 3; q++) best = minBound(best, mulUp(a[3 * p + q], b[3 * q + r]));
      out.push(best);
    }
  }
  return out;
}

/** What a rule states: the entries it knows of a map's own gain, keyed "l2", "token", "linf" (same norm both sides) or "l2->token". */
export type Stated = Partial<Record<Norm | `${Norm}->${Norm}`, number>>;

/** A map's own gain matrix from stated entries, closed by the conversions of its input's and output's shapes. */
export function closed(stated: Stated, input: Shape, output: Shape): readonly number[] {
  const raw = new Array<number>(9).fill(Infinity);
  for (const [key, value] of Object.entries(stated)) {
    const [from, to = from] = key.split("->") as [Norm, Norm?];
    const at = 3 * index[from] + index[to];
    raw[at] = minBound(raw[at], value as number);
  }
  return product(product(conversion(input), raw), conversion(output));
}

/** The gain of a source to itself. */
export function identity(shape: Shape): Gain {
  return { entries: conversion(shape), why: null };
}

/** The gain of a value that doesn't depend on the source: exact zeros. */
export const nothing: Gain = { entries: new Array<number>(9).fill(0), why: null };

export function isNothing(gain: Gain): boolean {
  return gain.entries.every((x) => x === 0);
}

/** No proof at all, and why. A value that doesn't depend on the source stays at 0. */
export function unproven(reason: Reason, ...inputs: readonly Gain[]): Gain {
  if (inputs.length > 0 && inputs.every(isNothing)) return nothing;
  const because = inputs.map((g) => g.why).filter((w): w is Reason => w !== null);
  const all = [...new Set([...reason.because, ...because])];
  return { entries: new Array<number>(9).fill(Infinity), why: { ...reason, because: all } };
}

/** The reason where finite numbers gave ∞: the analysis puts the place in. */
export const overflowed: Reason = { text: "the bound exceeds the range of float64", path: null, because: [] };

/** Puts a gain together from entries, and keeps the first reason where an entry is ∞. */
export function gainOf(entries: readonly number[], ...reasons: readonly (Reason | null | undefined)[]): Gain {
  const clean = entries.map((x) => (Number.isNaN(x) || x < 0 ? Infinity : x));
  if (clean.every(Number.isFinite)) return { entries: clean, why: null };
  return { entries: clean, why: reasons.find((r) => r) ?? overflowed };
}

/**
 * Sequence: `map` (a map's own closed matrix) after `gain`. `why` explains entries of the map that are ∞.
 * (Not called `then`: a module that exports a `then` is taken for a promise by `import()`.)
 */
export function through(gain: Gain, map: readonly number[], why: Reason | null = null): Gain {
  return gainOf(product(gain.entries, map), gain.why, why);
}

/** Closes the value side again, after entries were stated directly against the source. */
export function closeValue(gain: Gain, shape: Shape): Gain {
  return gainOf(product(gain.entries, conversion(shape)), gain.why);
}

/** f + g. */
export function plus(a: Gain, b: Gain): Gain {
  return gainOf(
    a.entries.map((x, i) => addUp(x, b.entries[i])),
    a.why,
    b.why,
  );
}

/** factor·f, where |factor| ≤ `factor`. An exact 0 gives exact zeros. */
export function times(factor: number, gain: Gain, why: Reason | null = null): Gain {
  return gainOf(
    gain.entries.map((x) => mulUp(factor, x)),
    gain.why,
    why,
  );
}

/** The entrywise smaller of two proven bounds of one thing. */
export function tighter(a: Gain, b: Gain): Gain {
  return gainOf(
    a.entries.map((x, i) => minBound(x, b.entries[i])),
    a.why,
    b.why,
  );
}

/** Concatenation on channels: l2 and token √Σa², linf max. On tokens: l2 √Σa², token and linf max. */
export function beside(parts: readonly Gain[], axis: "channels" | "tokens"): Gain {
  const entries = Array.from({ length: 9 }, (_, i) => {
    const xs = parts.map((g) => g.entries[i]);
    const to = i % 3;
    const rooted = to === 0 || (to === 1 && axis === "channels");
    return rooted ? hypotUp(...xs) : maxUp(...xs);
  });
  return gainOf(entries, ...parts.map((g) => g.why));
}
