/** Ranges: closing what a rule states, and the ranges of input domains (docs/gains.md, "Ranges"). */
import type { Domain, Shape } from "../model/model.ts";
import type { Range } from "./facts.ts";
import { channelsOf, tokensOf, type Reason } from "./gain.ts";
import { maxUp, minBound, mulUp, sqrtUp, subUp } from "./up.ts";

/** Nothing is known of the value, and why. */
export function unbounded(why: Reason): Range {
  return {
    l2: Infinity,
    token: Infinity,
    linf: Infinity,
    low: -Infinity,
    high: Infinity,
    spread: Infinity,
    why,
  };
}

/**
 * A range from what a rule states: the rest follows from the shape.
 * linf ≤ token ≤ l2 ≤ √N·token, token ≤ √d·linf, |entry| ≤ linf; the spread is at most the token radius (round the
 * constant token 0) and at most √d·(high − low)/2 (round the constant token with every entry in the middle).
 * `why` says what is missing where nothing is finite.
 */
export function closeRange(
  stated: Partial<Omit<Range, "why">>,
  shape: Shape,
  why: Reason | null = null,
): Range {
  const rootN = sqrtUp(tokensOf(shape));
  const rootD = sqrtUp(channelsOf(shape));
  let low = orElse(stated.low, -Infinity);
  let high = orElse(stated.high, Infinity);
  let l2 = norm(stated.l2);
  let token = norm(stated.token);
  let linf = norm(stated.linf);
  linf = minBound(linf, maxUp(Math.abs(low), Math.abs(high)));
  linf = minBound(linf, minBound(token, l2));
  token = minBound(token, minBound(l2, mulUp(rootD, linf)));
  l2 = minBound(l2, mulUp(rootN, token));
  linf = minBound(linf, token);
  low = Math.max(low, -linf);
  high = Math.min(high, linf);
  const half = mulUp(rootD, mulUp(0.5, subUp(high, low)));
  const spread = minBound(norm(stated.spread), minBound(token, half));
  const finite = linf < Infinity;
  return { l2, token, linf, low, high, spread, why: finite ? null : (why ?? missing) };
}

const missing: Reason = { text: "the range of this value is not known", path: null, because: [] };

function norm(x: number | undefined): number {
  return x === undefined || Number.isNaN(x) || x < 0 ? Infinity : x;
}
function orElse(x: number | undefined, otherwise: number): number {
  return x === undefined || Number.isNaN(x) ? otherwise : x;
}

/** Two proven ranges of one value: each bound is the smaller one. */
export function tighterRange(a: Range, b: Range): Range {
  return {
    l2: minBound(a.l2, b.l2),
    token: minBound(a.token, b.token),
    linf: minBound(a.linf, b.linf),
    low: Math.max(a.low, b.low),
    high: Math.min(a.high, b.high),
    spread: minBound(a.spread, b.spread),
    why: a.why === null || b.why === null ? null : a.why,
  };
}

/** What an input's declared domain promises. */
export function rangeOfDomain(domain: Domain, shape: Shape, name: string): Range {
  switch (domain.kind) {
    case "box":
      return closeRange(
        { low: domain.low, high: domain.high },
        shape,
        why(`the domain of \`${name}\` has no finite ends`),
      );
    case "ball":
      return closeRange(
        { [domain.norm]: domain.radius },
        shape,
        why(`the domain of \`${name}\` has no finite radius`),
      );
    case "tokens":
      return unbounded(why(`\`${name}\` holds token ids: there is no distance between them`));
    case "unbounded":
      return unbounded(why(`the input \`${name}\` is declared without a range`, "in [0, 1]"));
  }
}

function why(text: string, fix?: string): Reason {
  return { text, path: null, because: [], ...(fix === undefined ? {} : { fix }) };
}
