/**
 * The steepest perturbation that can be found: gradient ascent over pairs of points (x, y), many starts as one batch.
 * An engine climbs in float32; what is reported is ‖f(x) − f(y)‖/‖x − y‖ in float64 between two float32 points of the
 * domain, less its rounding error, and never a derivative (docs/gains.md, "Observed").
 */
import { withoutConstraints } from "../../graph/effective.ts";
import { interpret, array64 } from "../../graph/interpret.ts";
import { buildInferenceGraph } from "../../graph/inference.ts";
import type { Array64 } from "../../graph/primitives/primitive.ts";
import { buildSteepnessGraph } from "../../graph/steepness.ts";
import type { Model, ModelInput, Norm, Shape, ValueId } from "../../model/model.ts";
import { effectiveWeights } from "../effective.ts";
import type { Engine, HostTensor, Session } from "../engine.ts";
import { generator } from "../random.ts";
import { bad, good, type Result } from "../result.ts";
import { difference, inDomain, intoDomain, limit, normOf, scaleOf, sizeOf } from "./points.ts";

export interface Audit {
  readonly model: Model;
  readonly weights: ReadonlyMap<string, HostTensor>;
  readonly engine: Engine;
  /** What is perturbed. */
  readonly input: ModelInput;
  /** A value that `to` depends on the input through; null: the input itself. Both are looked at in points of the domain. */
  readonly from: ValueId | null;
  readonly to: ValueId;
  /** Starts, climbed together. */
  readonly restarts: number;
  readonly steps: number;
  readonly seed: number;
  /** First points x to start from (test images); the others are drawn from the domain. */
  readonly samples: readonly Float32Array[];
}

/** What two points of the domain showed. */
export interface Observed {
  readonly norm: Norm;
  /** ≤ the true gain: a difference quotient less its rounding error. */
  readonly lower: number;
  readonly x: Float64Array;
  readonly y: Float64Array;
}

interface Pair {
  readonly x: Float64Array;
  readonly y: Float64Array;
  readonly quotient: number;
}

/** Distances below this part of a value's size are mostly float32's rounding. */
const drowned = 1e-4;

/** Pairs that are computed again in float64. */
const confirmed = 4;

export async function steepest(audit: Audit, norm: Norm): Promise<Result<Observed>> {
  const { restarts: batch, input, from, to } = audit;
  const used = await effectiveWeights(audit.model, audit.weights, audit.engine);
  if (!used.ok) return used;
  const plain = withoutConstraints(audit.model);
  const graph = buildSteepnessGraph(plain, { batch, input: input.name, from, to, norm });
  if (!graph.ok) return graph;
  const session = await audit.engine.open(graph.value);
  if (!session.ok) return bad(session.problem);
  const pairs = await new Ascent(audit, norm).climb(session.value, used.value);
  await session.value.release();
  return observe(audit, norm, pairs);
}

/** The best of these pairs by float64; nothing is observed (0) where no pair lies in the domain. */
export function observe(
  { model, weights, input, from, to, seed }: Audit,
  norm: Norm,
  pairs: readonly Pick<Pair, "x" | "y">[],
): Result<Observed> {
  const outputs = [{ name: "to", value: to }, ...(from === null ? [] : [{ name: "from", value: from }])];
  const graph = buildInferenceGraph(model, { batch: 2, outputs });
  if (!graph.ok) return graph;
  const { shape } = model.values[input.value];
  const parameters = Object.fromEntries(
    [...weights].map(([name, { dims, data }]) => [name, array64(dims, data)]),
  );
  let best: Observed = { norm, lower: 0, x: new Float64Array(0), y: new Float64Array(0) };
  for (const { x, y } of pairs) {
    if (!inDomain(x, shape, input.domain) || !inDomain(y, shape, input.domain)) continue;
    const feeds = { ...parameters };
    for (const other of model.inputs) {
      const full = [2, ...model.values[other.value].shape];
      const fixed = fixedInput(other, model, seed);
      feeds[`data/${other.name}`] = array64(full, other === input ? [...x, ...y] : [...fixed, ...fixed]);
    }
    const values = interpret(graph.value, feeds);
    const moved = distanceOf(values.to, norm);
    const apart =
      from === null
        ? { size: normOf(difference(x, y), shape, norm), error: 0 }
        : distanceOf(values.from, norm);
    const lower = (moved.size - moved.error) / ((apart.size + apart.error) * (1 + 2 ** -40));
    if (lower > best.lower) best = { norm, lower, x, y };
  }
  return good(best);
}

