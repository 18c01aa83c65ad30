/**
 * A counterexample as data: a source, weights, and two points (or one) that break what is claimed. It is replayed from
 * the text alone, so that it can stand in a file as a regression case (cases.ts).
 */
import { Analysis, type LayerTable } from "../../src/gain/analyze.ts";
import { marginBetween } from "../../src/gain/claims.ts";
import type { Range, WeightFacts, WeightOracle } from "../../src/gain/facts.ts";
import { entry, norms } from "../../src/gain/gain.ts";
import { pairGains } from "../../src/gain/pairs.ts";
import { measure } from "../../src/measure/measure.ts";
import type { Model, Norm, Phase, Shape, ValueId, Weight } from "../../src/model/model.ts";
import { modelOf } from "../elaborate/host.ts";
import { seeded } from "../rig/matrix.ts";
import { errorOf, normOf, run } from "../rig/search.ts";
import { Checked } from "./checker.ts";
import { Part, valuesOn } from "./part.ts";
import { effective, type Tensors } from "./tensors.ts";

/** Rules and facts in place of the built-in ones: planted defects. */
export interface Rules {
  readonly layers?: LayerTable;
  /** `entries`: the stored tensor, where the phase has one. */
  readonly facts?: (
    known: WeightFacts,
    weight: Weight,
    phase: Phase,
    entries: ArrayLike<number> | null,
  ) => WeightFacts;
  /** The rules of the independent checker in place of the analysis's. */
  readonly checker?: true;
}

export type Side = Norm | "largest" | "smallest" | "apart";

export type Claimed =
  | { readonly kind: "gain"; readonly normIn: Norm; readonly normOut: Norm }
  | { readonly kind: "margin"; readonly normIn: Norm }
  /** The gain of the difference of two entries: what a certified radius divides by. */
  | { readonly kind: "pair"; readonly normIn: Norm; readonly classes: readonly [number, number] }
  | { readonly kind: "range"; readonly side: Side };

export interface Witness {
  readonly source: string;
  readonly phase: Phase;
  /** `free`: what training moves and a file holds; `effective`: what the network uses, within the facts of its constraint. */
  readonly weightsAre: "free" | "effective";
  /** By path. */
  readonly weights: Readonly<Record<string, readonly number[]>>;
  /** The model's inputs, for what doesn't depend on `from`; a range is broken at this very point. */
  readonly inputs: Readonly<Record<string, readonly number[]>>;
  readonly claimed: Claimed;
  /** Inputs by name, other values by the path of their node (and `:1` for a second output). */
  readonly from: string;
  readonly to: string;
  readonly x: readonly number[];
  readonly y: readonly number[];
}

export interface Replayed {
  readonly bound: number;
  /** The smallest of what was attained, at the points as they are and a few units in the last places beside them. */
  readonly attained: number;
}

/** How far an attained number may lie above its bound: what float64 does to both sides; a slope cut after four digits is 4e-6 off. */
export const slack = 1e-7;

/** NaN is above everything. `room` is absolute: for ranges, whose values are sums that may cancel. */
export const breaks = (bound: number, attained: number, room = 0): boolean =>
  bound < Infinity && !(attained <= bound + slack * Math.abs(bound) + room);

/** The absolute room of ranges. */
export const roomOfRanges = 1e-12;

/** Whether a replay stands against the claim. */
export const broken = ({ claimed }: Witness, { bound, attained }: Replayed): boolean =>
  breaks(bound, attained, claimed.kind === "range" ? roomOfRanges : 0);

export function nameOf(model: Model, value: ValueId): string {
  const input = model.inputs.find((i) => i.value === value);
  if (input) return input.name;
  const node = model.nodes.find((n) => n.outputs.includes(value));
  if (!node) throw new Error(`value ${value} is nobody's`);
  const place = node.outputs.indexOf(value);
  return place === 0 ? node.path : `${node.path}:${place}`;
}

