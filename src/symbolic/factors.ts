/**
 * A bound layer by layer. Where all that reaches the target passes through one value, the gains of that value are named,
 * and what comes after is written in them: gains of one layer's output in gains of its input. A name for each norm that
 * the rules after it read; mostly that is one, and then the layer is a factor, since rules are homogeneous in gains.
 *
 * At a minimum the branch is taken that gives the model's own number, where that stays an upper bound for any values: so
 * for bounds, and the other way round for what a bound falls with.
 */
import { norms } from "../gain/gain.ts";
import type { Model, Node, Norm, ValueId } from "../model/model.ts";
import {
  add,
  call,
  coefficient,
  inverse,
  keyOf,
  multiply,
  number,
  one,
  root,
  symbol,
  type Product,
} from "./algebra.ts";
import type { SymbolicBound } from "./bound.ts";
import type { Expression, Symbol } from "./expression.ts";

/** 1: the bound grows with it; −1: falls; 0: not known. */
type Direction = 1 | -1 | 0;

/** `A` is the gain to l2, `T` to token, `M` to linf, of the value before; in `formula` these are symbols without a path. */
export const gainLetters: Readonly<Record<Norm, string>> = { l2: "A", token: "T", linf: "M" };

/** What one layer (or a block that lies between two such values) makes of the gains before it. */
export interface Stage {
  /** The value that it gives, and the node that makes it. */
  readonly value: ValueId;
  readonly node: Node;
  readonly updates: readonly Update[];
}

export interface Update {
  readonly to: Norm;
  readonly formula: Product;
  /** The formula is too long to be read: in its place a factor that holds for the model's own numbers alone. */
  readonly numeric: boolean;
  /** The gain after the layer, with the model's own values. */
  readonly gain: number;
}

/**
 * From the source to the target, from the norm `from` to the norm `to`. The first stages may start from fixed numbers. What
 * isn't `readable` is a number.
 */
export function stagesOf(
  model: Model,
  bound: SymbolicBound,
  source: ValueId,
  target: ValueId,
  from: Norm,
  to: Norm,
  readable: (formula: Product) => boolean = () => true,
): Stage[] {
  const cuts = cutsOf(model, source, target);
  const row = 3 * norms.indexOf(from);
  const entries = (value: ValueId): Expression[] =>
    bound
      .gain(value)
      .slice(row, row + 3)
      .map(taken);
  const stages: Stage[] = [];
  let wanted: readonly Norm[] = [to];
  for (let i = cuts.length - 1; i >= 0 && wanted.length > 0; i--) {
    const { value, node } = cuts[i];
    const before = i > 0 ? entries(cuts[i - 1].value) : null;
    const after = entries(value);
    const read = new Set<Norm>();
    const updates = wanted.map((norm): Update => {
      const x = after[norms.indexOf(norm)];
      const found = shortFormula(x, before);
      const numeric = found === null || !readable(found.formula);
      const { formula, reads } = numeric ? factorOf(x, norm, before) : found;
      reads.forEach((one) => read.add(one));
      return { to: norm, formula, numeric, gain: x.value };
    });
    // A gain that stays as it is needs no line.
    const changes = updates.filter(({ to, formula }) => keyOf(formula) !== keyOf(symbol(gainSymbol(to, 0))));
    if (changes.length > 0) stages.push({ value, node, updates: changes });
    wanted = norms.filter((norm) => read.has(norm));
  }
  return stages.reverse();
}

interface Written {
  readonly formula: Product;
  /** The gains before that it is written in. */
  readonly reads: ReadonlySet<Norm>;
}

/** null where it is too long even to be made. */
function shortFormula(x: Expression, before: readonly Expression[] | null): Written | null {
  const reads = new Set<Norm>();
  try {
    return { formula: formulaOf(x, before, (norm) => reads.add(norm)), reads };
  } catch (error) {
    if (error instanceof TooLong) return null;
    throw error;
  }
}

/** How much larger a gain is than one before, to the same norm if that can be: a number, rounded up. */
function factorOf(x: Expression, norm: Norm, before: readonly Expression[] | null): Written {
  const gains = [norm, ...norms].flatMap((name) => {
    const gain = before?.[norms.indexOf(name)];
    return gain?.grows && gain.value > 0 && Number.isFinite(gain.value) ? [{ name, value: gain.value }] : [];
  });
  if (gains.length === 0) return { formula: number(roundUp(x.value)), reads: new Set() };
  const [{ name, value }] = gains;
  return {
    formula: multiply(number(roundUp(x.value / value)), symbol(gainSymbol(name, value))),
    reads: new Set([name]),
  };
}

/** To four digits; the division before it erred by less than the last of them is raised. */
function roundUp(x: number): number {
  if (!Number.isFinite(x) || x === 0) return x;
  const unit = 10 ** (Math.floor(Math.log10(Math.abs(x))) - 3);
  const near = Number((Math.ceil((x * (1 + 1e-12)) / unit) * unit).toPrecision(4));
  return near >= x ? near : Number((near + unit).toPrecision(4));
}

interface Cut {
  readonly value: ValueId;
  readonly node: Node;
}

