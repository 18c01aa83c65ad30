/** Maps of single entries, sorting, projections, softmax. Each rule's proof is in docs/gains.md under its name. */
import { intervalProduct, root, type Arith } from "./arith.ts";
import { channelsOf, tokensOf, type Norm, type Shape } from "./gains.ts";
import { closeRange, type Range } from "./ranges.ts";
import {
  allNorms,
  defineRule,
  int,
  mapped,
  number,
  perChannel,
  same,
  single,
  word,
  type Check,
  type Coefficient,
  type Node,
  type Rule,
} from "./rule.ts";

type Numbers = { readonly [name: string]: number | string };

interface Activation {
  readonly config?: { readonly [name: string]: Check };
  /** ≥ sup|φ'|. */
  slope(c: Numbers): readonly number[];
  /** ≤ inf φ'; −slope where left out. */
  readonly least?: (c: Numbers) => number;
  /** Encloses φ of an interval. */
  image<T>(a: Arith<T>, low: T, high: T, c: Numbers): readonly [low: T, high: T];
  /** |φ(0)|; 0 where left out. */
  readonly atZero?: <T>(a: Arith<T>, c: Numbers) => T;
  /** Non-decreasing with slopes in [0, 1]. */
  readonly firm: (c: Numbers) => boolean;
}

const always = (): boolean => true;
const never = (): boolean => false;
const num = (c: Numbers, name: string): number => c[name] as number;

/** Ends of a non-decreasing function. */
const rising =
  (f: <T>(a: Arith<T>, x: T, c: Numbers) => T): Activation["image"] =>
  (a, low, high, c) => [f(a, low, c), f(a, high, c)];

const positive = <T>(a: Arith<T>, x: T): T => a.max(x, a.num(0));
const below = <T>(a: Arith<T>, x: T): T => a.min(x, a.num(0));

/** x·g(x), ½ ≤ g ≤ 1 above 0, 0 ≤ g ≤ most below, least ≤ min x·g(x). */
const gated =
  (least: number, most: number): Activation["image"] =>
  (a, low, high) => [
    a.add(a.mul(a.num(0.5), positive(a, low)), a.max(a.num(least), a.mul(a.num(most), below(a, low)))),
    positive(a, high),
  ];

/** e^−2|x| keeps numbers small. */
function tanh<T>(a: Arith<T>, x: T): T {
  const one = a.num(1);
  const decay = (y: T): T => a.exp(a.mul(a.num(-2), y));
  const of = (y: T): T => a.div(a.sub(one, decay(y)), a.add(one, decay(y)));
  return a.sub(of(positive(a, x)), of(positive(a, a.sub(a.num(0), x))));
}
const sigmoid = <T>(a: Arith<T>, x: T): T =>
  a.mul(a.num(0.5), a.add(a.num(1), tanh(a, a.mul(a.num(0.5), x))));
const softplus = <T>(a: Arith<T>, x: T): T =>
  a.add(positive(a, x), a.log(a.add(a.num(1), a.exp(a.sub(a.num(0), a.abs(x))))));
const expMinus = <T>(a: Arith<T>, x: T): T => a.sub(a.exp(below(a, x)), a.num(1));

/** λ and α of SELU, as stored. */
// trust: T7
const [seluScale, seluAlpha] = [Math.fround(1.0507009873554805), Math.fround(1.6732632423543772)];

/** GELU's exact and tanh form. */
const gelu = (c: Numbers): number => (c.form === "tanh" ? 1.128993068658772 : 1.128904145185155);

