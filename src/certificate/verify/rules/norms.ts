/** Normalisation of tokens. Each rule's proof is in docs/gains.md under its name. */
import { root, type Arith } from "./arith.ts";
import { channelsOf, tokensOf, type Shape } from "./gains.ts";
import { closeRange, tokenwiseRange } from "./ranges.ts";
import { defineRule, mapped, number, same, word, type Rule } from "./rule.ts";

const positive = number((x) => x > 0);

function centreGains<T>(a: Arith<T>, d: number, gamma: T): { token: T; linf: T } {
  return { token: a.mul(gamma, a.div(a.num(d), a.num(d - 1))), linf: a.mul(a.num(2), gamma) };
}

const centerNorm = defineRule<Record<never, never>>({
  name: "CenterNorm",
  config: {},
  shapes: ({ shapes: [shape] }) => (channelsOf(shape) >= 2 ? [shape] : null),
  weights: ({ shapes: [shape] }) => ({ gamma: [channelsOf(shape)], beta: [channelsOf(shape)] }),
  gain: (c, [input]) => {
    const { token, linf } = centreGains(c.a, channelsOf(c.shapes[0]), c.weight("gamma").maxAbs);
    return mapped(c, input, { l2: token, token, linf });
  },
  range: ({ a, ranges: [input], outputs: [shape], weight }) => {
    const [gamma, beta] = [weight("gamma"), weight("beta")];
    const bias = { token: beta.frobenius, linf: beta.maxAbs };
    return [tokenwiseRange(a, input, shape, centreGains(a, channelsOf(shape), gamma.maxAbs), bias)];
  },
});

/** `centred`: the mean is taken away first (LayerNorm). */
const epsNorm = (centred: boolean): Rule =>
  defineRule<{ eps: number }>({
    name: "LayerNorm and RMSNorm",
    config: { eps: positive },
    shapes: same,
    weights: ({ shapes: [shape] }): { readonly [name: string]: Shape } => {
      const gamma = [channelsOf(shape)];
      return centred ? { gamma, beta: gamma } : { gamma };
    },
    gain: (c, [input]) => {
      const gain = c.a.div(c.weight("gamma").maxAbs, c.a.sqrt(c.a.num(c.config.eps)));
      return mapped(c, input, { l2: gain, token: gain });
    },
    range: ({ a, config, ranges: [input], outputs: [shape], weight }) => {
      const d = channelsOf(shape);
      const gamma = weight("gamma").maxAbs;
      const gain = { token: a.div(gamma, a.sqrt(a.num(config.eps))), linf: a.num(Infinity) };
      const beta = centred ? weight("beta") : { frobenius: a.num(0), maxAbs: a.num(0) };
      const largest = { token: a.mul(gamma, root(a, d)), linf: a.mul(gamma, root(a, centred ? d - 1 : d)) };
      const bias = { token: beta.frobenius, linf: beta.maxAbs };
      return [tokenwiseRange(a, input, shape, gain, bias, largest)];
    },
  });

const unitNorm = defineRule<{ guard: "root" | "max"; floor: number }>({
  name: "Unit norm",
  config: { guard: word("root", "max"), floor: positive },
  shapes: same,
  gain: (c, [input]) => {
    const gain = c.a.div(c.a.num(1), c.a.sqrt(c.a.num(c.config.floor)));
    return mapped(c, input, { l2: gain, token: gain });
  },
  range: ({ a, config, ranges: [input], outputs: [shape] }) => {
    const gain = a.div(a.num(1), a.sqrt(a.num(config.floor)));
    // Every entry is divided by a positive number of at least √floor.
    const stated = {
      token: a.min(a.num(1), a.mul(gain, input.token)),
      l2: a.min(root(a, tokensOf(shape)), a.mul(gain, input.l2)),
      spread: a.mul(gain, input.spread),
      low: a.mul(gain, a.min(input.low, a.num(0))),
      high: a.mul(gain, a.max(input.high, a.num(0))),
    };
    return [closeRange(a, stated, shape)];
  },
});

export const normRules = {
  CenterNorm: centerNorm,
  LayerNorm: epsNorm(true),
  RMSNorm: epsNorm(false),
  UnitNorm: unitNorm,
};
