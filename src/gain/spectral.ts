/**
 * Proven upper bounds of ‖W‖₂ from the entries of a matrix, in float64 with every rounding error counted.
 *
 * Both methods work on the Gram matrix G of the shorter side, ‖G‖₂ = ‖W‖₂², after an exact scaling by a power of two.
 * `spectralNormUpper` proves s·I − G ⪰ 0 by a Cholesky factorisation that runs to its end (Rump 2006, BIT 46:433), for
 * an s just above a Lanczos estimate: tight to about 1e-6, one Gram product. Where that doesn't succeed, `gramIteration`
 * (Delattre et al. 2023, arXiv 2305.16173, with the errors of docs/gains.md carried backward) bounds any matrix.
 */
import { addUp, divUp, mulUp, sqrtUp, subDown } from "./up.ts";

/** Unit roundoff of float64, and the largest error of one operation that underflows. */
const u = 2 ** -53;
const underflow = 2 ** -1074;

/** γ_k = ku/(1 − ku), rounded up; ∞ beyond its range. */
function gamma(k: number): number {
  const ku = mulUp(k, u);
  return ku < 0.5 ? divUp(ku, subDown(1, ku)) : Infinity;
}

/** A matrix stored by its vectors (rows of length `length`, `count` ≤ `length` of them), max|·| in [½, 1) after scaling. */
interface Vectors {
  readonly data: Float64Array;
  readonly count: number;
  readonly length: number;
}

/** ≥ ‖W‖₂ of the row-major rows × columns matrix. A number that is not finite gives ∞. */
export function spectralNormUpper(w: ArrayLike<number>, rows: number, columns: number): number {
  const scaled = scaledVectors(w, rows, columns);
  if (typeof scaled === "number") return scaled;
  const { vectors, exponent } = scaled;
  const gram = gramOf(vectors);
  const error = gramError(vectors);
  const estimate = largestRitzValue(gram, vectors.count);
  for (let slack = 2 ** -20; slack < 0.1; slack *= 8) {
    const bound = provenAbove(gram, vectors.count, estimate * (1 + slack));
    if (bound < Infinity) return scaleBack(sqrtUp(addUp(bound, error)), vectors, exponent);
  }
  return scaleBack(iterate(vectors, 10), vectors, exponent);
}

/** ≥ ‖W‖₂ by K squarings of the Gram matrix: the bound exceeds ‖W‖₂ by a factor of at most about n^(1/2^(K+1)). */
export function gramIteration(w: ArrayLike<number>, rows: number, columns: number, squarings = 10): number {
  const scaled = scaledVectors(w, rows, columns);
  return typeof scaled === "number"
    ? scaled
    : scaleBack(iterate(scaled.vectors, squarings), scaled.vectors, scaled.exponent);
}

function scaleBack(norm: number, { count, length }: Vectors, exponent: number): number {
  // Entries that underflowed in the scaling lost at most 2^−1074 each.
  const bound = addUp(norm, mulUp(count * length, underflow));
  // Two steps, since 2^exponent alone may overflow.
  const half = Math.trunc(exponent / 2);
  const value = mulUp(mulUp(bound, 2 ** half), 2 ** (exponent - half));
  return Number.isFinite(value) ? value : Infinity;
}

/** The shorter side's vectors, scaled by 2^−exponent; or the bound itself for zero and for what is not finite. */
function scaledVectors(
  w: ArrayLike<number>,
  rows: number,
  columns: number,
): { vectors: Vectors; exponent: number } | number {
  let largest = 0;
  for (let i = 0; i < rows * columns; i++) {
    const size = Math.abs(w[i]);
    if (!(size < Infinity)) return Infinity;
    if (size > largest) largest = size;
  }
  if (largest === 0) return 0;
  let exponent = Math.floor(Math.log2(largest)) + 1;
  if (largest >= 2 ** Math.min(exponent, 1023) && exponent <= 1023) exponent++;
  const half = Math.trunc(exponent / 2);
  const first = 2 ** -half;
  const second = 2 ** -(exponent - half);
  const flip = columns < rows;
  const count = flip ? columns : rows;
  const length = flip ? rows : columns;
  const data = new Float64Array(rows * columns);
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < columns; j++)
      data[flip ? j * rows + i : i * columns + j] = w[i * columns + j] * first * second;
  }
  return { vectors: { data, count, length }, exponent };
}

