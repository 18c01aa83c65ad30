/** Attacks on one model: sampled values against proven ranges, found gains against proven gains, in float64. */
import type { Analysis } from "../../src/gain/analyze.ts";
import { marginBetween, verdictOf } from "../../src/gain/claims.ts";
import { channelsOf, entry, norms, tokensOf } from "../../src/gain/gain.ts";
import { pairGains } from "../../src/gain/pairs.ts";
import type { Claim, Model, Norm, Phase, ValueId } from "../../src/model/model.ts";
import { run, search, type Found } from "../rig/search.ts";
import { nowhere } from "../rig/sketch.ts";
import { intoDomain, intoRange, isCentred, sample, scaleFor, structured } from "./domain.ts";
import type { Dice } from "./dice.ts";
import { Part, valuesOn } from "./part.ts";
import { effective, freeTensors, intoRanges, keeper, prepared, sizeOf, type Tensors } from "./tensors.ts";
import {
  analysisOf,
  breaks,
  broken,
  roomOfRanges,
  nameOf,
  replay,
  shown,
  sideOf,
  sides,
  type Claimed,
  type Rules,
  type Witness,
} from "./witness.ts";

export interface Violation {
  /** The claim in words. */
  readonly claim: string;
  readonly bound: number;
  readonly attained: number;
  readonly witness: Witness;
}

/** The largest attained/bound of one rule, and how often it was searched by itself. */
export interface Tightness {
  ratio: number;
  searches: number;
}

export interface Attack {
  readonly violations: readonly Violation[];
  /** Breaches that didn't outlast rounding: none of them counts. */
  readonly doubtful: number;
  readonly searches: number;
  readonly ranges: number;
  /** Verdicts on claims a little below of what was attained: none may be `proven`. */
  readonly claims: number;
  /** The largest attained/bound of any search. */
  readonly ratio: number;
  /** By layer and rule, of searches through one layer alone. */
  readonly rules: ReadonlyMap<string, Tightness>;
}

export interface AttackOptions {
  readonly hunts: number;
  readonly steps: number;
  /** Values that claims may start from besides the inputs. */
  readonly taps: boolean;
  /** Rules and facts in place of the built-in ones: planted defects that the campaign must find. */
  readonly rules?: Rules;
  readonly phases?: readonly Phase[];
}

/** One model with one draw of weights and inputs in one phase. */
interface Scene {
  readonly source: string;
  readonly model: Model;
  readonly phase: Phase;
  readonly analysis: Analysis;
  readonly free: Tensors;
  readonly values: ReadonlyMap<ValueId, readonly Float64Array[]>;
  readonly rules: Rules;
  readonly d: Dice;
}

/** Attacks one model in one phase with one draw of its weights; at a checkpoint the analysis is of just these weights. */
export function attack(
  source: string,
  model: Model,
  phase: Phase,
  analysis: Analysis | null,
  d: Dice,
  options: AttackOptions,
): Attack {
  const rules = options.rules ?? {};
  const free = freeTensors(model, phase, d);
  const batch = 12;
  const samples = new Map(
    model.inputs.map(({ value, domain }) => [
      value,
      Array.from({ length: batch }, () => sample(model.values[value].shape, domain, d)),
    ]),
  );
  const tensors = effective(model, free);
  const scene: Scene = {
    source,
    model,
    phase,
    analysis: analysis ?? analysisOf(model, phase, free, rules),
    free,
    values: valuesOn(model, tensors, samples),
    rules,
    d,
  };
  const tally = new Tally(scene);
  checkRanges(scene, tally);
  hunt(scene, tally, tensors, options);
  return tally;
}

/** What an attack has found so far. */
class Tally implements Attack {
  readonly violations: Violation[] = [];
  readonly rules = new Map<string, Tightness>();
  doubtful = 0;
  searches = 0;
  ranges = 0;
  claims = 0;
  ratio = 0;
  private readonly scene: Scene;

  constructor(scene: Scene) {
    this.scene = scene;
  }

