/** Affine maps: what gain and range follow from stated entries (docs/gains.md, section 2). */
import { root, type Arith } from "./arith.ts";
import type { Facts } from "./facts.ts";
import { closed, sequence, tokensOf, type Shape, type Stated } from "./gains.ts";
import { closeRange, type Range } from "./ranges.ts";
import type { Config, Context, Rule } from "./rule.ts";

export interface Affine<T> {
  readonly stated: Stated<T>;
  /** It takes a constant token to one, and moves no token further from it than this times. Left out: it doesn't. */
  readonly spread?: T;
  readonly bias?: Facts<T> | null;
  /** Every output entry is an input entry or a mean of such, or may be a new zero. */
  readonly entries?: "kept" | "kept or zero";
}

export type Describe<C extends Config> = <T>(context: Context<T, C>) => Affine<T>;

export function affine<C extends Config>(describe: Describe<C>): Pick<Rule<C>, "gain" | "range"> {
  return {
    gain: (c, [input]) => [sequence(c.a, input, closed(c.a, describe(c).stated, c.shapes[0], c.outputs[0]))],
    range: (c) => [rangeOf(c.a, describe(c), c.ranges[0], c.shapes[0], c.outputs[0])],
  };
}

/** R_q ≤ min over p of G[p→q]·R_p, plus the bias: ‖b‖∞ (linf), ‖b‖₂ (token), √N·‖b‖₂ (l2); the spread forgets it. */
function rangeOf<T>(a: Arith<T>, map: Affine<T>, input: Range<T>, from: Shape, to: Shape): Range<T> {
  const gain = closed(a, map.stated, from, to);
  const [l2, token, linf] = [0, 1, 2].map((q) =>
    a.min(a.mul(input.l2, gain[q]), a.mul(input.token, gain[3 + q]), a.mul(input.linf, gain[6 + q])),
  );
  const zero = a.num(0);
  const norm = map.bias?.frobenius ?? zero;
  const interval =
    map.bias || map.entries === undefined
      ? {}
      : map.entries === "kept"
        ? { low: input.low, high: input.high }
        : { low: a.min(input.low, zero), high: a.max(input.high, zero) };
  return closeRange(
    a,
    {
      l2: a.add(l2, a.mul(root(a, tokensOf(to)), norm)),
      token: a.add(token, norm),
      linf: a.add(linf, map.bias?.maxAbs ?? zero),
      spread: map.spread === undefined ? token : a.min(a.mul(map.spread, input.spread), token),
      ...interval,
    },
    to,
  );
}
