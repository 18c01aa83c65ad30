/** Layers with a body: recurrences, fixed points, 1-Lipschitz layers; and state spaces. docs/gains.md, sections 11, 12. */
import { root, type Arith } from "./arith.ts";
import { at, channelsOf, conversion, norms, type Norm, type Shape, type Stated } from "./gains.ts";
import { sigma } from "./linear.ts";
import { isFirm } from "./pointwise.ts";
import { closeRange, hull, unbounded, type Range } from "./ranges.ts";
import {
  defineRule,
  equal,
  int,
  mapped,
  number,
  word,
  type Config,
  type Context,
  type Node,
  type Rule,
  type Site,
} from "./rule.ts";

function power<T>(a: Arith<T>, x: T, n: number): T {
  if (n === 0) return a.num(1);
  const half = power(a, x, Math.floor(n / 2));
  const even = a.mul(half, half);
  return n % 2 === 0 ? even : a.mul(even, x);
}

/** 1 + κ + … + κ^(n−1), and at most 1/(1 − κ). */
function series<T>(a: Arith<T>, kappa: T, n: number): T {
  const one = a.num(1);
  if (a.surelyLess(kappa, one)) return a.div(a.sub(one, power(a, kappa, n)), a.sub(one, kappa));
  if (a.surelyEqual(kappa, one)) return a.num(n);
  return a.surelyLess(one, kappa)
    ? a.div(a.sub(power(a, kappa, n), one), a.sub(kappa, one))
    : a.num(Infinity);
}

/** A feature map of a body: shapes of its parameters, and of its result. */
function bodyShapes({ node, shapeOf }: Pick<Site, "node" | "shapeOf">): {
  parameters: readonly Shape[];
  result: Shape;
} {
  const { parameters = [], result = -1 } = node.body ?? {};
  return { parameters: parameters.map(shapeOf), result: result < 0 ? [] : shapeOf(result) };
}

const firmBody = ({ body }: Node): boolean =>
  body !== null &&
  body.nodes.length === 1 &&
  isFirm(body.nodes[0]) &&
  body.nodes[0].inputs[0] === body.parameters[0] &&
  body.nodes[0].outputs[0] === body.result;

/** `weights` from the channels in and the width of the activation. */
function oneLipschitz<C extends Config>(
  config: Rule<C>["config"],
  keeps: boolean,
  weights: (channels: number, width: number) => { readonly [name: string]: Shape },
  factor: <T>(c: Context<T, C>) => T = ({ a }) => a.num(1),
): Rule {
  return defineRule<C>({
    name: "1-Lipschitz by construction",
    config,
    body: true,
    shapes: (site) => {
      const [shape] = site.shapes;
      const { parameters, result } = bodyShapes(site);
      const { width = channelsOf(result) } = site.config;
      const fits =
        parameters.length === 1 &&
        equal(parameters[0], result) &&
        equal(result, [...shape.slice(0, -1), width as number]);
      if (shape.length === 0 || !fits) return null;
      return [keeps ? shape : result];
    },
    weights: (site) => weights(channelsOf(site.shapes[0]), channelsOf(bodyShapes(site).result)),
    gain: (c, [input]) => {
      const bound = firmBody(c.node) ? factor(c) : c.a.num(Infinity);
      return mapped(c, input, { l2: bound, token: bound });
    },
  });
}

// ‖[A B]‖₂², and that norm is at most 1 by the constraint of the weight.
const sandwich = oneLipschitz<Record<never, never>>(
  {},
  false,
  (c, width) => ({ weight: [width, c + width], psi: [width], bias: [width] }),
  ({ a, weight }) => {
    const norm = sigma(a, weight("weight"));
    return a.mul(norm, norm);
  },
);
const sll = oneLipschitz<{ width: number }>({ width: int(1) }, true, (c, width) => ({
  weight: [c, width],
  q: [width],
  bias: [width],
}));
const cpl = oneLipschitz<{ width: number }>({ width: int(1) }, true, (c, width) => ({
  weight: [width, c],
  bias: [width],
}));

const stateSpaceGain = <T>({ a, config, weight }: Context<T, { states: number; radius: number }>): T =>
  a.div(a.mul(sigma(a, weight("output")), sigma(a, weight("input"))), a.sub(a.num(1), a.num(config.radius)));

const stateSpace = defineRule<{ states: number; radius: number }>({
  name: "State space",
  config: { states: int(1), radius: number((r) => r >= 0 && r < 1) },
  shapes: ({ shapes: [shape] }) => (shape.length === 2 ? [shape] : null),
  weights: ({ config: { states }, shapes: [[, c]] }) => ({
    decay: [states],
    angle: [states],
    input: [2 * states, c],
    output: [c, 2 * states],
  }),
  gain: (c, [input]) => mapped(c, input, { l2: stateSpaceGain(c), token: stateSpaceGain(c) }),
  range: (c) => {
    const [{ l2, token }] = c.ranges;
    const gain = stateSpaceGain(c);
    return [closeRange(c.a, { l2: c.a.mul(gain, l2), token: c.a.mul(gain, token) }, c.outputs[0])];
  },
});

