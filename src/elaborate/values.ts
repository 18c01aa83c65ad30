/** What an expression can be while a model is elaborated: static values, layers, and tensors that flow. */
import type { Span } from "../text/source.ts";
import type { Layer } from "../layers/layer.ts";
import type { Shape, ValueId, WeightId } from "../model/model.ts";
import type { Block } from "../syntax/ast.ts";
import type { Instance } from "./instance.ts";
import type { LoadedFile } from "./files.ts";
import type { Interval } from "./numbers.ts";
import { showNumber } from "./numbers.ts";
import type { Rational } from "./rational.ts";

export type Val =
  NumberVal | BooleanVal | StringVal | ListVal | OptionVal | LayerVal | LearnedVal | TensorVal | UnknownVal;

export interface NumberVal extends Interval {
  readonly kind: "number";
}
export interface BooleanVal {
  readonly kind: "boolean";
  readonly value: boolean;
}
export interface StringVal {
  readonly kind: "string";
  readonly text: string;
}
export interface ListVal {
  readonly kind: "list";
  readonly items: readonly Val[];
}

export interface Given {
  readonly value: Val;
  readonly span: Span;
}
export type GivenArgs = ReadonlyMap<string, Given>;

/** `cosine(tau: 10)` where a Score is expected. Defaults of the option are filled in. */
export interface OptionVal {
  readonly kind: "option";
  readonly type: string;
  readonly name: string;
  readonly args: GivenArgs;
  readonly span: Span;
}

/** A recipe: what `v |> L` does. Weights are made at each application. */
export interface LayerVal {
  readonly kind: "layer";
  readonly target: Target;
  readonly args: GivenArgs;
  readonly tensors: GivenArgs;
  /** Where the layer is written. */
  readonly span: Span;
  /** Where it was referred to last: tells uses in one body apart. */
  readonly site: Span;
  /** Given to a block of one stage: keeps the site that it had outside. */
  readonly through: boolean;
  /** Name of the `let` or parameter that holds it. */
  readonly label: string | null;
  /** The body whose names its weights take; null: the body that applies it. */
  readonly home: Instance | null;
  /** `shared(…)`: the weights, made at the first application. */
  readonly shared: SharedStore | null;
  /** The `let` that holds it, for the hint about two applications. */
  readonly held: Held | null;
}

export type Target =
  | { readonly kind: "layer"; readonly layer: Layer }
  | { readonly kind: "block"; readonly block: Block; readonly file: LoadedFile }
  | { readonly kind: "sequence"; readonly parts: readonly LayerVal[] };

/** Weights in the order in which one application makes them. */
export interface SharedStore {
  readonly weights: WeightId[];
  /** Path that the weights were made under; null before the first application. */
  path: string | null;
}

/** Applications of a layer that is held by a `let`. */
export interface Held {
  readonly name: string;
  readonly span: Span;
  /** Places of application outside of loops that made weights. */
  readonly places: Set<string>;
  readonly loops: number;
}

/** `learned(start, shape:, in:)`: a recipe for one weight. */
export interface LearnedVal {
  readonly kind: "learned";
  readonly start: Val;
  readonly shape: readonly number[] | null;
  readonly range: { readonly low: Rational; readonly high: Rational } | null;
  readonly span: Span;
  readonly site: Span;
  readonly label: string | null;
  readonly shared: { weight: WeightId | null } | null;
}

export interface TensorVal {
  readonly kind: "tensor";
  readonly value: ValueId;
  readonly shape: Shape;
  /** How many different ids there are, where the value holds token ids; else left out. */
  readonly tokens?: number;
}

/** Has an error already; raises no second one. */
export interface UnknownVal {
  readonly kind: "unknown";
}

export const unknown: UnknownVal = { kind: "unknown" };

export function numberVal(value: Interval): NumberVal {
  return { kind: "number", low: value.low, high: value.high };
}

export function showShape(shape: Shape): string {
  return `[${shape.join(", ")}]`;
}

/** For messages and paths; sequences inside of sequences are not spelled out. */
export function layerName(layer: LayerVal, depth = 0): string {
  const { target } = layer;
  if (target.kind === "layer") return target.layer.name;
  if (target.kind === "block") return target.block.name.text;
  if (depth > 1) return "…";
  const names = target.parts.slice(0, 4).map((part) => layerName(part, depth + 1));
  return (target.parts.length > 4 ? [...names, "…"] : names).join(" |> ");
}

/** For messages: `the number 3`, `a tensor [56, 56, 96]`, `the layer Linear`. */
export function describe(value: Val): string {
  switch (value.kind) {
    case "number":
      return `the number ${showNumber(value)}`;
    case "boolean":
      return `${value.value}`;
    case "string":
      return `the text "${value.text}"`;
    case "list":
      return value.items.every((v) => v.kind === "tensor")
        ? `a list of ${value.items.length} tensors`
        : `a list of ${value.items.length}`;
    case "option":
      return `the ${value.type} \`${value.name}\``;
    case "layer":
      return `the layer \`${layerName(value)}\``;
    case "learned":
      return "a learned number";
    case "tensor":
      return `a tensor ${showShape(value.shape)}`;
    case "unknown":
      return "a value with an error";
  }
}
