/** Maps that move entries or combine values. Each rule's proof is in docs/gains.md under its name. */
import { intervalProduct, root } from "./arith.ts";
import { affine, type Affine } from "./affine.ts";
import type { Arith } from "./arith.ts";
import {
  beside,
  channelsOf,
  closed,
  norms,
  plus,
  sequence,
  tokensOf,
  zeros,
  type Norm,
  type Shape,
} from "./gains.ts";
import { closeRange, joinedRange } from "./ranges.ts";
import { defineRule, equal, int, list, word, type Rule } from "./rule.ts";

/** A permutation of entries whose output tokens take entries from at most r input tokens. */
function permutation<T>(a: Arith<T>, r: number): Affine<T> {
  return { stated: { l2: a.num(1), token: root(a, r), linf: a.num(1) }, spread: root(a, r), entries: "kept" };
}
/** Every output token is an input token, or a part of one. */
function restriction<T>(a: Arith<T>): Affine<T> {
  const one = a.num(1);
  return { stated: { l2: one, token: one, linf: one }, spread: one, entries: "kept" };
}

const flatten = defineRule<{ what: "all" | "tokens" }>({
  name: "Rearrangement",
  config: { what: word("all", "tokens") },
  shapes: ({ config, shapes: [shape] }) => {
    const [n, d] = [tokensOf(shape), channelsOf(shape)];
    if (config.what === "all") return [[n * d]];
    return shape.length === 2 || shape.length === 3 ? [[n, d]] : null;
  },
  ...affine(({ a, config, shapes: [shape] }) => permutation(a, config.what === "all" ? tokensOf(shape) : 1)),
});

type BlockConfig = { readonly size: number; readonly order: "rows" | "columns" };
const blockChecks = { size: int(1), order: word("rows", "columns") };
const isMap = (shape: Shape): boolean => shape.length === 3;

const spaceToDepth = defineRule<BlockConfig>({
  name: "Rearrangement",
  config: blockChecks,
  shapes: ({ config: { size }, shapes: [shape] }) => {
    const [h, w, c] = shape;
    return isMap(shape) && h % size === 0 && w % size === 0 ? [[h / size, w / size, size * size * c]] : null;
  },
  ...affine(({ a, config }) => permutation(a, config.size ** 2)),
});

const depthToSpace = defineRule<BlockConfig>({
  name: "Rearrangement",
  config: blockChecks,
  shapes: ({ config: { size }, shapes: [shape] }) => {
    const [h, w, c] = shape;
    return isMap(shape) && c % size ** 2 === 0 ? [[h * size, w * size, c / size ** 2]] : null;
  },
  // The parts of a constant token differ, so the spread doesn't pass.
  ...affine(({ a }) => {
    const one = a.num(1);
    return { stated: { l2: one, token: one, linf: one }, entries: "kept" as const };
  }),
});

const whole = int(-(2 ** 31));

const shift = defineRule<{ dy: number; dx: number; mode: "zeros" | "circular" }>({
  name: "Restriction",
  config: { dy: whole, dx: whole, mode: word("zeros", "circular") },
  shapes: ({ shapes: [shape] }) => (isMap(shape) ? [shape] : null),
  ...affine(({ a, config: { dy, dx, mode } }) => {
    const one = a.num(1);
    return {
      stated: { l2: one, token: one, linf: one },
      ...(mode === "circular" || (dy === 0 && dx === 0) ? { spread: one } : {}),
      entries: mode === "circular" ? ("kept" as const) : ("kept or zero" as const),
    };
  }),
});

/** Four groups of channels come from the left, right, upper and lower neighbour; the rest stays. */
const neighbours = [
  [0, 1],
  [0, -1],
  [1, 0],
  [-1, 0],
] as const;

