/**
 * Scalar activations: one table row each, each exported as a layer of its own. `gains.md`, "Pointwise".
 *
 * Rule, for all of them: y = φ(x) entry by entry with |φ(a) − φ(b)| ≤ s·|a − b| has gain s in l2, token and linf.
 * Proof: |y_i − y'_i| ≤ s·|x_i − x'_i| for every entry; the three norms are monotone in absolute entries and
 * homogeneous. Each row proves its own s. Constants of 16 digits are rounded up: none is below the supremum.
 */
import { mulUp, nextDown, subDown } from "../gain/up.ts";
import type { Builder, Tensor } from "../graph/builder.ts";
import type { Node } from "../model/model.ts";
import { defineLayer, type Call, type Layer, type ParamSignature } from "./layer.ts";
import { allNorms, mapped, pointwiseRange, storedNumber } from "./pointwise.ts";

/** Stored numbers of a row, by argument name; `form` is a word. */
type Numbers = { readonly [name: string]: number | string };
type Image = readonly [low: number, high: number];

interface Activation {
  readonly name: string;
  readonly summary: string;
  readonly params?: readonly ParamSignature[];
  read?(call: Call): Numbers | undefined;
  /** Proven supremum of |φ'|. */
  slope(c: Numbers): number;
  /** ≤ inf φ'; −slope where left out. */
  readonly least?: (c: Numbers) => number;
  /** Encloses φ([low, high]); ends may be infinite. */
  image(low: number, high: number, c: Numbers): Image;
  /** ≥ |φ(0)| */
  readonly atZero?: (c: Numbers) => number;
  /** Whether φ is non-decreasing with slopes in [0, 1]: what Sandwich, SLL and CPL need (gains a10). */
  readonly firm: (c: Numbers) => boolean;
  lower(b: Builder, x: Tensor, c: Numbers): Tensor;
}

const number = (c: Numbers, name: string): number => c[name] as number;

/** A relative margin of 2⁻⁴⁰ covers the few ulp by which Math.exp, tanh, log1p and expm1 may err. trust: T2 */
const down = (x: number): number =>
  x === 0 || !Number.isFinite(x) ? x : nextDown(x - Math.abs(x) * 2 ** -40);
const up = (x: number): number => -down(-x);
function monotone(f: (x: number, c: Numbers) => number): Activation["image"] {
  return (low, high, c) => [down(f(low, c)), up(f(high, c))];
}

/**
 * Image of x·g(x), where 1/2 ≤ g ≤ 1 for x ≥ 0, 0 ≤ g ≤ `most` for x < 0, and `least` ≤ min of x·g(x):
 * x ≥ 0 gives [x/2, x]; x < 0 gives [max(least, most·x), 0].
 */
function gated(least: number, most: number): Activation["image"] {
  return (low, high) => [low >= 0 ? low / 2 : Math.max(least, most * low), high >= 0 ? high : 0];
}

const always = (): boolean => true;
const never = (): boolean => false;

// trust: T2
const sigmoid = (x: number): number => (x >= 0 ? 1 / (1 + Math.exp(-x)) : Math.exp(x) / (1 + Math.exp(x)));
const softplus = (x: number): number => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));

/** ln(1 + e^x) without overflow; written with |x|, whose derivative at 0 is 0, so that the slope there is exactly 1/2. */
function lowerSoftplus(b: Builder, x: Tensor): Tensor {
  const size = b.abs(x);
  return b.add(b.mul(b.add(x, size), 0.5), b.log(b.add(b.exp(b.neg(size)), 1)));
}
/** e^min(x,0) − 1 */
function lowerExpMinus(b: Builder, x: Tensor): Tensor {
  return b.sub(b.exp(b.minimum(x, 0)), 1);
}

const expected = { positive: "a number above 0", finite: "a finite number" };

/** λ and α of Klambauer et al. (2017, arXiv 1706.02515), as stored. */
// trust: T7
const seluScale = Math.fround(1.0507009873554805);
const seluAlpha = Math.fround(1.6732632423543772);

