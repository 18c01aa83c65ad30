/** Why attention is not Lipschitz, as links of a chain, each with what to change in the spec. */
import type { Range } from "../../gain/facts.ts";
import type { Reason } from "../../gain/gain.ts";

function given(...whys: readonly (Reason | null)[]): Reason[] {
  const seen = new Set<string>();
  return whys.filter((why): why is Reason => {
    if (!why || seen.has(`${why.path}|${why.text}`)) return false;
    seen.add(`${why.path}|${why.text}`);
    return true;
  });
}

/** Raw values: the weights change with the input and multiply what has no bound. `score` is a flaw of the score itself. */
export function valuesNeedBound(
  path: string,
  values: Range,
  score: Reason | null,
  distance: boolean,
): Reason {
  const size = values.token < Infinity ? "values that are not normalised" : "values of unbounded size";
  return {
    text: `attention weights change with its input and multiply ${size}`,
    path,
    because: given(score, values.why),
    fix: distance
      ? "Attend(p, p, p, score: distance), or values: unit(eps: 1e-2)"
      : "values: unit(eps: 1e-2)",
  };
}

/** Dot-product scores on a range so wide that the bound is of little use. */
export function sharpDot(path: string): Reason {
  const text =
    "q·k is a product of two values: how fast the attention weights change grows with the size of both";
  return { text, path, because: [], fix: "score: cosine(tau: 1, eps: 1)" };
}

/** Dot-product scores of queries and keys without a range. */
export function dotNeedsRange(path: string, ranges: readonly Range[]): Reason {
  return {
    text: "q·k is a product of two values, and their range is not bounded",
    path,
    because: given(ranges[0].why, ranges[1].why),
    fix: "score: cosine(tau: 1, eps: 1)",
  };
}

/** Distances of queries and keys that differ, without a range. */
export function distanceNeedsRange(path: string, ranges: readonly Range[]): Reason {
  return {
    text: "the squared distance of queries and keys that are not one value grows with their range, which is not bounded",
    path,
    because: given(ranges[0].why, ranges[1].why),
    fix: "Attend(p, p, p, score: distance), or score: cosine(tau: 1, eps: 1)",
  };
}

/** LRFormer's scale is a function of the whole input; its effect on the gain has no readable proof (Ye et al., 2023). */
export function wholeInputScale(path: string): Reason {
  const text = "a distance score scaled by the whole input has no proven rule";
  return { text, path, because: [], fix: "Attend(p, p, p, score: distance)" };
}
