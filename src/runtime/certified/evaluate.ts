/**
 * Certified evaluation: over a set of samples, how many are classified rightly as they are, how many still are after an
 * attack of size ε, and for how many it is proven that no perturbation of that size changes the answer. Certified ≤
 * attacked ≤ clean, sample by sample: a certified sample that an attack breaks is a soundness bug, and said so.
 */
import { interpret, array64 } from "../../graph/interpret.ts";
import { buildInferenceGraph } from "../../graph/inference.ts";
import type { Model } from "../../model/model.ts";
import type { PairGains } from "../../gain/pairs.ts";
import { addUp, mulUp, sqrtUp } from "../../gain/up.ts";
import { fill, sizeOf, type Samples } from "../data/samples.ts";
import type { Engine, HostTensor, Session } from "../engine.ts";
import { permutation } from "../random.ts";
import { good, type Result } from "../result.ts";
import { Attack, type AttackOptions, type Found, type Targets } from "./attack.ts";
import { certify, holdsAt, predictionOf, type Certified } from "./radius.ts";

/** A size of perturbations, as written and as the float64 numbers beside it. */
export interface Epsilon {
  /** 36/255 */
  readonly text: string;
  /** What certificates must reach: ≥ the written number. */
  readonly up: number;
  /** What attacks may use: ≤ the written number. */
  readonly down: number;
}

/** What is proven of the rounding in logits of some samples (src/rounding). */
export interface LogitErrors {
  /** Per sample logits computed in float64 … */
  readonly logits: readonly Float64Array[];
  /** … and half a bound of how far the difference of any two of them is from the exact function's. */
  readonly exact: Float64Array;
  /** The same of a float32 engine's logits, anywhere in the l2 ball round each sample … */
  readonly engine: Float64Array;
  /** … and how far one of them may be off. */
  readonly single: Float64Array;
}

/**
 * Bounds for these samples and one l2 radius; null where none is proven: then radii are of the real-arithmetic function, the
 * engine's clean logits taken for its own, and reports say so.
 */
export type ErrorBounds = (values: Float32Array, count: number, radius: number) => LogitErrors | null;

export interface CertifiedPlan {
  readonly model: Model;
  readonly weights: ReadonlyMap<string, HostTensor>;
  readonly engine: Engine;
  /** The inference graph of the free weights: what clean logits come from. */
  readonly session: Session;
  readonly batch: number;
  readonly samples: Samples;
  /** At most so many samples, a seeded choice; null: all. */
  readonly limit: number | null;
  readonly seed: number;
  /** Rising. */
  readonly epsilons: readonly Epsilon[];
  readonly gains: PairGains;
  readonly errors: ErrorBounds;
  /** null: nothing is attacked. */
  readonly attack: AttackOptions | null;
  /** Hears how many samples are done. */
  readonly onProgress?: (done: number, of: number) => void;
}

/** What became of one sample. */
export interface Outcome extends Certified {
  /** Its number in the data. */
  readonly sample: number;
  readonly label: number;
  /** The engine's own answer; `predicted` is that of the logits that were certified. */
  readonly answer: number | null;
  /** For each ε: no float32 engine's answer is another one at any point of the domain up to ε away. */
  readonly certified: readonly boolean[];
  /** The bound of the engine's rounding within the largest ε, which this counts; null where none is known. */
  readonly error: number | null;
  /** Number of the smallest ε at which an attack changed the answer; null: none did, or the answer was wrong before. */
  readonly brokenAt: number | null;
}

/** The answer is the label's. */
export function isRight({ answer, label }: Outcome): boolean {
  return answer === label;
}

/** A certified sample that was broken: the certificate is wrong. */
export interface Violation {
  /** The gain, or the bound of float32's rounding. */
  readonly wrong: "gain" | "rounding";
  readonly sample: number;
  readonly label: number;
  readonly predicted: number | null;
  readonly radius: number;
  readonly distance: number;
  readonly clean: Float32Array;
  readonly point: Float32Array;
}

export interface CertifiedEvaluation {
  readonly outcomes: readonly Outcome[];
  readonly violations: readonly Violation[];
  /** Certified samples that float32 alone got wrong at an attacked point, and float64 right: no violation, no success. */
  readonly rounded: number;
}

/** Entries of the samples that are at work together. */
const mostEntries = 2 ** 24;

