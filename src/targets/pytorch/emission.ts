/** What an emission is: how one layer is written in Python. One file per family of layers in layers/. */
import type { Coefficient, Constraint, Json, Shape } from "../../model/model.ts";

/** A class or function that generated code brings along; printed once, those that it needs before it. */
export interface Helper {
  readonly name: string;
  /** Python source, without a blank line at either end. */
  readonly source: string;
  readonly needs?: readonly Helper[];
}

/** One application of a layer. Expressions stand for tensors [batch, positions…, channels]. */
export interface EmitContext {
  readonly config: { readonly [key: string]: Json };
  /** Expressions of the inputs; each occurrence counts as a use. */
  readonly inputs: readonly string[];
  readonly shapes: readonly Shape[];
  readonly outputs: readonly Shape[];
  /** Most terms of a sum in eval mode (layers/parts.ts); null: sums are whole. */
  readonly longestSum: number | null;
  /** Expression of the module that `module` constructs. */
  readonly self: string;
  /** Expression of the batch size. */
  readonly batch: string;
  /** Whether any node written at the same place of the spec has such a configuration. */
  somewhere(holds: (config: EmitContext["config"]) => boolean): boolean;
  /** Shape of a weight by its name in the node. */
  shape(name: string): Shape;
  /** A callable that computes the effective from the free weight; null where they are the same. */
  constraint(name: string): string | null;
  /** Numbers that may become constructor arguments under the hinted name where instances differ. */
  channels(n: number, hint: string): string;
  int(n: number, hint: string): string;
  float(x: number, hint: string): string;
  /** Brings a helper along and gives its name. */
  use(helper: Helper): string;
  /** The node's body as a callable of these parameters. */
  step(parameters: readonly string[]): string;
}

export interface Emission {
  /** Constructor of the module that holds weights or tables; left out: a plain expression. */
  readonly module?: string;
  /** The outputs; a sequence for several. */
  readonly call: string;
  /** The outermost operator binds less than a call: parentheses where it is put into another expression. */
  readonly loose?: boolean;
}

/** An emission, or why there is none. */
export type Emit = ((context: EmitContext) => Emission) | { readonly none: string };

export function coefficientOf(value: Json | undefined): Coefficient {
  return value as unknown as Coefficient;
}

/** `, name=value` for those that are wanted. */
export function keywords(list: readonly (readonly [name: string, value: string | null])[]): string {
  return list.map(([name, value]) => (value === null ? "" : `, ${name}=${value}`)).join("");
}

export function isConstrained({ kind }: Constraint): boolean {
  return kind !== "none";
}
