/** Linear maps with weights or fixed numbers. Each rule's proof is in docs/gains.md under its name. */
import { hypot, intervalProduct, root, sum, type Arith } from "./arith.ts";
import { affine } from "./affine.ts";
import type { Facts, KernelMap } from "./facts.ts";
import { channelsOf, tokensOf, type Shape } from "./gains.ts";
import { closeRange, scaledRange, tokenwiseRange } from "./ranges.ts";
import {
  allNorms,
  bool,
  defineRule,
  int,
  list,
  mapped,
  number,
  perChannel,
  same,
  word,
  type Coefficient,
  type Context,
} from "./rule.ts";
import { classesOf, insides, over, reads, slid, taps, windowChecks, type Windows } from "./windows.ts";

export function sigma<T>(a: Arith<T>, facts: Facts<T>): T {
  return a.min(facts.spectral, facts.frobenius);
}

const biased = (shapes: { readonly [name: string]: Shape }, bias: boolean, width: number) =>
  bias ? { ...shapes, bias: [width] } : shapes;

type LinearConfig = { readonly width: number; readonly bias: boolean };

const linear = defineRule<LinearConfig>({
  name: "Linear",
  config: { width: int(1), bias: bool },
  shapes: ({ config, shapes: [shape] }) =>
    shape.length >= 1 && shape.length <= 3 ? [[...shape.slice(0, -1), config.width]] : null,
  weights: ({ config: { width, bias }, shapes: [shape] }) =>
    biased({ weight: [width, channelsOf(shape)] }, bias, width),
  ...affine((c) => {
    const weight = c.weight("weight");
    const norm = sigma(c.a, weight);
    return {
      stated: { l2: norm, token: norm, linf: weight.rowSum, "token->linf": weight.rowNorm },
      spread: norm,
      bias: c.config.bias ? c.weight("bias") : null,
    };
  }),
});

const kernelOf = (out: number, depth: number, kernel: number, rank: number): Shape => [
  out,
  depth,
  ...new Array<number>(rank - 1).fill(kernel),
];

/** (Σ over classes of (Σ of the class's ‖W_t‖)²)^½: the l2 norm by taps. */
function byClasses<T>(a: Arith<T>, norms: readonly T[], axes: number, w: Windows): T {
  return hypot(
    a,
    ...classesOf(axes, w).map((tapsOf) =>
      sum(
        a,
        tapsOf.map((t) => norms[t]),
      ),
    ),
  );
}

/** The norm on this very map, where it is stated. */
function onMap<T>({ maps }: Facts<T>, shape: Shape, w: Windows): readonly T[] {
  const fits = (map: KernelMap<T>): boolean =>
    map.positions.join() === shape.slice(0, -1).join() &&
    map.stride === w.stride &&
    map.padding === w.padding &&
    map.dilation === w.dilation;
  return (maps ?? []).filter(fits).map(({ norm }) => norm);
}

type ConvConfig = LinearConfig & Windows;

const conv = defineRule<ConvConfig>({
  name: "Conv",
  config: { width: int(1), bias: bool, ...windowChecks },
  shapes: ({ config, shapes: [shape] }) => {
    const positions = slid(shape, config);
    return positions && [[...positions, config.width]];
  },
  weights: ({ config: { width, kernel, bias }, shapes: [shape] }) =>
    biased({ weight: kernelOf(width, channelsOf(shape), kernel, shape.length) }, bias, width),
  ...affine((c) => {
    const { a, config } = c;
    const [shape] = c.shapes;
    const weight = c.weight("weight");
    const norm = sigma(a, weight);
    const [most, count] = [over(shape, (n) => reads(n, config)), over(shape, (n) => taps(n, config))];
    const { taps: known, operator } = weight;
    const byReads = a.mul(root(a, most), norm);
    const l2 = a.min(byReads, ...(operator === undefined ? [] : [operator]), ...onMap(weight, shape, config));
    const token = a.mul(root(a, count), norm);
    return {
      stated: {
        l2: known ? a.min(l2, byClasses(a, known, shape.length - 1, config)) : l2,
        token: known ? a.min(token, sum(a, known)) : token,
        "l2->token": norm,
        linf: weight.rowSum,
        "l2->linf": weight.rowNorm,
        "token->linf": a.mul(root(a, count), weight.rowNorm),
      },
      ...(config.padding === 0 ? { spread: token } : {}),
      bias: config.bias ? c.weight("bias") : null,
    };
  }),
});

type DepthwiseConfig = Windows & { readonly multiplier: number; readonly bias: boolean };

