/** Points of an input's domain and distances between them, in float64 (the entries themselves are float32). */
import type { Domain, Norm, Shape } from "../../model/model.ts";

export function sizeOf(shape: Shape): number {
  return shape.reduce((a, b) => a * b, 1);
}

/** Entries that one norm looks at together: all, one token's, one. */
function width(norm: Norm, shape: Shape): number {
  return norm === "l2" ? sizeOf(shape) : norm === "token" ? (shape.at(-1) ?? 1) : 1;
}

export function normOf(v: ArrayLike<number>, shape: Shape, norm: Norm): number {
  if (norm === "linf") {
    let largest = 0;
    for (let i = 0; i < v.length; i++) largest = Math.max(largest, Math.abs(v[i]));
    return largest;
  }
  const part = width(norm, shape);
  let largest = 0;
  for (let at = 0; at < v.length; at += part) {
    let sum = 0;
    for (let i = at; i < at + part; i++) sum += v[i] * v[i];
    largest = Math.max(largest, sum);
  }
  return Math.sqrt(largest);
}

export function difference(x: ArrayLike<number>, y: ArrayLike<number>): Float64Array {
  return Float64Array.from({ length: x.length }, (_, i) => y[i] - x[i]);
}

/** Scales a perturbation to this size: as a whole, or token by token (entry by entry) where it is longer. */
export function limit(delta: Float64Array, shape: Shape, norm: Norm, radius: number): void {
  const size = normOf(delta, shape, norm);
  if (!(size > 0)) {
    delta[0] = radius;
    return;
  }
  if (norm === "l2") {
    for (let i = 0; i < delta.length; i++) delta[i] *= radius / size;
    return;
  }
  const part = width(norm, shape);
  for (let at = 0; at < delta.length; at += part) {
    const length = normOf(delta.subarray(at, at + part), [part], "l2");
    if (length > radius) for (let i = at; i < at + part; i++) delta[i] *= radius / length;
  }
}

/** Puts a point into the domain, as float32 numbers that lie in it. */
export function intoDomain(x: Float64Array, shape: Shape, domain: Domain): void {
  if (domain.kind === "box") {
    for (let i = 0; i < x.length; i++) {
      const inside = Math.fround(Math.min(Math.max(x[i], domain.low), domain.high));
      // An end that is no float32 may be rounded over: then the middle of the box is a float32 step inside.
      x[i] = inside >= domain.low && inside <= domain.high ? inside : towards(inside, domain);
    }
    return;
  }
  if (domain.kind === "ball") {
    const part = width(domain.norm, shape);
    for (let at = 0; at < x.length; at += part) {
      const token = x.subarray(at, at + part);
      const size = normOf(token, [part], "l2");
      const factor = size > domain.radius * (1 - 1e-6) ? (domain.radius * (1 - 1e-6)) / size : 1;
      for (let i = 0; i < part; i++) token[i] = Math.fround(token[i] * factor);
    }
    return;
  }
  for (let i = 0; i < x.length; i++) x[i] = Math.fround(x[i]);
}

function towards(x: number, { low, high }: { readonly low: number; readonly high: number }): number {
  const step = Math.max(Math.abs(x) * 2 ** -23, 2 ** -149);
  return Math.fround(x > high ? x - step : x < low ? x + step : x);
}

/** Whether a point really lies in the domain: only then an observation counts. */
export function inDomain(x: ArrayLike<number>, shape: Shape, domain: Domain): boolean {
  if (domain.kind === "tokens") return false;
  if (domain.kind === "ball") return normOf(x, shape, domain.norm) <= domain.radius;
  const [low, high] = domain.kind === "box" ? [domain.low, domain.high] : [-Infinity, Infinity];
  for (let i = 0; i < x.length; i++)
    if (!(x[i] >= low && x[i] <= high) || !Number.isFinite(x[i])) return false;
  return true;
}

/**
 * Typical size of an entry: half the width of a box, the entry of a ball's sphere; where nothing is said that of the samples,
 * and 1 without any.
 */
export function scaleOf(domain: Domain, shape: Shape, samples: readonly ArrayLike<number>[] = []): number {
  if (domain.kind === "box") return (domain.high - domain.low) / 2 || 1;
  if (domain.kind === "ball") return domain.radius / Math.sqrt(width(domain.norm, shape));
  const entries = samples.reduce((n, sample) => n + sample.length, 0);
  const squares = samples.reduce((sum, sample) => sum + normOf(sample, [sample.length], "l2") ** 2, 0);
  return Math.sqrt(squares / entries) || 1;
}