  /** A breach counts where its replay from the text breaks the bound as well, whatever the last digits are. */
  breach(claim: string, witness: Witness): void {
    const replayed = replay(witness, this.scene.rules);
    if (broken(witness, replayed)) this.violations.push({ claim, ...replayed, witness });
    else this.doubtful++;
  }

  met(rule: string | null, ratio: number): void {
    this.searches++;
    this.ratio = Math.max(this.ratio, ratio);
    if (rule === null) return;
    const known = this.rules.get(rule) ?? { ratio: 0, searches: 0 };
    this.rules.set(rule, { ratio: Math.max(known.ratio, ratio), searches: known.searches + 1 });
  }
}

/** The witness of a scene: its weights and first inputs, unless told. */
function witnessOf(
  scene: Scene,
  part: Partial<Witness> & { from: string; to: string; claimed: Claimed },
): Witness {
  const { model, source, phase, free, values } = scene;
  return {
    source,
    phase,
    weightsAre: "free",
    weights: byPath(model, free),
    inputs: inputsAt(model, values, 0),
    x: [],
    y: [],
    ...part,
  };
}
const byPath = (model: Model, tensors: Tensors): Record<string, number[]> =>
  Object.fromEntries(model.weights.map((w, i) => [w.path, [...tensors[i]]]));
const inputsAt = (model: Model, values: Scene["values"], at: number): Record<string, number[]> =>
  Object.fromEntries(model.inputs.map(({ name, value }) => [name, [...(values.get(value) ?? [])[at]]]));

function checkRanges(scene: Scene, tally: Tally): void {
  const { model, analysis, phase, values } = scene;
  for (const [id, list] of values) {
    if (model.inputs.some((input) => input.value === id && input.domain.kind === "tokens")) continue;
    tally.ranges++;
    const [range, shape, name] = [analysis.range(id), model.values[id].shape, nameOf(model, id)];
    search: for (const [at, x] of list.entries()) {
      for (const side of sides) {
        const attained = shown(x, shape, side);
        if (!breaks(sideOf(range, side), attained, roomOfRanges)) continue;
        const claimed = { kind: "range", side } as const;
        tally.breach(
          `radius(${name}), ${side}, ${phase}`,
          witnessOf(scene, { claimed, from: name, to: name, inputs: inputsAt(model, values, at) }),
        );
        break search;
      }
    }
  }
}

function hunt(scene: Scene, tally: Tally, tensors: Tensors, options: AttackOptions): void {
  const { model, analysis, values, d } = scene;
  const at = new Map([...values].map(([id, list]) => [id, list[0]]));
  const sources = model.inputs.filter((input) => input.domain.kind !== "tokens").map((input) => input.value);
  const inner = model.nodes.flatMap((node) => node.outputs).filter((id) => isCentred(analysis.range(id)));
  for (let count = 0; count < options.hunts; count++) {
    const deep = options.taps && inner.length > 0 && (sources.length === 0 || d.chance(0.4));
    if (!deep && sources.length === 0) return;
    const from = d.pick(deep ? inner : sources);
    const part = new Part(model, from, tensors, at);
    const reached = part.reached.flatMap((node) => node.outputs);
    if (reached.length === 0) continue;
    // One layer by itself tells most of its rule, the whole most of how rules fit together.
    const near = reached.filter((id) =>
      model.nodes.find((n) => n.outputs.includes(id))?.inputs.includes(from),
    );
    const to = d.chance(0.4) ? d.pick(near) : d.chance(0.6) ? reached[reached.length - 1] : d.pick(reached);
    const [normIn, normOut] = [d.pick(norms), d.pick(norms)];
    const bound = entry(analysis.from(from).gain(to), normIn, normOut);
    if (bound < Infinity) huntOne(scene, tally, { part, at, from, to, normIn, normOut, bound }, options);
  }
}

