/**
 * Bounds as expressions: the arithmetic of the checker's table of rules (src/certificate/verify/rules) with trees in place of
 * numbers. Equal expressions are one object. Nothing is approximated here and no branch is chosen: at every minimum all
 * bounds are kept, so that an expression can be evaluated for any values of its symbols, and each value is a proven bound.
 */
import type { Arith } from "../certificate/verify/rules/arith.ts";

export type Op =
  "num" | "symbol" | "add" | "sub" | "mul" | "div" | "sqrt" | "exp" | "log" | "abs" | "max" | "min";

/** A number of the spec or a norm of a weight; `value` is the model's own. */
export interface Symbol {
  /** α, τ, ν, ε, γ, σ, …: as a formula writes it. */
  readonly letter: string;
  /** The path of the weight, or of the node and the argument: `lips_block.0.attend.tau`. */
  readonly path: string;
  readonly value: number;
  /** A gain of the source to itself, from which all others grow: no symbol of the model. */
  readonly source?: true;
}

export interface Expression {
  /** Larger than those of its arguments. */
  readonly id: number;
  readonly op: Op;
  readonly args: readonly Expression[];
  /** With the model's own values, in plain arithmetic: for choices, never for proofs. */
  readonly value: number;
  /** Whether it is ≥ 0 for all values of the symbols (which are ≥ 0). */
  readonly positive: boolean;
  /** Whether it grows from the source. */
  readonly grows: boolean;
  /** Whether no symbol is in it. */
  readonly constant: boolean;
  /** Symbols and operations, as a tree; capped. */
  readonly size: number;
  readonly symbol: Symbol | null;
}

/** A condition under which a rule was used: `less < more` for the values of the symbols. */
export interface Condition {
  readonly less: Expression;
  readonly more: Expression;
}

const plain: Readonly<Record<Exclude<Op, "num" | "symbol">, (xs: readonly number[]) => number>> = {
  add: ([x, y]) => x + y,
  sub: ([x, y]) => x - y,
  mul: ([x, y]) => (x === 0 || y === 0 ? 0 : x * y),
  div: ([x, y]) => (y === 0 ? Infinity : x / y),
  sqrt: ([x]) => Math.sqrt(x),
  exp: ([x]) => Math.exp(x),
  log: ([x]) => Math.log(x),
  abs: ([x]) => Math.abs(x),
  max: (xs) => Math.max(...xs),
  min: (xs) => Math.min(...xs),
};

const largestSize = 1e9;

export class Expressions implements Arith<Expression> {
  readonly conditions: Condition[] = [];
  private readonly known = new Map<string, Expression>();
  private readonly tags = new Map<number, Expression>();
  private count = 0;

  /** Those of the model that were asked for. */
  get symbols(): readonly Symbol[] {
    return [...this.known.values()].flatMap((x) => (x.symbol && x.symbol.source !== true ? [x.symbol] : []));
  }

  /** A symbol; the same one for the same letter and path. */
  symbol(symbol: Symbol): Expression {
    return this.keep(`symbol ${symbol.letter} ${symbol.path}`, "symbol", [], symbol.value, symbol);
  }

  /**
   * A number that stands for a symbol where rules read a plain number of the configuration: it occurs nowhere else, so
   * that `num` knows it again.
   */
  tag(symbol: Symbol): number {
    let tagged = symbol.value;
    do tagged += symbol.value * 2 ** -40;
    while (this.tags.has(tagged));
    this.tags.set(tagged, this.symbol(symbol));
    return tagged;
  }

  readonly num = (x: number): Expression => this.tags.get(x) ?? this.keep(`num ${x}`, "num", [], x, null);

  readonly add = (x: Expression, y: Expression): Expression => {
    if (isZero(x)) return y;
    if (isZero(y)) return x;
    if (isInfinite(x) || isInfinite(y)) return this.infinite(x, y);
    return this.make("add", x, y);
  };

  readonly sub = (x: Expression, y: Expression): Expression => {
    if (isZero(y)) return x;
    // x − (0 − z): how lower ends are written.
    const minus = y.op === "sub" && isZero(y.args[0]);
    return minus ? this.add(x, y.args[1]) : this.make("sub", x, y);
  };

