/**
 * Defects planted on purpose, one at a time: rules, ranges and facts as somebody could have got them wrong. A campaign
 * that doesn't find each of them within a small budget is too weak to say anything of the rules as they are.
 */
import type { Range, WeightFacts } from "../../src/gain/facts.ts";
import { gainOf, isNothing, nothing, norms, type Gain } from "../../src/gain/gain.ts";
import { hypotUp } from "../../src/gain/up.ts";
import { weightFacts } from "../../src/gain/weights.ts";
import type { GainContext, Layer, LayerRules, Ruled } from "../../src/layers/layer.ts";
import { layers } from "../../src/layers/registry.ts";
import type { Phase, Weight } from "../../src/model/model.ts";
import type { Rules } from "./witness.ts";

export interface Defect {
  readonly name: string;
  readonly rules: Rules;
  /** A layer that the models of the campaign have. */
  readonly only: string;
  readonly phases?: readonly Phase[];
  /** Found within a few seconds: in every run of the tests. */
  readonly quick?: true;
}

type Context = GainContext<Readonly<Record<string, never>>>;
type GainRule = (context: Context, inputs: readonly Gain[]) => readonly Ruled[];

function rulesOf(name: string): LayerRules<never> {
  const rules = layers.get(name)?.rules;
  if (!rules || "none" in rules) throw new Error(`${name} has no rule`);
  return rules as LayerRules<never>;
}

/** The context with some of its configuration changed. */
const told = (context: Context, config: Readonly<Record<string, unknown>>): Context =>
  ({ ...context, config: { ...context.config, ...config } }) as unknown as Context;

/** All layers, with another rule for one. */
function instead(name: string, change: (rules: LayerRules<never>) => Partial<LayerRules<never>>): Rules {
  const layer = layers.get(name) as Layer;
  const rules = rulesOf(name);
  // What neighbouring layers know of each other would hide the defect at a checkpoint.
  const { tokenwise: _, channels: __, slopes: ___, ...rest } = layer;
  const made = { ...rest, rules: { ...rules, ...change(rules) } } as unknown as Layer;
  return { layers: new Map([...layers, [name, made]]) };
}

const gainBy = (
  name: string,
  change: (original: GainRule, ...args: Parameters<GainRule>) => readonly Ruled[],
): Rules =>
  instead(name, (rules) => ({
    gain: (context, inputs) => change(rules.gain as unknown as GainRule, context, inputs),
  }));

/** The same rule, told another configuration. */
const configured = (name: string, config: Readonly<Record<string, unknown>>): Rules =>
  gainBy(name, (original, context, inputs) => original(told(context, config), inputs));

/** Every gain times a factor. */
const scaled = (name: string, factorOf: (context: Context) => number): Rules =>
  gainBy(name, (original, context, inputs) =>
    original(context, inputs).map(({ gain, rule }) => ({
      gain: gainOf(
        gain.entries.map((x) => x * factorOf(context)),
        gain.why,
      ),
      rule,
    })),
  );

/** The layer passes its input's gain on. */
const asIdentity = (name: string): Rules =>
  gainBy(name, (_, __, [input]) => [{ gain: input, rule: "planted" }]);

/** Some entries, by the norm that they lead to, times a factor. */
const entriesScaled = (
  name: string,
  to: (typeof norms)[number],
  factorOf: (context: Context) => number,
): Rules =>
  gainBy(name, (original, context, inputs) =>
    original(context, inputs).map(({ gain, rule }) => ({
      gain: gainOf(
        gain.entries.map((x, i) => (norms[i % 3] === to ? x * factorOf(context) : x)),
        gain.why,
      ),
      rule,
    })),
  );

/** Facts of weights, changed. */
const facts = (change: NonNullable<Rules["facts"]>): Rules => ({ facts: change });

const tokens = (context: Context): number => context.shapes[0].slice(0, -1).reduce((a, b) => a * b, 1);
const spectral = (known: WeightFacts, sigma: number): WeightFacts => ({
  ...known,
  spectral: Math.min(known.spectral, sigma),
});
const noRange: Pick<Range, "spread" | "token"> = { spread: 0, token: 0 };

/** Power iteration: a lower bound of ‖W‖₂, from a vector of ones. */
function powerIteration(weight: Weight, entries: ArrayLike<number>, steps: number): number {
  const rows = weight.shape[0] ?? 1;
  const columns = entries.length / rows;
  let v = new Float64Array(columns).fill(1 / Math.sqrt(columns));
  let sigma = 0;
  for (let i = 0; i < steps; i++) {
    const u = Float64Array.from({ length: rows }, (_, r) =>
      v.reduce((s, x, c) => s + x * entries[r * columns + c], 0),
    );
    sigma = Math.hypot(...u);
    const w = Float64Array.from({ length: columns }, (_, c) =>
      u.reduce((s, x, r) => s + x * entries[r * columns + c], 0),
    );
    const size = Math.hypot(...w);
    if (!(size > 0)) break;
    v = w.map((x) => x / size);
  }
  return sigma;
}