function valueNamed(model: Model, name: string): ValueId {
  const input = model.inputs.find((i) => i.name === name);
  if (input) return input.value;
  const [path, place = "0"] = name.split(":");
  const value = model.nodes.find((n) => n.path === path)?.outputs[Number(place)];
  if (value === undefined) throw new Error(`the model has no ${name}`);
  return value;
}

/** The analysis of a model whose weights are these (they matter in the phase `checkpoint` alone). */
export function analysisOf(model: Model, phase: Phase, free: Tensors, rules: Rules = {}): Analysis {
  const layers = rules.layers ? { layers: rules.layers } : {};
  const tensors = new Map(model.weights.map((w, i) => [w.path, free[i]]));
  const { oracle, matrices } = measure(tensors);
  const { facts } = rules;
  const changed: WeightOracle = (weight, of) =>
    facts
      ? facts(oracle(weight, of), weight, of, of === "checkpoint" ? (tensors.get(weight.path) ?? null) : null)
      : oracle(weight, of);
  if (rules.checker) return new Checked(model, phase, { oracle: changed });
  return new Analysis(model, phase, {
    ...layers,
    oracle: changed,
    ...(phase === "checkpoint" ? { matrices } : {}),
  });
}

/** One side of a range, as the range tells it and as a value shows it. */
export function sideOf(range: Range, side: Side): number {
  if (side === "largest") return range.high;
  if (side === "smallest") return -range.low;
  return side === "apart" ? 2 * range.spread : range[side];
}
export function shown(x: Float64Array, shape: Shape, side: Side): number {
  if (side === "largest") return Math.max(...x);
  if (side === "smallest") return -Math.min(...x);
  return side === "apart" ? farthest(x, shape.at(-1) ?? 1) : normOf(x, shape, side);
}
export const sides: readonly Side[] = [...norms, "largest", "smallest", "apart"];

/** The largest distance of two tokens. */
function farthest(x: Float64Array, width: number): number {
  let apart = 0;
  for (let a = 0; a < x.length; a += width)
    for (let b = 0; b < a; b += width) {
      const difference = x.slice(a, a + width).map((v, i) => v - x[b + i]);
      apart = Math.max(apart, normOf(difference, [width], "l2"));
    }
  return apart;
}

/** What is claimed of the model now, and what the two points show. */
export function replay(witness: Witness, rules: Rules = {}): Replayed {
  const { phase, claimed } = witness;
  const model = modelOf(witness.source);
  const given = model.weights.map((w) => Float64Array.from(witness.weights[w.path]));
  const [from, to] = [valueNamed(model, witness.from), valueNamed(model, witness.to)];
  const analysis = analysisOf(model, phase, given, rules);
  const bound =
    claimed.kind === "range"
      ? sideOf(analysis.range(to), claimed.side)
      : claimed.kind === "margin"
        ? marginBetween(analysis, from, to, claimed.normIn).upper
        : claimed.kind === "pair"
          ? pairGains(analysis, from, to, claimed.normIn).between(...claimed.classes)
          : entry(analysis.from(from).gain(to), claimed.normIn, claimed.normOut);
  const inputs = new Map(model.inputs.map((i) => [i.value, [Float64Array.from(witness.inputs[i.name])]]));
  const random = seeded(1);
  let attained = Infinity;
  for (let round = 0; round < 6; round++) {
    // Weights a few units in the last place away: what is rounding moves as well, what is true stays.
    const jitter = round === 0 ? 0 : 2 ** -50;
    const near = given.map((data) => data.map((v) => v * (1 + jitter * (2 * random() - 1))));
    const tensors = witness.weightsAre === "free" ? effective(model, near) : near;
    const values = valuesOn(model, tensors, inputs);
    const at = new Map([...values].map(([id, list]) => [id, list[0]]));
    const now =
      claimed.kind === "range"
        ? shown(at.get(to) as Float64Array, model.values[to].shape, claimed.side) -
          roundingOfValue(model, tensors, at, to)
        : moved(model, new Part(model, from, tensors, at), from, to, claimed, witness);
    if (Number.isNaN(now)) return { bound, attained: NaN };
    attained = Math.min(attained, now);
  }
  return { bound, attained };
}

