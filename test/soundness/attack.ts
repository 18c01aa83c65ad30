/** Attacks on one model: sampled values against proven ranges, found gains against proven gains, in float64. */
import type { Analysis, LayerTable } from "../../src/gain/analyze.ts";
import { marginBetween } from "../../src/gain/claims.ts";
import { entry, norms } from "../../src/gain/gain.ts";
import type { Range } from "../../src/gain/facts.ts";
import { Builder } from "../../src/graph/builder.ts";
import { effectiveWeight } from "../../src/graph/constraints/registry.ts";
import { initialWeight } from "../../src/graph/initialise.ts";
import { array64, interpret } from "../../src/graph/interpret.ts";
import { dataInputs, lowerModel, parameterInputs } from "../../src/graph/lower.ts";
import type { Tensors as MeasuredTensors } from "../../src/measure/measure.ts";
import type { Domain, Model, Node, Norm, Phase, Shape, ValueId, Weight } from "../../src/model/model.ts";
import { normal, spectralNorm } from "../rig/matrix.ts";
import { normOf, run, search, type Found } from "../rig/search.ts";
import { nowhere, Sketch } from "../rig/sketch.ts";
import type { Dice } from "./generate.ts";

export interface Violation {
  readonly kind: "gain" | "range";
  /** What was claimed, in words. */
  readonly claim: string;
  readonly bound: number;
  readonly attained: number;
}

export interface Attack {
  readonly violations: readonly Violation[];
  readonly searches: number;
  readonly rangesChecked: number;
  /** Smallest bound/attained. */
  readonly tightest: number;
}

/** Room for what float64 does to both sides; a slope cut after four digits is 4e-6 off. */
const slack = 1e-7;

type Tensors = readonly Float64Array[];

const sizeOf = (shape: Shape): number => shape.reduce((a, b) => a * b, 1);

/** Free tensors: the initialiser's, or for `always` the ugliest that training may reach. */
export function freeTensors(model: Model, phase: Phase, d: Dice, random: () => number): Tensors {
  return model.weights.map((weight) => {
    if (phase === "init") return Float64Array.from(initialWeight(weight, d.below(2 ** 31)));
    const size = sizeOf(weight.shape);
    return weight.range ? withinRange(weight.range, size, d, random) : ugly(weight, size, d, random);
  });
}

function withinRange(
  [low, high]: readonly [number, number],
  size: number,
  d: Dice,
  random: () => number,
): Float64Array {
  const ends = [low, high].map((x) => (Number.isFinite(x) ? x : Math.sign(x) * 10));
  const way = d.below(3);
  const one = d.pick(ends);
  return Float64Array.from({ length: size }, () =>
    way === 0 ? one : way === 1 ? d.pick(ends) : ends[0] + (ends[1] - ends[0]) * random(),
  );
}

/** Zero-sum, rank one, all equal, one entry, huge, tiny, or plainly random. */
function ugly(weight: Weight, size: number, d: Dice, random: () => number): Float64Array {
  if (weight.role === "statistic") return new Float64Array(size).fill(1);
  const scale = d.pick([1e-3, 0.3, 1, 1, 10]);
  const columns = size / (weight.shape[0] ?? 1);
  const free = Float64Array.from({ length: size }, () => scale * normal(random));
  switch (d.below(6)) {
    case 0: {
      const mean = free.reduce((a, b) => a + b, 0) / size;
      return free.map((x) => x - mean);
    }
    case 1: {
      const row = free.slice(0, columns);
      return free.map((_, i) => row[i % columns] * free[Math.floor(i / columns) * columns]);
    }
    case 2:
      return free.fill(scale);
    case 3:
      return free.map((x, i) => (i === size - 1 ? x : 0));
    default:
      return free;
  }
}

/** What the constraints make of the free tensors. */
function effective(model: Model, free: Tensors): Tensors {
  const builder = new Builder();
  const outputs = parameterInputs(builder, model).map((tensor, i) => {
    const made = effectiveWeight(builder, model.weights[i], tensor);
    if (!made.ok) throw new Error("a constraint without a lowering");
    return { name: `${i}`, tensor: made.value };
  });
  const out = interpret(builder.graph("weights", outputs), feedsOf(model, free));
  return model.weights.map((_, i) => Float64Array.from(out[`${i}`].data));
}

function feedsOf(model: Model, free: Tensors): Record<string, ReturnType<typeof array64>> {
  return Object.fromEntries(model.weights.map((w, i) => [`param/${w.path}`, array64(w.shape, free[i])]));
}

