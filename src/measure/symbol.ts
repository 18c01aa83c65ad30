/**
 * Norms of convolutions over frequencies. The symbol of a kernel is F(θ) = Σ_t W_t e^{iθ·t}; the stride-1 convolution
 * on a torus of N positions per axis is block diagonal in the Fourier basis with blocks F(2πj/N), so its l2 norm is
 * the largest ‖F‖₂ over that grid. A zero-padded convolution is a compression of it, and a stride leaves outputs out
 * (docs/gains.md, "Conv").
 *
 * Where the torus has too many frequencies to be worth it, a coarser grid of M > k − 1 points per axis bounds ‖F‖₂
 * everywhere: by at most 1/cos(π(k − 1)/(2M)) per axis above the largest value on the grid. Proof: for unit u, v the
 * function |uᴴF(θ)v| of one axis is the modulus of a trigonometric polynomial of degree m = (k − 1)/2 (after a shift of
 * the exponents; half integers by θ = 2φ). Turn it so that its maximum 1 at θ* is real, T its real part. Bernstein and
 * Szegő: T'² + m²T² ≤ m², so arccos T has slope ≤ m and T(θ) ≥ cos(m|θ − θ*|) for |θ − θ*| ≤ π/m. A grid point lies
 * within π/M. One axis after the other.
 *
 * Rounding: phases are off by at most 43u, each of the two nested sums by a few γ_k (complex); altogether less than
 * (200 + 16(k_h + k_w + 8))·u times Σ_t|w_t|, entry by entry.
 */
import { spectralNormUpper } from "../gain/spectral.ts";
import { addUp, divUp, hypotUp, maxUp, minBound, mulUp, nextDown, sqrtUp } from "../gain/up.ts";
import { frobeniusNorm, oneNorm, roundoff } from "../rounding/sums.ts";

/** Taps along rows and columns; 1 × k for sequences. */
export interface Taps {
  readonly height: number;
  readonly width: number;
}

export function tapsOf(shape: readonly number[]): Taps {
  return shape.length === 3 ? { height: 1, width: shape[2] } : { height: shape[2], width: shape[3] };
}

/** A torus of one or two axes as one of two. */
export function onMap(torus: readonly number[]): readonly [rows: number, columns: number] {
  return torus.length === 1 ? [1, torus[0]] : [torus[0], torus[1]];
}

/** Multiply-adds that an ordinary convolution's frequencies may cost. */
const budget = 4e9;

/** e^{2πi·f·t·dilation/points} for every frequency and tap. */
interface Phases {
  readonly count: number;
  readonly taps: number;
  readonly cos: Float64Array;
  readonly sin: Float64Array;
}

function phases(points: number, taps: number, dilation: number): Phases {
  const cos = new Float64Array(points * taps);
  const sin = new Float64Array(points * taps);
  for (let f = 0; f < points; f++) {
    for (let t = 0; t < taps; t++) {
      const angle = (2 * Math.PI * ((f * t * dilation) % points)) / points;
      // trust: T2
      cos[f * taps + t] = Math.cos(angle);
      sin[f * taps + t] = Math.sin(angle);
    }
  }
  return { count: points, taps, cos, sin };
}

function rounding({ height, width }: Taps): number {
  return (200 + 16 * (height + width + 8)) * roundoff;
}

/** Real kernels: F(−θ) is the conjugate of F(θ), so half of the frequencies of one axis suffice. */
function half(points: number): number {
  return Math.floor(points / 2) + 1;
}

/** ≥ the l2 norm of a depthwise convolution on the torus rows × columns: channels don't mix, so the largest of one. */
export function depthwiseNorm(
  kernel: ArrayLike<number>,
  taps: Taps,
  torus: readonly [rows: number, columns: number],
  dilation: number,
  together: number,
): number {
  return maxUp(...channelNorms(kernel, taps, torus, dilation, together));
}

/** ≥ the l2 norm of each channel's convolution; `together` kernels that read one channel add in squares. */
export function channelNorms(
  kernel: ArrayLike<number>,
  taps: Taps,
  torus: readonly [rows: number, columns: number],
  dilation: number,
  together: number,
): readonly number[] {
  const { height, width } = taps;
  const size = height * width;
  const down = phases(torus[0], height, dilation);
  const across = phases(torus[1], width, dilation);
  const share = rounding(taps);
  const frequencies = half(torus[1]);
  const squares = new Float64Array(torus[0] * frequencies);
  const norms: number[] = [];
  for (let first = 0; first < kernel.length; first += size * together) {
    squares.fill(0);
    let error = 0;
    let sums = 0;
    for (let j = 0; j < together; j++) {
      addSquares(kernel, first + j * size, down, across, frequencies, squares);
      const sum = oneNorm(kernel, first + j * size, size);
      error = addUp(error, mulUp(share, sum));
      sums = hypotUp(sums, sum);
    }
    let most = 0;
    for (const square of squares) if (!(square <= most)) most = square < Infinity ? square : Infinity;
    // Squares and their sum: γ_{together + 3}, well within the factor.
    const modulus = sqrtUp(mulUp(most, 1 + (together + 8) * 2 ** -51));
    // Squares of numbers below 1e−150 underflow. Young's ‖w‖₁ holds as well, exactly so for a kernel of zeros.
    // trust: T1
    norms.push(minBound(addUp(addUp(modulus, error), 1e-150), sums));
  }
  return norms;
}

