/**
 * Projected gradient descent (Madry et al. 2018, arXiv 1706.06083) on the compiled slope of a margin: the search for a
 * perturbed input that is classified wrongly. What it doesn't find may still exist; what it finds is real: a float32 point
 * of the domain at a measured distance.
 */
import { withoutConstraints } from "../../graph/effective.ts";
import { buildSlopeGraph } from "../../graph/slope.ts";
import type { Domain, Model, Shape } from "../../model/model.ts";
import { difference, inDomain, intoDomain, normOf, sizeOf } from "../audit/points.ts";
import { effectiveWeights } from "../effective.ts";
import type { Engine, HostTensor, Session } from "../engine.ts";
import { generator } from "../random.ts";
import { good, type Result } from "../result.ts";
import { predictionOf } from "./radius.ts";

/** Norms that an attack can be about. */
export type AttackNorm = "l2" | "linf";

export interface AttackOptions {
  readonly norm: AttackNorm;
  readonly steps: number;
  /** Searches of each sample: the first from the sample itself, the others from beside it, each after another class. */
  readonly restarts: number;
  readonly seed: number;
}

/** Samples to attack, classified rightly as they are. */
export interface Targets {
  /** One after the other. */
  readonly values: Float32Array;
  readonly labels: ArrayLike<number>;
  /** Wrong classes of each sample, the likeliest to be reached first. */
  readonly order: readonly (readonly number[])[];
  /** Starts of each; none has more than the attack's `restarts`. */
  readonly starts: readonly number[];
  /** Numbers of the samples in the data, for their random streams. */
  readonly names: readonly number[];
}

/** A point that is classified wrongly. */
export interface Found {
  readonly point: Float32Array;
  readonly predicted: number | null;
  /** Measured in float64 between the float32 points. */
  readonly distance: number;
}

/** One sample on its way. */
interface Search {
  readonly row: number;
  readonly label: number;
  readonly x: Float32Array;
  /** point − x. */
  readonly delta: Float64Array;
  readonly point: Float32Array;
  readonly random: () => number;
  /** The class that is climbed towards. */
  wrong: number;
}

/** Kept free of the ball's edge, so that rounding to float32 can't lead over it. */
const inside = 1 - 1e-6;

export class Attack {
  readonly options: AttackOptions;
  private readonly session: Session;
  private readonly weights: Record<string, HostTensor>;
  private readonly input: string;
  private readonly shape: Shape;
  private readonly domain: Domain;
  /** Float32 ends of a box; ±∞ where the domain is none. */
  private readonly low: number;
  private readonly high: number;
  private readonly batch: number;
  private readonly classes: number;

  private constructor(
    model: Model,
    weights: Record<string, HostTensor>,
    session: Session,
    batch: number,
    options: AttackOptions,
  ) {
    const [input] = model.inputs;
    [this.session, this.weights, this.batch, this.options] = [session, weights, batch, options];
    [this.input, this.domain, this.shape] = [input.name, input.domain, model.values[input.value].shape];
    const box = input.domain.kind === "box" ? input.domain : { low: -Infinity, high: Infinity };
    [this.low, this.high] = [-storedBelow(-box.low), storedBelow(box.high)];
    this.classes = sizeOf(model.values[model.outputs[0].value].shape);
  }

  /** Compiles the attack; constraints are applied once, by the same engine, not in every step. */
  static async open(
    model: Model,
    weights: ReadonlyMap<string, HostTensor>,
    engine: Engine,
    batch: number,
    options: AttackOptions,
  ): Promise<Result<Attack>> {
    const used = await effectiveWeights(model, weights, engine);
    if (!used.ok) return used;
    const graph = buildSlopeGraph(withoutConstraints(model), batch);
    if (!graph.ok) return graph;
    const session = await engine.open(graph.value);
    return session.ok ? good(new Attack(model, used.value, session.value, batch, options)) : session;
  }

  release(): Promise<void> {
    return this.session.release();
  }

  /**
   * For each sample the first wrongly classified point within ε that was found, or null. `from`: where the search begins
   * (perturbations found for a smaller ε); it is left where the search ended.
   */
  async run(targets: Targets, epsilon: number, from: Float64Array): Promise<(Found | null)[]> {
    const found = new Array<Found | null>(targets.names.length).fill(null);
    for (let restart = 0; restart < this.options.restarts; restart++) {
      const left = found.flatMap((f, i) => (f || restart >= targets.starts[i] ? [] : [i]));
      for (let at = 0; at < left.length; at += this.batch) {
        const rows = left.slice(at, at + this.batch);
        for (const [row, hit] of await this.climb(targets, rows, epsilon, restart, from)) found[row] = hit;
      }
    }
    return found;
  }

