/**
 * What a layer is. One file per layer in this folder holds its signature, shape rule, weights, gain rule with proof
 * and source, cost, and lowering to primitives, because they are facts about the same thing and rot when kept apart.
 * `registry.ts` lists them all, explicitly.
 */
import type { DiagnosticName, ParamsOf } from "../diagnostics/table.ts";
import type { Gain, Reason } from "../gain/gain.ts";
import type { Range, WeightFacts } from "../gain/facts.ts";
import type { Matrix } from "../gain/matrix.ts";
import type { Builder, Tensor } from "../graph/builder.ts";
import type { Rational } from "../elaborate/rational.ts";
import type {
  Coefficient,
  Constraint,
  Init,
  Json,
  Node,
  OptionValue,
  Phase,
  Shape,
  ValueId,
  Weight,
} from "../model/model.ts";

/** A layer's own plain configuration, as stored in Node.config. */
export type Config = { readonly [key: string]: Json };

/** Types of static parameters. Capitalised names are option types (src/elaborate/options.ts). */
export type ParamType =
  | "int"
  | "real"
  | "bool"
  | "string"
  | "int[]"
  | "real[]"
  | "Layer"
  /** A number, `learned(…)`: fixed or a weight. */
  | "Coefficient"
  | "Init"
  | "Constraint"
  | "Score"
  | "Values"
  | "Region"
  | "Position"
  | "Norm"
  /** One of the words listed in `words`. */
  | "Word";

export interface ParamSignature {
  readonly name: string;
  readonly type: ParamType;
  /** Source text of the default; a parameter without one is required. Evaluated at application. */
  readonly default?: string;
  /** May be left out without a default; the getter then gives undefined. */
  readonly optional?: boolean;
  /** The legal words of a `Word`. */
  readonly words?: readonly string[];
  readonly doc: string;
}

export interface Signature {
  /** Names of the tensors, in order; `v |> L(…)` fills the first. `Concat` takes any number (`rest`). */
  readonly tensors: readonly string[];
  readonly rest?: boolean;
  /** Whether a tensor may hold token ids, which are names, not numbers. */
  readonly ids?: boolean;
  readonly params: readonly ParamSignature[];
  /** For people: `[..., c] -> [..., width]`. */
  readonly shape: string;
}

/** A value as the shape rule sees it. */
export interface Operand {
  readonly value: ValueId;
  readonly shape: Shape;
  /** How many different ids there are, where the value holds token ids (`in tokens(n)`); else left out. */
  readonly tokens?: number;
}

/**
 * What the elaborator offers a shape rule. Every getter that finds a mistake reports it, marks the call as failed and
 * gives a harmless stand-in, so that rules read straight through; what a failed call returns is thrown away.
 */
export interface Call {
  readonly inputs: readonly Operand[];
  /** Whether an argument was given (or has a default). */
  has(name: string): boolean;
  /** A whole number ≥ `least` (1 unless told). */
  int(name: string, least?: number): number;
  ints(name: string): readonly number[];
  /** The exact number. Use `stored`/`storedTowardZero` of gain/up.ts for what goes into Config. */
  real(name: string): Rational;
  reals(name: string): readonly Rational[];
  bool(name: string): boolean;
  text(name: string): string;
  word(name: string): string;
  /** An option with its arguments filled in from the option's defaults: `cosine(tau: 10)` → name "cosine". */
  option(name: string): OptionArgs;
  /**
   * A layer argument that is one call of a built-in, not applied: its name and static arguments, defaults filled in.
   * For layers that carry it out themselves (Attend's `local`). undefined for a composed layer or a block.
   */
  layerArgument(name: string): OptionArgs | undefined;
  /** Applies a layer argument to values, with its own weights; undefined where that failed. */
  apply(name: string, inputs: readonly Operand[]): readonly Operand[] | undefined;
  /**
   * Makes (or, inside `shared`, finds) a weight under this node's path. Initialiser and constraint follow the
   * weights policy unless given: matrix, kernel, depthwise and table weights take the policy's; others are as told.
   */
  weight(name: string, request: WeightRequest): number;
  /** The scales γ of a norm, one per channel: its argument `gamma`, else the policy's, else free ones that start at 1. */
  scales(channels: number): number;
  /** Whether this layer has biases: its own argument `bias`, else the policy's. */
  wantsBias(): boolean;
  /** A number that may be learned; as a weight it has the given shape ([] or [c]) and path suffix `name`. */
  coefficient(name: string, shapes: readonly Shape[], rounding?: "nearest" | "toward-zero"): Coefficient;
  /**
   * The fed-back step of Scan and Fixpoint, the activation of Sandwich: applies a layer once to fresh values of these
   * shapes, in the order of its tensor parameters. null: the shape that the layer's own signature fixes (`state: [n]`
   * with a static n); a mistake where it doesn't fix one.
   */
  step(name: string, shapes: readonly (Shape | null)[]): StepBody | undefined;
  /** Reports a mistake at the call (or at an argument) and marks the call as failed. */
  fail<N extends DiagnosticName>(diagnostic: N, params: ParamsOf<N>, argument?: string, help?: string): void;
  readonly failed: boolean;
}