export const activations: { readonly [name: string]: Activation } = {
  ReLU: { slope: () => [1], least: () => 0, image: rising(positive), firm: always },
  GELU: {
    config: { form: word("exact", "tanh") },
    slope: (c) => [gelu(c)],
    // φ'(x) + φ'(−x) = 1; 2⁻⁵² covers the rounding of the difference.
    least: (c) => 1 - gelu(c) - 2 ** -52,
    image: gated(-0.1701, 0.5),
    firm: never,
  },
  SiLU: {
    slope: () => [1.099839320128867],
    least: () => 1 - 1.099839320128867 - 2 ** -52,
    image: gated(-0.27847, 0.5),
    firm: never,
  },
  Tanh: { slope: () => [1], least: () => 0, image: rising(tanh), firm: always },
  Sigmoid: {
    slope: () => [0.25],
    least: () => 0,
    image: rising(sigmoid),
    atZero: (a) => a.num(0.5),
    firm: always,
  },
  Softplus: {
    config: { beta: number((x) => x > 0) },
    slope: () => [1],
    least: () => 0,
    image: rising((a, x, c) => {
      const beta = a.num(num(c, "beta"));
      return a.div(softplus(a, a.mul(beta, x)), beta);
    }),
    atZero: (a, c) => a.div(a.log(a.num(2)), a.num(num(c, "beta"))),
    firm: always,
  },
  ELU: {
    config: { alpha: number((x) => x >= 0) },
    slope: (c) => [Math.max(1, num(c, "alpha"))],
    least: () => 0,
    image: rising((a, x, c) => a.add(positive(a, x), a.mul(a.num(num(c, "alpha")), expMinus(a, x)))),
    firm: (c) => num(c, "alpha") <= 1,
  },
  LeakyReLU: {
    config: { slope: number() },
    slope: (c) => [Math.max(1, Math.abs(num(c, "slope")))],
    least: (c) => Math.min(1, num(c, "slope")),
    image: (a, low, high, c) => {
      const slope = num(c, "slope");
      const size = a.num(Math.abs(slope));
      const f = (x: typeof low) => a.add(positive(a, x), a.mul(a.num(slope), below(a, x)));
      if (slope >= 0) return [f(low), f(high)];
      const lower = a.add(positive(a, low), a.mul(size, a.abs(below(a, high))));
      return [lower, a.max(positive(a, high), a.mul(size, a.abs(below(a, low))))];
    },
    firm: (c) => num(c, "slope") >= 0 && num(c, "slope") <= 1,
  },
  Abs: {
    slope: () => [1],
    image: (a, low, high) => [a.add(positive(a, low), a.abs(below(a, high))), a.max(a.abs(low), a.abs(high))],
    firm: never,
  },
  Mish: { slope: () => [1.088498161251728], image: gated(-0.30885, 0.625), firm: never },
  SELU: {
    slope: () => [seluScale, seluAlpha],
    least: () => 0,
    image: rising((a, x) =>
      a.mul(a.num(seluScale), a.add(positive(a, x), a.mul(a.num(seluAlpha), expMinus(a, x)))),
    ),
    firm: never,
  },
  HardSwish: { slope: () => [1.5], least: () => -0.5, image: gated(-0.375, 0.5), firm: never },
};

/** Whether a node is a scalar activation, non-decreasing with slopes in [0, 1]. */
export function isFirm(node: Node): boolean {
  if (node.layer === "Clamp") return true;
  const activation = Object.hasOwn(activations, node.layer) ? activations[node.layer] : null;
  return activation?.firm(node.config as Numbers) ?? false;
}

function slopeOf<T>(a: Arith<T>, activation: Activation, c: Numbers): T {
  return activation
    .slope(c)
    .map((x) => a.num(x))
    .reduce((x, y) => a.mul(x, y));
}

/** All slopes of an activation lie between the ends; `middle` is any number near their mean. null for other layers. */
export function slopesOf<T>(
  a: Arith<T>,
  node: Node,
): { readonly ends: readonly [low: T, high: T]; readonly middle: number } | null {
  if (!Object.hasOwn(activations, node.layer)) return null;
  const activation = activations[node.layer];
  const config = node.config as Numbers;
  const high = slopeOf(a, activation, config);
  const most = activation.slope(config).reduce((x, y) => x * y);
  const least = activation.least?.(config);
  const low = least === undefined ? a.sub(a.num(0), high) : a.num(least);
  return { ends: [low, high], middle: ((least ?? -most) + most) / 2 };
}

/** ‖φ(x)‖ ≤ ‖φ(0)‖ + slope·‖x‖; φ of the constant token is one constant token. */
function entrywiseRange<T>(
  a: Arith<T>,
  input: Range<T>,
  shape: Shape,
  slope: T,
  atZero: T,
  [low, high]: readonly [T, T],
): Range<T> {
  const zero = (n: number): T => a.mul(root(a, n), atZero);
  return closeRange(
    a,
    {
      low,
      high,
      l2: a.add(zero(tokensOf(shape) * channelsOf(shape)), a.mul(slope, input.l2)),
      token: a.add(zero(channelsOf(shape)), a.mul(slope, input.token)),
      spread: a.mul(slope, input.spread),
    },
    shape,
  );
}

const activationRule = (activation: Activation): Rule =>
  defineRule<Numbers>({
    name: "Pointwise",
    config: activation.config ?? {},
    shapes: same,
    gain: (c, [input]) => mapped(c, input, allNorms(slopeOf(c.a, activation, c.config))),
    range: ({ a, config, ranges: [input], outputs: [shape] }) => [
      entrywiseRange(
        a,
        input,
        shape,
        slopeOf(a, activation, config),
        activation.atZero?.(a, config) ?? a.num(0),
        activation.image(a, input.low, input.high, config),
      ),
    ],
  });