interface Quarry {
  readonly part: Part;
  /** All values at one point. */
  readonly at: ReadonlyMap<ValueId, Float64Array>;
  readonly from: ValueId;
  readonly to: ValueId;
  readonly normIn: Norm;
  readonly normOut: Norm;
  readonly bound: number;
}

function huntOne(scene: Scene, tally: Tally, quarry: Quarry, options: AttackOptions): void {
  const { model, analysis, phase, values, d } = scene;
  const { part, from, to, normIn, normOut, bound } = quarry;
  const shape = model.values[from].shape;
  const input = model.inputs.find((i) => i.value === from);
  const keep = input
    ? (x: Float64Array) => intoDomain(x, shape, input.domain)
    : (x: Float64Array) => intoRange(x, shape, analysis.range(from));
  const size = scaleFor(input?.domain, sizeOf(shape), d);
  const weights = weightsToMove(scene);
  // Free tensors are moved before their constraint makes weights of them.
  const climbed = weights?.are === "free" ? new Part(model, from, scene.free, quarry.at) : part;
  const starts = weights ? 2 : 6;
  const points = d.chance(0.6) ? structured(shape, keep, size, d, d.below(starts + 1)) : [];
  const sampled = d.chance(0.3) ? pairs(values.get(from) ?? []) : [];
  const base = { from, to, normIn, normOut, size, domain: keep };
  let found = search(climbed, {
    ...base,
    starts,
    steps: options.steps,
    seed: d.below(2 ** 31),
    points: [...points, ...sampled],
    ...(weights ?? {}),
  });
  if (!weights && found.attained > 0) found = refined(part, base, found, options, d);

  const [fromName, toName] = [nameOf(model, from), nameOf(model, to)];
  const witness = (claimed: Claimed): Witness =>
    witnessOf(scene, {
      claimed,
      from: fromName,
      to: toName,
      x: [...found.x],
      y: [...found.y],
      ...(weights && found.weights ? { weightsAre: weights.are, weights: byPath(model, found.weights) } : {}),
    });
  const only = part.reached.filter((node) => node.inputs.includes(from) && node.outputs.includes(to));
  const alone = only.length === 1 ? `${only[0].layer}: ${analysis.from(from).rule(to)}` : null;
  tally.met(alone, bound > 0 && !breaks(bound, found.attained) ? found.attained / bound : 0);
  if (breaks(bound, found.attained) || (found.attained === 0 && strange(part, from, to, values)))
    tally.breach(
      `gain(${fromName} -> ${toName}, ${normIn} -> ${normOut}), ${phase}`,
      witness({ kind: "gain", normIn, normOut }),
    );
  if (weights || found.attained === 0) return;
  margins(scene, tally, quarry, found, witness);
  claims(scene, tally, quarry, found);
}

/** NaN is no number to claim anything of. */
function strange(part: Part, from: ValueId, to: ValueId, values: Scene["values"]): boolean {
  const [x] = values.get(from) ?? [];
  return run(part, new Map([[from, x]]), to).some((v) => !Number.isFinite(v));
}

/**
 * The weights to climb by, in two ways: free tensors through their parametrisation, where training can lead; and
 * effective ones, which the facts allow and which may be more than training can reach. Neither at a checkpoint.
 */
function weightsToMove({ model, phase, d }: Scene) {
  const all = model.weights.flatMap((w, i) => (w.role === "statistic" ? [] : [i]));
  if (phase === "checkpoint" || all.length === 0 || !d.chance(0.4)) return null;
  if (phase === "always" && d.chance(0.6))
    return { are: "free" as const, weights: all, keep: intoRanges(model), prepare: prepared(model) };
  const keepers = model.weights.map((w) => keeper(w, phase));
  const weights = keepers.flatMap((keep, i) => (keep ? [i] : []));
  if (weights.length === 0) return null;
  return { are: "effective" as const, weights, keep: (i: number, data: Float64Array) => keepers[i]?.(data) };
}

