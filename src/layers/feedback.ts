/** Ranges and series that Scan and Fixpoint share. */
import type { Range } from "../gain/facts.ts";
import { unbounded } from "../gain/range.ts";
import { addUp, divUp, maxUp, minBound, mulUp, subDown } from "../gain/up.ts";
import type { Config, GainContext } from "./layer.ts";

/** A range that holds every value of two ranges. The ends and balls are convex, so the hull is too. */
export function hull(a: Range, b: Range): Range {
  return {
    l2: maxUp(a.l2, b.l2),
    token: maxUp(a.token, b.token),
    linf: maxUp(a.linf, b.linf),
    low: Math.min(a.low, b.low),
    high: Math.max(a.high, b.high),
    // Two constant tokens may differ, so only the radius round 0 holds for both.
    spread: maxUp(a.token, b.token),
    why: a.why ?? b.why,
  };
}

/**
 * Range of the fed-back value: first the step's result with nothing known of its own state, then joined with where
 * the iteration starts. Every state is the start or a result of the step, so all lie in the hull, which is convex.
 */
export function invariant(
  context: GainContext<Config>,
  start: Range,
  ranges: (state: Range) => readonly Range[],
): Range {
  const unknown = unbounded({ text: "the fed-back value", path: context.node.path, because: [] });
  return hull(context.step(ranges(unknown)).range, start);
}

/** ≥ 1 + κ + … + κ^(count−1); with count = Infinity 1/(1 − κ), ∞ for κ ≥ 1. */
export function series(kappa: number, count: number): number {
  const limit = kappa < 1 ? divUp(1, subDown(1, kappa)) : Infinity;
  if (!(kappa < Infinity) || count > 1e5) return limit;
  let sum = 0;
  let power = 1;
  for (let k = 0; k < count && sum < Infinity; k++) {
    sum = addUp(sum, power);
    power = mulUp(power, kappa);
  }
  return minBound(limit, sum);
}
