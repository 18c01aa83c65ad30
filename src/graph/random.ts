/**
 * Uniform numbers in [0, 1) made of basic primitives, the same bits on every engine.
 *
 * Three lanes, each a chain of keyed cubes modulo a small prime: x ← (x + d)³ mod p, where d runs through the digits of
 * seed, step, stream and element. p ≡ 2 mod 3, so cubing is a permutation. The lanes are summed as fractions
 * (Wichmann & Hill 1982) and the whole part is dropped.
 *
 * Exactness: every intermediate is a whole number below 2²⁴ (or such a number times a power of two), so float32 and
 * float64 agree bit for bit. Quotients are floor(x·r) with r a float32 slightly above 1/p: right for all x < 4p² (the
 * test tries them all), because p < 912 leaves 1/p of room and r and the product err by less.
 *
 * Limits: seed and step are whole numbers below 2²⁴. A run's (seed, step, stream) selects one of 911·887·881 ≈ 7·10⁸
 * states, so among 10⁵ masks a handful repeat. Resolution 2⁻²². Made for dropout, not for cryptography.
 */
import type { Builder, Tensor } from "./builder.ts";
import type { Dims } from "./graph.ts";
import { sizeOf } from "./primitives/arrays.ts";

const primes = [911, 887, 881];
const start = [271, 662, 509];
/** Digits of elements and streams are below this. */
const base = 512;
/** Elements made at once for streams of small tensors (drop path), so that many calls cost one set of nodes. */
const poolSize = 8192;
const mostRows = 32;

/** A float32 r with x·r ≥ the whole quotient of multiples of p, and below the next one otherwise. */
export function reciprocal(p: number): number {
  const bits = new DataView(new ArrayBuffer(4));
  bits.setFloat32(0, 1 / p);
  bits.setInt32(0, bits.getInt32(0) + 2);
  return bits.getFloat32(0);
}

interface Pool {
  /** [rows, elements] */
  readonly values: Tensor;
  readonly rows: number;
  used: number;
}

/** Makes streams of uniform numbers; each call is a new stream. */
export class RandomSource {
  private readonly builder: Builder;
  private readonly state: Tensor;
  private readonly pools = new Map<number, Pool>();
  private streams = 0;

  /** `seed` and `step` are float32 scalars holding whole numbers below 2²⁴. */
  constructor(builder: Builder, seed: Tensor, step: Tensor) {
    this.builder = builder;
    const { origin } = builder;
    builder.origin = "random";
    let state = builder.constant(start, [3]);
    for (const key of [seed, step])
      for (const digit of bytes(builder, key)) state = absorb(builder, state, digit);
    builder.origin = origin;
    this.state = state;
  }

  uniform(shape: Dims): Tensor {
    const builder = this.builder;
    const count = sizeOf(shape);
    const rows = Math.max(1, Math.min(mostRows, Math.floor(poolSize / Math.max(count, 1))));
    let pool = this.pools.get(count);
    if (!pool || pool.used === pool.rows) {
      const { origin } = builder;
      builder.origin = "random";
      pool = { values: this.fill(rows, count), rows, used: 0 };
      builder.origin = origin;
      this.pools.set(count, pool);
    }
    const row = pool.used++;
    return builder.reshape(builder.slice(pool.values, 0, row, row + 1), shape);
  }

  /** [rows, count]: one new stream a row. */
  private fill(rows: number, count: number): Tensor {
    const builder = this.builder;
    const streams = Array.from({ length: rows }, (_, i) => this.streams + i);
    this.streams += rows;
    // Axes: streams, then the element's digits from the highest, then the lanes.
    const digits = digitAxes(count);
    const rank = digits.length + 2;
    const along = (axis: number, values: readonly number[]) =>
      builder.constant(
        values,
        Array.from({ length: rank }, (_, i) => (i === axis ? values.length : 1)),
      );
    let x = builder.reshape(this.state, [...new Array<number>(rank - 1).fill(1), 3]);
    x = absorb(
      builder,
      x,
      along(
        0,
        streams.map((s) => Math.floor(s / base)),
      ),
    );
    x = absorb(
      builder,
      x,
      along(
        0,
        streams.map((s) => s % base),
      ),
    );
    digits.forEach((length, i) => {
      x = absorb(
        builder,
        x,
        along(
          i + 1,
          Array.from({ length }, (_, d) => d),
        ),
      );
    });
    x = absorb(builder, x, along(rank - 1, [5, 77, 301]));
    // s/p in steps of 2⁻²²: products and their sum are exact.
    const scaled = builder.mul(
      x,
      builder.constant(
        primes.map((p) => Math.floor(2 ** 22 / p)),
        [3],
      ),
    );
    const whole = builder.mul(builder.sum(scaled, [rank - 1]), 2 ** -22);
    const fraction = builder.reshape(builder.sub(whole, builder.floor(whole)), [
      rows,
      digits.reduce((a, b) => a * b, 1),
    ]);
    return builder.slice(fraction, 1, 0, count);
  }
}

/** Lengths of the digit axes that number `count` elements, highest first; all below `base`. */
function digitAxes(count: number): number[] {
  const axes: number[] = [];
  let rest = Math.max(1, count);
  while (rest > base) {
    axes.unshift(base);
    rest = Math.ceil(rest / base);
  }
  return [rest, ...axes];
}

/** The three bytes of a whole number below 2²⁴, highest first. */
function bytes(builder: Builder, x: Tensor): Tensor[] {
  const high = builder.floor(builder.mul(x, 2 ** -16));
  const rest = builder.sub(x, builder.mul(high, 2 ** 16));
  const middle = builder.floor(builder.mul(rest, 2 ** -8));
  return [high, middle, builder.sub(rest, builder.mul(middle, 2 ** 8))];
}

/** (x + digit)³ mod p in each lane, x and digit below p. */
function absorb(builder: Builder, x: Tensor, digit: Tensor): Tensor {
  const sum = builder.add(x, digit);
  return modulo(builder, builder.mul(modulo(builder, builder.mul(sum, sum)), sum));
}

function modulo(builder: Builder, x: Tensor): Tensor {
  const quotient = builder.floor(builder.mul(x, builder.constant(primes.map(reciprocal), [3])));
  return builder.sub(x, builder.mul(quotient, builder.constant(primes, [3])));
}
