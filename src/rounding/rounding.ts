/**
 * How far logits may be from the exact ones: proven bounds of the error that an engine's float32 arithmetic makes, and of
 * the error of a float64 evaluation. The exact function is that of real arithmetic, of the stored weights.
 */
import type { WeightOracle } from "../gain/facts.ts";
import { channelsOf } from "../gain/gain.ts";
import { maxUp, minBound, mulUp, sqrtUp, subUp } from "../gain/up.ts";
import type { Domain, Model } from "../model/model.ts";
import { ModelErrors } from "./model-errors.ts";

/** A model with stored weights, and what is proven of them: `measure(tensors).oracle`. */
export interface Weighted {
  readonly model: Model;
  /** Stored entries by the weight's path. */
  readonly tensors: ReadonlyMap<string, ArrayLike<number>>;
  readonly oracle: WeightOracle;
}

export interface LogitErrors {
  /**
   * Per sample e ≥ ‖engine(x′) − f(x′)‖_∞ for every float32 input x′ with ‖x′ − x‖₂ ≤ radius: f is the exact function,
   * engine any float32 engine as described in TRUST.md. ∞ where nothing is proven; such a sample is not certified.
   */
  readonly perSample: Float64Array;
  /** Per sample e ≥ the error of any difference of two logits: at most twice the above, and √2 times the l2 norm of all. */
  readonly perMargin: Float64Array;
  /** The first output at x itself in float64, row-major (samples, entries) … */
  readonly logits: Float64Array;
  /** … and per sample a bound of ‖logits − f(x)‖_∞: float64's own error, far below float32's. */
  readonly exact: Float64Array;
}

/**
 * The errors of the model's first output at these samples of its first input (row-major, samples × entries of one).
 *
 * A margin m = logits_y − logits_j in float64 says f_y − f_j ≥ m − 2·exact at x; an engine that classifies some x′ of the
 * ball may err by perMargin more. So the exact function is certified up to (m − 2·exact)/L, the engine up to
 * (m − 2·exact − perMargin)/L, L the gain of the margin (docs/gains.md, "Certified radius").
 */
export function logitErrors(weighted: Weighted, inputs: ArrayLike<number>, radius: number): LogitErrors {
  const { model } = weighted;
  const [entries, outputs] = [model.inputs[0], model.outputs[0]].map(({ value }) =>
    model.values[value].shape.reduce((a, b) => a * b, 1),
  );
  const samples = inputs.length / entries;
  const perSample = new Float64Array(samples).fill(Infinity);
  const perMargin = new Float64Array(samples).fill(Infinity);
  const exact = new Float64Array(samples).fill(Infinity);
  const logits = new Float64Array(samples * outputs).fill(NaN);
  const errors = opened(weighted);
  for (let i = 0; errors && i < samples; i++) {
    const sample = Float64Array.from({ length: entries }, (_, j) => inputs[i * entries + j]);
    const found = errors.at(sample, radius);
    if (!found.centre.every(Number.isFinite)) continue;
    logits.set(found.centre, i * outputs);
    perSample[i] = found.engine.linf;
    perMargin[i] = minBound(mulUp(2, found.engine.linf), mulUp(sqrtUp(2), found.engine.l2));
    exact[i] = found.exact.linf;
  }
  return { perSample, perMargin, logits, exact };
}

/**
 * ≥ ‖engine(x) − f(x)‖_∞ of the model's first output for every float32 input x of its domain: a ball round the domain's
 * middle. ∞ where nothing is proven, and where the domain is the whole space.
 */
export function domainError(weighted: Weighted): number {
  const [{ domain, value }] = weighted.model.inputs;
  const { shape } = weighted.model.values[value];
  const size = shape.reduce((a, b) => a * b, 1);
  if (domain.kind !== "box" && domain.kind !== "ball") return Infinity;
  const middle = domain.kind === "box" ? (domain.low + domain.high) / 2 : 0;
  const inputs = new Float64Array(size).fill(middle);
  return logitErrors(weighted, inputs, radiusOf(domain, size, channelsOf(shape), middle)).perSample[0];
}

/** ≥ the l2 distance of any point of the domain from its middle. */
function radiusOf(domain: Domain, size: number, channels: number, middle: number): number {
  if (domain.kind === "box") {
    const half = maxUp(subUp(domain.high, middle), subUp(middle, domain.low));
    return mulUp(sqrtUp(size), half);
  }
  if (domain.kind !== "ball") return Infinity;
  // Parts that each have this radius: all together, tokens, entries.
  const parts = { l2: 1, token: size / channels, linf: size }[domain.norm];
  return mulUp(sqrtUp(parts), domain.radius);
}

/** What doesn't depend on samples is computed once. */
const known = new WeakMap<Weighted, { readonly errors: ModelErrors | null }>();

function opened(weighted: Weighted): ModelErrors | null {
  let found = known.get(weighted);
  if (!found) {
    found = { errors: ModelErrors.of(weighted.model, weighted.tensors, weighted.oracle) };
    known.set(weighted, found);
  }
  return found.errors;
}