/** A second climb from where the first one ended: nearer, farther, and mirrored, with small steps. */
function refined(
  part: Part,
  base: Parameters<typeof search>[1],
  found: Found,
  options: AttackOptions,
  d: Dice,
): Found {
  const { x, y } = found;
  const toward = (t: number): [Float64Array, Float64Array] => [x, x.map((v, i) => v + t * (y[i] - v))];
  const points = [toward(1), toward(0.1), toward(1e-3), toward(3)];
  for (const pair of points) pair.forEach((point) => base.domain?.(point));
  const distinct = points.filter(([a, b]) => a.some((v, i) => v !== b[i]));
  const again = search(part, {
    ...base,
    starts: distinct.length,
    points: distinct,
    steps: options.steps,
    rate: 0.01,
    seed: d.below(2 ** 31),
  });
  return again.attained > found.attained ? again : found;
}

/** How far two entries of one token came apart between the two points that a search ended with. */
function margins(
  { analysis, model, phase }: Scene,
  tally: Tally,
  { part, from, to, normIn }: Quarry,
  { x, y }: Found,
  witness: (claimed: Claimed) => Witness,
): void {
  if (tokensOf(model.values[to].shape) !== 1) return;
  const bound = marginBetween(analysis, from, to, normIn).upper;
  const [p, q] = [x, y].map((point) => run(part, new Map([[from, point]]), to));
  const moved = q.map((v, i) => v - p[i]);
  const apart = shown(
    y.map((v, i) => v - x[i]),
    model.values[from].shape,
    normIn,
  );
  if (breaks(bound, (Math.max(...moved) - Math.min(...moved)) / apart))
    tally.breach(
      `margin(${witness({ kind: "margin", normIn }).to}, ${normIn}), ${phase}`,
      witness({ kind: "margin", normIn }),
    );
  if (phase === "init") return;
  const { between } = pairGains(analysis, from, to, normIn);
  for (let a = 0; a < moved.length; a++)
    for (let b = 0; b < a; b++) {
      if (!breaks(between(a, b), Math.abs(moved[a] - moved[b]) / apart)) continue;
      const claimed = { kind: "pair", normIn, classes: [a, b] } as const;
      // One pair tells: where a bound lies below the rounding of the outputs, all of them seem broken.
      tally.breach(`margin of ${a} and ${b}, ${normIn}, ${phase}`, witness(claimed));
      return;
    }
}

/** The way that a user's claims go: what lies below the attained gain must not be `proven`, in any unit. */
function claims(
  { analysis, model, phase, source }: Scene,
  tally: Tally,
  { from, to, normIn, normOut }: Quarry,
  { attained }: Found,
): void {
  const channels = (id: ValueId): number => channelsOf(model.values[id].shape);
  const rms = normIn === "token" && normOut === "token";
  const units: readonly (readonly [Claim["normIn"], Claim["normOut"], number])[] = [
    [normIn, normOut, 1],
    ...(rms ? [["rms", "rms", Math.sqrt(channels(from) / channels(to))] as const] : []),
  ];
  for (const [a, b, unit] of units) {
    const limit = attained * unit * (1 - 1e-5) - 1e-8;
    if (!(limit > 0)) continue;
    tally.claims++;
    const claim: Claim = {
      kind: "gain",
      text: "",
      phase,
      from,
      to,
      fromName: "",
      toName: "",
      normIn: a,
      normOut: b,
      limit,
      instance: "",
      span: nowhere,
    };
    const { status, upper } = verdictOf(claim, () => analysis, true);
    const told = breaks(upper, attained * unit);
    // A gain that is broken was reported by itself; a verdict that says otherwise is a defect of claims.
    if (status === "proven" && !told)
      throw new Error(`a claim of ${limit} is proven, ${upper} is the bound:\n${source}`);
  }
}

function pairs(list: readonly Float64Array[]): [Float64Array, Float64Array][] {
  const made: [Float64Array, Float64Array][] = [];
  for (let i = 0; i + 1 < Math.min(list.length, 8); i += 2)
    if (list[i].some((v, j) => v !== list[i + 1][j])) made.push([list[i], list[i + 1]]);
  return made;
}