const rows: readonly Activation[] = [
  {
    /** φ' is 0 or 1. */
    name: "ReLU",
    summary: "max(x, 0)",
    slope: () => 1,
    least: () => 0,
    image: (low, high) => [Math.max(low, 0), Math.max(high, 0)],
    firm: always,
    lower: (b, x) => b.maximum(x, 0),
  },
  {
    /**
     * exact: φ = xΦ(x), φ' = Φ(x) + xφ_N(x), φ'' = (2 − x²)φ_N(x) with the normal density φ_N. So φ' rises on
     * [−√2, √2] and falls outside, from 0 at −∞ and to 1 at ∞: sup φ' = φ'(√2) = (1 + erf 1)/2 + e⁻¹/√π
     * = 1.12890414518515478…, inf φ' = φ'(−√2) = 1 − sup, so |φ'| ≤ sup.
     * tanh (Hendrycks and Gimpel, 2016, arXiv 1606.08415): φ = x/2·(1 + tanh u), u = √(2/π)(x + 0.044715x³).
     * φ(x) − φ(−x) = x, so φ'(x) + φ'(−x) = 1 and |φ'| ≤ sup φ' again. By interval subdivision φ' ≤ 1.12899 on
     * [−8, 1.3] and [1.55, 8], and φ''' ≤ −0.29 on [1.3, 1.55]; there φ' is concave and lies below its tangent at
     * x₀ = 1.418504008790828355548…, where |φ''| < 1e−28 and φ' = 1.12899306865877176… . Beyond |x| = 8, |φ'| < 1.001.
     * The often published 1.1289 is below both.
     */
    name: "GELU",
    summary: "x·Φ(x), exactly or in its tanh form",
    params: [
      {
        name: "form",
        type: "Word",
        words: ["exact", "tanh"],
        default: "exact",
        doc: "by erf, or the tanh approximation",
      },
    ],
    read: (call) => ({ form: call.word("form") }),
    slope: (c) => (c.form === "tanh" ? 1.128993068658772 : 1.128904145185155),
    least: (c) => subDown(1, c.form === "tanh" ? 1.128993068658772 : 1.128904145185155),
    // Minima: −0.169971… (exact), −0.170041… (tanh).
    image: gated(-0.1701, 0.5),
    firm: never,
    lower: (b, x, c) => b.gelu(x, c.form === "tanh" ? "tanh" : "exact"),
  },
  {
    /**
     * φ' = s(1 + x(1 − s)) with s = sigmoid(x); φ'' = s(1 − s)(2 − x·tanh(x/2)), zero only at ±x₀ with
     * x₀tanh(x₀/2) = 2, x₀ = 2.39935728051546766…: sup φ' = φ'(x₀) = 1.09983932012886691…; φ'(x) + φ'(−x) = 1,
     * so inf φ' = 1 − sup. (Ramachandran et al., 2017, arXiv 1710.05941.)
     */
    name: "SiLU",
    summary: "x·sigmoid(x)",
    slope: () => 1.099839320128867,
    least: () => subDown(1, 1.099839320128867),
    image: gated(-0.27847, 0.5),
    firm: never,
    lower: (b, x) => b.mul(x, b.sigmoid(x)),
  },
  {
    /** φ' = 1 − tanh² in (0, 1]. */
    name: "Tanh",
    summary: "tanh x",
    slope: () => 1,
    least: () => 0,
    // trust: T2
    image: (low, high) => [Math.max(-1, down(Math.tanh(low))), Math.min(1, up(Math.tanh(high)))],
    firm: always,
    lower: (b, x) => b.tanh(x),
  },
  {
    /** φ' = s(1 − s) ≤ 1/4, at x = 0. */
    name: "Sigmoid",
    summary: "1/(1 + e^−x)",
    slope: () => 0.25,
    least: () => 0,
    image: (low, high) => [Math.max(0, down(sigmoid(low))), Math.min(1, up(sigmoid(high)))],
    atZero: () => 0.5,
    firm: always,
    lower: (b, x) => b.sigmoid(x),
  },
  {
    /** φ' = sigmoid(βx) in (0, 1), for every β > 0. */
    name: "Softplus",
    summary: "ln(1 + e^(βx))/β",
    params: [{ name: "beta", type: "real", default: "1", doc: "sharpness, above 0" }],
    read: (call) => {
      const beta = storedNumber(call, "beta", expected.positive, (x) => x > 0);
      return beta === undefined ? undefined : { beta };
    },
    slope: () => 1,
    least: () => 0,
    image: monotone((x, c) => softplus(number(c, "beta") * x) / number(c, "beta")),
    atZero: (c) => up(Math.LN2 / number(c, "beta")),
    firm: always,
    lower: (b, x, c) => b.div(lowerSoftplus(b, b.mul(x, number(c, "beta"))), number(c, "beta")),
  },
  {
    /** φ' = 1 for x > 0 and αe^x ≤ α for x < 0. (Clevert et al., 2015, arXiv 1511.07289.) */
    name: "ELU",
    summary: "x above 0, α(e^x − 1) below",
    params: [{ name: "alpha", type: "real", default: "1", doc: "size of the negative part, 0 or more" }],
    read: (call) => {
      const alpha = storedNumber(call, "alpha", "0 or more", (x) => x >= 0);
      return alpha === undefined ? undefined : { alpha };
    },
    slope: (c) => Math.max(1, number(c, "alpha")),
    least: () => 0,
    // trust: T2
    image: monotone((x, c) => (x > 0 ? x : number(c, "alpha") * Math.expm1(x))),
    firm: (c) => number(c, "alpha") <= 1,
    lower: (b, x, c) => b.add(b.maximum(x, 0), b.mul(lowerExpMinus(b, x), number(c, "alpha"))),
  },
  {
    /** φ' is 1 or the slope. */
    name: "LeakyReLU",
    summary: "x above 0, slope·x below",
    params: [{ name: "slope", type: "real", default: "1/100", doc: "slope below 0" }],
    read: (call) => {
      const slope = storedNumber(call, "slope", expected.finite, Number.isFinite);
      return slope === undefined ? undefined : { slope };
    },
    slope: (c) => Math.max(1, Math.abs(number(c, "slope"))),
    least: (c) => Math.min(1, number(c, "slope")),
    image: (low, high, c) => {
      const s = number(c, "slope");
      const f = (x: number): number => (x >= 0 ? x : s === 0 ? 0 : s * x);
      const ends = low < 0 && high > 0 ? [f(low), 0, f(high)] : [f(low), f(high)];
      return [down(Math.min(...ends)), up(Math.max(...ends))];
    },
    firm: (c) => number(c, "slope") >= 0 && number(c, "slope") <= 1,
    lower: (b, x, c) => b.add(b.maximum(x, 0), b.mul(b.minimum(x, 0), number(c, "slope"))),
  },
  {
    /** ||a| − |b|| ≤ |a − b|. */
    name: "Abs",
    summary: "|x|",
    slope: () => 1,
    image: (low, high) => (low >= 0 ? [low, high] : high <= 0 ? [-high, -low] : [0, Math.max(-low, high)]),
    firm: never,
    lower: (b, x) => b.abs(x),
  },
  {
    /**
     * φ = x·tanh(ln(1 + e^x)) (Misra, 2019, arXiv 1908.08681). By interval subdivision φ' ≤ 1.08849 on [−40, 1.4] and
     * [1.6, 40], and φ''' ≤ −0.17 on [1.4, 1.6]; there φ' is concave and lies below its tangent at
     * x₀ = 1.490571179485428459294…, where |φ''| < 1e−28 and φ' = 1.08849816125172786… . inf φ' = −0.1125….
     * Beyond |x| = 40, |φ'| < 1.0001.
     */
    name: "Mish",
    summary: "x·tanh(ln(1 + e^x))",
    slope: () => 1.088498161251728,
    // The factor tanh(ln(1 + e^x)) is 3/5 at 0 and rises; the minimum is −0.308843….
    image: gated(-0.30885, 0.625),
    firm: never,
    lower: (b, x) => b.mul(x, b.tanh(lowerSoftplus(b, x))),
  },
  {
    /**
     * φ = λx above 0 and λα(e^x − 1) below, λ and α the stored constants: φ' is λ or λαe^x ≤ λα, and α > 1.
     * With the real constants λα = 1.7580993408474; the stored ones are 6e−8 beside it.
     */
    name: "SELU",
    summary: "λx above 0, λα(e^x − 1) below",
    slope: () => mulUp(seluScale, seluAlpha),
    least: () => 0,
    // trust: T2
    image: monotone((x) => (x > 0 ? seluScale * x : seluScale * seluAlpha * Math.expm1(x))),
    firm: never,
    lower: (b, x) => b.mul(b.add(b.maximum(x, 0), b.mul(lowerExpMinus(b, x), seluAlpha)), seluScale),
  },
  {
    /** φ = x·clip(x + 3, 0, 6)/6: φ' is 0, (2x + 3)/6 on (−3, 3), or 1: between −1/2 and 3/2. (Howard et al., 2019.) */
    name: "HardSwish",
    summary: "x·clip(x + 3, 0, 6)/6",
    slope: () => 1.5,
    least: () => -0.5,
    image: gated(-0.375, 0.5),
    firm: never,
    lower: (b, x) => b.mul(x, b.div(b.minimum(b.maximum(b.add(x, 3), 0), 6), 6)),
  },
];