const depthwiseConv = defineRule<DepthwiseConfig>({
  name: "DepthwiseConv",
  config: { ...windowChecks, multiplier: int(1), bias: bool },
  shapes: ({ config, shapes: [shape] }) => {
    const positions = slid(shape, config);
    return positions && [[...positions, channelsOf(shape) * config.multiplier]];
  },
  weights: ({ config: { kernel, multiplier, bias }, shapes: [shape] }) => {
    const width = channelsOf(shape) * multiplier;
    return biased({ weight: kernelOf(width, 1, kernel, shape.length) }, bias, width);
  },
  ...affine((c) => {
    const { a, config } = c;
    const [shape] = c.shapes;
    const weight = c.weight("weight");
    const norm = a.min(weight.rowNorm, sigma(a, weight));
    const several = root(a, config.multiplier);
    const joint = a.min(a.mul(several, norm), weight.frobenius);
    const count = over(shape, (n) => taps(n, config));
    const rowSum = a.min(weight.rowSum, a.mul(root(a, config.kernel ** (shape.length - 1)), norm));
    const everyTap = a.mul(a.mul(several, a.num(count)), weight.maxAbs);
    // Norms of taps are known of one kernel per channel.
    const known = config.multiplier === 1 ? weight.taps : undefined;
    const tapSum = known ? a.min(everyTap, sum(a, known)) : everyTap;
    const token = a.min(a.mul(root(a, count), joint), tapSum);
    const l2 = a.min(
      a.mul(several, rowSum),
      a.mul(
        root(
          a,
          over(shape, (n) => reads(n, config)),
        ),
        joint,
      ),
      ...(config.multiplier === 1 ? onMap(weight, shape, config) : []),
    );
    return {
      stated: {
        l2: known ? a.min(l2, byClasses(a, known, shape.length - 1, config)) : l2,
        token,
        "l2->token": joint,
        linf: rowSum,
        "l2->linf": norm,
      },
      ...(config.padding === 0 ? { spread: token } : {}),
      bias: config.bias ? c.weight("bias") : null,
    };
  }),
});

const embedding = defineRule<{ width: number; count: number }>({
  name: "Embedding",
  config: { width: int(1), count: int(1) },
  shapes: ({ config, shapes: [shape] }) => (shape.length === 1 ? [[shape[0], config.width]] : null),
  weights: ({ config: { count, width } }) => ({ weight: [count, width] }),
  // There is no distance between token ids.
  gain: ({ a }) => [new Array(9).fill(a.num(Infinity))],
  range: (c) => {
    const { rowNorm, maxAbs, low, high } = c.weight("weight");
    const l2 = c.a.mul(root(c.a, tokensOf(c.outputs[0])), rowNorm);
    return [closeRange(c.a, { l2, token: rowNorm, linf: maxAbs, low, high }, c.outputs[0])];
  },
});

const normalize = defineRule<{ mean: readonly number[]; scale: readonly number[] }>({
  name: "Normalize",
  config: { mean: list(number()), scale: list(number((x) => x > 0)) },
  shapes: ({ config: { mean, scale }, shapes: [shape] }) =>
    mean.length === channelsOf(shape) && scale.length === mean.length ? [shape] : null,
  gain: (c, [input]) => mapped(c, input, allNorms(c.a.num(Math.max(...c.config.scale)))),
  range: ({ a, config: { mean, scale }, ranges: [input], shapes: [shape] }) => {
    const largest = a.num(Math.max(...scale));
    const ends = (end: typeof input.low) =>
      scale.map((s, c) => a.mul(a.sub(end, a.num(mean[c])), a.num(s))) as [typeof end, ...(typeof end)[]];
    const [low, high] = [ends(input.low), ends(input.high)];
    const entries = low.map((x, c) => a.max(a.abs(x), a.abs(high[c])));
    const constant = hypot(a, ...scale.map((s, c) => a.mul(a.abs(a.num(mean[c])), a.num(s))));
    return [
      closeRange(
        a,
        {
          token: a.min(hypot(a, ...entries), a.add(a.mul(largest, input.token), constant)),
          l2: a.add(a.mul(largest, input.l2), a.mul(root(a, tokensOf(shape)), constant)),
          low: a.min(...low),
          high: a.max(...high),
          spread: a.mul(largest, input.spread),
        },
        shape,
      ),
    ];
  },
});

const scale = defineRule<{ by: Coefficient }>({
  name: "Scale",
  config: { by: perChannel },
  shapes: same,
  gain: (c, [input]) => mapped(c, input, allNorms(c.coefficient(c.config.by).maxAbs)),
  range: (c) => {
    const { a } = c;
    const [input] = c.ranges;
    const by = c.coefficient(c.config.by);
    const [low, high] = intervalProduct(a, [input.low, input.high], [by.low, by.high]);
    return [closeRange(a, { ...scaledRange(a, by.maxAbs, input), low, high }, c.outputs[0])];
  },
});

const offset = defineRule<{ by: Coefficient }>({
  name: "Offset",
  config: { by: perChannel },
  shapes: same,
  gain: (_, [input]) => [input],
  range: (c) => {
    const { a } = c;
    const [input] = c.ranges;
    const [shape] = c.outputs;
    const by = c.coefficient(c.config.by);
    const token = a.mul(root(a, channelsOf(shape)), by.maxAbs);
    return [
      closeRange(
        a,
        {
          l2: a.add(input.l2, a.mul(root(a, tokensOf(shape)), token)),
          token: a.add(input.token, token),
          linf: a.add(input.linf, by.maxAbs),
          low: a.add(input.low, by.low),
          high: a.add(input.high, by.high),
          spread: input.spread,
        },
        shape,
      ),
    ];
  },
});