const channelShift = defineRule<{ moved: number; mode: "zeros" | "circular" }>({
  name: "Rearrangement",
  config: { moved: int(1), mode: word("zeros", "circular") },
  shapes: ({ config: { moved }, shapes: [shape] }) =>
    isMap(shape) && 4 * moved <= shape[2] ? [shape] : null,
  ...affine(({ a, config: { moved, mode }, shapes: [[h, w, c]] }) => {
    // Different tokens that one in the middle reads; none reads more.
    const read = new Set<string>(4 * moved < c ? ["0,0"] : []);
    const [y, x] = [Math.floor(h / 2), Math.floor(w / 2)];
    for (const [dy, dx] of neighbours) {
      const inside = y + dy >= 0 && y + dy < h && x + dx >= 0 && x + dx < w;
      if (inside) read.add(`${dy},${dx}`);
      else if (mode === "circular") read.add(`${((y + dy + h) % h) - y},${((x + dx + w) % w) - x}`);
    }
    const most = root(a, read.size);
    return {
      stated: { l2: a.num(1), token: most, linf: a.num(1) },
      ...(mode === "circular" ? { spread: most } : {}),
      entries: mode === "circular" ? ("kept" as const) : ("kept or zero" as const),
    };
  }),
});

type Sides = { readonly before: readonly number[]; readonly after: readonly number[] };
const sides = { before: list(int(0)), after: list(int(0)) };
const fits = ({ before, after }: Sides, shape: Shape): boolean =>
  (shape.length === 2 || shape.length === 3) &&
  before.length === shape.length - 1 &&
  after.length === before.length;

type PadMode = "zeros" | "reflect" | "symmetric" | "circular" | "replicate";

/** How often the position that is read most is read; null where the padding is larger than the mode allows. */
function copies(size: number, before: number, after: number, mode: PadMode): number | null {
  const largest = Math.max(before, after);
  const most = mode === "reflect" ? size - 1 : mode === "symmetric" || mode === "circular" ? size : Infinity;
  if (largest > most) return null;
  if (mode === "zeros" || largest === 0) return 1;
  if (mode === "replicate") return 1 + (size === 1 ? before + after : largest);
  if (before === 0 || after === 0 || (mode === "reflect" && size === 2)) return 2;
  return before + after <= (mode === "reflect" ? size - 2 : size) ? 2 : 3;
}

const pad = defineRule<Sides & { mode: PadMode }>({
  name: "Padding",
  config: { ...sides, mode: word("zeros", "reflect", "symmetric", "circular", "replicate") },
  shapes: ({ config, shapes: [shape] }) => {
    const { before, after, mode } = config;
    if (!fits(config, shape)) return null;
    if (before.some((b, axis) => copies(shape[axis], b, after[axis], mode) === null)) return null;
    return [[...before.map((b, axis) => b + shape[axis] + after[axis]), channelsOf(shape)]];
  },
  ...affine(({ a, config: { before, after, mode }, shapes: [shape] }) => {
    const most = before.reduce(
      (all, b, axis) => all * (copies(shape[axis], b, after[axis], mode) ?? Infinity),
      1,
    );
    return {
      stated: { l2: root(a, most), token: a.num(1), linf: a.num(1) },
      ...(mode === "zeros" ? {} : { spread: a.num(1) }),
      entries: mode === "zeros" ? ("kept or zero" as const) : ("kept" as const),
    };
  }),
});

const crop = defineRule<Sides>({
  name: "Restriction",
  config: sides,
  shapes: ({ config, shapes: [shape] }) => {
    if (!fits(config, shape)) return null;
    const positions = config.before.map((b, axis) => shape[axis] - b - config.after[axis]);
    return positions.every((n) => n >= 1) ? [[...positions, channelsOf(shape)]] : null;
  },
  ...affine(({ a }) => restriction(a)),
});

const token = defineRule<{ index: number }>({
  name: "Restriction",
  config: { index: int(0) },
  shapes: ({ config, shapes: [shape] }) =>
    shape.length === 2 && config.index < shape[0] ? [[shape[1]]] : null,
  ...affine(({ a }) => {
    const one = restriction(a);
    return { ...one, stated: { ...one.stated, "token->l2": a.num(1) } };
  }),
});

const split = defineRule<{ parts: number }>({
  name: "Restriction",
  config: { parts: int(1) },
  shapes: ({ config: { parts }, shapes: [shape] }) => {
    if (shape.length === 0 || channelsOf(shape) % parts !== 0) return null;
    const part = [...shape.slice(0, -1), channelsOf(shape) / parts];
    return Array.from({ length: parts }, () => part);
  },
  gain: ({ a, shapes: [shape], outputs }, [input]) => {
    const gain = sequence(a, input, closed(a, restriction(a).stated, shape, outputs[0]));
    return outputs.map(() => gain);
  },
  range: ({ a, ranges: [input], outputs }) => outputs.map((shape) => closeRange(a, input, shape)),
});

