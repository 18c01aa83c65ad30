/** What the analysis knows of values and weights: facts, never tensors' contents. */
import type { Phase, Shape, Weight } from "../model/model.ts";
import type { Reason } from "./gain.ts";
import type { Matrix } from "./matrix.ts";

/**
 * Proven ranges of one value over the whole input domain; ∞ where unproven.
 * l2, token, linf: norms of the value itself. low/high: every entry lies between them.
 * spread: radius in token norm round one constant token common to all tokens (docs/gains.md, b2): a covariance
 * ignores constants, so attention may use it for keys and values.
 */
export interface Range {
  readonly l2: number;
  readonly token: number;
  readonly linf: number;
  readonly low: number;
  readonly high: number;
  readonly spread: number;
  readonly why: Reason | null;
}

/**
 * Upper bounds on a stored weight in one phase; ∞ where nothing is known. For vectors and biases the matrix norms
 * are those of the column; what applies is read by the layer that owns the weight.
 */
export interface WeightFacts {
  /** Largest singular value of the weight reshaped to (out, everything else). */
  readonly spectral: number;
  readonly frobenius: number;
  /** Of a convolution's kernel: ≥ the l2 norm of the map with any stride and dilation, zero padded, at any size. */
  readonly operator?: number;
  /** Largest l1 norm of a row of the reshaped weight: the linf gain. */
  readonly rowSum: number;
  /** Largest l2 norm of a row of the reshaped weight. */
  readonly rowNorm: number;
  /** Largest absolute entry. */
  readonly maxAbs: number;
  /** Range of the entries; −∞ and ∞ where unknown. */
  readonly low: number;
  readonly high: number;
  /** The entries themselves where the phase fixes them (coefficients that start at given numbers, biases at 0); else null. */
  readonly values: readonly number[] | null;
  /** Why the facts are ∞. */
  readonly why: Reason | null;
  /** What only stored entries can tell: known in the phase `checkpoint` alone. */
  readonly stored?: StoredFacts;
}

/** Proven of the stored entries of one weight (src/measure). */
export interface StoredFacts {
  /** ≥ the distance of any two rows: the margin of a head. */
  readonly rowDistance: number;
  /** ≥ the distance of the rows a and b of the weight reshaped to (out, everything else): one pair of classes. */
  rowDistances?(a: number, b: number): number;
  /** ≥ the distance of any two entries of one column: the offsets of one head in a table of positions. */
  readonly columnSpread: number;
  /** Of a convolution's kernel, by its taps. */
  readonly kernel?: KernelFacts;
}

/** `together`: how many kernels read one channel (the multiplier of a depthwise convolution); 1 for ordinary kernels. */
export interface KernelFacts {
  /** ≥ ‖W_t‖₂ for every tap t, row-major. */
  taps(together: number): readonly number[];
  /** ≥ the l2 norm of the circular convolution with stride 1 on a torus with these positions along each axis. */
  circular(torus: readonly number[], dilation: number, together: number): number;
  /** ≥ the l2 norm of the convolution on a map of these positions, as it slides over it; ∞ where the map is too large. */
  onMap(positions: readonly number[], sliding: Sliding, together: number): number;
}

/** How a kernel slides over a map, the same along each axis. */
export interface Sliding {
  readonly stride: number;
  /** Zeros on each side. */
  readonly padding: number;
  readonly dilation: number;
}

/** Proven norms of a matrix that acts on tokens. */
export interface MatrixNorms {
  readonly spectral: number;
  readonly rowSum: number;
  readonly rowNorm: number;
}

/** Gives the norms of a matrix made of stored weights; null where it can't be made (a constrained weight). */
export type MatrixOracle = (matrix: Matrix) => MatrixNorms | null;

/** Gives the facts of a weight in a phase. Tests and the what-if tables pass their own. */
export type WeightOracle = (weight: Weight, phase: Phase) => WeightFacts;

export interface ValueShape {
  readonly shape: Shape;
}