/** Values through which every way from the source to the target leads, in order; the target last, the source left out. */
function cutsOf(model: Model, source: ValueId, target: ValueId): Cut[] {
  const producers = new Map<ValueId, Node>();
  const depends = new Set<ValueId>([source]);
  const place = new Map<ValueId, number>([[source, -1]]);
  model.nodes.forEach((node, i) => {
    if (!node.inputs.some((value) => depends.has(value))) return;
    for (const value of node.outputs) {
      if (value === source) continue;
      producers.set(value, node);
      place.set(value, i);
      depends.add(value);
    }
  });
  const cuts: Cut[] = [];
  const order = (value: ValueId): number => place.get(value) ?? -1;
  let open = [target];
  while (open.length > 0) {
    const next = open.reduce((a, b) => (order(b) > order(a) ? b : a));
    const node = producers.get(next);
    if (!node) break;
    if (open.length === 1) cuts.push({ value: next, node });
    const inner = node.inputs.filter((value) => depends.has(value));
    open = [...new Set([...open.filter((value) => value !== next), ...inner])];
  }
  return cuts.reverse();
}

/** The branch of a minimum that counts for a bound. */
export function taken(x: Expression): Expression {
  while (x.op === "min") x = chosen(x, (a, b) => a < b);
  return x;
}

/** Of several that are equal but for rounding, the shortest. */
function chosen(x: Expression, better: (a: number, b: number) => boolean): Expression {
  return x.args.reduce((best, other) => {
    const same = best.value === other.value || Math.abs(other.value / best.value - 1) < 1e-12;
    return same ? (other.size < best.size ? other : best) : better(other.value, best.value) ? other : best;
  });
}

/** Larger formulas are not for people: steps to one, and characters of its parts. */
const largest = 5000;
const longest = 5000;

/**
 * In the gains before it as symbols, telling which it reads. `before` null: from the source, whose gains to itself are
 * fixed numbers.
 */
function formulaOf(
  after: Expression,
  before: readonly Expression[] | null,
  read: (norm: Norm) => void,
): Product {
  const gains = new Map<Expression, Product>();
  for (const [i, norm] of [...norms.entries()].reverse()) {
    const x = before?.[i];
    if (x?.grows) gains.set(x, symbol(gainSymbol(norm, x.value)));
  }
  const known = new Map<string, Product>();
  const made = (x: Expression, way: Direction): Product => {
    const key = `${x.id} ${way}`;
    const before = known.get(key);
    if (before) return before;
    if (known.size > largest) throw new TooLong();
    const formula = make(x, way);
    const length = [...formula.powers.keys()].reduce((sum, k) => sum + k.length, 0);
    if (length > longest) throw new TooLong();
    known.set(key, formula);
    return formula;
  };
  const make = (x: Expression, way: Direction): Product => {
    const gain = gains.get(x);
    if (gain) {
      const [used] = gain.powers.values();
      if (used?.atom.kind === "symbol") read(normOf(used.atom.symbol));
      return gain;
    }
    if (x.symbol) return x.symbol.source ? exactly(x.value) : symbol(x.symbol);
    const [a, b] = x.args;
    const against = -way as Direction;
    switch (x.op) {
      case "num":
        return number(x.value);
      case "add":
        return add(made(a, way), made(b, way));
      case "sub":
        return add(made(a, way), multiply(number(-1), made(b, against)));
      case "mul":
        return multiply(made(a, isPositive(b) ? way : 0), made(b, isPositive(a) ? way : 0));
      case "div":
        return multiply(
          made(a, isPositive(b) ? way : 0),
          inverse(made(b, isPositive(a) && isPositive(b) ? against : 0)),
        );
      case "sqrt":
        return root(made(a, way));
      case "abs":
        return call("abs", made(a, 0));
      case "exp":
      case "log":
        return call(x.op, made(a, way));
      case "min":
      case "max": {
        if (way === (x.op === "min" ? 1 : -1)) {
          const better = (p: number, q: number): boolean => (x.op === "min" ? p < q : p > q);
          return made(chosen(x, better), way);
        }
        return several(
          x.op,
          x.args.map((arg) => made(arg, way)),
        );
      }
      case "symbol":
        return one;
    }
  };
  return made(after, 1);
}

const positive = new WeakMap<Expression, boolean>();

/**
 * Also 1 − κ, which is positive where the rule about feedback holds at all, the sum (1 − κ^n)/(1 − κ), and what is made of
 * such numbers.
 */
function isPositive(x: Expression): boolean {
  let found = positive.get(x);
  if (found === undefined) {
    const rest = (y: Expression): boolean => y.op === "sub" && y.args[0].op === "num";
    found =
      x.positive ||
      (rest(x) && x.value > 0) ||
      (x.op === "div" && x.args.every(rest) && x.value > 0) ||
      (!["num", "sub", "log"].includes(x.op) && x.args.length > 0 && x.args.every(isPositive));
    positive.set(x, found);
  }
  return found;
}

/** Of multiples of one thing, numbers among them, the one that counts is known here and now. */
function several(name: "max" | "min", args: readonly Product[]): Product {
  const best = new Map<string, Product>();
  for (const arg of args) {
    const key = keyOf({ ...one, powers: arg.powers });
    const known = best.get(key);
    const [x, y] = [coefficient(arg), known ? coefficient(known) : NaN];
    if (!known || (name === "max" ? x > y : x < y)) best.set(key, arg);
  }
  return call(name, ...best.values());
}

/** √n of the norms' conversions stays a root. */
function exactly(x: number): Product {
  const square = Math.round(x * x);
  return Math.abs(Math.sqrt(square) / x - 1) < 1e-14 ? root(number(square)) : number(x);
}

/** A gain of the value before: no symbol of the model, and so without a path. */
function gainSymbol(norm: Norm, value: number): Symbol {
  return { letter: gainLetters[norm], path: "", value };
}

function normOf({ letter }: Symbol): Norm {
  return norms.find((norm) => gainLetters[norm] === letter) ?? "l2";
}

/** A layer's formula has too many parts to be read. */
class TooLong extends Error {}