export interface OptionArgs {
  readonly name: string;
  int(name: string, least?: number): number;
  real(name: string): Rational;
  bool(name: string): boolean;
  word(name: string): string;
  has(name: string): boolean;
  coefficient(name: string, shapes: readonly Shape[]): Coefficient;
  /** As plain data, for options that are only carried along. */
  plain(): OptionValue;
}

export interface StepBody {
  readonly parameters: readonly ValueId[];
  /** Shapes of the parameters. */
  readonly shapes: readonly Shape[];
  readonly nodes: readonly Node[];
  readonly result: Operand;
}

export interface WeightRequest {
  readonly shape: Shape;
  readonly role: Weight["role"];
  readonly init?: Init;
  /**
   * Of a convolution: whether its windows overlap. Then `spectral(c)` is about the convolution, not about the kernel's
   * matrix: `operator(c)` for kernels, `l1(c)` for depthwise ones.
   */
  readonly overlapping?: boolean;
  /** Given where the layer parametrises the weight itself (Sandwich, SLL): the policy's constraint doesn't apply. */
  readonly constraint?: Constraint;
  /** Where the layer means nothing outside of it: ends are stored numbers, and a file must keep to it. */
  readonly range?: Weight["range"];
}

/** What a shape rule gives. */
export interface Plan<C extends Config = Config> {
  readonly config: C;
  readonly outputs: readonly Shape[];
  /** Values the node reads, where they are not just the call's inputs (Residual reads x and f(x)). */
  readonly inputs?: readonly ValueId[];
  readonly weights?: { readonly [name: string]: number };
  readonly body?: StepBody;
}

/** What the analysis offers a gain rule: facts only. */
export interface GainContext<C extends Config> {
  readonly config: C;
  readonly node: Node;
  readonly phase: Phase;
  /** Shapes of inputs and outputs. */
  readonly shapes: readonly Shape[];
  readonly outputs: readonly Shape[];
  /** Ranges of the inputs over the domain. */
  readonly ranges: readonly Range[];
  /** Facts of a weight by its name in the node. */
  weight(name: string): WeightFacts;
  /** Facts of a coefficient, fixed or learned, as if it were a weight. */
  coefficient(c: Coefficient): WeightFacts;
  /** Whether two inputs are the same value, or which linear map made an input: for rules about tied projections. */
  producer(input: number): Node | null;
  /** Bound of a nested step: its own gain from each parameter to the result, with these ranges of the parameters. */
  step(ranges: readonly Range[]): { readonly gains: readonly Gain[]; readonly range: Range };
}

/** A rule's result for one output: the gain from the source, by which rule (a heading in docs/gains.md). */
export interface Ruled {
  readonly gain: Gain;
  readonly rule: string;
  /** Why a finite gain is of no use (attention guarded by 1e-12, LayerNorm's eps), and what to change. */
  readonly caution?: Reason;
}

export type Parts = (input: number, count: number) => readonly Gain[] | null;

