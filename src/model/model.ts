/**
 * The Model: the typed layer graph of one model, elaborated: names resolved, dimensions known, loops unrolled.
 * THE document that every later part reads. Plain data, serialisable (model.schema.json), checked by legality.ts.
 *
 * Shapes are per sample, without the batch: [positions…, channels], 0, 1 or 2 position axes.
 * Numbers that enter the graph are the stored ones: exactly float32 values, so that gain rules and the compiled
 * graph speak of the same numbers (docs/gains.md, "stored numbers").
 */
import type { Span } from "../text/source.ts";

export type Shape = readonly number[];
/** Index into Model.values. */
export type ValueId = number;
/** Index into Model.weights. */
export type WeightId = number;

export interface Model {
  readonly lips: 1;
  readonly name: string;
  readonly file: string;
  readonly inputs: readonly ModelInput[];
  readonly outputs: readonly ModelOutput[];
  readonly values: readonly Value[];
  /** In an order in which they can be computed. */
  readonly nodes: readonly Node[];
  readonly weights: readonly Weight[];
  /** Applications of blocks, inner ones before the one that they stand in. */
  readonly instances: readonly BlockInstance[];
  /** Names of values that claims and tools can speak of: inputs, outputs, `let`s never rebound. */
  readonly taps: readonly { readonly name: string; readonly value: ValueId }[];
  readonly claims: readonly Claim[];
  readonly train: TrainConfig | null;
  readonly span: Span;
  /** Where the spec has `inference { … }`. */
  readonly inference?: Inference;
  /** Where the spec has `solve(in: [low, high])`: one number that the claims choose. */
  readonly solve?: Solve;
}

/** How the trained model is computed; training isn't bound by it. */
export interface Inference {
  /** No product adds up more terms than this at once: longer sums are made of parts (src/graph/parts.ts). At least 2. */
  readonly longestSum: number;
}

/** The unknown number of a model. Numbers are exact, as text: `0.25`, `1/3`. */
export interface Solve {
  /** Of the `let` or parameter that holds it; null where it stands in an expression. */
  readonly name: string | null;
  readonly low: string;
  readonly high: string;
  /**
   * The number that was found, which the model then holds; null before. The model then holds the lower end, so that
   * shapes and parameters can be shown; nothing is proven of it, and it can't be built or run.
   */
  readonly value: string | null;
  readonly span: Span;
}

/** Whether a model waits for its number. */
export function isUnsolved(model: Pick<Model, "solve">): boolean {
  return model.solve !== undefined && model.solve.value === null;
}

export interface ModelInput {
  readonly name: string;
  readonly value: ValueId;
  readonly domain: Domain;
  readonly span: Span;
}

export interface ModelOutput {
  readonly name: string;
  readonly value: ValueId;
  readonly span: Span;
}

export interface Value {
  readonly shape: Shape;
  /** Names of the axes where the spec names them, for printing; null where it doesn't. */
  readonly axes: readonly (string | null)[];
  readonly span: Span;
}

/** The set an input is promised to lie in. Ends are rounded outwards to float64. All are convex. */
export type Domain =
  | { readonly kind: "box"; readonly low: number; readonly high: number }
  | { readonly kind: "ball"; readonly norm: Norm; readonly radius: number }
  | { readonly kind: "tokens"; readonly count: number }
  | { readonly kind: "unbounded" };

export type Norm = "l2" | "token" | "linf";

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** One application of one built-in layer. */
export interface Node {
  /** Name of the layer definition in src/layers. */
  readonly layer: string;
  /** Stable, PyTorch-like: `lips_block.2.0.attention.linear`. Weight paths are this plus `.weight` and so on. */
  readonly path: string;
  readonly inputs: readonly ValueId[];
  readonly outputs: readonly ValueId[];
  /** What the layer's own `Config` type says. */
  readonly config: { readonly [key: string]: Json };
  readonly weights: { readonly [name: string]: WeightId };
  /** Where the layer is written, and the calls that led there, innermost first. */
  readonly span: Span;
  readonly calls: readonly Span[];
  /** The fed-back step of Scan and Fixpoint: nodes over values of the same model, none of them seen outside. */
  readonly body: NodeBody | null;
}