function moved(
  model: Model,
  part: Part,
  from: ValueId,
  to: ValueId,
  claimed: Exclude<Claimed, { readonly kind: "range" }>,
  { x, y }: Pick<Witness, "x" | "y">,
): number {
  const out = model.values[to].shape;
  const [p, q] = [x, y].map((point) =>
    from === to ? Float64Array.from(point) : run(part, new Map([[from, point]]), to),
  );
  const apart = normOf(
    Float64Array.from(y, (v, i) => v - x[i]),
    model.values[from].shape,
    claimed.normIn,
  );
  if (apart === 0) return 0;
  const change = q.map((v, i) => v - p[i]);
  // What enters from beside may cancel on the way: its rounding doesn't.
  const beside = part.weights.slice(model.weights.length).map(({ data }) => Float64Array.from(data ?? []));
  const sizes = [p, q, ...beside].map((v) => normOf(v, [v.length], "l2"));
  const told = from === to ? 0 : provenRounding(part, from, to, x, y);
  const rounding = Math.max(1e-14 * sizes.reduce((a, b) => a + b, 0), told);
  const size =
    claimed.kind === "gain"
      ? normOf(change, out, claimed.normOut)
      : claimed.kind === "pair"
        ? Math.abs(change[claimed.classes[0]] - change[claimed.classes[1]])
        : Math.max(...change) - Math.min(...change);
  return (size - rounding) / apart;
}

/**
 * What float64 may have added to the distance of two results, by running error analysis: scores of 1e14 that cancel in a
 * softmax leave no trace in its result. 0 where nothing is proven: then the sizes of the values have to do.
 */
function provenRounding(
  part: Part,
  from: ValueId,
  to: ValueId,
  ...points: readonly (readonly number[])[]
): number {
  const each = points.map((point) => errorOf(part, new Map([[from, point]]), to));
  return each.every(Number.isFinite) ? each.reduce((a, b) => a + b, 0) : 0;
}

/**
 * What float64 may have added to a size of one value, or to the distance of two of its tokens: an α of 1 leaves of a convex
 * residual's skip path, whatever its size, nothing but rounding.
 */
function roundingOfValue(
  model: Model,
  tensors: Tensors,
  at: ReadonlyMap<ValueId, Float64Array>,
  to: ValueId,
): number {
  // Numbers of tokens have no neighbours; what is looked up by them is exact.
  const sources = model.inputs.flatMap(({ value, domain }) =>
    domain.kind === "tokens"
      ? model.nodes.filter(({ inputs }) => inputs.includes(value)).flatMap(({ outputs }) => outputs)
      : [value],
  );
  return sources
    .filter((value) => value !== to && leadsTo(model, value, to))
    .reduce((sum, value) => {
      const part = new Part(model, value, tensors, at);
      return sum + 2 * provenRounding(part, value, to, [...(at.get(value) as Float64Array)]);
    }, 0);
}

function leadsTo(model: Model, from: ValueId, to: ValueId): boolean {
  const reached = new Set([from]);
  for (const { inputs, outputs } of model.nodes)
    if (inputs.some((id) => reached.has(id))) outputs.forEach((id) => reached.add(id));
  return reached.has(to);
}

/** A case for cases.ts, ready to paste. */
export function print(witness: Witness): string {
  const { source, ...rest } = witness;
  const fields = Object.entries(rest).map(([key, value]) => `  ${key}: ${json(value)},`);
  return `{\n  source: \`${source.trimEnd()}\`,\n${fields.join("\n")}\n}`;
}

/** JSON that keeps −0, NaN and infinities. */
function json(value: unknown): string {
  if (typeof value === "number") return Object.is(value, -0) ? "-0" : String(value);
  if (Array.isArray(value)) return `[${value.map(json).join(", ")}]`;
  if (typeof value === "object" && value !== null)
    return `{ ${Object.entries(value)
      .map(([k, v]) => `${/^\w+$/.test(k) ? k : JSON.stringify(k)}: ${json(v)}`)
      .join(", ")} }`;
  return JSON.stringify(value);
}