/** Runs clean logits, radii and attacks over the samples, some at a time. */
export async function evaluateCertified(plan: CertifiedPlan): Promise<Result<CertifiedEvaluation>> {
  const { model, weights, engine, samples, limit, seed, onProgress } = plan;
  const which = chosen(samples.count, limit, seed);
  // Four batches in one go, as far as memory goes: what is left of one after the easy samples fell is filled up from the
  // others.
  const together = Math.max(plan.batch, Math.min(4 * plan.batch, Math.floor(mostEntries / sizeOf(samples))));
  const opened = plan.attack
    ? await Attack.open(model, weights, engine, plan.batch, plan.attack)
    : good(null);
  if (!opened.ok) return opened;
  const run = new Evaluation(plan, opened.value);
  try {
    for (let at = 0; at < which.length; at += together) {
      onProgress?.(at, which.length);
      const done = await run.add(which.slice(at, at + together));
      if (!done.ok) return done;
    }
    onProgress?.(which.length, which.length);
  } finally {
    await opened.value?.release();
  }
  return good(run);
}

/** All samples, or a seeded choice of them, in the data's order. */
function chosen(count: number, limit: number | null, seed: number): number[] {
  if (limit === null || limit >= count) return Array.from({ length: count }, (_, i) => i);
  return permutation(count, seed, 3)
    .slice(0, limit)
    .sort((a, b) => a - b);
}

class Evaluation implements CertifiedEvaluation {
  readonly outcomes: Outcome[] = [];
  readonly violations: Violation[] = [];
  rounded = 0;
  private readonly plan: CertifiedPlan;
  private readonly attack: Attack | null;

  constructor(plan: CertifiedPlan, attack: Attack | null) {
    [this.plan, this.attack] = [plan, attack];
  }

  async add(which: readonly number[]): Promise<Result<void>> {
    const { samples, gains, errors, epsilons } = this.plan;
    const size = sizeOf(samples);
    const values = new Float32Array(which.length * size);
    const labels = new Int32Array(which.length);
    const filled = await fill(samples, which, values, labels);
    if (!filled.ok) return filled;
    const logits = await this.logits(values, which.length);
    const largest = epsilons[epsilons.length - 1].up;
    const bounds = errors(values, which.length, gains.norm === "l2" ? largest : mulUp(largest, sqrtUp(size)));
    const clean = which.map((sample, i): Outcome => {
      const answer = predictionOf(logits[i]);
      const exact = bounds ? bounds.exact[i] : 0;
      const certified = certify(bounds ? bounds.logits[i] : logits[i], gains, exact);
      // Both must say the same, and mean the label: else nothing is certified.
      const agree = answer === labels[i] && certified.predicted === answer;
      const error = bounds ? bounds.single[i] : null;
      const counted = bounds ? certify(bounds.logits[i], gains, addUp(exact, bounds.engine[i])) : certified;
      return {
        sample,
        label: labels[i],
        answer,
        ...certified,
        radius: agree ? certified.radius : 0,
        certified: epsilons.map(({ up }) => agree && holdsAt(counted, up)),
        error,
        brokenAt: null,
      };
    });
    const broken = this.attack ? await this.strike(values, clean, logits) : clean;
    this.outcomes.push(...broken);
    return good(undefined);
  }

  /** Logits of each sample, by the graph that computes constraints itself. */
  private async logits(values: Float32Array, count: number): Promise<Float32Array[]> {
    const { session, weights, batch, model, samples } = this.plan;
    const size = sizeOf(samples);
    const all: Float32Array[] = [];
    const feeds = Object.fromEntries(weights);
    for (let at = 0; at < count; at += batch) {
      const real = Math.min(batch, count - at);
      const data = new Float32Array(batch * size);
      data.set(values.subarray(at * size, (at + real) * size));
      const name = `data/${model.inputs[0].name}`;
      const out = await session.run({
        ...feeds,
        [name]: { dtype: "f32", dims: [batch, ...samples.shape], data },
      });
      const found = out[model.outputs[0].name].data as Float32Array;
      const classes = found.length / batch;
      for (let i = 0; i < real; i++) all.push(found.slice(i * classes, (i + 1) * classes));
    }
    return all;
  }

