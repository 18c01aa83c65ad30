/**
 * Householder QR: turns `count` vectors of `length` ≥ `count` (row after row, spoilt) into orthonormal ones that span the
 * same space, with the signs that make normal vectors uniformly distributed (Mezzadri 2007, arXiv math-ph/0609050).
 */
export function orthonormalColumns(a: Float64Array, count: number, length: number): Float64Array {
  const signs = new Float64Array(count);
  for (let j = 0; j < count; j++) signs[j] = reflectorOf(a, j * length, j, length);
  const q = new Float64Array(count * length);
  for (let j = count - 1; j >= 0; j--) {
    q[j * length + j] = 1;
    for (let k = j; k < count; k++) reflect(a, j * length, q, k * length, j, length);
  }
  for (let j = 0; j < count; j++) {
    if (signs[j] < 0) for (let i = 0; i < length; i++) q[j * length + i] = -q[j * length + i];
  }
  return q;

  /** Makes the reflector of vector j in place (from entry j on, unit length), applies it to later vectors; sign of R_jj. */
  function reflectorOf(data: Float64Array, at: number, j: number, n: number): number {
    let square = 0;
    for (let i = j; i < n; i++) square += data[at + i] * data[at + i];
    const head = data[at + j];
    const norm = Math.sqrt(square);
    // The head moves away from zero, so nothing cancels; R_jj = −sign(head)·norm.
    const shift = head >= 0 ? norm : -norm;
    data[at + j] += shift;
    const size = Math.sqrt(2 * norm * (norm + Math.abs(head)));
    if (size > 0) for (let i = j; i < n; i++) data[at + i] /= size;
    for (let k = j + 1; k < count; k++) reflect(data, at, data, k * n, j, n);
    return -shift;
  }
}

/** x ← x − 2·v·(vᵀx) on entries from `first` on. */
function reflect(
  v: Float64Array,
  vAt: number,
  x: Float64Array,
  xAt: number,
  first: number,
  length: number,
): void {
  let s = 0;
  for (let i = first; i < length; i++) s += v[vAt + i] * x[xAt + i];
  s *= 2;
  for (let i = first; i < length; i++) x[xAt + i] -= s * v[vAt + i];
}