/** Adds |ŵ(f)|² of one kernel for every frequency. */
function addSquares(
  w: ArrayLike<number>,
  from: number,
  down: Phases,
  across: Phases,
  frequencies: number,
  squares: Float64Array,
): void {
  const [height, width] = [down.taps, across.taps];
  const re = new Float64Array(height);
  const im = new Float64Array(height);
  for (let fx = 0; fx < frequencies; fx++) {
    for (let ty = 0; ty < height; ty++) {
      let [a, b] = [0, 0];
      for (let tx = 0; tx < width; tx++) {
        const x = w[from + ty * width + tx];
        a += x * across.cos[fx * width + tx];
        b += x * across.sin[fx * width + tx];
      }
      re[ty] = a;
      im[ty] = b;
    }
    for (let fy = 0; fy < down.count; fy++) {
      let [a, b] = [0, 0];
      for (let ty = 0; ty < height; ty++) {
        const [c, s] = [down.cos[fy * height + ty], down.sin[fy * height + ty]];
        a += re[ty] * c - im[ty] * s;
        b += re[ty] * s + im[ty] * c;
      }
      squares[fy * frequencies + fx] += a * a + b * b;
    }
  }
}

/** ≥ the l2 norm of an ordinary convolution (out, in, taps) on the torus; ∞ where that would cost too much. */
export function convolutionNorm(
  kernel: ArrayLike<number>,
  out: number,
  inner: number,
  taps: Taps,
  torus: readonly [rows: number, columns: number],
  dilation: number,
): number {
  const grid = gridOf(out, inner, taps, torus, dilation);
  if (!grid) return Infinity;
  const { height, width } = taps;
  const down = phases(grid.rows, height, grid.dilation);
  const across = phases(grid.columns, width, grid.dilation);
  const count = height * width;
  // The real form [[Re, −Im], [Im, Re]] has the same norm.
  const real = new Float64Array(4 * out * inner);
  let largest = 0;
  for (let fx = 0; fx < half(grid.columns); fx++) {
    for (let fy = 0; fy < grid.rows; fy++) {
      for (let o = 0; o < out; o++) {
        for (let i = 0; i < inner; i++) {
          const [a, b] = entry(kernel, (o * inner + i) * count, down, across, fy, fx);
          real[o * 2 * inner + i] = a;
          real[o * 2 * inner + inner + i] = -b;
          real[(out + o) * 2 * inner + i] = b;
          real[(out + o) * 2 * inner + inner + i] = a;
        }
      }
      largest = maxUp(largest, spectralNormUpper(real, 2 * out, 2 * inner));
    }
  }
  // Entry by entry share·Σ_t|w_t| ≤ share·√taps·(Σ_t w_t²)^½; as a real matrix each entry stands twice.
  const error = mulUp(mulUp(2 * rounding(taps), sqrtUp(count)), frobeniusNorm(kernel));
  return mulUp(grid.between, addUp(largest, error));
}

function entry(
  w: ArrayLike<number>,
  from: number,
  down: Phases,
  across: Phases,
  fy: number,
  fx: number,
): readonly [re: number, im: number] {
  const [height, width] = [down.taps, across.taps];
  let [re, im] = [0, 0];
  for (let ty = 0; ty < height; ty++) {
    let [a, b] = [0, 0];
    for (let tx = 0; tx < width; tx++) {
      const x = w[from + ty * width + tx];
      a += x * across.cos[fx * width + tx];
      b += x * across.sin[fx * width + tx];
    }
    const [c, s] = [down.cos[fy * height + ty], down.sin[fy * height + ty]];
    re += a * c - b * s;
    im += a * s + b * c;
  }
  return [re, im];
}

interface Grid {
  readonly rows: number;
  readonly columns: number;
  readonly dilation: number;
  /** How far ‖F‖₂ may rise between the points, as a factor; 1 where the grid is the torus. */
  readonly between: number;
}

/** The torus where it is affordable, else as many points as are. Off the torus the dilation doesn't matter: θ' = δθ. */
function gridOf(
  out: number,
  inner: number,
  taps: Taps,
  torus: readonly [number, number],
  dilation: number,
): Grid | null {
  const [short, long] = [Math.min(out, inner), Math.max(out, inner)];
  const count = taps.height * taps.width;
  const each = 4 * short * short * long + 2 * short ** 3 + 200 * short * short + 4 * out * inner * count;
  const costs = (rows: number, columns: number): number => rows * half(columns) * each;
  if (costs(...torus) <= budget) return { rows: torus[0], columns: torus[1], dilation, between: 1 };
  let points = 2 * Math.max(taps.height, taps.width);
  if (costs(taps.height === 1 ? 1 : points, points) > budget) return null;
  while (costs(taps.height === 1 ? 1 : points + 1, points + 1) <= budget && points < 256) points++;
  const rows = taps.height === 1 ? 1 : points;
  const between = divUp(1, mulUpDown(least(taps.height, rows), least(taps.width, points)));
  return { rows, columns: points, dilation: 1, between };
}

/** ≤ cos(π(k − 1)/(2M)). */
function least(taps: number, points: number): number {
  // trust: T2
  return taps === 1 ? 1 : nextDown(Math.cos((Math.PI * (taps - 1)) / (2 * points)) - 2 ** -48);
}

function mulUpDown(a: number, b: number): number {
  return a === 1 ? b : nextDown(a * b);
}
