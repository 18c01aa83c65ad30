/**
 * Proven upper bounds of ‖W‖₂ from the entries of a matrix, in float64 with every rounding error counted.
 *
 * Both methods work on the Gram matrix G of the shorter side, ‖G‖₂ = ‖W‖₂², after an exact scaling by a power of two.
 * `spectralNormUpper` proves s·I − G ⪰ 0 by a Cholesky factorisation that runs to its end (Rump 2006, BIT 46:433), for
 * an s just above a Lanczos estimate: tight to about 1e-6, one Gram product. Where that doesn't succeed, `gramIteration`
 * (Delattre et al. 2023, arXiv 2305.16173, with the errors of docs/gains.md carried backward) bounds any matrix.
 */
import { addInnerProducts } from "./products.ts";
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
  // Any power of two is a sound scale. trust: T3
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

/** All inner products, symmetric, row-major. */
function gramOf({ data, count: n, length: p }: Vectors): Float64Array {
  const g = new Float64Array(n * n);
  addInnerProducts({ data: g, at: 0, stride: n }, { data, at: 0, stride: p }, n, p);
  for (let i = 0; i < n; i++) for (let j = 0; j < i; j++) g[j * n + i] = g[i * n + j];
  return g;
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

/** Columns of the Cholesky factor that are made together. */
const columnsAtOnce = 32;

/**
 * ≥ λmax(G) if the Cholesky factorisation of fl(s·I − G) ends with positive pivots, else ∞.
 * A computed factor R has RᵀR = A + Δ with ‖Δ‖₂ ≤ γ/(1−γ)·tr A, γ = γ_{n+1}, whatever the order of its sums (Higham 2002,
 * theorem 10.3 and (10.7), lemma 8.4).
 */
function provenAbove(g: Float64Array, n: number, s: number): number {
  const r = new Float64Array(n * n);
  let trace = 0;
  let largest = 0;
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < i; j++) r[i * n + j] = -g[i * n + j];
    const entry = s - g[i * n + i];
    if (!(entry > 0)) return Infinity;
    r[i * n + i] = entry;
    trace = addUp(trace, entry);
    largest = Math.max(largest, entry);
  }
  // A block of columns at a time; then its products are taken from all that is right of it.
  for (let from = 0; from < n; from += columnsAtOnce) {
    const to = Math.min(n, from + columnsAtOnce);
    if (!factorColumns(r, n, from, to)) return Infinity;
    const rest = { data: r, at: to * n + to, stride: n };
    addInnerProducts(rest, { data: r, at: to * n + from, stride: n }, n - to, to - from, -1);
  }
  const part = gamma(n + 2);
  const factorError = mulUp(divUp(part, subDown(1, part)), trace);
  const tiny = mulUp(4 * n * (n + 2), underflow);
  // The diagonal's own subtraction was rounded too.
  const bound = addUp(addUp(addUp(s, factorError), mulUp(2 * u, largest)), tiny);
  return Number.isNaN(bound) ? Infinity : bound;
}

/** Columns from … to of the factor, from what is left of A there; false at a pivot that isn't positive. */
function factorColumns(r: Float64Array, n: number, from: number, to: number): boolean {
  for (let i = from; i < n; i++) {
    const row = i * n;
    for (let j = from; j < to && j <= i; j++) {
      const other = j * n;
      let sum = 0;
      for (let k = from; k < j; k++) sum += r[row + k] * r[other + k];
      const rest = r[row + j] - sum;
      if (i !== j) r[row + j] = rest / r[other + j];
      else if (rest > 0) r[row + i] = Math.sqrt(rest);
      else return false;
    }
  }
  return true;
}

/** Lower estimate of λmax by Lanczos with full reorthogonalisation; only a guess, nothing rests on it. */
function largestRitzValue(g: Float64Array, n: number): number {
  const steps = Math.min(n, 40);
  const basis: Float64Array[] = [];
  const alpha: number[] = [];
  const beta: number[] = [];
  // A fixed start without structure.
  // A start for an estimate. trust: T3
  let q = Float64Array.from({ length: n }, (_, i) => Math.sin(12.9898 * (i + 1)) + 0.1);
  normalise(q);
  for (let step = 0; step < steps; step++) {
    basis.push(q);
    const next = symmetricProduct(g, n, q);
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

/** Gq, four rows at a time: their sums don't wait for each other. */
function symmetricProduct(g: Float64Array, n: number, q: Float64Array): Float64Array<ArrayBuffer> {
  const out = new Float64Array(n);
  let i = 0;
  for (; i + 3 < n; i += 4) {
    const [a, b, c, d] = [i * n, (i + 1) * n, (i + 2) * n, (i + 3) * n];
    let s0 = 0;
    let s1 = 0;
    let s2 = 0;
    let s3 = 0;
    for (let j = 0; j < n; j++) {
      const x = q[j];
      s0 += g[a + j] * x;
      s1 += g[b + j] * x;
      s2 += g[c + j] * x;
      s3 += g[d + j] * x;
    }
    out[i] = s0;
    out[i + 1] = s1;
    out[i + 2] = s2;
    out[i + 3] = s3;
  }
  for (; i < n; i++) for (let j = 0; j < n; j++) out[i] += g[i * n + j] * q[j];
  return out;
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
  // trust: T3
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
    // trust: T3
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
