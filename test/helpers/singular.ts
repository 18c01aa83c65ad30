/** Singular values in float64 by one-sided Jacobi rotations: what bounds are compared with. */

/** Of a rows × columns matrix, largest first; min(rows, columns) of them, with relative accuracy. */
export function singularValues(entries: ArrayLike<number>, rows: number, columns: number): number[] {
  // Columns of the tall orientation, scaled so that squares neither overflow nor vanish.
  const count = Math.min(rows, columns);
  const length = Math.max(rows, columns);
  let largest = 0;
  for (let k = 0; k < rows * columns; k++) largest = Math.max(largest, Math.abs(entries[k]));
  if (!(largest > 0)) return new Array<number>(count).fill(largest);
  const at = (i: number, j: number): number =>
    rows >= columns ? entries[i * columns + j] : entries[j * columns + i];
  const v = Array.from({ length: count }, (_, j) =>
    Float64Array.from({ length }, (_, i) => at(i, j) / largest),
  );
  for (let sweep = 0, off = 1; sweep < 60 && off > 1e-15; sweep++) {
    off = 0;
    for (let p = 0; p < count; p++)
      for (let q = p + 1; q < count; q++) off = Math.max(off, rotate(v[p], v[q]));
  }
  return v.map((x) => largest * Math.sqrt(dot(x, x))).sort((a, b) => b - a);
}

function dot(a: Float64Array, b: Float64Array): number {
  let s = 0;
  for (let i = 0; i < a.length; i++) s += a[i] * b[i];
  return s;
}

/** Makes two columns orthogonal; gives the cosine of their angle before. */
function rotate(a: Float64Array, b: Float64Array): number {
  const [aa, bb, ab] = [dot(a, a), dot(b, b), dot(a, b)];
  if (ab === 0) return 0;
  const zeta = (bb - aa) / (2 * ab);
  const t = Math.sign(zeta || 1) / (Math.abs(zeta) + Math.hypot(1, zeta));
  const c = 1 / Math.hypot(1, t);
  for (let i = 0; i < a.length; i++) {
    const [x, y] = [a[i], b[i]];
    a[i] = c * (x - t * y);
    b[i] = c * (y + t * x);
  }
  return Math.abs(ab) / Math.sqrt(aa * bb);
}