export const defects: readonly Defect[] = [
  { name: "GELU's slope taken as 1.1", only: "GELU", rules: scaled("GELU", () => 1.1 / 1.129) },
  { name: "SELU's slope taken as 1", only: "SELU", rules: asIdentity("SELU") },
  { name: "softmax counted as a quarter", quick: true, only: "Softmax", rules: scaled("Softmax", () => 0.5) },
  {
    name: "attention: heads cost nothing in the token norm",
    only: "Attend",
    rules: configured("Attend", { heads: 1 }),
  },
  {
    name: "attention: the scores' path left out",
    only: "Attend",
    rules: gainBy("Attend", (original, context, inputs) => {
      const [q, k, v] = context.ranges;
      return original({ ...context, ranges: [q, k, { ...v, ...noRange }] }, inputs);
    }),
  },
  {
    name: "distance attention: the tied rule for values of their own",
    only: "Attend",
    rules: gainBy("Attend", (original, context, inputs) => {
      const [q, k] = context.node.inputs;
      if (q !== k) return original(context, inputs);
      return original({ ...context, node: { ...context.node, inputs: [q, k, k] } }, inputs);
    }),
  },
  {
    name: "attention: l2 over queries counted as of one query",
    only: "Attend",
    rules: gainBy("Attend", (original, context, inputs) =>
      original(context, inputs).map(({ gain, rule }) => ({
        gain: gainOf(
          gain.entries.map((x, i) => (i % 3 === 0 ? gain.entries[i + 1] : x)),
          gain.why,
        ),
        rule,
      })),
    ),
  },
  {
    name: "a convolution's windows counted as apart (no √m)",
    only: "Conv",
    rules: configured("Conv", { stride: 64 }),
  },
  {
    name: "dilation forgotten where windows are counted",
    only: "Conv",
    rules: configured("Conv", { dilation: 1 }),
  },
  {
    name: "a depthwise multiplier forgotten",
    only: "DepthwiseConv",
    rules: configured("DepthwiseConv", { multiplier: 1 }),
  },
  { name: "LayerNorm counted as 1", only: "LayerNorm", rules: asIdentity("LayerNorm") },
  { name: "CenterNorm counted as 1", only: "CenterNorm", rules: asIdentity("CenterNorm") },
  {
    name: "UnitNorm: ε in place of √ε (root)",
    only: "UnitNorm",
    rules: gainBy("UnitNorm", (original, context, inputs) =>
      original(told(context, { floor: Math.sqrt(context.config.floor) }), inputs),
    ),
  },
  { name: "Pad by copies counted as 1", only: "Pad", rules: asIdentity("Pad") },
  {
    name: "padding counted into an average's divisor",
    only: "AveragePool",
    rules: configured("AveragePool", { divisor: "window" }),
  },
  { name: "MaxPool's windows counted as apart", only: "MaxPool", rules: asIdentity("MaxPool") },
  {
    name: "a mean gains 1/√N in the token norm too",
    only: "MeanPool",
    rules: entriesScaled("MeanPool", "token", (c) => 1 / Math.sqrt(tokens(c))),
  },
  {
    name: "joined tokens cost nothing in the token norm",
    only: "SpaceToDepth",
    rules: asIdentity("SpaceToDepth"),
  },
  {
    name: "Householder counted as 1 in linf",
    only: "Householder",
    rules: entriesScaled("Householder", "linf", () => Math.SQRT1_2),
  },
  {
    name: "a sum counted as the root of squares",
    quick: true,
    only: "Add",
    rules: gainBy("Add", (_, __, [a, b]) => [
      {
        gain: gainOf(
          a.entries.map((x, i) => hypotUp(x, b.entries[i])),
          a.why,
          b.why,
        ),
        rule: "planted",
      },
    ]),
  },
  {
    name: "a product: one of its terms forgotten",
    only: "Multiply",
    rules: gainBy("Multiply", (original, context, [a, b]) =>
      original(context, isNothing(a) || isNothing(b) ? [a, b] : [a, nothing]),
    ),
  },
  {
    name: "concatenation: the maximum in l2",
    only: "Concat",
    rules: gainBy("Concat", (_, __, inputs) => [
      {
        gain: gainOf(
          inputs[0].entries.map((_entry, i) => Math.max(...inputs.map((g) => g.entries[i]))),
          ...inputs.map((g) => g.why),
        ),
        rule: "planted",
      },
    ]),
  },
  {
    name: "residual: a negative α counted as 0",
    only: "Residual",
    rules: gainBy("Residual", (original, context, inputs) =>
      original({ ...context, coefficient: (c) => positive(context.coefficient(c)) }, inputs),
    ),
  },
  {
    name: "convex residual: a vector α counted as one α",
    only: "Residual",
    rules: gainBy("Residual", (original, context, inputs) => {
      const { alpha, form } = context.config as unknown as { alpha: { kind: string }; form: string };
      if (form !== "convex" || alpha.kind !== "learned") return original(context, inputs);
      return original(told(context, { alpha: { ...alpha, shape: [] } }), inputs);
    }),
  },
  {
    name: "PReLU: a negative slope counted as 0",
    only: "PReLU",
    rules: gainBy("PReLU", (original, context, inputs) =>
      original({ ...context, coefficient: (c) => positive(context.coefficient(c)) }, inputs),
    ),
  },
  {
    name: "Clamp's range is its input's",
    only: "Clamp",
    rules: instead("Clamp", () => ({ range: (context) => [context.ranges[0]] })),
  },
  {
    name: "a bias left out of Linear's range",
    only: "Linear",
    rules: instead("Linear", (rules) => ({
      range: (context) =>
        (rules.range as NonNullable<typeof rules.range>)({
          ...context,
          weight: (name: string) => (name === "bias" ? zero(context.weight(name)) : context.weight(name)),
        } as never),
    })),
  },
  {
    name: "Normalize: the largest deviation",
    only: "Normalize",
    rules: scaled("Normalize", () => 0.4 / 0.7),
  },
  {
    name: "the keep-probability multiplied into the bound",
    only: "Dropout",
    rules: scaled("Dropout", () => 0.7),
  },
  {
    name: "Scan: its past forgotten",
    only: "Scan",
    rules: gainBy("Scan", (original, context, inputs) =>
      original({ ...context, step: (ranges) => forgetting(context.step(ranges)) }, inputs),
    ),
  },
  {
    name: "Fixpoint: its iterations forgotten",
    only: "Fixpoint",
    rules: gainBy("Fixpoint", (original, context, inputs) =>
      original({ ...context, step: (ranges) => forgetting(context.step(ranges)) }, inputs),
    ),
  },
  {
    name: "StateSpace: 1/(1 − radius) forgotten",
    only: "StateSpace",
    rules: scaled("StateSpace", (c) => 1 - Number(c.config.radius)),
  },
  {
    name: "a learned number keeps its start in training",
    quick: true,
    only: "Scale",
    phases: ["always"],
    rules: facts((known, weight, phase) =>
      phase === "always" && weight.range ? weightFacts(weight, "init") : known,
    ),
  },
  {
    name: "frobenius(c) counted as 1",
    quick: true,
    only: "Linear",
    rules: facts((known, weight) => (weight.constraint.kind === "frobenius" ? spectral(known, 1) : known)),
  },
  {
    name: "unit_rows taken for spectral norm 1",
    only: "Linear",
    rules: facts((known, weight) => (weight.constraint.kind === "unit_rows" ? spectral(known, 1) : known)),
  },
  {
    name: "rms(c) taken for spectral(c)",
    only: "Linear",
    rules: facts((known, weight) =>
      weight.constraint.kind === "rms" ? spectral(known, weight.constraint.bound) : known,
    ),
  },
  {
    name: "a trained norm by power iteration from ones, 3 steps",
    only: "Linear",
    phases: ["checkpoint"],
    rules: facts((known, weight, phase, entries) =>
      phase === "checkpoint" && entries && weight.constraint.kind === "none" && weight.role === "matrix"
        ? spectral(measured(known), powerIteration(weight, entries, 3))
        : known,
    ),
  },
];

/** Facts that are found when they are asked for, as plain data. */
function measured(known: WeightFacts): WeightFacts {
  const { spectral: sigma, frobenius, rowSum, rowNorm, maxAbs, low, high, values, why, stored } = known;
  return {
    spectral: sigma,
    frobenius,
    rowSum,
    rowNorm,
    maxAbs,
    low,
    high,
    values,
    why,
    ...(stored ? { stored } : {}),
  };
}

function positive(known: WeightFacts): WeightFacts {
  return { ...measured(known), maxAbs: Math.max(0, known.high), low: Math.max(0, known.low) };
}

function zero(known: WeightFacts): WeightFacts {
  return { ...measured(known), frobenius: 0, maxAbs: 0, low: 0, high: 0, why: null };
}

function forgetting(step: { readonly gains: readonly Gain[]; readonly range: Range }): typeof step {
  const [, ...drives] = step.gains;
  return { ...step, gains: [nothing, ...drives] };
}