/** One application of one block: what generated code needs to give a block's nodes back their form. */
export interface BlockInstance {
  readonly block: string;
  /** Paths of its nodes are this, a dot and their own name; nodes of layers that are only passed through lie outside. */
  readonly path: string;
  /** Dimensions of the signature and numeric parameters, by name. */
  readonly numbers: { readonly [name: string]: number };
  /** Names that values have in its body: tensor parameters as they come in, then `let`s as they are at its end. */
  readonly names: readonly { readonly name: string; readonly value: ValueId }[];
  /** The block's declaration. */
  readonly span: Span;
}

export interface NodeBody {
  readonly parameters: readonly ValueId[];
  readonly nodes: readonly Node[];
  readonly result: ValueId;
}

export interface Weight {
  readonly path: string;
  /** PyTorch's layouts: Linear (out, in), conv (out, in/groups, kh, kw). [] is a scalar. */
  readonly shape: Shape;
  /**
   * What it is, for facts, optimiser groups and initialisers:
   * matrix (out, in); kernel (out, in/groups, kh, kw); depthwise (c·multiplier, 1, kh, kw); table (rows, columns),
   * read by index; vector and scalar: scales and coefficients; bias; value: a learned tensor that flows;
   statistic: running means and variances, which no gradient and no optimiser touches and no parameter count counts.
   */
  readonly role:
    "matrix" | "kernel" | "depthwise" | "table" | "vector" | "scalar" | "bias" | "value" | "statistic";
  readonly init: Init;
  readonly constraint: Constraint;
  /** Kept by projection after each training step; ends are stored numbers, rounded inwards. */
  readonly range: readonly [low: number, high: number] | null;
  readonly span: Span;
}

export type Init =
  | { readonly kind: "spectral" | "orthogonal" | "xavier" | "kaiming" | "zeros" | "ones" }
  | { readonly kind: "trunc_normal" | "normal"; readonly std: number }
  /** One stored number for every entry, or one per entry. */
  | { readonly kind: "constant"; readonly values: readonly number[] };

export type Constraint =
  | { readonly kind: "none" | "aol" | "orthogonal" | "unit_rows" | "unit_rms" }
  /** `operator` is what `spectral` is on the kernel of a convolution whose windows overlap: of the map, not the matrix. */
  | { readonly kind: "spectral" | "rms" | "frobenius" | "l1" | "operator"; readonly bound: number };

/** A number that a layer multiplies by: fixed, or a weight. */
export type Coefficient =
  | { readonly kind: "constant"; readonly value: number }
  /** Its shape: [] for one number, [c] for one per channel; without it rules assume the worse. */
  | { readonly kind: "learned"; readonly weight: WeightId; readonly shape?: Shape };

export type Phase = "init" | "always" | "checkpoint";

/** One certify clause at one instance. Clauses of a block give one claim per instance with the same span. */
export interface Claim {
  readonly kind: "gain" | "margin" | "radius";
  readonly text: string;
  readonly phase: Phase;
  /** radius: the value whose range is claimed; `to` is then the same. */
  readonly from: ValueId;
  readonly to: ValueId;
  readonly fromName: string;
  readonly toName: string;
  readonly normIn: Norm | "rms";
  readonly normOut: Norm | "rms";
  /** Largest float64 not above the exact number that is written. */
  readonly limit: number;
  /** Path of the instance; "" for the model's own claims. */
  readonly instance: string;
  readonly span: Span;
}

/** A call with plain arguments: `cosine(min_lr: 1e-5)` → { name: "cosine", args: { min_lr: 1e-5 } }. */
export interface OptionValue {
  readonly name: string;
  readonly args: { readonly [name: string]: Json };
}

export interface TrainConfig {
  readonly data: OptionValue | null;
  readonly augment: readonly OptionValue[];
  /** A weighted sum. */
  readonly loss: readonly { readonly weight: number; readonly term: OptionValue }[];
  readonly optimizer: OptionValue;
  readonly groups: readonly OptionValue[];
  readonly schedule: OptionValue;
  readonly epochs: number | null;
  readonly steps: number | null;
  readonly batch: number;
  readonly clip: number | null;
  readonly average: OptionValue | null;
  readonly precision: string;
  readonly seed: number;
  readonly report: readonly OptionValue[];
  readonly span: Span;
}