/** Puts a sample into the domain, in place. */
function intoDomain(x: Float64Array, shape: Shape, domain: Domain): void {
  if (domain.kind === "box") x.forEach((v, i) => (x[i] = Math.min(Math.max(v, domain.low), domain.high)));
  if (domain.kind !== "ball") return;
  const width = domain.norm === "l2" ? x.length : domain.norm === "linf" ? 1 : (shape.at(-1) ?? 1);
  for (let at = 0; at < x.length; at += width) {
    const part = x.subarray(at, at + width);
    const size = normOf(part, [width], "l2");
    if (size > domain.radius) part.forEach((v, i) => (part[i] = (v * domain.radius * (1 - 1e-15)) / size));
  }
}

/** A point of an input's domain: inside, at a corner, or at 0. */
function sample(shape: Shape, domain: Domain, d: Dice, random: () => number): Float64Array {
  const size = sizeOf(shape);
  if (domain.kind === "tokens") return Float64Array.from({ length: size }, () => d.below(domain.count));
  const scale = domain.kind === "unbounded" ? d.pick([0.01, 1, 30]) : d.pick([0.1, 1, 1e3]);
  const same = d.chance(0.2) ? normal(random) : null;
  const x = Float64Array.from({ length: size }, () => scale * (same ?? normal(random)));
  if (d.chance(0.1)) x.fill(0);
  intoDomain(x, shape, domain);
  return x;
}

/** All values of the model's own graph on a batch of samples. */
function valuesOn(
  model: Model,
  free: Tensors,
  samples: ReadonlyMap<ValueId, readonly Float64Array[]>,
): Map<ValueId, Float64Array[]> {
  const batch = [...samples.values()][0].length;
  const builder = new Builder();
  const inputs = dataInputs(builder, model, batch);
  const lowered = lowerModel(builder, model, {
    batch,
    training: false,
    inputs,
    weights: parameterInputs(builder, model),
    random: null,
  });
  if (!lowered.ok) throw new Error("the model has no lowering");
  const outputs = [...lowered.value].map(([id, tensor]) => ({ name: `${id}`, tensor }));
  const feeds = feedsOf(model, free);
  for (const { name, value } of model.inputs) {
    const all = samples.get(value)?.flatMap((x) => [...x]) ?? [];
    feeds[`data/${name}`] = array64([batch, ...model.values[value].shape], all);
  }
  const out = interpret(builder.graph("values", outputs), feeds);
  return new Map(
    [...lowered.value.keys()].map((id) => {
      const { data } = out[`${id}`];
      const count = data.length / batch;
      return [
        id,
        Array.from({ length: batch }, (_, b) => Float64Array.from(data.subarray(b * count, (b + 1) * count))),
      ];
    }),
  );
}

/** What of a value lies outside of its proven range. */
function outside(x: Float64Array, shape: Shape, range: Range, what: string): Violation[] {
  const found: Violation[] = [];
  const check = (name: string, bound: number, attained: number): void => {
    // NaN is outside of everything that is bounded.
    if (bound < Infinity && !(attained <= bound + slack * Math.abs(bound) + 1e-12))
      found.push({ kind: "range", claim: `${name} of ${what}`, bound, attained });
  };
  for (const norm of norms) check(norm, range[norm], normOf(x, shape, norm));
  check("largest entry", range.high, Math.max(...x));
  check("minus the smallest entry", -range.low, -Math.min(...x));
  const width = shape.at(-1) ?? 1;
  let apart = 0;
  for (let a = 0; a < x.length; a += width)
    for (let b = 0; b < a; b += width)
      apart = Math.max(apart, Math.hypot(...Array.from({ length: width }, (_, i) => x[a + i] - x[b + i])));
  check("distance of two tokens", 2 * range.spread, apart);
  return found;
}

/** A part of a model seen from one value: what doesn't depend on it is a constant. */
class Part extends Sketch {
  private readonly whole: Model;
  private readonly part: Model;

  constructor(whole: Model, source: ValueId, tensors: Tensors, values: ReadonlyMap<ValueId, Float64Array>) {
    super();
    this.whole = whole;
    whole.weights.forEach((w, i) => this.weights.push({ shape: w.shape, role: w.role, data: tensors[i] }));
    const reached = new Set([source]);
    const made: Node[] = [];
    const known = new Set([source]);
    for (const node of whole.nodes) {
      if (!node.inputs.some((id) => reached.has(id)) || node.outputs.includes(source)) continue;
      for (const id of node.inputs) {
        if (known.has(id)) continue;
        known.add(id);
        const shape = whole.values[id].shape;
        this.weights.push({ shape, role: "value", data: values.get(id) as Float64Array });
        made.push({
          ...node,
          layer: "Learned",
          path: `constant_${id}`,
          inputs: [],
          outputs: [id],
          config: {},
          weights: { value: this.weights.length - 1 },
          body: null,
        });
      }
      node.outputs.forEach((id) => (reached.add(id), known.add(id)));
      made.push(node);
    }
    const input = { name: "source", value: source, domain: { kind: "unbounded" } as const, span: nowhere };
    this.part = { ...whole, inputs: [input], nodes: made };
  }