  readonly mul = (x: Expression, y: Expression): Expression => {
    if (isZero(x) || isOne(y)) return x;
    if (isZero(y) || isOne(x)) return y;
    if ((isInfinite(x) && y.positive) || (isInfinite(y) && x.positive)) return this.num(Infinity);
    return this.make("mul", x, y);
  };

  readonly div = (x: Expression, y: Expression): Expression => (isOne(y) ? x : this.make("div", x, y));
  readonly sqrt = (x: Expression): Expression => (isZero(x) || isOne(x) ? x : this.make("sqrt", x));
  readonly exp = (x: Expression): Expression => this.make("exp", x);
  readonly log = (x: Expression): Expression => this.make("log", x);
  readonly abs = (x: Expression): Expression => {
    if (x.positive) return x;
    // |0 − z|: the size of a lower end.
    const minus = x.op === "sub" && isZero(x.args[0]) && x.args[1].positive;
    return minus ? x.args[1] : this.make("abs", x);
  };

  readonly max = (...xs: readonly Expression[]): Expression => {
    const kept = distinct(xs).filter((x) => !(x.op === "num" && x.value === -Infinity));
    const infinite = kept.find(isInfinite);
    if (infinite) return infinite;
    const positive = kept.filter((x) => !isZero(x));
    const rest = positive.some((x) => x.positive) ? positive : kept;
    return rest.length === 1 ? rest[0] : rest.length === 0 ? xs[0] : this.make("max", ...rest);
  };

  readonly min = (...xs: readonly Expression[]): Expression => {
    const kept = distinct(xs).filter((x) => !isInfinite(x));
    if (kept.length === 0) return xs[0];
    return kept.length === 1 ? kept[0] : this.make("min", ...kept);
  };

  /** A condition on symbols is kept: where it fails, the expression says nothing. */
  readonly surelyLess = (less: Expression, more: Expression): boolean => {
    if (!(less.value < more.value)) return false;
    this.conditions.push({ less, more });
    return true;
  };

  readonly surelyEqual = (x: Expression, y: Expression): boolean => x === y;

  private infinite(x: Expression, y: Expression): Expression {
    const infinite = isInfinite(x) ? x : y;
    const other = infinite === x ? y : x;
    // ∞ − ∞ is no number: nothing is known.
    return other.op === "num" && other.value === -Infinity ? this.num(Infinity) : infinite;
  }

  private make(op: Exclude<Op, "num" | "symbol">, ...args: readonly Expression[]): Expression {
    const key = `${op} ${args.map((x) => x.id).join(" ")}`;
    return this.keep(key, op, args, plain[op](args.map((x) => x.value)), null);
  }

  private keep(
    key: string,
    op: Op,
    args: readonly Expression[],
    value: number,
    symbol: Symbol | null,
  ): Expression {
    const known = this.known.get(key);
    if (known) return known;
    const made: Expression = {
      id: this.count++,
      op,
      args,
      value,
      symbol,
      positive: isPositive(op, args, value),
      grows: symbol?.source === true || args.some((x) => x.grows),
      constant: symbol === null && args.every((x) => x.constant),
      size: Math.min(
        largestSize,
        args.reduce((sum, x) => sum + x.size, 1),
      ),
    };
    this.known.set(key, made);
    return made;
  }
}

function isPositive(op: Op, args: readonly Expression[], value: number): boolean {
  switch (op) {
    case "num":
      return value >= 0;
    case "symbol":
    case "exp":
    case "abs":
    case "sqrt":
      return true;
    case "sub":
    case "log":
      return false;
    case "max":
      return args.some((x) => x.positive);
    default:
      return args.every((x) => x.positive);
  }
}

function distinct(xs: readonly Expression[]): Expression[] {
  return [...new Set(xs)];
}
function isZero(x: Expression): boolean {
  return x.op === "num" && x.value === 0;
}
function isOne(x: Expression): boolean {
  return x.op === "num" && x.value === 1;
}
function isInfinite(x: Expression): boolean {
  return x.op === "num" && x.value === Infinity;
}
