/**
 * Seeded streams of random numbers for data: one for each sample and each batch, so that what happens to a sample
 * depends on its seeds alone, whichever thread makes it. xoshiro128** (Blackman & Vigna 2021, arXiv 1805.01407), its
 * 128 bits of state hashed from the seeds. Not for cryptography.
 */
import { mix } from "../graph/mix.ts";

/** Begins each word of the state at another place of the hash. */
const starts = [0x9e3779b9, 0x243f6a88, 0xb7e15162, 0x6a09e667];

export class Stream {
  private a: number;
  private b: number;
  private c: number;
  private d: number;
  /** The second of a pair of normals, till it is asked for. */
  private spare: number | null = null;

  /** `seeds` are whole numbers; their order counts. */
  constructor(...seeds: readonly number[]) {
    const word = (start: number): number =>
      seeds.reduce((state, seed) => mix((state ^ (seed >>> 0)) + 0x9e3779b9), start);
    [this.a, this.b, this.c, this.d] = starts.map(word);
    // The one state that gives nothing but zeros.
    if ((this.a | this.b | this.c | this.d) === 0) this.a = 1;
  }

  /** In [0, 1), in steps of 2⁻³². */
  uniform(): number {
    const times5 = Math.imul(this.b, 5);
    const result = Math.imul((times5 << 7) | (times5 >>> 25), 9) >>> 0;
    const shifted = this.b << 9;
    this.c ^= this.a;
    this.d ^= this.b;
    this.b ^= this.c;
    this.a ^= this.d;
    this.c ^= shifted;
    this.d = (this.d << 11) | (this.d >>> 21);
    return result / 2 ** 32;
  }

  between(low: number, high: number): number {
    return low + (high - low) * this.uniform();
  }

  /** A whole number from 0 to `count` − 1. */
  below(count: number): number {
    return Math.floor(count * this.uniform());
  }

  /** 1 or −1. */
  sign(): number {
    return this.uniform() < 0.5 ? 1 : -1;
  }

  /** Of mean 0 and deviation 1 (Box & Muller 1958). */
  normal(): number {
    if (this.spare !== null) {
      const { spare } = this;
      this.spare = null;
      return spare;
    }
    // 1 − u is never 0.
    const radius = Math.sqrt(-2 * Math.log(1 - this.uniform()));
    const angle = 2 * Math.PI * this.uniform();
    this.spare = radius * Math.sin(angle);
    return radius * Math.cos(angle);
  }

  /** Beta(alpha, alpha), alpha > 0: the share of one of two equal gammas in their sum. */
  beta(alpha: number): number {
    // In logarithms: gammas of a small alpha lie below the smallest number.
    const [x, y] = [this.logGamma(alpha), this.logGamma(alpha)];
    return 1 / (1 + Math.exp(y - x));
  }

  /** Logarithm of a Gamma(shape, 1) number (Marsaglia & Tsang 2000; below 1 by Gamma(shape + 1)·u^(1/shape)). */
  private logGamma(shape: number): number {
    if (shape < 1) return this.logGamma(shape + 1) + Math.log(1 - this.uniform()) / shape;
    const d = shape - 1 / 3;
    for (;;) {
      const x = this.normal();
      const v = (1 + x / Math.sqrt(9 * d)) ** 3;
      const u = 1 - this.uniform();
      if (v > 0 && Math.log(u) < (x * x) / 2 + d * (1 - v + Math.log(v))) return Math.log(d * v);
    }
  }
}