  override shape(value: ValueId): Shape {
    return this.whole.values[value].shape;
  }
  override model(): Model {
    return this.part;
  }
}

/** Keeps a tensor where the facts that the rules use hold; null for weights whose facts aren't of that kind. */
function keeper(weight: Weight, phase: Phase): ((data: Float64Array) => void) | null {
  const rows = weight.shape[0] ?? 1;
  const columns = sizeOf(weight.shape) / rows;
  const scaleTo =
    (limit: number, size: (part: Float64Array) => number, width: number) => (data: Float64Array) => {
      for (let at = 0; at < data.length; at += width) {
        const part = data.subarray(at, at + width);
        const now = size(part);
        if (now > limit) part.forEach((v, i) => (part[i] = (v * limit) / now));
      }
    };
  const length = (part: Float64Array): number => normOf(part, [part.length], "l2");
  const whole = rows * columns;
  const { constraint, init, range } = weight;
  if (constraint.kind === "frobenius") return scaleTo(constraint.bound, length, whole);
  if (constraint.kind === "unit_rows") return scaleTo(1, length, columns);
  if (constraint.kind === "unit_rms") return scaleTo(Math.sqrt(columns), length, columns);
  if (
    constraint.kind === "aol" ||
    (phase === "init" &&
      constraint.kind === "none" &&
      !range &&
      (init.kind === "spectral" || init.kind === "orthogonal"))
  )
    return scaleTo(1, (part) => spectralNorm(part, rows, columns), whole);
  if (phase === "always" && range)
    return (data) => data.forEach((v, i) => (data[i] = Math.min(Math.max(v, range[0]), range[1])));
  return null;
}

export interface AttackOptions {
  readonly hunts: number;
  readonly steps: number;
  /** Values that claims may start from besides the inputs. */
  readonly taps: boolean;
  /** Rules in place of the built-in ones: planted defects that the campaign must find. */
  readonly layers?: LayerTable;
}

/** Attacks one model in one phase with one draw of its weights; at a checkpoint the analysis is of just these weights. */
export function attack(
  model: Model,
  phase: Phase,
  analysisOf: (tensors: MeasuredTensors) => Analysis,
  d: Dice,
  random: () => number,
  options: AttackOptions,
): Attack {
  const free = freeTensors(model, phase, d, random);
  const analysis = analysisOf(new Map(model.weights.map((w, i) => [w.path, free[i]])));
  const shapeOf = (id: ValueId): Shape => model.values[id].shape;
  const batch = 16;
  const samples = new Map(
    model.inputs.map(({ value, domain }) => [
      value,
      Array.from({ length: batch }, () => sample(shapeOf(value), domain, d, random)),
    ]),
  );
  const values = valuesOn(model, free, samples);
  const violations: Violation[] = [];
  let rangesChecked = 0;
  const nameOf = (id: ValueId): string => {
    const node = analysis.producer(id);
    return node
      ? `${node.path} (${node.layer})`
      : (model.inputs.find((input) => input.value === id)?.name ?? `value ${id}`);
  };
  for (const [id, list] of values) {
    if (model.inputs.some((input) => input.value === id && input.domain.kind === "tokens")) continue;
    rangesChecked++;
    for (const x of list)
      violations.push(
        ...outside(x, shapeOf(id), analysis.range(id), `${nameOf(id)} in ${phase}`).slice(0, 1),
      );
  }

  let [searches, tightest] = [0, Infinity];
  const tensors = effective(model, free);
  const sources = model.inputs.filter((input) => input.domain.kind !== "tokens").map((input) => input.value);
  const inner = model.nodes.flatMap((node) => node.outputs).filter((id) => isCentred(analysis.range(id)));
  for (let hunt = 0; hunt < options.hunts; hunt++) {
    const deep = options.taps && inner.length > 0 && (sources.length === 0 || d.chance(0.25));
    if (!deep && sources.length === 0) break;
    const from = d.pick(deep ? inner : sources);
    const gains = analysis.from(from);
    const at = values.get(from)?.[0] as Float64Array;
    const fixed = new Map([...values].map(([id, list]) => [id, list[0]]));
    const part = new Part(model, from, tensors, fixed);
    const reached = part
      .model()
      .nodes.filter((n) => n.layer !== "Learned")
      .flatMap((node) => node.outputs);
    if (reached.length === 0) continue;
    const to = d.chance(0.6) ? reached[reached.length - 1] : d.pick(reached);
    const [normIn, normOut] = [d.pick(norms), d.pick(norms)];
    const bound = entry(gains.gain(to), normIn, normOut);
    if (!(bound < Infinity)) continue;
    searches++;
    const input = model.inputs.find((i) => i.value === from);
    const keepers = model.weights.map((w) => keeper(w, phase));
    const movable = keepers.flatMap((keep, i) => (keep && phase !== "checkpoint" ? [i] : []));
    const weights = movable.length > 0 && d.chance(0.4) ? movable : [];
    const found = search(part, {
      from,
      to,
      normIn,
      normOut,
      starts: weights.length > 0 ? 2 : 6,
      steps: options.steps,
      size: sizeFor(input?.domain, at, d),
      seed: d.below(2 ** 31),
      domain: input
        ? (x) => intoDomain(x, shapeOf(from), input.domain)
        : (x) => intoRange(x, shapeOf(from), analysis.range(from)),
      points: d.chance(0.5) ? [] : pairs(values.get(from) as Float64Array[]),
      ...(weights.length > 0 ? { weights, keep: (i: number, data: Float64Array) => keepers[i]?.(data) } : {}),
    });
    if (weights.length === 0) violations.push(...marginBroken(analysis, part, from, to, normIn, found));
    if (found.attained > 1e-6) tightest = Math.min(tightest, bound / found.attained);
    if (!(found.attained <= bound * (1 + slack) + 1e-9))
      violations.push({
        kind: "gain",
        claim: `gain(${nameOf(from)} -> ${nameOf(to)}, ${normIn} -> ${normOut}) in ${phase}`,
        bound,
        attained: found.attained,
      });
  }
  return { violations, searches, rangesChecked, tightest };
}