/** All inner products, symmetric, row-major. Four by four at a time, in blocks of the inner index. */
function gramOf({ data: v, count: n, length: p }: Vectors): Float64Array {
  const g = new Float64Array(n * n);
  const whole = n - (n % 4);
  for (let from = 0; from < p; from += 256) {
    const to = Math.min(p, from + 256);
    for (let i = 0; i < whole; i += 4) {
      for (let j = 0; j <= i; j += 4) gramTile(v, g, n, p, i, j, from, to);
    }
    for (let i = whole; i < n; i++) {
      for (let j = 0; j <= i; j++) {
        let s = 0;
        for (let k = from; k < to; k++) s += v[i * p + k] * v[j * p + k];
        g[i * n + j] += s;
      }
    }
  }
  for (let i = 0; i < n; i++) for (let j = 0; j < i; j++) g[j * n + i] = g[i * n + j];
  return g;
}

function gramTile(
  v: Float64Array,
  g: Float64Array,
  n: number,
  p: number,
  i: number,
  j: number,
  from: number,
  to: number,
) {
  let s00 = 0,
    s01 = 0,
    s02 = 0,
    s03 = 0;
  let s10 = 0,
    s11 = 0,
    s12 = 0,
    s13 = 0;
  let s20 = 0,
    s21 = 0,
    s22 = 0,
    s23 = 0;
  let s30 = 0,
    s31 = 0,
    s32 = 0,
    s33 = 0;
  const a = i * p;
  const b = j * p;
  for (let k = from; k < to; k++) {
    const x0 = v[a + k],
      x1 = v[a + p + k],
      x2 = v[a + 2 * p + k],
      x3 = v[a + 3 * p + k];
    const y0 = v[b + k],
      y1 = v[b + p + k],
      y2 = v[b + 2 * p + k],
      y3 = v[b + 3 * p + k];
    s00 += x0 * y0;
    s01 += x0 * y1;
    s02 += x0 * y2;
    s03 += x0 * y3;
    s10 += x1 * y0;
    s11 += x1 * y1;
    s12 += x1 * y2;
    s13 += x1 * y3;
    s20 += x2 * y0;
    s21 += x2 * y1;
    s22 += x2 * y2;
    s23 += x2 * y3;
    s30 += x3 * y0;
    s31 += x3 * y1;
    s32 += x3 * y2;
    s33 += x3 * y3;
  }
  const o = i * n + j;
  g[o] += s00;
  g[o + 1] += s01;
  g[o + 2] += s02;
  g[o + 3] += s03;
  g[o + n] += s10;
  g[o + n + 1] += s11;
  g[o + n + 2] += s12;
  g[o + n + 3] += s13;
  g[o + 2 * n] += s20;
  g[o + 2 * n + 1] += s21;
  g[o + 2 * n + 2] += s22;
  g[o + 2 * n + 3] += s23;
  g[o + 3 * n] += s30;
  g[o + 3 * n + 1] += s31;
  g[o + 3 * n + 2] += s32;
  g[o + 3 * n + 3] += s33;
}

/** ≥ ‖·‖_F² of these numbers: a plain sum, and the error that its n additions can have made. */
function squaredNormUpper(data: Float64Array): number {
  let s = 0;
  for (const x of data) s += x * x;
  // Σx² ≤ fl(Σx²)·(1 + 2γ) for γ ≤ ½, plus what underflowed.
  const factor = addUp(1, mulUp(2, gamma(data.length + 1)));
  return addUp(mulUp(s, factor), mulUp(data.length, underflow));
}

/** ≥ ‖fl(G) − G‖₂: γ_{p+2}·‖|V||V|ᵀ‖₂ ≤ γ_{p+2}·‖V‖_F² for any order of summation, plus underflow. */
function gramError(vectors: Vectors): number {
  const { count: n, length: p } = vectors;
  return addUp(mulUp(gamma(p + 2), squaredNormUpper(vectors.data)), mulUp(n * n * p, underflow));
}

/**
 * ≥ λmax(G) if the Cholesky factorisation of fl(s·I − G) ends with positive pivots, else ∞.
 * A computed factor R has RᵀR = A + Δ with ‖Δ‖₂ ≤ γ/(1−γ)·tr A, γ = γ_{n+1} (Higham 2002, theorem 10.3 and (10.7)).
 */
