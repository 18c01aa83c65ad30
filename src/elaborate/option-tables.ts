/**
 * The option types: words that mean something only where their type is expected, as string unions do in TypeScript.
 * One table for layers and one for runs; docs/language.md lists them.
 */

export interface OptionParam {
  readonly name: string;
  /** A type of src/elaborate/types.ts. */
  readonly type: string;
  /** Source text of the default; a parameter without one, and not optional, is required. */
  readonly default?: string;
  readonly optional?: boolean;
  /** The legal words of a `Word`. */
  readonly words?: readonly string[];
}

export type OptionTable = { readonly [option: string]: readonly OptionParam[] };

const p = (name: string, type: string, fallback?: string): OptionParam =>
  fallback === undefined ? { name, type } : { name, type, default: fallback };
const maybe = (name: string, type: string): OptionParam => ({ name, type, optional: true });
const word = (name: string, words: readonly string[], fallback?: string): OptionParam =>
  fallback === undefined ? { name, type: "Word", words } : { name, type: "Word", words, default: fallback };

/** Options of layers, weights and inputs. */
const layerOptions = {
  Init: {
    spectral: [],
    orthogonal: [],
    xavier: [],
    kaiming: [],
    zeros: [],
    ones: [],
    trunc_normal: [p("std", "real")],
    normal: [p("std", "real")],
  },
  Constraint: {
    none: [],
    spectral: [p("bound", "real", "1")],
    rms: [p("bound", "real", "1")],
    frobenius: [p("bound", "real", "1")],
    l1: [p("bound", "real", "1")],
    aol: [],
    orthogonal: [],
    unit_rows: [],
    unit_rms: [],
  },
  Score: {
    dot: [maybe("scale", "Coefficient")],
    cosine: [p("tau", "Coefficient"), p("eps", "real"), word("guard", ["root", "max"], "root")],
    distance: [maybe("scale", "Scale")],
  },
  /** Scales of a distance that depend on the input: known by name, without a proven rule. */
  Scale: { whole_input: [p("of", "tensor"), p("alpha", "real")] },
  Values: { raw: [], unit: [p("nu", "Coefficient", "1"), p("eps", "real")] },
  Region: {
    global: [],
    windows: [p("size", "int"), p("shift", "int", "0")],
    stripes: [p("width", "int"), word("direction", ["horizontal", "vertical"])],
    grid: [p("size", "int")],
  },
  Position: { none: [], relative: [], rotary: [] },
  Norm: { l2: [], token: [], linf: [], rms: [] },
  Domain: { ball: [p("norm", "Norm"), p("radius", "real")], tokens: [p("count", "int")], unbounded: [] },
} satisfies { [type: string]: OptionTable };

/** Options of `train`. What a run can't carry out is refused by the run, not here. */
const trainOptions = {
  Data: {
    fashion_mnist: [],
    mnist: [],
    cifar10: [],
    imagenet: [p("size", "int", "224")],
    images: [p("folder", "string"), maybe("size", "int")],
    table: [p("file", "string")],
    text: [p("file", "string"), p("context", "int")],
  },
  Augment: {
    crop: [p("size", "int"), p("padding", "int", "0")],
    flip: [],
    rand_augment: [p("magnitude", "real"), p("std", "real", "0"), p("count", "int", "2")],
    color_jitter: [p("strength", "real")],
    erase: [p("probability", "real")],
    mixup: [p("alpha", "real")],
    cutmix: [p("alpha", "real")],
  },
  Loss: {
    cross_entropy: [p("smoothing", "real", "0")],
    margin: [p("offset", "real"), p("temperature", "real", "1")],
    radius: [p("offset", "real"), p("temperature", "real", "1")],
    hinge: [p("offset", "real", "1"), word("over", ["sum", "max"], "sum")],
    mse: [],
    emma: [p("eps", "real")],
    next_token: [],
    spectral_penalty: [p("weights", "Selector"), p("heads", "int", "1")],
  },
  Optimizer: {
    adamw: [
      p("lr", "real"),
      p("betas", "real[]", "[0.9, 0.999]"),
      p("eps", "real", "1e-8"),
      p("weight_decay", "real", "0.01"),
    ],
    adam: [
      p("lr", "real"),
      p("betas", "real[]", "[0.9, 0.999]"),
      p("eps", "real", "1e-8"),
      p("weight_decay", "real", "0"),
    ],
    sgd: [p("lr", "real"), p("momentum", "real", "0"), p("weight_decay", "real", "0")],
    muon: [
      p("lr", "real"),
      p("momentum", "real", "0.95"),
      p("ns_steps", "int", "5"),
      p("weight_decay", "real", "0"),
      p("adamw_lr", "real", "1e-3"),
      p("betas", "real[]", "[0.9, 0.999]"),
      p("eps", "real", "1e-8"),
    ],
  },
  Group: {
    group: [
      p("weights", "Selector"),
      maybe("lr", "real"),
      maybe("weight_decay", "real"),
      { ...word("by", ["adamw"]), optional: true },
    ],
  },
  Schedule: {
    constant: [p("warmup", "real", "0")],
    cosine: [p("warmup", "real", "0"), p("min_lr", "real", "0")],
    linear: [p("end", "real", "0"), p("warmup", "real", "0")],
  },
  Average: { ema: [p("decay", "real", "0.9999")] },
  Precision: { float32: [], bfloat16: [] },
  Report: {
    accuracy: [],
    certified: [p("norm", "Norm"), p("at", "real[]")],
    attacked: [p("norm", "Norm"), p("at", "real[]"), p("steps", "int", "20")],
    observed_gain: [],
  },
  /** Weights by class; anything else is a glob over paths, in quotes. */
  Selector: { vectors: [], matrices: [] },
} satisfies { [type: string]: OptionTable };

export const optionTypes: ReadonlyMap<string, OptionTable> = new Map<string, OptionTable>(
  Object.entries({ ...layerOptions, ...trainOptions }),
);

/** Types that a spec may write: of parameters and of annotated `let`s. */
export const writableOptionTypes = [
  "Init",
  "Constraint",
  "Score",
  "Values",
  "Region",
  "Position",
  "Norm",
  "Domain",
];

/** The types that know this word. */
export function typesWith(option: string): string[] {
  return [...optionTypes].filter(([, table]) => Object.hasOwn(table, option)).map(([type]) => type);
}