const concat = defineRule<{ axis: "channels" | "tokens" }>({
  name: "Concatenation",
  inputs: "any",
  config: { axis: word("channels", "tokens") },
  shapes: ({ config: { axis }, shapes }) => {
    const [first, ...others] = shapes;
    const place = axis === "tokens" ? 0 : first.length - 1;
    if (first.length === 0 || (axis === "tokens" && first.length !== 2)) return null;
    const agree = (shape: Shape): boolean =>
      shape.length === first.length && shape.every((n, i) => i === place || n === first[i]);
    const total = shapes.reduce((sum, shape) => sum + shape[place], 0);
    return others.every(agree) ? [first.map((n, i) => (i === place ? total : n))] : null;
  },
  gain: ({ a, config }, inputs) => [beside(a, inputs, config.axis)],
  range: ({ a, config, ranges, outputs }) => [joinedRange(a, ranges, config.axis, outputs[0])],
});

const sameShapes: Rule["shapes"] = ({ shapes: [x, y] }) => (equal(x, y) ? [x] : null);

const sum = (sign: 1 | -1): Rule =>
  defineRule<Record<never, never>>({
    name: "Sum",
    inputs: 2,
    config: {},
    shapes: sameShapes,
    gain: ({ a }, [x, y]) => [plus(a, x, y)],
    range: ({ a, ranges: [x, y], outputs }) => {
      const both = (key: "l2" | "token" | "linf" | "spread") => a.add(x[key], y[key]);
      const stated = { l2: both("l2"), token: both("token"), linf: both("linf"), spread: both("spread") };
      const [low, high] =
        sign > 0
          ? [a.add(x.low, y.low), a.add(x.high, y.high)]
          : [a.sub(x.low, y.high), a.sub(x.high, y.low)];
      return [closeRange(a, { ...stated, low, high }, outputs[0])];
    },
  });

const learned = defineRule<Record<never, never>>({
  name: "Constant value",
  inputs: 0,
  config: {},
  shapes: ({ weight }) => [weight("value").shape],
  weights: ({ weight }) => ({ value: weight("value").shape }),
  gain: ({ a }) => [zeros(a)],
  range: ({ a, weight, outputs: [shape] }) => {
    const { frobenius, rowNorm, maxAbs, low, high } = weight("value");
    // A token is a row of the weight, or a part of one.
    const oneToken = shape.length > 1 ? rowNorm : frobenius;
    return [closeRange(a, { l2: frobenius, token: oneToken, linf: maxAbs, low, high }, shape)];
  },
});

const multiply = defineRule<Record<never, never>>({
  name: "Product",
  inputs: 2,
  config: {},
  shapes: sameShapes,
  gain: ({ a, ranges: [rx, ry] }, [x, y]) => {
    // ‖fixed ⊙ δ‖_q ≤ ‖fixed‖∞·‖δ‖_q, and ‖fixed‖_q·‖δ‖∞.
    const term = (fixed: typeof rx, moving: typeof x, p: number, q: Norm) => {
      const plain = a.mul(fixed.linf, moving[3 * p + norms.indexOf(q)]);
      return q === "linf" ? plain : a.min(plain, a.mul(fixed[q], moving[3 * p + 2]));
    };
    return [[0, 1, 2].flatMap((p) => norms.map((q) => a.add(term(rx, y, p, q), term(ry, x, p, q))))];
  },
  range: ({ a, ranges: [x, y], outputs }) => {
    const [low, high] = intervalProduct(a, [x.low, x.high], [y.low, y.high]);
    const stated = {
      low,
      high,
      linf: a.mul(x.linf, y.linf),
      token: a.min(a.mul(x.linf, y.token), a.mul(x.token, y.linf)),
      l2: a.min(a.mul(x.linf, y.l2), a.mul(x.l2, y.linf)),
    };
    return [closeRange(a, stated, outputs[0])];
  },
});

export const moveRules = {
  Flatten: flatten,
  SpaceToDepth: spaceToDepth,
  DepthToSpace: depthToSpace,
  Shift: shift,
  ChannelShift: channelShift,
  Pad: pad,
  Crop: crop,
  Token: token,
  Split: split,
  Concat: concat,
  Add: sum(1),
  Subtract: sum(-1),
  Learned: learned,
  Multiply: multiply,
};
