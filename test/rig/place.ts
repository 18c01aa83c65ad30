/**
 * Single layers through their own shape rule: a stand-in for the elaborator's `Call` takes plain arguments, and the plan
 * it gets becomes a one-node sketch with random (or given) weights. For tests of layers only.
 */
import type { DiagnosticName } from "../../src/diagnostics/table.ts";
import {
  fromNumber,
  parseRational,
  rational,
  toNumber,
  type Rational,
} from "../../src/elaborate/rational.ts";
import type { Call, Plan } from "../../src/layers/layer.ts";
import { layers } from "../../src/layers/registry.ts";
import type { Coefficient, Domain, Shape, ValueId, Weight } from "../../src/model/model.ts";
import { normal, seeded } from "./matrix.ts";
import { Sketch, type SketchWeight } from "./sketch.ts";

export type Argument = number | string | boolean | readonly number[];

export interface InferOptions {
  /** What the weights policy says of biases; true unless told. */
  readonly bias?: boolean;
  /** Number of token ids that the first input holds. */
  readonly tokens?: number;
}

export interface Inferred {
  readonly plan: Plan | undefined;
  readonly failures: readonly {
    readonly name: DiagnosticName;
    readonly params: object;
    readonly help?: string;
  }[];
  readonly weights: readonly {
    readonly name: string;
    readonly shape: Shape;
    readonly role: Weight["role"];
  }[];
}

/** Numbers are taken as they print: 0.1 is 1/10. */
function exact(x: Argument): Rational {
  if (typeof x === "string" && x.includes("/")) {
    const [n, d] = x.split("/");
    return rational(BigInt(n), BigInt(d)) as Rational;
  }
  if (typeof x === "number" && x < 0) return fromNumber(x);
  return parseRational(String(x)) as Rational;
}

/** Runs a layer's shape rule. */
export function infer(
  name: string,
  shapes: readonly Shape[],
  args: Readonly<Record<string, Argument>> = {},
  options: InferOptions = {},
): Inferred {
  const layer = layers.get(name);
  if (!layer) throw new Error(`there is no layer ${name}`);
  const failures: { name: DiagnosticName; params: object; help?: string }[] = [];
  const weights: { name: string; shape: Shape; role: Weight["role"] }[] = [];
  const unknown = Object.keys(args).find((key) => !layer.signature.params.some((p) => p.name === key));
  if (unknown !== undefined) throw new Error(`${name} has no parameter ${unknown}`);
  const argument = (key: string): Argument => {
    const value = args[key] ?? layer.signature.params.find((p) => p.name === key)?.default;
    if (value === undefined) throw new Error(`${name} needs ${key}`);
    return value;
  };
  const never = (): never => {
    throw new Error("not offered by this stand-in");
  };
  const call: Call = {
    inputs: shapes.map((shape, value) => ({
      value,
      shape,
      ...(value === 0 && options.tokens !== undefined ? { tokens: options.tokens } : {}),
    })),
    has: (key) =>
      key in args || layer.signature.params.some((p) => p.name === key && p.default !== undefined),
    int(key, least = 1) {
      const value = toNumber(exact(argument(key)));
      if (Number.isInteger(value) && value >= least) return value;
      failures.push({ name: "out-of-range", params: { argument: key, found: String(value) } });
      return Math.max(least, 1);
    },
    ints: (key) => argument(key) as readonly number[],
    real: (key) => exact(argument(key)),
    reals: (key) => (argument(key) as readonly number[]).map(exact),
    bool: (key) => argument(key) === true || argument(key) === "true",
    text: (key) => String(argument(key)),
    word: (key) => String(argument(key)),
    option: (key) => ({
      name: String(argument(key)),
      int: never,
      real: never,
      bool: never,
      word: never,
      has: never,
      coefficient: never,
      plain: never,
    }),
    layerArgument: never,
    apply: never,
    weight(key, { shape, role }) {
      weights.push({ name: key, shape, role });
      return weights.length - 1;
    },
    scales(channels) {
      weights.push({ name: "gamma", shape: [channels], role: "vector" });
      return weights.length - 1;
    },
    wantsBias: () => (args.bias as boolean | undefined) ?? options.bias ?? true,
    coefficient: (key): Coefficient => ({
      kind: "constant",
      value: Math.fround(toNumber(exact(argument(key)))),
    }),
    step: never,
    fail(diagnostic, params, _argument, help) {
      failures.push({ name: diagnostic, params: params as object, ...(help === undefined ? {} : { help }) });
    },
    get failed() {
      return failures.length > 0;
    },
  };
  const plan = layer.infer(call);
  return { plan: failures.length > 0 ? undefined : plan, failures, weights };
}

export interface Placed {
  readonly sketch: Sketch;
  readonly inputs: readonly ValueId[];
  readonly outputs: readonly ValueId[];
  readonly plan: Plan;
  /** Entries of the weights by name. */
  readonly weights: Readonly<Record<string, readonly number[]>>;
}

export interface PlaceOptions extends InferOptions {
  readonly seed?: number;
  /** Entries of weights, in place of normal ones. */
  readonly data?: Readonly<Record<string, readonly number[]>>;
  /** Facts of the main weight, which then has no entries. */
  readonly facts?: SketchWeight["facts"];
  /** Facts of all weights, none of which then has entries. */
  readonly allFacts?: SketchWeight["facts"];
  readonly domain?: Domain;
}

/** A sketch that holds just this layer. */
export function place(
  name: string,
  shapes: readonly Shape[],
  args: Readonly<Record<string, Argument>> = {},
  options: PlaceOptions = {},
): Placed {
  const { plan, failures, weights } = infer(name, shapes, args, options);
  if (!plan) throw new Error(`${name}: ${JSON.stringify(failures)}`);
  const random = seeded(options.seed ?? 1);
  const made: Record<string, SketchWeight> = {};
  const data: Record<string, readonly number[]> = {};
  for (const weight of weights) {
    const facts = options.allFacts ?? (weight.name === "weight" ? options.facts : undefined);
    if (facts) {
      made[weight.name] = { shape: weight.shape, role: weight.role, facts };
      continue;
    }
    const length = weight.shape.reduce((a, b) => a * b, 1);
    data[weight.name] = options.data?.[weight.name] ?? Array.from({ length }, () => normal(random));
    made[weight.name] = { shape: weight.shape, role: weight.role, data: data[weight.name] };
  }
  const sketch = new Sketch();
  const inputs = shapes.map((shape) => sketch.input(shape, options.domain));
  const outputs = sketch.node({
    layer: name,
    inputs,
    config: plan.config,
    outputs: plan.outputs,
    weights: made,
  });
  return { sketch, inputs, outputs, plan, weights: data };
}

/** Multiply-adds of a layer on one sample. */
export function macs(
  name: string,
  shapes: readonly Shape[],
  args: Readonly<Record<string, Argument>> = {},
): number {
  const { plan } = infer(name, shapes, args);
  const layer = layers.get(name);
  if (!layer || !plan) throw new Error(`${name} has no plan`);
  return layer.macs({ config: plan.config, shapes, outputs: plan.outputs, step: 0 });
}
