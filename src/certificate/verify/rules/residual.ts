/** x + α·f(x), or (1 − α)·x + α·f(x). Proofs: docs/gains.md, "Residual, additive" and "Residual, convex". */
import { intervalProduct, square, type Arith } from "./arith.ts";
import type { Facts } from "./facts.ts";
import { plus, times } from "./gains.ts";
import { closeRange, type Range } from "./ranges.ts";
import { defineRule, equal, number, perChannel, word, type Coefficient, type Context } from "./rule.ts";

type ResidualConfig = {
  readonly alpha: Coefficient;
  readonly form: "additive" | "convex";
  readonly drop: number;
};

/** Whether α is one number for all channels. */
function isScalar<T>({ a, config: { alpha } }: Context<T, ResidualConfig>, facts: Facts<T>): boolean {
  return alpha.kind === "constant" || alpha.shape?.length === 0 || a.surelyEqual(facts.low, facts.high);
}

/** Of one entry, x and f having the bounds x and f there; `linf` where a norm looks at one entry at a time. */
function convex<T>(a: Arith<T>, x: T, f: T, alpha: Facts<T>, single: boolean): T {
  const rest = (end: T): T => a.abs(a.sub(a.num(1), end));
  const { low, high, maxAbs } = alpha;
  const at = (end: T): T => a.add(a.mul(rest(end), x), a.mul(a.abs(end), f));
  if (single) return a.max(at(low), at(high));
  const simple = a.add(a.mul(a.max(rest(low), rest(high)), x), a.mul(maxAbs, f));
  // For any t > 0: √(max over the ends of ((1 − α)² + α²/t)·(x² + t·f²)). The best t is at one of these.
  const weighted = (t: T): T => {
    // At t = 0, which is where the best one seems to lie for x = 0, α²/t has no value, and 0·∞ would give 0.
    if (!a.surelyLess(a.num(0), t)) return a.num(Infinity);
    const of = (end: T): T => a.add(square(a, rest(end)), a.div(square(a, end), t));
    return a.sqrt(a.mul(a.max(of(low), of(high)), a.add(square(a, x), a.mul(t, square(a, f)))));
  };
  const ratio = a.div(x, f);
  const own = (end: T): T => a.mul(ratio, a.div(a.abs(end), rest(end)));
  const crossing = a.div(
    a.sub(square(a, high), square(a, low)),
    a.sub(square(a, rest(low)), square(a, rest(high))),
  );
  return a.min(simple, ...[own(low), own(high), crossing, ratio].map(weighted));
}

function combined<T>(c: Context<T, ResidualConfig>, x: T, f: T, alpha: Facts<T>, oneEntry: boolean): T {
  if (c.config.form === "additive") return c.a.add(x, c.a.mul(alpha.maxAbs, f));
  return convex(c.a, x, f, alpha, oneEntry || isScalar(c, alpha));
}

/** Affine in α for given entries, so that its extremes are at the ends of α. */
function interval<T>(
  { a, config }: Context<T, ResidualConfig>,
  x: Range<T>,
  f: Range<T>,
  alpha: Facts<T>,
): { low: T; high: T } {
  const ends = [alpha.low, alpha.high].map((end) => {
    const kept = config.form === "convex" ? a.sub(a.num(1), end) : a.num(1);
    const [xs, fs] = [
      intervalProduct(a, [kept, kept], [x.low, x.high]),
      intervalProduct(a, [end, end], [f.low, f.high]),
    ];
    return [a.add(xs[0], fs[0]), a.add(xs[1], fs[1])];
  });
  return { low: a.min(ends[0][0], ends[1][0]), high: a.max(ends[0][1], ends[1][1]) };
}

export const residual = defineRule<ResidualConfig>({
  name: ({ form }) => `residual, ${form}`,
  inputs: 2,
  config: {
    alpha: perChannel,
    form: word("additive", "convex"),
    drop: number((p) => p >= 0 && p < 1),
  },
  shapes: ({ shapes: [x, f] }) => (equal(x, f) ? [x] : null),
  gain: (c, [x, f]) => {
    const alpha = c.coefficient(c.config.alpha);
    if (c.config.form === "additive") return [plus(c.a, x, times(c.a, alpha.maxAbs, f))];
    return [x.map((e, i) => combined(c, e, f[i], alpha, i % 3 === 2))];
  },
  range: (c) => {
    const [x, f] = c.ranges;
    const alpha = c.coefficient(c.config.alpha);
    const of = (key: "l2" | "token" | "linf" | "spread") =>
      combined(c, x[key], f[key], alpha, key === "linf");
    const stated = { l2: of("l2"), token: of("token"), linf: of("linf"), spread: of("spread") };
    return [closeRange(c.a, { ...stated, ...interval(c, x, f, alpha) }, c.outputs[0])];
  },
});