  /** Attacks what is classified rightly, ε by ε; what fell stays fallen. */
  private async strike(
    values: Float32Array,
    clean: readonly Outcome[],
    logits: readonly Float32Array[],
  ): Promise<Outcome[]> {
    const { attack } = this;
    const { samples, gains, epsilons } = this.plan;
    if (!attack || gains.classes < 2) return [...clean];
    const size = sizeOf(samples);
    const outcomes = [...clean];
    let standing = clean.flatMap((outcome, i) => (isRight(outcome) ? [i] : []));
    let from = new Float64Array(standing.length * size);
    const imageOf = (i: number): Float32Array => values.subarray(i * size, (i + 1) * size);
    for (const [at, epsilon] of epsilons.entries()) {
      if (standing.length === 0) break;
      const targets: Targets = {
        values: gather(standing.map(imageOf)),
        labels: standing.map((i) => clean[i].label),
        order: standing.map((i) => nearestClasses(logits[i], clean[i].label, gains)),
        // What is certified is attacked to test the certificate: from one start, so that time goes to the others.
        starts: standing.map((i) => (clean[i].certified[at] ? 1 : attack.options.restarts)),
        names: standing.map((i) => clean[i].sample),
      };
      const found = await this.confirmed(await attack.run(targets, epsilon.down, from), targets.labels);
      const left: number[] = [];
      for (const [row, i] of standing.entries()) {
        const hit = found[row];
        if (hit) outcomes[i] = { ...outcomes[i], ...this.judge(outcomes[i], hit, at, imageOf(i)) };
        if (outcomes[i].brokenAt === null) left.push(row);
      }
      // Larger ones begin where the search within this ε ended, scaled up.
      const grown = at + 1 < epsilons.length ? epsilons[at + 1].down / epsilon.down : 1;
      const next = new Float64Array(left.length * size);
      left.forEach((row, i) => next.set(from.subarray(row * size, (row + 1) * size), i * size));
      from = next.map((d) => d * grown);
      standing = left.map((row) => standing[row]);
    }
    return outcomes;
  }

  /**
   * The attack climbs a graph of its own, whose sums are whole where the network's are in parts: what it found counts where
   * the network itself, as it is proven and run, answers wrongly.
   */
  private async confirmed(
    found: readonly (Found | null)[],
    labels: ArrayLike<number>,
  ): Promise<(Found | null)[]> {
    const hits = found.flatMap((hit) => hit ?? []);
    const logits = await this.logits(gather(hits.map(({ point }) => point)), hits.length);
    let at = 0;
    return found.map((hit, row) => {
      if (!hit) return null;
      const predicted = predictionOf(logits[at++]);
      return predicted === labels[row] ? null : { ...hit, predicted };
    });
  }

  /**
   * What a hit means. Of a certified sample it counts only as far as float64 sees it too: the answer at the point, and a
   * radius from the clean logits in float64 that reaches farther. Both: the certificate is wrong.
   */
  private judge(outcome: Outcome, hit: Found, at: number, clean: Float32Array): Partial<Outcome> {
    // The distance is measured; its own rounding is far below this.
    const distance = hit.distance * (1 + 1e-12);
    if (!(distance < outcome.radius)) return { brokenAt: at };
    const { sample, label } = outcome;
    const { point } = hit;
    const violation = { sample, label, distance, clean: clean.slice(), point };
    const { predicted } = certify(this.exactLogits(point), this.plan.gains, 0);
    if (predicted === label) {
      // Right in real arithmetic. Where float32's rounding was bounded, it was more than that.
      if (outcome.error === null || !outcome.certified[at]) return (this.rounded++, {});
      this.violations.push({
        ...violation,
        wrong: "rounding",
        predicted: hit.predicted,
        radius: outcome.radius,
      });
      return { brokenAt: at };
    }
    const logits = this.exactLogits(clean);
    const slack = 1e-11 * Math.max(...logits.map(Math.abs));
    const { radius } = certify(logits, this.plan.gains, slack);
    // Only float32 made the radius this large: nothing bounded its error (the caller was told so).
    if (!(distance < radius))
      return { brokenAt: at, radius, certified: outcome.certified.map((c, k) => c && k < at) };
    this.violations.push({ ...violation, wrong: "gain", predicted, radius });
    return { brokenAt: at };
  }

  /** By the float64 interpreter, constraints included. */
  private exactLogits(point: Float32Array): Float64Array {
    const { model, weights, samples } = this.plan;
    const graph = buildInferenceGraph(model, { batch: 1 });
    if (!graph.ok) throw new Error(`${model.name} ran, and can't be interpreted`);
    const given = [...weights].map(([name, { dims, data }]) => [name, array64(dims, data)] as const);
    const input = array64([1, ...samples.shape], point);
    const feeds = Object.fromEntries([...given, [`data/${model.inputs[0].name}`, input]]);
    return interpret(graph.value, feeds)[model.outputs[0].name].data;
  }
}

function gather(parts: readonly Float32Array[]): Float32Array {
  const size = parts[0]?.length ?? 0;
  const all = new Float32Array(parts.length * size);
  parts.forEach((part, i) => all.set(part, i * size));
  return all;
}

/** Wrong classes by how far away the proof allows them to be. */
function nearestClasses(logits: Float32Array, label: number, gains: PairGains): number[] {
  const distance = (k: number): number => {
    const found = (logits[label] - logits[k]) / gains.between(label, k);
    return Number.isNaN(found) ? Infinity : found;
  };
  return Array.from(logits, (_, k) => k)
    .filter((k) => k !== label)
    .sort((a, b) => distance(a) - distance(b) || logits[b] - logits[a]);
}