function provenAbove(g: Float64Array, n: number, s: number): number {
  const r = new Float64Array(n * n);
  let trace = 0;
  let largest = 0;
  for (let i = 0; i < n; i++) {
    const row = i * n;
    for (let j = 0; j <= i; j++) {
      const other = j * n;
      const entry = i === j ? s - g[row + i] : -g[row + j];
      let s0 = 0;
      let s1 = 0;
      let k = 0;
      for (; k + 1 < j; k += 2) {
        s0 += r[row + k] * r[other + k];
        s1 += r[row + k + 1] * r[other + k + 1];
      }
      if (k < j) s0 += r[row + k] * r[other + k];
      const rest = entry - (s0 + s1);
      if (i !== j) {
        r[row + j] = rest / r[other + j];
        continue;
      }
      if (!(rest > 0) || !(entry > 0)) return Infinity;
      r[row + i] = Math.sqrt(rest);
      trace = addUp(trace, entry);
      largest = Math.max(largest, entry);
    }
  }
  const part = gamma(n + 2);
  const factorError = mulUp(divUp(part, subDown(1, part)), trace);
  const tiny = mulUp(4 * n * (n + 2), underflow);
  // The diagonal's own subtraction was rounded too.
  const bound = addUp(addUp(addUp(s, factorError), mulUp(2 * u, largest)), tiny);
  return Number.isNaN(bound) ? Infinity : bound;
}

/** Lower estimate of λmax by Lanczos with full reorthogonalisation; only a guess, nothing rests on it. */
function largestRitzValue(g: Float64Array, n: number): number {
  const steps = Math.min(n, 40);
  const basis: Float64Array[] = [];
  const alpha: number[] = [];
  const beta: number[] = [];
  // A fixed start without structure.
  let q = Float64Array.from({ length: n }, (_, i) => Math.sin(12.9898 * (i + 1)) + 0.1);
  normalise(q);
  for (let step = 0; step < steps; step++) {
    basis.push(q);
    const next = new Float64Array(n);
    for (let i = 0; i < n; i++) {
      let s = 0;
      for (let j = 0; j < n; j++) s += g[i * n + j] * q[j];
      next[i] = s;
    }
    alpha.push(dot(next, q));
    for (let twice = 0; twice < 2; twice++) {
      for (const b of basis) {
        const c = dot(next, b);
        for (let i = 0; i < n; i++) next[i] -= c * b[i];
      }
    }
    const length = normalise(next);
    if (!(length > 1e-13 * Math.abs(alpha[0]))) break;
    beta.push(length);
    q = next;
  }
  return largestOfTridiagonal(alpha, beta);
}

function dot(x: Float64Array, y: Float64Array): number {
  let s = 0;
  for (let i = 0; i < x.length; i++) s += x[i] * y[i];
  return s;
}

function normalise(x: Float64Array): number {
  const length = Math.sqrt(dot(x, x));
  if (length > 0) for (let i = 0; i < x.length; i++) x[i] /= length;
  return length;
}

/** Bisection on the count of negative pivots (Sturm). */
function largestOfTridiagonal(alpha: readonly number[], beta: readonly number[]): number {
  let low = Math.max(...alpha);
  let high = low + 2 * beta.reduce((a, b) => Math.max(a, b), 0) + Number.MIN_VALUE;
  for (let round = 0; round < 60 && high - low > 1e-15 * high; round++) {
    const middle = (low + high) / 2;
    let pivot = 1;
    const below = alpha.every((a, i) => {
      pivot = middle - a - (i === 0 ? 0 : beta[i - 1] ** 2 / pivot);
      return pivot > 0;
    });
    if (below) high = middle;
    else low = middle;
  }
  return low;
}

/** Gram iteration on scaled vectors; docs/gains.md proves the backward pass. */
function iterate(vectors: Vectors, squarings: number): number {
  const trail: { error: number; exponent: number; extra: number }[] = [];
  let current = vectors;
  let top = -1;
  for (let i = 0; i < squarings; i++) {
    const gram = gramOf(current);
    const error = gramError(current);
    let largest = 0;
    for (const x of gram) largest = Math.max(largest, Math.abs(x));
    if (largest === 0) {
      trail.push({ error, exponent: 0, extra: 0 });
      top = 0;
      break;
    }
    const exponent = Math.floor(Math.log2(largest)) + 1;
    const factor = 2 ** -exponent;
    for (let k = 0; k < gram.length; k++) gram[k] *= factor;
    // Entries that underflow in the scaling, at most half the smallest number each.
    trail.push({ error, exponent, extra: mulUp(current.count, underflow) });
    current = { data: gram, count: current.count, length: current.count };
  }
  let bound = top === 0 ? 0 : sqrtUp(squaredNormUpper(current.data));
  for (const { error, exponent, extra } of trail.reverse()) {
    bound = sqrtUp(addUp(mulUp(2 ** exponent, addUp(bound, extra)), error));
  }
  return bound;
}
