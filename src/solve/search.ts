/**
 * The search of `solve`: the most permissive value of one number for which all claims hold.
 *
 * Which end of the interval is permissive is not said in the spec: it is the side on which the claims begin to fail.
 * Where a larger number loosens the bound (α, τ, ν, σ), claims hold from the low end up to some value, and the answer is
 * the largest; where it tightens it (ε) they hold from some value on, and the answer is the smallest. Values are tried
 * on a grid first, so that a claim that holds in the middle, or with a hole, is seen; then the border is bisected.
 * Nothing of that is a proof. The border is rounded to three digits on the side where claims hold, and the claims are
 * checked with exactly that number: this last check is the proof.
 */
import {
  add,
  compare,
  divide,
  fromNumber,
  multiply,
  subtract,
  toNumber,
  type Rational,
} from "../elaborate/rational.ts";
import { digitsAbove, digitsBelow, nextDigits } from "./digits.ts";

/** What one value gives. */
export interface Trial<T> {
  readonly value: Rational;
  /** Whether every claim is proven with it. */
  readonly holds: boolean;
  /** The largest ratio of a proven bound to its claim; ∞ where a claim has no bound, or the spec refuses the value. */
  readonly excess: number;
  readonly made: T;
}

export type Side = "largest" | "smallest";

export type Found<T> =
  | {
      readonly kind: "found";
      readonly at: Trial<T>;
      readonly side: Side;
      /** The value next to it that was tried and fails; null at an end of the interval. */
      readonly beyond: Trial<T> | null;
      readonly tried: number;
    }
  /** No value that was tried meets the claims. */
  | { readonly kind: "none"; readonly nearest: Trial<T>; readonly tried: number }
  /** Claims hold in several places, or in the middle alone: no one end is the permissive one. */
  | { readonly kind: "not-one-sided"; readonly holds: readonly Stretch[] }
  /** Claims hold with every value, and no bound depends on it. */
  | { readonly kind: "idle" };

/** Values in a row with which claims hold; those beside them fail, or are not in the interval. */
export interface Stretch {
  readonly from: Rational;
  readonly to: Rational;
}

/** Inner points of the grid: evenly, and towards an end that is 0. */
const even = 8;
const decades = 8;
/** Width at which bisection ends, relative to the value: finer than three digits. */
const narrow = 1e-5;
/** Halvings at most. */
const most = 100;

/** `trial` is asked once for each value, all of them between `low` and `high`; `low` ≤ `high`. */
export function search<T>(low: Rational, high: Rational, trial: (value: Rational) => Trial<T>): Found<T> {
  return new Search(low, high, trial).run();
}

class Search<T> {
  private readonly low: Rational;
  private readonly high: Rational;
  private readonly trial: (value: Rational) => Trial<T>;
  /** In the order of their values. */
  private readonly tried: Trial<T>[] = [];

  constructor(low: Rational, high: Rational, trial: (value: Rational) => Trial<T>) {
    this.low = low;
    this.high = high;
    this.trial = trial;
  }

  run(): Found<T> {
    for (const value of gridOf(this.low, this.high)) this.at(value);
    if (!this.tried.some((t) => t.holds)) this.descend();
    const [first, last] = [this.at(this.low), this.at(this.high)];
    const stretches = this.stretches();
    if (stretches.length === 0) {
      const nearest = this.tried.reduce((a, b) => (b.excess < a.excess ? b : a));
      return { kind: "none", nearest, tried: this.tried.length };
    }
    if (stretches.length > 1 || !(first.holds || last.holds)) return this.notOneSided();
    const all = first.holds && last.holds;
    if (all && this.tried.length > 1 && this.tried.every((t) => t.excess === first.excess))
      return { kind: "idle" };
    const up = all ? last.excess >= first.excess : first.holds;
    const [{ from, to }] = stretches;
    const answer = this.answer(this.at(up ? to : from), up);
    if (!answer || this.stretches().length > 1) return this.notOneSided();
    const side = up ? "largest" : "smallest";
    return { kind: "found", at: answer, side, beyond: this.failing(answer, up), tried: this.tried.length };
  }

  private at(value: Rational): Trial<T> {
    const place = this.tried.findIndex((t) => compare(t.value, value) >= 0);
    if (place >= 0 && compare(this.tried[place].value, value) === 0) return this.tried[place];
    const made = this.trial(value);
    this.tried.splice(place < 0 ? this.tried.length : place, 0, made);
    return made;
  }

  private inside(value: Rational): boolean {
    return compare(value, this.low) >= 0 && compare(value, this.high) <= 0;
  }

  /** The value next to one that was tried. */
  private beside(value: Rational, up: boolean): Trial<T> | null {
    const place = this.tried.findIndex((t) => compare(t.value, value) === 0);
    return this.tried[place + (up ? 1 : -1)] ?? null;
  }

  /** What fails next to the answer: the next number of three digits where it was tried. */
  private failing({ value }: Trial<T>, up: boolean): Trial<T> | null {
    const next = nextDigits(value, up);
    const known = next && this.tried.find((t) => compare(t.value, next) === 0);
    if (known) return known;
    const after = this.tried.filter((t) => !t.holds && compare(t.value, value) === (up ? 1 : -1));
    return (up ? after[0] : after.at(-1)) ?? null;
  }