const meanPool = defineRule<Record<never, never>>({
  name: "MeanPool",
  config: {},
  shapes: ({ shapes: [shape] }) => (shape.length === 2 || shape.length === 3 ? [[channelsOf(shape)]] : null),
  ...affine(({ a, shapes: [shape] }) => ({
    stated: {
      l2: a.div(a.num(1), root(a, tokensOf(shape))),
      "token->l2": a.num(1),
      linf: a.num(1),
    },
    spread: a.num(1),
    entries: "kept",
  })),
});

type PoolConfig = Windows & { readonly divisor: "window" | "inside" };

const averagePool = defineRule<PoolConfig>({
  name: "AveragePool",
  config: { ...windowChecks, dilation: int(1), divisor: word("window", "inside") },
  shapes: ({ config, shapes: [shape] }) => pooled(config, shape),
  ...affine(({ a, config, shapes: [shape] }) => {
    const axes = shape.slice(0, -1).map((size) => {
      const [most, count] = [a.num(reads(size, config)), a.num(taps(size, config))];
      const k = a.num(config.kernel);
      if (config.divisor === "window")
        return { row: a.div(count, k), column: a.div(most, k), square: a.div(count, a.mul(k, k)) };
      const fewest = a.num(Math.min(...insides(size, config)));
      return { row: a.num(1), column: a.div(most, fewest), square: a.div(a.num(1), fewest) };
    });
    const all = (of: (axis: (typeof axes)[number]) => (typeof axes)[number]["row"]) =>
      axes.map(of).reduce((x, y) => a.mul(x, y), a.num(1));
    const row = all((axis) => axis.row);
    const constant = config.padding === 0 || config.divisor === "inside";
    return {
      stated: {
        l2: a.sqrt(all((axis) => a.mul(axis.row, axis.column))),
        "l2->token": a.sqrt(all((axis) => axis.square)),
        token: row,
        linf: row,
      },
      ...(constant ? { spread: row } : {}),
      entries: constant ? ("kept" as const) : ("kept or zero" as const),
    };
  }),
});

/** Windows further out than half of the kernel could hold no position at all. */
function pooled(config: Windows, shape: Shape): readonly Shape[] | null {
  if (config.dilation !== 1 || 2 * config.padding > config.kernel) return null;
  const positions = slid(shape, config);
  return positions && [[...positions, channelsOf(shape)]];
}

const maxPool = defineRule<Windows>({
  name: "MaxPool",
  config: windowChecks,
  shapes: ({ config, shapes: [shape] }) => pooled(config, shape),
  gain: (c, [input]) => {
    const { a, config } = c;
    const [most, count] = [reads, taps].map((of) =>
      root(
        a,
        over(c.shapes[0], (n) => of(n, config)),
      ),
    );
    return mapped(c, input, { l2: most, token: count, linf: a.num(1) });
  },
  range: ({ a, config, shapes: [shape], ranges: [input], outputs }) => {
    const [most, count] = [reads, taps].map((of) =>
      root(
        a,
        over(shape, (n) => of(n, config)),
      ),
    );
    const { linf, low, high } = input;
    const [l2, token, spread] = [
      a.mul(most, input.l2),
      a.mul(count, input.token),
      a.mul(count, input.spread),
    ];
    return [closeRange(a, { l2, token, linf, low, high, spread }, outputs[0])];
  },
});

const batchNorm = defineRule<{ eps: number }>({
  name: "BatchNorm",
  config: { eps: number((x) => x >= 0) },
  shapes: same,
  weights: ({ shapes: [shape] }) => {
    const c = [channelsOf(shape)];
    return { gamma: c, beta: c, running_mean: c, running_var: c };
  },
  gain: (c, [input]) => mapped(c, input, allNorms(normFactor(c))),
  range: (c) => {
    const { a } = c;
    const gain = normFactor(c);
    const [beta, mean] = [c.weight("beta"), c.weight("running_mean")];
    const bias = {
      token: a.add(beta.frobenius, a.mul(gain, mean.frobenius)),
      linf: a.add(beta.maxAbs, a.mul(gain, mean.maxAbs)),
    };
    return [tokenwiseRange(a, c.ranges[0], c.outputs[0], { token: gain, linf: gain }, bias)];
  },
});

/** max|γ|/√(var + ε) with the least variance. */
function normFactor<T>({ a, config, weight }: Context<T, { eps: number }>): T {
  return a.div(weight("gamma").maxAbs, a.sqrt(a.add(weight("running_var").low, a.num(config.eps))));
}

export const linearRules = {
  Linear: linear,
  Conv: conv,
  DepthwiseConv: depthwiseConv,
  Embedding: embedding,
  Normalize: normalize,
  Scale: scale,
  Offset: offset,
  MeanPool: meanPool,
  AveragePool: averagePool,
  MaxPool: maxPool,
  BatchNorm: batchNorm,
};
