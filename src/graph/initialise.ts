/**
 * Initial weights from Weight.init, as float32. One stream of numbers per weight, from the seed and the weight's path, so
 * that a new layer elsewhere changes no other weight: xoshiro128** (Blackman & Vigna 2021), seeded by splitmix32;
 * normal numbers by Box–Muller.
 */
import { spectralNormUpper } from "../gain/spectral.ts";
import type { Init, Model } from "../model/model.ts";
import { orthonormalColumns } from "./orthonormal.ts";
import { sizeOf } from "./primitives/size.ts";
import { mix } from "./mix.ts";

/** Of a weight, what its first value is made from. */
export interface InitialWeight {
  readonly path: string;
  readonly shape: readonly number[];
  readonly init: Init;
  readonly range: readonly [low: number, high: number] | null;
}

/** Every weight by path. */
export function initialise(model: Model, seed: number): Map<string, Float32Array> {
  return new Map(model.weights.map((weight) => [weight.path, initialWeight(weight, seed)]));
}

/** The stored tensor of one weight; entries outside of its declared range are put onto it. */
export function initialWeight(weight: InitialWeight, seed: number): Float32Array {
  const data = draw(weight, weight.init, new Generator(seed, weight.path));
  if (!weight.range) return data;
  const [low, high] = weight.range;
  return data.map((x) => Math.min(Math.max(x, low), high));
}

function draw(weight: InitialWeight, init: Init, random: Generator): Float32Array {
  const size = sizeOf(weight.shape);
  const [rows, columns] = matrixShape(weight);
  switch (init.kind) {
    case "zeros":
      return new Float32Array(size);
    case "ones":
      return new Float32Array(size).fill(1);
    case "constant":
      return init.values.length === 1
        ? new Float32Array(size).fill(init.values[0])
        : Float32Array.from(init.values);
    case "normal":
      return Float32Array.from(random.normals(size, init.std));
    case "trunc_normal":
      return Float32Array.from({ length: size }, () => init.std * random.truncated(2));
    case "xavier":
      return Float32Array.from(random.normals(size, xavierDeviation(weight)));
    case "kaiming":
      return Float32Array.from(random.normals(size, Math.sqrt(2 / fans(weight).in)));
    case "spectral":
      return atMostOne(random.normals(size, xavierDeviation(weight)), rows, columns);
    case "orthogonal":
      return atMostOne(orthogonal(random, rows, columns), rows, columns);
  }
}

/** Glorot & Bengio 2010, the normal form. */
function xavierDeviation(weight: InitialWeight): number {
  const fan = fans(weight);
  return Math.sqrt(2 / (fan.in + fan.out));
}

/** Numbers that one output is made of, and outputs that one input enters; (out, in/groups, kh, kw). */
function fans({ shape }: InitialWeight): { in: number; out: number } {
  const [out = 1, inner = 1, ...taps] = shape;
  return { in: inner * sizeOf(taps), out: out * sizeOf(taps) };
}

/** (out, everything else). */
function matrixShape({ shape }: InitialWeight): readonly [number, number] {
  const rows = shape[0] ?? 1;
  return [rows, rows === 0 ? 0 : sizeOf(shape) / rows];
}

/**
 * fl(W/b) with b ≥ σ(W)·(1 + 2⁻²²·√min(m, n)): rounding to float32 adds at most 2⁻²⁴·√min(m, n)·‖W/b‖₂, so the stored
 * matrix has ‖·‖₂ ≤ 1 exactly (docs/gains.md, stored numbers).
 */
function atMostOne(w: Float64Array, rows: number, columns: number): Float32Array {
  const sigma = spectralNormUpper(w, rows, columns);
  const b = sigma * (1 + 2 ** -22 * Math.sqrt(Math.min(rows, columns))) * (1 + 2 ** -50);
  const out = new Float32Array(w.length);
  if (b > 0) for (let i = 0; i < out.length; i++) out[i] = w[i] / b;
  return out;
}

/** A matrix with orthonormal rows or columns, whichever are shorter in number. */
function orthogonal(random: Generator, rows: number, columns: number): Float64Array {
  const count = Math.min(rows, columns);
  const length = Math.max(rows, columns);
  const vectors = orthonormalColumns(random.normals(count * length, 1), count, length);
  if (rows <= columns) return vectors;
  const out = new Float64Array(vectors.length);
  for (let j = 0; j < count; j++)
    for (let i = 0; i < length; i++) out[i * count + j] = vectors[j * length + i];
  return out;
}

class Generator {
  private readonly s: Uint32Array;
  /** Box–Muller makes two numbers at a time; kept in an array, where numbers take no memory of their own. */
  private readonly pair = new Float64Array(2);
  private left = 0;

  constructor(seed: number, path: string) {
    // FNV-1a of the path, mixed with the seed by splitmix32.
    let state = 0x811c9dc5;
    for (let i = 0; i < path.length; i++) state = Math.imul(state ^ path.charCodeAt(i), 0x01000193);
    state = mix(state) ^ mix(seed >>> 0) ^ mix(Math.floor(seed / 2 ** 32) + 1);
    this.s = Uint32Array.from({ length: 4 }, () => mix((state = (state + 0x9e3779b9) | 0)));
  }

  /** 32 random bits. */
  private next(): number {
    const { s } = this;
    const five = Math.imul(s[1], 5);
    const result = Math.imul((five << 7) | (five >>> 25), 9) >>> 0;
    const t = s[1] << 9;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = (s[3] << 11) | (s[3] >>> 21);
    return result;
  }

  /** One standard normal number. */
  private normal(): number {
    if (this.left === 0) {
      const radius = Math.sqrt(-2 * Math.log((this.next() + 0.5) * 2 ** -32));
      const angle = 2 * Math.PI * this.next() * 2 ** -32;
      this.pair[0] = radius * Math.sin(angle);
      this.pair[1] = radius * Math.cos(angle);
      this.left = 2;
    }
    return this.pair[--this.left];
  }

  normals(size: number, deviation: number): Float64Array {
    const out = new Float64Array(size);
    for (let i = 0; i < size; i++) out[i] = deviation * this.normal();
    return out;
  }

  /** A standard normal number, drawn again until it lies within ±limit. */
  truncated(limit: number): number {
    for (;;) {
      const x = this.normal();
      if (Math.abs(x) <= limit) return x;
    }
  }
}
