/** Small dense linear algebra in float64, for planted truths: exact enough to compare bounds to 1e-12. */
import type { Shape } from "../../src/model/model.ts";
import type { WeightFacts } from "../../src/gain/facts.ts";

/** Largest singular value of a row-major matrix, by one-sided Jacobi rotations (relative error about 1e-15). */
export function spectralNorm(data: ArrayLike<number>, rows: number, columns: number): number {
  return singularValues(data, rows, columns)[0] ?? 0;
}

/** All singular values, largest first. */
export function singularValues(data: ArrayLike<number>, rows: number, columns: number): number[] {
  // Rotate the shorter side's vectors against each other until they are orthogonal; their lengths are the values.
  const transpose = rows < columns;
  const count = transpose ? rows : columns;
  const length = transpose ? columns : rows;
  const at = (vector: number, i: number): number =>
    transpose ? data[vector * columns + i] : data[i * columns + vector];
  const vectors = Array.from({ length: count }, (_, v) => Float64Array.from({ length }, (_, i) => at(v, i)));
  for (let sweep = 0; sweep < 60; sweep++) {
    let largest = 0;
    for (let p = 0; p < count; p++) {
      for (let q = p + 1; q < count; q++) {
        const [a, b] = [vectors[p], vectors[q]];
        const [aa, bb, ab] = [dot(a, a), dot(b, b), dot(a, b)];
        if (ab === 0 || aa === 0 || bb === 0) continue;
        largest = Math.max(largest, Math.abs(ab) / Math.sqrt(aa * bb));
        const zeta = (bb - aa) / (2 * ab);
        const t = Math.sign(zeta || 1) / (Math.abs(zeta) + Math.sqrt(1 + zeta * zeta));
        const c = 1 / Math.sqrt(1 + t * t);
        const s = c * t;
        for (let i = 0; i < length; i++) [a[i], b[i]] = [c * a[i] - s * b[i], s * a[i] + c * b[i]];
      }
    }
    if (largest < 1e-16) break;
  }
  return vectors.map((v) => Math.sqrt(dot(v, v))).sort((a, b) => b - a);
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}

/** The facts of a weight with these entries (nothing is known without entries). */
export function factsOfEntries(shape: Shape, data: ArrayLike<number> | undefined): WeightFacts {
  if (data === undefined) {
    const why = { text: "the test gives no entries", path: null, because: [] };
    const no = Infinity;
    return {
      spectral: no,
      frobenius: no,
      rowSum: no,
      rowNorm: no,
      maxAbs: no,
      low: -no,
      high: no,
      values: null,
      why,
    };
  }
  const [rows = 1, ...rest] = shape;
  const columns = rest.reduce((a, b) => a * b, 1);
  const values = Array.from(data);
  if (values.length !== rows * columns) throw new Error(`${values.length} entries for ${shape.join(" × ")}`);
  const lines = Array.from({ length: rows }, (_, r) => values.slice(r * columns, (r + 1) * columns));
  return {
    spectral: spectralNorm(values, rows, columns),
    frobenius: Math.hypot(...values),
    rowSum: Math.max(...lines.map((line) => line.reduce((a, x) => a + Math.abs(x), 0))),
    rowNorm: Math.max(...lines.map((line) => Math.hypot(...line))),
    maxAbs: Math.max(...values.map(Math.abs)),
    low: Math.min(...values),
    high: Math.max(...values),
    values,
    why: null,
  };
}

/** A rows × columns matrix with orthonormal rows (or columns, whichever are fewer), times `scale`: its norm is `scale`. */
export function isometry(rows: number, columns: number, random: () => number, scale = 1): number[] {
  const short = Math.min(rows, columns);
  const long = Math.max(rows, columns);
  const basis: number[][] = [];
  while (basis.length < short) {
    const v = Array.from({ length: long }, () => normal(random));
    for (let pass = 0; pass < 2; pass++) {
      for (const b of basis) {
        const along = v.reduce((s, x, i) => s + x * b[i], 0);
        for (let i = 0; i < long; i++) v[i] -= along * b[i];
      }
    }
    const size = Math.hypot(...v);
    if (size > 1e-6) basis.push(v.map((x) => x / size));
  }
  const out = new Array<number>(rows * columns);
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < columns; c++)
      out[r * columns + c] = scale * (rows <= columns ? basis[r][c] : basis[c][r]);
  }
  return out;
}

/** A standard normal number. */
export function normal(random: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}

/** Uniform numbers in [0, 1) from a seed (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}