const byName = new Map(rows.map((row) => [row.name, row]));

/** Whether a node is a scalar activation, non-decreasing with slopes in [0, 1] (gains a10). */
export function isFirmActivation(node: Node): boolean {
  if (node.layer === "Clamp") return true;
  return byName.get(node.layer)?.firm(node.config as Numbers) ?? false;
}

/** Supremum of the slope of an activation by its name, for tests and tables. */
export function slopeOf(name: string, numbers: Numbers = {}): number {
  return byName.get(name)?.slope(numbers) ?? Infinity;
}

function layerOf(row: Activation): Layer {
  return defineLayer<Numbers>({
    name: row.name,
    summary: row.summary,
    signature: { tensors: ["x"], params: row.params ?? [], shape: "S -> S" },
    infer: (call) => {
      const config = row.read ? row.read(call) : {};
      return config && { config, outputs: [call.inputs[0].shape] };
    },
    macs: () => 0,
    rules: {
      gain: (context, [input]) => mapped(context, input, allNorms(row.slope(context.config)), "Pointwise"),
      range: ({ config, ranges: [input], outputs: [shape] }) => [
        pointwiseRange(
          input,
          shape,
          row.slope(config),
          row.atZero?.(config) ?? 0,
          row.image(input.low, input.high, config),
        ),
      ],
    },
    slopes: (config) => [row.least?.(config) ?? -row.slope(config), row.slope(config)],
    lower: ({ builder, inputs: [x], config }) => [row.lower(builder, x, config)],
  });
}

export const activations: readonly Layer[] = rows.map(layerOf);