/** Between the two points that a search ended with: how far two entries of one token came apart. */
function marginBroken(
  analysis: Analysis,
  part: Part,
  from: ValueId,
  to: ValueId,
  norm: Norm,
  { x, y }: Found,
): Violation[] {
  const [shape, out] = [part.shape(from), part.shape(to)];
  if (sizeOf(out) !== out.at(-1) || x.every((v, i) => v === y[i])) return [];
  const bound = marginBetween(analysis, from, to, norm).upper;
  const [p, q] = [x, y].map((point) => run(part, new Map([[from, point]]), to));
  const moved = q.map((v, i) => v - p[i]);
  const apart = normOf(
    y.map((v, i) => v - x[i]),
    shape,
    norm,
  );
  const rounding = 1e-13 * (normOf(p, out, "l2") + normOf(q, out, "l2"));
  const attained = (Math.max(...moved) - Math.min(...moved) - rounding) / apart;
  if (attained <= bound * (1 + slack) + 1e-9) return [];
  return [{ kind: "gain", claim: `margin(${from} -> ${to}, ${norm}) in ${analysis.phase}`, bound, attained }];
}

function sizeFor(domain: Domain | undefined, at: Float64Array, d: Dice): number {
  if (domain?.kind === "box")
    return d.pick([0.1, 0.5, 1]) * Math.max(Math.abs(domain.low), domain.high, 1e-3);
  if (domain?.kind === "ball") return (d.pick([0.1, 0.5, 1]) * domain.radius) / Math.sqrt(at.length);
  return d.pick([0.03, 0.3, 1, 5]);
}

function pairs(list: readonly Float64Array[]): [Float64Array, Float64Array][] {
  const made: [Float64Array, Float64Array][] = [];
  for (let i = 0; i + 1 < Math.min(list.length, 8); i += 2)
    if (list[i].some((v, j) => v !== list[i + 1][j])) made.push([list[i], list[i + 1]]);
  return made;
}

/**
 * Whether scaling towards 0 keeps a value inside of its range. A spread below the norm of tokens is one round a constant
 * token that the range doesn't tell (a bias): points about 0 would not be what the rules are told to expect.
 */
const isCentred = (range: Range): boolean => range.low <= 0 && range.high >= 0 && range.spread >= range.token;

function intoRange(x: Float64Array, shape: Shape, range: Range): void {
  x.forEach((v, i) => (x[i] = Math.min(Math.max(v, range.low), range.high)));
  for (const norm of ["token", "l2"] as const satisfies readonly Norm[])
    if (range[norm] < Infinity) intoDomain(x, shape, { kind: "ball", norm, radius: range[norm] });
}