export interface LayerRules<C extends Config> {
  /**
   * Gain of each output against a source, given the inputs' gains against the same source. Called once per source.
   * Must be sound for every perturbation: the inputs' perturbations are bounded by `inputs`, nothing else is known.
   * `parts`, where the analysis has it: gains of the equal channel groups of an input, one by one; null where they
   * aren't known.
   */
  gain(context: GainContext<C>, inputs: readonly Gain[], parts?: Parts): readonly Ruled[];
  /** Ranges of the outputs. Left out: unbounded. */
  range?(context: GainContext<C>): readonly Range[];
}

/** What a layer that acts on each token alike says of itself: matrices by name, never their entries. */
export interface TokenwiseContext<C extends Config> {
  readonly config: C;
  readonly shapes: readonly Shape[];
  readonly outputs: readonly Shape[];
  weight(name: string): Weight;
  /** diag(c) over the channels of the first output. */
  coefficient(c: Coefficient): Matrix;
}

/** One summand matrix·input of an output. */
export interface TokenwiseTerm {
  readonly input: number;
  readonly matrix: Matrix;
}

export interface CostContext<C extends Config> {
  readonly config: C;
  readonly shapes: readonly Shape[];
  readonly outputs: readonly Shape[];
  /** Multiply-adds of one application of the node's body; 0 without one. */
  readonly step: number;
}

/** What a lowering is given. Tensors carry the batch as leading axis: [batch, positions…, channels]. */
export interface LowerContext<C extends Config> {
  readonly builder: Builder;
  readonly config: C;
  readonly batch: number;
  /** Training mode: dropout and drop path act. */
  readonly training: boolean;
  readonly inputs: readonly Tensor[];
  readonly shapes: readonly Shape[];
  readonly outputs: readonly Shape[];
  /** The effective (constrained) weight. */
  weight(name: string): Tensor;
  coefficient(c: Coefficient): Tensor;
  /** Uniform numbers in [0, 1) of this shape, fresh for each call, from the run's seed and step. */
  random(shape: Shape): Tensor;
  /** Lowers the node's body once, on these values of its parameters; each call has the same weights. */
  step(inputs: readonly Tensor[]): Tensor;
}

export interface Layer<C extends Config = Config> {
  readonly name: string;
  /** One line for the table of layers. */
  readonly summary: string;
  readonly signature: Signature;
  /** Shape rule; undefined (or a failed call) after a reported mistake. */
  infer(call: Call): Plan<C> | undefined;
  /** Multiply-adds of one sample at inference, exactly; matrix products and convolutions only (docs/language.md). */
  macs(context: CostContext<C>): number;
  /** The proven rule, or the reason why there is none. */
  readonly rules: LayerRules<C> | { readonly none: string; readonly fix?: string };
  /**
   * For layers that map every token by one affine map: each output as a sum of matrices times inputs, plus a constant
   * token. Adjacent ones are multiplied before their norm is taken (docs/gains.md, "Adjacent linear maps"). undefined:
   * not with this configuration.
   */
  readonly tokenwise?: (context: TokenwiseContext<C>) => readonly (readonly TokenwiseTerm[])[] | undefined;
  /**
   * For maps that treat every channel by itself, linearly and with one output channel for each: diag(n), n_c ≥ the l2
   * norm of channel c's map (docs/gains.md, "Channel scales"). undefined: not with this configuration.
   */
  readonly channels?: (context: TokenwiseContext<C>) => Matrix | undefined;
  /** For scalar activations: all slopes (φ(a) − φ(b))/(a − b) lie between these (docs/gains.md, "Centre slope"). */
  readonly slopes?: (config: C) => readonly [low: number, high: number];
  /** Why a configuration of a layer with a lowering can't be executed yet. */
  readonly refuses?: (config: C) => string | undefined;
  /** Why the layer can't be trained yet, though it can run: training graphs refuse it with this reason. */
  readonly untrainable?: string;
  /** Lowering to primitives, or why the layer can't be executed yet. */
  readonly lower: ((context: LowerContext<C>) => readonly Tensor[]) | { readonly none: string };
}

/** Keeps the config type of a definition while the registry forgets it. */
export function defineLayer<C extends Config>(layer: Layer<C>): Layer {
  return layer as unknown as Layer;
}
