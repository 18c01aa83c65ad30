/** What a rule is: what a node may look like, and what follows for ranges and gains. */
import type { Arith } from "./arith.ts";
import type { Facts, Weight } from "./facts.ts";
import { closed, sequence, type Gain, type Shape, type Stated } from "./gains.ts";
import type { Range } from "./ranges.ts";

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };
export type Config = { readonly [key: string]: Json };

/** One application of one layer to values, which are numbered. */
export interface Node {
  readonly layer: string;
  readonly path: string;
  readonly inputs: readonly number[];
  readonly outputs: readonly number[];
  readonly config: Config;
  readonly weights: { readonly [name: string]: number };
  readonly body: Body | null;
}

/** The fed-back step of Scan and Fixpoint, the activation of Sandwich, SLL and CPL. */
export interface Body {
  readonly parameters: readonly number[];
  readonly nodes: readonly Node[];
  readonly result: number;
}

/** A number that a layer multiplies by: fixed, or a weight. */
export type Coefficient =
  | { readonly kind: "constant"; readonly value: number }
  | { readonly kind: "learned"; readonly weight: number; readonly shape?: Shape };

export interface Context<T, C extends Config = Config> {
  readonly a: Arith<T>;
  readonly config: C;
  readonly node: Node;
  /** Shapes of inputs and outputs. */
  readonly shapes: readonly Shape[];
  readonly outputs: readonly Shape[];
  /** Ranges of the inputs. */
  readonly ranges: readonly Range<T>[];
  weight(name: string): Facts<T>;
  coefficient(c: Coefficient): Facts<T>;
  /** Of the node's body: its gain from each parameter, and its range, when the parameters have these ranges. */
  step(ranges: readonly Range<T>[]): { readonly gains: readonly Gain<T>[]; readonly range: Range<T> };
}

/** What a node is checked against: only what it may read. */
export interface Site<C extends Config = Config> {
  readonly node: Node;
  readonly config: C;
  readonly shapes: readonly Shape[];
  weight(name: string): Weight;
  weightOf(c: Coefficient): Weight;
  /** Shapes of values in the body. */
  shapeOf(value: number): Shape;
}

export interface Rule<C extends Config = Config> {
  /** Heading in docs/gains.md. */
  readonly name: string | ((config: C) => string);
  /** How many values it reads; 1 where left out. */
  readonly inputs?: number | "any";
  /** Every key that the configuration may and must have. */
  readonly config: { readonly [key in keyof C & string]: Check };
  /** Shapes of the outputs; null where inputs or configuration are not what the layer takes. */
  shapes(site: Site<C>): readonly Shape[] | null;
  /** Shapes of the weights, by name; those of coefficients are found by themselves. Left out: none. */
  readonly weights?: (site: Site<C>) => { readonly [name: string]: Shape };
  /** Gains of the outputs against a source, from those of the inputs; closed by the caller. */
  gain<T>(context: Context<T, C>, inputs: readonly Gain<T>[], parts?: Parts<T>): readonly Gain<T>[];
  /** Left out: nothing is known. */
  readonly range?: <T>(context: Context<T, C>) => readonly Range<T>[];
  /** Whether the node has a body. */
  readonly body?: true;
}

/** Gains of the equal channel groups of an input, one by one, where they are known. */
export type Parts<T> = (input: number, count: number) => readonly Gain<T>[] | null;

export type Check = (x: Json, site: Pick<Site, "shapes" | "weightOf" | "node">) => boolean;

export function defineRule<C extends Config>(rule: Rule<C>): Rule {
  return rule as unknown as Rule;
}

const isRecord = (x: Json): x is { readonly [key: string]: Json } =>
  typeof x === "object" && x !== null && !Array.isArray(x);
const hasKeys = (x: { readonly [key: string]: Json }, keys: readonly string[]): boolean =>
  Object.keys(x).length === keys.length && keys.every((key) => Object.hasOwn(x, key));

/** A whole number, small enough that products of two stay exact. */
export const int =
  (least: number): Check =>
  (x) =>
    typeof x === "number" && Number.isSafeInteger(x) && x >= least && x < 2 ** 26;
export const number =
  (fits: (x: number) => boolean = () => true): Check =>
  (x) =>
    typeof x === "number" && Number.isFinite(x) && fits(x);
export const bool: Check = (x) => typeof x === "boolean";
export const word =
  (...words: readonly string[]): Check =>
  (x) =>
    typeof x === "string" && words.includes(x);
export const list =
  (of: Check): Check =>
  (x, site) =>
    Array.isArray(x) && (x as readonly Json[]).every((item) => of(item, site));
export const record =
  (keys: { readonly [key: string]: Check }): Check =>
  (x, site) =>
    isRecord(x) &&
    hasKeys(x, Object.keys(keys)) &&
    Object.entries(keys).every(([key, of]) => of(x[key], site));
export const either =
  (...checks: readonly Check[]): Check =>
  (x, site) =>
    checks.some((check) => check(x, site));
export const nil: Check = (x) => x === null;

/** A coefficient; as a weight it must be one of the node's own, and its shape the weight's. */
export const coefficient =
  (shapes: (site: Pick<Site, "shapes">) => readonly Shape[]): Check =>
  (x, site) => {
    if (record({ kind: word("constant"), value: number() })(x, site)) return true;
    const { kind, weight, shape, ...rest } = isRecord(x) ? x : {};
    if (kind !== "learned" || Object.keys(rest).length > 0) return false;
    if (typeof weight !== "number" || !Object.values(site.node.weights).includes(weight)) return false;
    const own = site.weightOf({ kind, weight }).shape;
    const same = (s: Json | Shape): boolean =>
      Array.isArray(s) && s.length === own.length && own.every((n, i) => (s as Shape)[i] === n);
    return shapes(site).some(same) && (shape === undefined || same(shape));
  };

/** One number for all, or one for each channel of the first input. */
export const perChannel = coefficient(({ shapes: [shape] }) => [[], [shape.at(-1) ?? 1]]);
/** One number for all. */
export const single = coefficient(() => [[]]);

/** The node's map after its first input. */
export function mapped<T>(c: Context<T>, input: Gain<T>, stated: Stated<T>): readonly Gain<T>[] {
  return [sequence(c.a, input, closed(c.a, stated, c.shapes[0], c.outputs[0]))];
}

export function allNorms<T>(slope: T): Stated<T> {
  return { l2: slope, token: slope, linf: slope };
}

/** Shape rules. */
export const same = ({ shapes: [shape] }: Pick<Site, "shapes">): readonly Shape[] => [shape];
export const equal = (x: Shape, y: Shape): boolean => x.length === y.length && x.every((n, i) => n === y[i]);