type ScanConfig = { readonly start: "zeros" | "learned"; readonly emit: "after" | "before" };

/** Where all states lie: the start, or a result of the step from anywhere. */
function states<T>(c: Context<T, ScanConfig>): { state: Range<T>; drive: Range<T> } {
  const { a, config } = c;
  const shape = c.outputs[0].slice(1);
  const { token, linf, low, high } = c.ranges[0];
  const drive = closeRange(a, { token, linf, low, high }, c.shapes[0].slice(1));
  const begin = config.start === "learned" ? c.weight("start") : null;
  const start = begin
    ? { token: begin.frobenius, linf: begin.maxAbs, low: begin.low, high: begin.high }
    : { low: a.num(0), high: a.num(0) };
  const reached = c.step([unbounded(a, shape), drive]).range;
  return { state: hull(a, reached, closeRange(a, start, shape)), drive };
}

const scan = defineRule<ScanConfig>({
  name: "Feedback",
  config: { start: word("zeros", "learned"), emit: word("after", "before") },
  body: true,
  shapes: (site) => {
    const [shape] = site.shapes;
    const { parameters, result } = bodyShapes(site);
    const fits =
      parameters.length === 2 &&
      result.length === 1 &&
      equal(parameters[0], result) &&
      equal(parameters[1], shape.slice(1));
    return shape.length === 2 && fits ? [[shape[0], ...result]] : null;
  },
  weights: (site): { readonly [name: string]: Shape } =>
    site.config.start === "learned" ? { start: bodyShapes(site).result } : {},
  gain: (c, [input]) => {
    const { a } = c;
    const { state, drive } = states(c);
    const [kappa, g] = c.step([state, drive]).gains;
    const bound = (q: Norm) => a.mul(g[at(q, q)], series(a, kappa[at(q, q)], c.shapes[0][0]));
    const token = a.min(bound("l2"), bound("token"));
    return mapped(c, input, { l2: token, token, linf: bound("linf") });
  },
  range: (c) => {
    const { a, outputs } = c;
    const { token, linf, low, high } = states(c).state;
    const l2 = a.mul(root(a, outputs[0][0]), token);
    return [closeRange(a, { token, linf, low, high, l2 }, outputs[0])];
  },
});

type FixpointConfig = { readonly damping: number; readonly iterations: number; readonly tolerance: number };

/** Where all rounds lie: the start x, results of the step, and what lies between. */
function rounds<T>(c: Context<T, FixpointConfig>): Range<T> {
  const [input] = c.ranges;
  return hull(c.a, c.step([unbounded(c.a, c.shapes[0]), input]).range, input);
}

const fixpoint = defineRule<FixpointConfig>({
  name: "Feedback",
  config: {
    damping: number((x) => x > 0 && x <= 1),
    iterations: int(1),
    tolerance: number((x) => x >= 0),
  },
  body: true,
  shapes: (site) => {
    const [shape] = site.shapes;
    const { parameters, result } = bodyShapes(site);
    const fits = parameters.length === 2 && [...parameters, result].every((s) => equal(s, shape));
    return fits ? [shape] : null;
  },
  gain: (c, [input]) => {
    const { a, config } = c;
    const [shape] = c.outputs;
    const one = a.num(1);
    const [state, drive] = c.step([rounds(c), c.ranges[0]]).gains;
    const stated: { -readonly [key in keyof Stated<typeof one>]: typeof one } = {};
    for (const q of norms) {
      const kappa = state[at(q, q)];
      if (!a.surelyLess(kappa, one)) continue;
      // Of the exact fixed point, and of the rounds that are done: g_k = κ_d·g_(k−1) + damping·G.
      const damped = a.add(a.sub(one, a.num(config.damping)), a.mul(a.num(config.damping), kappa));
      const left = power(a, damped, config.iterations);
      for (const p of norms) {
        const limit = a.div(drive[at(p, q)], a.sub(one, kappa));
        const start = conversion(a, shape)[at(p, q)];
        const done = a.add(a.mul(left, start), a.mul(a.sub(one, left), limit));
        stated[`${p}->${q}`] = a.max(limit, done);
      }
    }
    return mapped(c, input, stated);
  },
  range: (c) => [rounds(c)],
});

export const feedbackRules = {
  Sandwich: sandwich,
  SLL: sll,
  CPL: cpl,
  StateSpace: stateSpace,
  Scan: scan,
  Fixpoint: fixpoint,
};