  private stretches(): Stretch[] {
    const found: { from: Rational; to: Rational }[] = [];
    this.tried.forEach(({ value, holds }, i) => {
      if (!holds) return;
      if (i > 0 && this.tried[i - 1].holds) found[found.length - 1].to = value;
      else found.push({ from: value, to: value });
    });
    return found;
  }

  /** With the borders of each stretch found, to three digits where there are such numbers in it. */
  private notOneSided(): Found<T> {
    const holds = this.stretches().map(({ from, to }) => {
      const [low, high] = [this.answer(this.at(from), false), this.answer(this.at(to), true)];
      return low && high && compare(low.value, high.value) <= 0
        ? { from: low.value, to: high.value }
        : { from, to };
    });
    return { kind: "not-one-sided", holds };
  }

  /** Where nothing holds on the grid: looks for it round the value that comes nearest, by thirds. */
  private descend(): void {
    for (let i = 0; i < 20 && !this.tried.some((t) => t.holds); i++) {
      const best = this.tried.reduce((a, b) => (b.excess < a.excess ? b : a));
      if (!Number.isFinite(best.excess)) return;
      const [before, after] = [this.beside(best.value, false), this.beside(best.value, true)];
      for (const other of [before, after]) if (other) this.at(between(best.value, other.value));
    }
  }

  /** From the value nearest to the failing side to the most permissive one of three digits; null where there is none. */
  private answer(end: Trial<T>, up: boolean): Trial<T> | null {
    const border = this.bisect(end, up);
    let answer = this.rounded(border, up);
    // The border may lie a hair beyond a number of three digits that bisection has not met.
    for (let i = 0; answer && i < 3; i++) {
      const next = nextDigits(answer.value, up);
      if (!next || !this.inside(next)) break;
      const found = this.at(next);
      if (!found.holds) break;
      answer = found;
    }
    return answer;
  }

  private bisect(holds: Trial<T>, up: boolean): Trial<T> {
    for (let i = 0; i < most; i++) {
      const fails = this.beside(holds.value, up);
      if (!fails || width(holds.value, fails.value) <= narrow) break;
      const middle = this.at(between(holds.value, fails.value));
      if (middle.holds) holds = middle;
    }
    return holds;
  }

  /** Three digits on the safe side; more, and at last the value itself, where the interval has no such number there. */
  private rounded(border: Trial<T>, up: boolean): Trial<T> | null {
    // An end of the interval is a number that a person has written.
    if (this.beside(border.value, up) === null && isShort(border.value)) return border;
    const value = up ? digitsBelow(border.value) : digitsAbove(border.value);
    const answer = value && this.inside(value) ? this.at(value) : border;
    return answer.holds ? answer : null;
  }
}

function gridOf(low: Rational, high: Rational): Rational[] {
  const points = [low, high];
  const span = subtract(high, low);
  if (!span || span.n === 0n) return [low];
  for (let i = 1n; i < BigInt(even); i++) {
    const step = multiply(span, { n: i, d: BigInt(even) });
    const point = step && add(low, step);
    if (point) points.push(point);
  }
  const ends = [toNumber(low), toNumber(high)];
  const inner: number[] = [];
  if (ends[0] > 0 && ends[1] / ends[0] > 10)
    for (let i = 1; i < decades; i++) inner.push(ends[0] * (ends[1] / ends[0]) ** (i / decades));
  else if (ends[0] <= 0 && ends[1] > 0) for (let i = 1; i <= decades; i++) inner.push(ends[1] * 10 ** -i);
  for (const x of inner) if (x > ends[0] && x < ends[1]) points.push(fromNumber(Number(x.toPrecision(3))));
  return points;
}

/** A value in between: by ratio where the two are far apart, towards 0 by a sixteenth. */
function between(a: Rational, b: Rational): Rational {
  const [x, y] = [toNumber(a), toNumber(b)];
  const far = Math.max(Math.abs(x / y), Math.abs(y / x));
  if (x === 0 || y === 0) return divide(x === 0 ? b : a, { n: 16n, d: 1n }) ?? a;
  if (x * y > 0 && far > 4) return fromNumber(Math.sign(x) * Math.sqrt(x * y));
  const sum = add(a, b);
  return (sum && divide(sum, { n: 2n, d: 1n })) ?? a;
}

function width(a: Rational, b: Rational): number {
  const [x, y] = [toNumber(a), toNumber(b)];
  const largest = Math.max(Math.abs(x), Math.abs(y));
  // Next to 0 nothing is near in ratio: 1e-30 is where the search gives up.
  return largest < 1e-30 ? 0 : Math.abs(x - y) / largest;
}

/** Whether a number is as short as people write them: 0.25, 1/12, 100. */
function isShort(value: Rational): boolean {
  return value.d < 10_000n && (value.n < 0n ? -value.n : value.n) < 1_000_000n;
}
