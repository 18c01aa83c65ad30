/** The value of an expression for any values of its symbols, as an interval that holds the exact one. */
import { addUp, expDown, expUp, nextDown, nextUp, sqrtDown, sqrtUp } from "../gain/up.ts";
import type { Condition, Expression, Symbol } from "./expression.ts";

export type Values = (symbol: Symbol) => number;
type Interval = readonly [low: number, high: number];

const anything: Interval = [-Infinity, Infinity];

/**
 * The proven bound: the upper end. ∞ where nothing follows, or where a rule was used under a condition that these values
 * don't meet.
 */
export function evaluate(
  expression: Expression,
  values: Values,
  conditions: readonly Condition[] = [],
): number {
  const known = new Map<Expression, Interval>();
  for (const { less, more } of conditions)
    if (!(enclose(less, values, known)[1] < enclose(more, values, known)[0])) return Infinity;
  return enclose(expression, values, known)[1];
}

/** Arguments first, without recursion: expressions are as deep as models. */
function enclose(root: Expression, values: Values, known: Map<Expression, Interval>): Interval {
  const waiting = [root];
  while (waiting.length > 0) {
    const x = waiting[waiting.length - 1];
    const missing = known.has(x) ? [] : x.args.filter((arg) => !known.has(arg));
    if (missing.length > 0) {
      waiting.push(...missing);
      continue;
    }
    waiting.pop();
    if (!known.has(x)) known.set(x, checked(x, values, known));
  }
  return known.get(root) ?? anything;
}

function checked(x: Expression, values: Values, known: ReadonlyMap<Expression, Interval>): Interval {
  const [low, high] = apply(
    x,
    values,
    x.args.map((arg) => known.get(arg) ?? anything),
  );
  if (Number.isNaN(low) || Number.isNaN(high)) return x.positive ? [0, Infinity] : anything;
  return x.positive ? [Math.max(0, low), high] : [low, high];
}

function apply(x: Expression, values: Values, args: readonly Interval[]): Interval {
  const [a, b] = args;
  switch (x.op) {
    case "num":
      return [x.value, x.value];
    case "symbol": {
      // What a source is to itself is no choice.
      const value = !x.symbol ? NaN : x.symbol.source ? x.symbol.value : values(x.symbol);
      // Norms and coefficients are sizes: a negative one is a mistake, and proves nothing.
      return value >= 0 ? [value, value] : anything;
    }
    case "add":
      return [-addUp(-a[0], -b[0]), addUp(a[1], b[1])];
    case "sub":
      return [-addUp(-a[0], b[1]), addUp(a[1], -b[0])];
    case "mul":
      return corners(a, b, times);
    case "div":
      return b[0] <= 0 && b[1] >= 0 ? anything : corners(a, b, over);
    case "sqrt":
      return a[1] < 0 ? anything : [sqrtDown(Math.max(0, a[0])), sqrtUp(Math.max(0, a[1]))];
    case "exp":
      return [expDown(a[0]), expUp(a[1])];
    case "log":
      return a[0] <= 0 ? anything : [wide(Math.log(a[0]), nextDown), wide(Math.log(a[1]), nextUp)];
    case "abs":
      return a[0] >= 0 ? a : a[1] <= 0 ? [-a[1], -a[0]] : [0, Math.max(-a[0], a[1])];
    case "max":
      return [Math.max(...args.map(([low]) => low)), Math.max(...args.map(([, high]) => high))];
    case "min":
      return [Math.min(...args.map(([low]) => low)), Math.min(...args.map(([, high]) => high))];
  }
}

/** `log` errs by less than 1 unit in the last place (docs/gains.md, "Rounding"): 8 are added. */
function wide(x: number, step: (x: number) => number): number {
  for (let i = 0; i < 8; i++) x = step(x);
  return x;
}

function corners([a, b]: Interval, [c, d]: Interval, of: (x: number, y: number) => Interval): Interval {
  const all = [of(a, c), of(a, d), of(b, c), of(b, d)];
  return [Math.min(...all.map(([low]) => low)), Math.max(...all.map(([, high]) => high))];
}

function times(x: number, y: number): Interval {
  if (x === 0 || y === 0) return [0, 0];
  const product = x * y;
  return x === 1 || y === 1 ? [product, product] : [nextDown(product), nextUp(product)];
}

function over(x: number, y: number): Interval {
  if (x === 0) return [0, 0];
  const quotient = x / y;
  return y === 1 ? [quotient, quotient] : [nextDown(quotient), nextUp(quotient)];
}
