/**
 * The arithmetics whose errors are bounded: what one operation may be off by. A tensor operation is any order of such
 * operations, with or without fused multiply-adds, in blocks or not (docs/gains.md, "Rounding of engines").
 */

/** Relative errors count in units of `u` of the result, absolute ones in `u` itself; both hold together with `tiny`. */
export interface Arithmetic {
  /** Unit roundoff: + − × of two numbers are off by at most u times the result. */
  readonly u: number;
  /** What any operation may be off by where its operands or its result are subnormal: they may count as 0. */
  readonly tiny: number;
  /** Numbers beyond it count as overflown: nothing is proven. */
  readonly largest: number;
  /** Relative errors of quotients, roots and elementary functions, in units of u. */
  readonly relative: {
    readonly div: number;
    readonly sqrt: number;
    readonly exp: number;
    readonly log: number;
  };
  /** Absolute errors of functions with values in [−1, 1], in units of u; for gelu in units of u·|x|. */
  readonly absolute: {
    readonly erf: number;
    readonly tanh: number;
    readonly sigmoid: number;
    readonly gelu: number;
    readonly log: number;
  };
}

/**
 * A float32 engine: IEEE 754 sums and products; what it may do with the rest is several times what was measured of
 * ONNX Runtime and of the WebAssembly kernels (test/rounding/engines.test.ts). trust: T4, T5
 */
export const float32: Arithmetic = {
  u: 2 ** -24,
  tiny: 2 ** -126,
  largest: 2 ** 127,
  relative: { div: 4, sqrt: 4, exp: 16, log: 16 },
  absolute: { erf: 16, tanh: 16, sigmoid: 16, gelu: 16, log: 16 },
};

/** The float64 interpreter: IEEE 754, and V8's elementary functions. trust: T6 */
export const float64: Arithmetic = {
  u: 2 ** -53,
  tiny: 2 ** -1022,
  largest: 2 ** 1000,
  relative: { div: 1, sqrt: 1, exp: 8, log: 8 },
  // erf is a series of at most 60 terms of one sign.
  absolute: { erf: 256, tanh: 16, sigmoid: 32, gelu: 512, log: 8 },
};