const prelu = defineRule<{ slope: Coefficient }>({
  name: "Pointwise",
  config: { slope: perChannel },
  shapes: same,
  gain: (c, [input]) => mapped(c, input, allNorms(c.a.max(c.a.num(1), c.coefficient(c.config.slope).maxAbs))),
  range: (c) => {
    const { a } = c;
    const [input] = c.ranges;
    const slope = c.coefficient(c.config.slope);
    const under = intervalProduct(a, [below(a, input.low), below(a, input.high)], [slope.low, slope.high]);
    const image = [
      a.min(positive(a, input.low), under[0]),
      a.max(positive(a, input.high), under[1]),
    ] as const;
    return [entrywiseRange(a, input, c.outputs[0], a.max(a.num(1), slope.maxAbs), a.num(0), image)];
  },
});

const sorting = (config: { readonly [key: string]: Check }, size: (config: { n?: number }) => number): Rule =>
  defineRule<{ n: number }>({
    name: "Sorting",
    config: config as { n: Check },
    shapes: ({ config, shapes: [shape] }) => (channelsOf(shape) % size(config) === 0 ? [shape] : null),
    gain: (c, [input]) => mapped(c, input, allNorms(c.a.num(1))),
    range: ({ ranges: [input] }) => [input],
  });

const householder = defineRule<Record<never, never>>({
  name: "Sorting",
  config: {},
  shapes: ({ shapes: [shape] }) => (channelsOf(shape) % 2 === 0 ? [shape] : null),
  weights: ({ shapes: [shape] }) => ({ theta: [channelsOf(shape) / 2] }),
  gain: (c, [input]) => mapped(c, input, { l2: c.a.num(1), token: c.a.num(1), linf: root(c.a, 2) }),
  range: ({ a, ranges: [{ l2, token, spread }], outputs: [shape] }) => [
    closeRange(a, { l2, token, spread }, shape),
  ],
});

const clamp = defineRule<{ low: number; high: number }>({
  name: "Clamp and Project",
  config: { low: number(), high: number() },
  shapes: ({ config: { low, high }, shapes: [shape] }) => (low <= high ? [shape] : null),
  gain: (c, [input]) => mapped(c, input, allNorms(c.a.num(1))),
  range: ({ a, config: { low, high }, ranges: [input], outputs: [shape] }) => {
    const limit = (x: typeof input.low) => a.min(a.max(x, a.num(low)), a.num(high));
    const image = [limit(input.low), limit(input.high)] as const;
    return [entrywiseRange(a, input, shape, a.num(1), a.abs(limit(a.num(0))), image)];
  },
});

const project = defineRule<{ norm: Norm; radius: number }>({
  name: "Clamp and Project",
  config: { norm: word("l2", "token", "linf"), radius: number((x) => x > 0) },
  shapes: same,
  gain: (c, [input]) => {
    const one = c.a.num(1);
    const { norm } = c.config;
    const stated = norm === "l2" ? { l2: one } : norm === "token" ? { l2: one, token: one } : allNorms(one);
    return mapped(c, input, stated);
  },
  range: ({ a, config: { norm, radius }, ranges: [input], outputs: [shape] }) => {
    const interval = { low: a.min(input.low, a.num(0)), high: a.max(input.high, a.num(0)) };
    return [closeRange(a, { ...input, ...interval, [norm]: a.min(input[norm], a.num(radius)) }, shape)];
  },
});

const softmax = defineRule<{ tau: Coefficient }>({
  name: "Softmax",
  config: { tau: single },
  shapes: same,
  gain: (c, [input]) => {
    const { a } = c;
    const slope =
      channelsOf(c.shapes[0]) === 1 ? a.num(0) : a.mul(a.num(0.5), c.coefficient(c.config.tau).maxAbs);
    return mapped(c, input, allNorms(slope));
  },
  range: ({ a, outputs: [shape] }) => [
    closeRange(a, { low: a.num(0), high: a.num(1), token: a.num(1), l2: root(a, tokensOf(shape)) }, shape),
  ],
});

/** Dropout and drop path are the identity at inference, which certificates are about. */
const dropout = defineRule<{ p: number }>({
  name: "Dropout",
  config: { p: number((x) => x >= 0 && x < 1) },
  shapes: same,
  gain: (_, [input]) => [input],
  range: ({ ranges: [input] }) => [input],
});

export const pointwiseRules: { readonly [layer: string]: Rule } = {
  ...Object.fromEntries(Object.entries(activations).map(([name, row]) => [name, activationRule(row)])),
  PReLU: prelu,
  MaxMin: sorting({}, () => 2),
  GroupSort: sorting({ n: int(1) }, ({ n = 1 }) => n),
  Householder: householder,
  Clamp: clamp,
  Project: project,
  Softmax: softmax,
  Dropout: dropout,
  DropPath: dropout,
};