/** The distance of the two samples of a batch, and what float64 may have added: generously, 10⁴ units in the last place of each entry. */
function distanceOf({ shape: [, ...shape], data }: Array64, norm: Norm): { size: number; error: number } {
  const count = sizeOf(shape);
  const [p, q] = [data.subarray(0, count), data.subarray(count)];
  const error = 1e4 * 2 ** -53 * Math.hypot(normOf(p, [count], "l2"), normOf(q, [count], "l2"));
  return { size: normOf(difference(p, q), shape, norm), error };
}

/** A point for the inputs that are not perturbed. */
function fixedInput({ value, domain }: ModelInput, model: Model, seed: number): Float64Array {
  const { shape } = model.values[value];
  const random = generator(seed, value);
  if (domain.kind === "tokens")
    return Float64Array.from({ length: sizeOf(shape) }, () => Math.floor(random() * domain.count));
  const x = Float64Array.from({ length: sizeOf(shape) }, () => scaleOf(domain, shape) * normal(random));
  intoDomain(x, shape, domain);
  return x;
}

function normal(random: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}

/** One batch of pairs on their way up. */
class Ascent {
  private readonly audit: Audit;
  private readonly norm: Norm;
  private readonly shape: Shape;
  private readonly count: number;
  private readonly x: Float64Array;
  private readonly delta: Float64Array;
  /** Typical size of an entry. */
  private readonly scale: number;
  private readonly distances: readonly number[];
  private readonly best: Pair[] = [];

  constructor(audit: Audit, norm: Norm) {
    const { model, input, restarts, seed, samples } = audit;
    [this.audit, this.norm] = [audit, norm];
    this.shape = model.values[input.value].shape;
    this.count = sizeOf(this.shape);
    this.x = new Float64Array(restarts * this.count);
    this.delta = new Float64Array(restarts * this.count);
    const random = generator(seed, 1);
    const scale = (this.scale = scaleOf(input.domain, this.shape, samples));
    // From small steps, where the slope is that of the derivative, to large ones; float32 drowns smaller ones.
    const each = [1e-3, 1e-2, 5e-2, 0.3].map((entry) => entry * scale);
    const channels = this.shape.at(-1) ?? 1;
    const entries = norm === "l2" ? this.count : norm === "token" ? channels : 1;
    this.distances = Array.from({ length: restarts }, (_, b) => each[b % each.length] * Math.sqrt(entries));
    for (let b = 0; b < restarts; b++) {
      // Every second start is a sample of the data, where there are any.
      const sample = b % 2 === 0 ? samples[b / 2] : undefined;
      // Where a layer divides by the length of a token, it is steep at short ones beside long ones.
      const uneven = input.domain.kind !== "box" && random() < 0.5;
      let spread = scale * 10 ** (random() - 0.5);
      const middle = input.domain.kind === "box" ? (input.domain.low + input.domain.high) / 2 : 0;
      for (let i = 0; i < this.count; i++) {
        if (uneven && i % channels === 0) spread = scale * 10 ** (2 * random() - 1.5);
        this.x[b * this.count + i] = sample ? sample[i] : middle + spread * normal(random);
        this.delta[b * this.count + i] = normal(random);
      }
    }
    this.settle();
  }

  /** Back into the domain, at the distance of each start. */
  private settle(): void {
    const { domain } = this.audit.input;
    for (let b = 0; b < this.audit.restarts; b++) {
      const [x, delta] = [this.row(this.x, b), this.row(this.delta, b)];
      intoDomain(x, this.shape, domain);
      limit(delta, this.shape, this.norm, this.distances[b]);
      const y = x.map((v, i) => v + delta[i]);
      intoDomain(y, this.shape, domain);
      for (let i = 0; i < this.count; i++) delta[i] = y[i] - x[i];
    }
  }

