/** What pointwise and token-wise layers share: stored arguments, gain and range rules. */
import { numberDown, numberUp, show, toNumber, type Rational } from "../elaborate/rational.ts";
import type { Range } from "../gain/facts.ts";
import { closed, channelsOf, through, tokensOf, type Gain, type Reason, type Stated } from "../gain/gain.ts";
import { closeRange } from "../gain/range.ts";
import {
  addUp,
  divUp,
  minBound,
  mulUp,
  nextDown,
  nextUp,
  sqrtDown,
  sqrtUp,
  stored,
  storedTowardZero,
} from "../gain/up.ts";
import type { Coefficient, Shape } from "../model/model.ts";
import type { Call, Config, GainContext, Ruled } from "./layer.ts";

/** The stored (float32) number of a `real` argument; undefined after a reported mistake. */
export function storedNumber(
  call: Call,
  argument: string,
  expected: string,
  fits: (x: number) => boolean,
  round: (exact: Rational) => number = nearest,
): number | undefined {
  const exact = call.real(argument);
  if (call.failed) return undefined;
  const x = round(exact);
  if (Number.isFinite(x) && fits(x)) return x;
  call.fail("out-of-range", { argument, found: show(exact), allowed: expected }, argument);
  return undefined;
}

export function nearest(exact: Rational): number {
  return stored(toNumber(exact));
}
/** The float32 of largest magnitude not beyond the exact number: a claim on the written number holds for it. */
export function towardZero(exact: Rational): number {
  return storedTowardZero(exact.n < 0n ? numberUp(exact) : numberDown(exact));
}
/** The largest float32 ≤ the exact number. */
export function storedDown(exact: Rational): number {
  const x = numberDown(exact);
  // trust: T7
  const f = Math.fround(x);
  return f <= x ? f : neighbour(f, -1);
}
/** The smallest float32 ≥ the exact number. */
export function storedUp(exact: Rational): number {
  return -storedDown({ n: -exact.n, d: exact.d }) + 0;
}

function neighbour(f: number, direction: 1 | -1): number {
  const bits = new DataView(new ArrayBuffer(4));
  if (f === 0) return direction * 2 ** -149;
  bits.setFloat32(0, f);
  bits.setInt32(0, bits.getInt32(0) + (f > 0 ? direction : -direction));
  return bits.getFloat32(0);
}

/** A map with these own entries on one value, after its input. */
export function mapped(
  context: GainContext<Config>,
  input: Gain,
  stated: Stated,
  rule: string,
  why: Reason | null = null,
): readonly Ruled[] {
  return [{ gain: through(input, closed(stated, context.shapes[0], context.outputs[0]), why), rule }];
}

/**
 * The same with 1/√floor as gain times γ, l2 and token, for layers that are Lipschitz only through an ε: a finite gain
 * comes with a caution, an infinite one with the reason.
 */
export function mappedThroughEps(
  context: GainContext<Config>,
  input: Gain,
  gamma: { readonly maxAbs: number; readonly why: Reason | null },
  floor: number,
  rule: string,
  fix = "CenterNorm",
): readonly Ruled[] {
  const { layer } = context.node;
  const gain = divUp(gamma.maxAbs, sqrtDown(floor));
  const nothing = `\`${layer}\` divides by a length that may be 0, since its eps is 0`;
  const why = gamma.why ?? reason(nothing, context, fix);
  const ruled = mapped(context, input, { l2: gain, token: gain }, rule, why);
  if (!(gain < Infinity)) return ruled;
  const text = `\`${layer}\` is Lipschitz only through its eps: it multiplies the bound by ${gain.toPrecision(3)}`;
  return ruled.map((one) => ({ ...one, caution: reason(text, context, fix) }));
}

/** One gain for the l2, token and linf norm each. */
export function allNorms(slope: number): Stated {
  return { l2: slope, token: slope, linf: slope };
}

/**
 * Range of y = φ(x) entry by entry, where |φ(a) − φ(b)| ≤ slope·|a − b| (gains b2).
 * linf: the image of the interval. l2 and token: ‖φ(x)‖ ≤ ‖φ(0)‖ + slope·‖x‖, with φ(0) in every entry.
 * spread: φ of the constant token c is one constant token, and ‖φ(x_t) − φ(c)‖ ≤ slope·‖x_t − c‖.
 */
export function pointwiseRange(
  input: Range,
  shape: Shape,
  slope: number,
  atZero: number,
  image: readonly [low: number, high: number],
): Range {
  const zero = {
    l2: mulUp(sqrtUp(tokensOf(shape) * channelsOf(shape)), atZero),
    token: mulUp(sqrtUp(channelsOf(shape)), atZero),
  };
  return closeRange(
    {
      low: image[0],
      high: image[1],
      l2: addUp(zero.l2, mulUp(slope, input.l2)),
      token: addUp(zero.token, mulUp(slope, input.token)),
      spread: mulUp(slope, input.spread),
    },
    shape,
    input.why,
  );
}

/**
 * Range of a map that treats every token alike, y_t = f(x_t) + b with f(0) = 0 and these gains of f (gains b2):
 * R ≤ gain·R + ‖b‖ in each norm; the spread forgets b, because b is one constant token.
 */
export function tokenwiseRange(
  input: Range,
  shape: Shape,
  gains: { readonly token: number; readonly linf: number },
  bias: { readonly token: number; readonly linf: number },
  /** Bounds of f(x_t) whatever x is. */
  always: { readonly token: number; readonly linf: number } = { token: Infinity, linf: Infinity },
  why: Reason | null = null,
): Range {
  const inner = minBound(mulUp(gains.token, input.token), always.token);
  const entries = minBound(minBound(mulUp(gains.linf, input.linf), always.linf), inner);
  return closeRange(
    {
      l2: addUp(mulUp(gains.token, input.l2), mulUp(sqrtUp(tokensOf(shape)), bias.token)),
      token: addUp(inner, bias.token),
      linf: addUp(entries, bias.linf),
      spread: minBound(mulUp(gains.token, input.spread), inner),
    },
    shape,
    why ?? input.why,
  );
}

/** Largest and smallest product of entries of two intervals, rounded outwards. 0·∞ is 0: the entry itself is finite. */
export function intervalProduct(
  a: readonly [number, number],
  b: readonly [number, number],
): readonly [low: number, high: number] {
  let low = Infinity;
  let high = -Infinity;
  for (const x of a) {
    for (const y of b) {
      const p = x === 0 || y === 0 ? 0 : x * y;
      if (Number.isNaN(p)) return [-Infinity, Infinity];
      const exact = p === 0 ? x === 0 || y === 0 : Math.abs(x) === 1 || Math.abs(y) === 1;
      low = Math.min(low, exact ? p : nextDown(p));
      high = Math.max(high, exact ? p : nextUp(p));
    }
  }
  return [low, high];
}

/** The weight of a coefficient, by its name in the node; none for a constant. */
export function weightsOf(name: string, c: Coefficient): { readonly [name: string]: number } {
  return c.kind === "learned" ? { [name]: c.weight } : {};
}

export function reason(text: string, context: GainContext<Config>, fix?: string): Reason {
  return { text, path: context.node.path, because: [], ...(fix === undefined ? {} : { fix }) };
}