  private async climb(
    targets: Targets,
    rows: readonly number[],
    epsilon: number,
    restart: number,
    from: Float64Array,
  ): Promise<ReadonlyMap<number, Found>> {
    const { steps } = this.options;
    const size = sizeOf(this.shape);
    const values = new Float32Array(this.batch * size);
    const direction = new Float32Array(this.batch * this.classes);
    const searches = rows.map((row, i): Search => {
      const x = targets.values.subarray(row * size, (row + 1) * size);
      const delta = restart === 0 ? from.subarray(row * size, (row + 1) * size) : new Float64Array(size);
      const order = targets.order[row];
      const random = generator(this.options.seed, 4, targets.names[row], restart);
      if (restart > 0) for (let k = 0; k < size; k++) delta[k] = random() - 0.5;
      const point = values.subarray(i * size, (i + 1) * size);
      return {
        row,
        x,
        delta,
        point,
        random,
        label: targets.labels[row],
        wrong: order[restart % order.length],
      };
    });
    const hits = new Map<number, Found>();
    for (const search of searches) this.place(search, epsilon);
    for (let step = 0; step <= steps && hits.size < rows.length; step++) {
      searches.forEach(({ label, wrong }, i) => {
        direction.fill(0, i * this.classes, (i + 1) * this.classes);
        direction[i * this.classes + wrong] = 1;
        direction[i * this.classes + label] = -1;
      });
      const out = await this.session.run({
        ...this.weights,
        [`data/${this.input}`]: { dtype: "f32", dims: [this.batch, ...this.shape], data: values },
        direction: { dtype: "f32", dims: [this.batch, this.classes], data: direction },
      });
      const [all, slopes] = [out.logits.data as Float32Array, out.slope.data as Float32Array];
      const length = epsilon * 0.5 * (1 + Math.cos((Math.PI * step) / Math.max(1, steps)));
      searches.forEach((search, i) => {
        if (hits.has(search.row)) return;
        const logits = all.subarray(i * this.classes, (i + 1) * this.classes);
        const hit = this.judge(search, logits, epsilon);
        if (hit) hits.set(search.row, hit);
        // The search for any wrong class goes after the one that is ahead now.
        else if (restart === 0) search.wrong = ahead(logits, search.label);
        if (hit || step === steps) return;
        const slope = slopes.subarray(i * size, (i + 1) * size);
        this.move(search, slope, length);
        this.place(search, epsilon);
      });
    }
    return hits;
  }

  private judge({ x, point, label }: Search, logits: ArrayLike<number>, epsilon: number): Found | null {
    const predicted = predictionOf(logits);
    if (predicted === label) return null;
    const distance = normOf(difference(x, point), this.shape, this.options.norm);
    if (!(distance <= epsilon) || !inDomain(point, this.shape, this.domain)) return null;
    return { point: point.slice(), predicted, distance };
  }

  /** One step uphill; what would lead out of a box at once is no way up. */
  private move({ delta, point, random }: Search, slope: Float32Array, length: number): void {
    const { low, high } = this;
    const signs = this.options.norm === "linf";
    let squares = 0;
    for (let k = 0; k < delta.length; k++) {
      const g = climbable(slope[k], point[k], low, high);
      squares += g * g;
    }
    if (!(squares > 0) || squares === Infinity) {
      // A flat place: anywhere but here.
      for (let k = 0; k < delta.length; k++)
        delta[k] += (length * (2 * random() - 1)) / Math.sqrt(delta.length);
      return;
    }
    const factor = length / Math.sqrt(squares);
    for (let k = 0; k < delta.length; k++) {
      const g = climbable(slope[k], point[k], low, high);
      delta[k] += signs ? length * Math.sign(g) : factor * g;
    }
  }

  /**
   * Into the ball, then into the domain: the nearest point of a convex set that holds x is no farther from x. `delta`
   * becomes what `point` really is away.
   */
  private place({ x, delta, point }: Pick<Search, "x" | "delta" | "point">, epsilon: number): void {
    const { domain, low, high } = this;
    const { norm } = this.options;
    let radius = epsilon * inside;
    let factor = 1;
    if (norm === "linf") {
      // One entry's rounding to float32 moves it by up to half an ulp; in l2 that is lost among the others.
      radius = Math.max(0, radius - 2 ** -23 * (normOf(x, this.shape, "linf") + epsilon));
    } else {
      let squares = 0;
      for (let k = 0; k < delta.length; k++) squares += delta[k] * delta[k];
      if (squares > radius * radius) factor = radius / Math.sqrt(squares);
      radius = Infinity;
    }
    for (let k = 0; k < delta.length; k++) {
      const d = factor * delta[k];
      const moved = x[k] + (d > radius ? radius : d < -radius ? -radius : d);
      point[k] = moved > high ? high : moved < low ? low : moved;
    }
    if (domain.kind === "ball") {
      const moved = Float64Array.from(point);
      intoDomain(moved, this.shape, domain);
      point.set(moved);
    }
    for (let k = 0; k < delta.length; k++) delta[k] = point[k] - x[k];
  }
}

/** The slope in one entry; 0 where it is no number, or leads out of the box. */
function climbable(g: number, at: number, low: number, high: number): number {
  if (g > 0) return at < high && g < Infinity ? g : 0;
  return g < 0 && at > low && g > -Infinity ? g : 0;
}

/** The largest float32 ≤ x. */
function storedBelow(x: number): number {
  const near = Math.fround(x);
  if (!(near > x) || near === Infinity) return near;
  const view = new DataView(new ArrayBuffer(4));
  view.setFloat32(0, near);
  // Towards −∞: away from zero below it, towards zero above it, and from 0 to the smallest number below.
  if (near === 0) return -(2 ** -149);
  view.setInt32(0, view.getInt32(0) + (near > 0 ? -1 : 1));
  return view.getFloat32(0);
}

/** The largest logit beside the label's; a NaN is passed over. */
function ahead(logits: ArrayLike<number>, label: number): number {
  let best = label === 0 ? 1 : 0;
  for (let k = 0; k < logits.length; k++) if (k !== label && logits[k] > logits[best]) best = k;
  return best;
}