  private row(data: Float64Array, b: number): Float64Array {
    return data.subarray(b * this.count, (b + 1) * this.count);
  }

  async climb(session: Session, weights: Record<string, HostTensor>): Promise<readonly Pair[]> {
    const { model, input, from, to, steps, restarts, seed } = this.audit;
    const dims = [restarts, ...this.shape];
    const fixed: Record<string, HostTensor> = {};
    for (const other of model.inputs) {
      if (other === input) continue;
      const one = fixedInput(other, model, seed);
      const all = Array.from({ length: restarts }, () => [...one]).flat();
      const full = [restarts, ...model.values[other.value].shape];
      fixed[`data/${other.name}`] =
        other.domain.kind === "tokens"
          ? { dtype: "i32", dims: full, data: Int32Array.from(all) }
          : { dtype: "f32", dims: full, data: Float32Array.from(all) };
    }
    const climbX = adam(this.x);
    const climbDelta = adam(this.delta);
    const { scale } = this;
    for (let step = 0; step <= steps; step++) {
      const y = this.x.map((v, i) => v + this.delta[i]);
      const out = await session.run({
        ...weights,
        ...fixed,
        [`data/${input.name}`]: { dtype: "f32", dims, data: Float32Array.from(this.x) },
        [`other/${input.name}`]: { dtype: "f32", dims, data: Float32Array.from(y) },
      });
      for (let b = 0; b < restarts; b++) {
        const moved = this.between(out.x, out.y, b, to);
        const apart =
          from === null
            ? normOf(this.row(this.delta, b), this.shape, this.norm)
            : this.between(out["from/x"], out["from/y"], b, from, drowned);
        this.keep(b, moved / apart, y);
      }
      const rate = 0.05 * 0.5 * (1 + Math.cos((Math.PI * step) / Math.max(1, steps)));
      const [dx, dy] = [out["slope/x"].data, out["slope/y"].data];
      // The points move together by the sum of both slopes, and apart by the second one.
      climbX(
        (i) => dx[i] + dy[i],
        () => rate * scale,
      );
      climbDelta(
        (i) => dy[i],
        (i) => {
          const distance = this.distances[Math.floor(i / this.count)];
          return (4 * rate * distance) / (this.norm === "linf" ? 1 : Math.sqrt(this.count));
        },
      );
      this.settle();
    }
    return this.best
      .filter(Boolean)
      .sort((a, b) => b.quotient - a.quotient)
      .slice(0, confirmed);
  }

  /** Distance of one start's two points in a value; 0 where it is a smaller part of their size than `least`. */
  private between(x: HostTensor, y: HostTensor, b: number, value: ValueId, least = 0): number {
    const { shape } = this.audit.model.values[value];
    const count = sizeOf(shape);
    const [p, q] = [x.data, y.data].map((data) => data.subarray(b * count, (b + 1) * count));
    const distance = normOf(difference(p, q), shape, this.norm);
    return distance > least * normOf(p, shape, this.norm) ? distance : 0;
  }

  /** The best pair of each start; one that float32 can't tell apart is none. */
  private keep(b: number, quotient: number, y: Float64Array): void {
    if (!(quotient > (this.best[b]?.quotient ?? 0)) || quotient === Infinity) return;
    this.best[b] = { quotient, x: this.row(this.x, b).slice(), y: this.row(y, b).slice() };
  }
}

/** Adam (Kingma & Ba 2015), uphill, in place. */
function adam(data: Float64Array): (slope: (i: number) => number, rate: (i: number) => number) => void {
  const mean = new Float64Array(data.length);
  const square = new Float64Array(data.length);
  let t = 0;
  return (slope, rate) => {
    t++;
    for (let i = 0; i < data.length; i++) {
      const found = slope(i);
      const g = Number.isFinite(found) ? found : 0;
      mean[i] = 0.9 * mean[i] + 0.1 * g;
      square[i] = 0.99 * square[i] + 0.01 * g * g;
      data[i] += (rate(i) * (mean[i] / (1 - 0.9 ** t))) / (Math.sqrt(square[i] / (1 - 0.99 ** t)) + 1e-30);
    }
  };
}
