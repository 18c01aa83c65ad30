/**
 * Sums of products, of which Gram matrices, products and Cholesky's algorithm are made: nearly all of the time that it takes
 * to prove norms. Nine sums at a time stay in registers, and what they read stays in the cache. In which order the terms of
 * a sum are added is left open: every bound of rounding in this folder holds for any order.
 */

/** Rows of numbers, `step` apart; the first begins at `at`. */
export interface Rows {
  readonly entries: Float64Array;
  readonly at: number;
  readonly step: number;
}

/** Rows that are worked on at once, and numbers of each. */
const [band, stretch] = [48, 256];

/** out[i, j] += sign·Σ_c x[i, c]·y[j, c] for i < rows, j < columns, c < count. */
export function addProducts(
  out: Rows,
  [rows, columns, count]: readonly [rows: number, columns: number, count: number],
  x: Rows,
  y: Rows,
  sign: 1 | -1 = 1,
): void {
  const [sums, ys] = [new Float64Array(9), y.entries];
  // Beyond the last row stands the last row again; its sums are not taken.
  const placeOf = ({ at, step }: Rows, row: number, last: number): number => at + Math.min(row, last) * step;
  for (let top = 0; top < rows; top += band) {
    const bottom = Math.min(rows, top + band);
    for (let from = 0; from < count; from += stretch) {
      const length = Math.min(stretch, count - from);
      for (let j = 0; j < columns; j += 3) {
        const y0 = placeOf(y, j, columns - 1) + from;
        const y1 = placeOf(y, j + 1, columns - 1) + from;
        const y2 = placeOf(y, j + 2, columns - 1) + from;
        for (let i = top; i < bottom; i += 3) {
          const x0 = placeOf(x, i, bottom - 1) + from;
          const x1 = placeOf(x, i + 1, bottom - 1) + from;
          const x2 = placeOf(x, i + 2, bottom - 1) + from;
          nineSums(sums, length, x.entries, x0, x1, x2, ys, y0, y1, y2);
          const [down, across] = [Math.min(3, bottom - i), Math.min(3, columns - j)];
          for (let r = 0; r < down; r++) {
            const place = out.at + (i + r) * out.step + j;
            for (let c = 0; c < across; c++) out.entries[place + c] += sign * sums[3 * r + c];
          }
        }
      }
    }
  }
}

/** Of three stretches of x with three of y. Number by number: taken apart from arrays they take 2.5 times as long. */
function nineSums(
  sums: Float64Array,
  length: number,
  x: Float64Array,
  x0: number,
  x1: number,
  x2: number,
  y: Float64Array,
  y0: number,
  y1: number,
  y2: number,
): void {
  let s00 = 0;
  let s01 = 0;
  let s02 = 0;
  let s10 = 0;
  let s11 = 0;
  let s12 = 0;
  let s20 = 0;
  let s21 = 0;
  let s22 = 0;
  for (let c = 0; c < length; c++) {
    const p = x[x0 + c];
    const q = x[x1 + c];
    const r = x[x2 + c];
    const u = y[y0 + c];
    const v = y[y1 + c];
    const w = y[y2 + c];
    s00 += p * u;
    s01 += p * v;
    s02 += p * w;
    s10 += q * u;
    s11 += q * v;
    s12 += q * w;
    s20 += r * u;
    s21 += r * v;
    s22 += r * w;
  }
  sums[0] = s00;
  sums[1] = s01;
  sums[2] = s02;
  sums[3] = s10;
  sums[4] = s11;
  sums[5] = s12;
  sums[6] = s20;
  sums[7] = s21;
  sums[8] = s22;
}

/** The lower triangle of X·Xᵀ, X n × k, its rows one after the other; above it may stand anything. */
export function gramOf(entries: Float64Array, n: number, k: number): Float64Array {
  const gram = new Float64Array(n * n);
  for (let top = 0; top < n; top += band) {
    const bottom = Math.min(n, top + band);
    const x = { entries, at: top * k, step: k };
    const size = [bottom - top, bottom, k] as const;
    addProducts({ entries: gram, at: top * n, step: n }, size, x, { entries, at: 0, step: k });
  }
  return gram;
}

/** Cholesky's algorithm in place on the lower triangle of an n × n matrix: whether every pivot is positive. */
export function choleskyEnds(m: Float64Array, n: number): boolean {
  const rowsFrom = (row: number, column: number) => ({ entries: m, at: row * n + column, step: n });
  for (let left = 0; left < n; left += band) {
    const right = Math.min(n, left + band);
    // What the columns before take from these; then these among themselves.
    addProducts(
      rowsFrom(left, left),
      [n - left, right - left, left],
      rowsFrom(left, 0),
      rowsFrom(left, 0),
      -1,
    );
    for (let i = left; i < n; i++) {
      const row = i * n;
      for (let j = left; j < Math.min(i, right); j++) {
        const other = j * n;
        let sum = 0;
        for (let c = left; c < j; c++) sum += m[row + c] * m[other + c];
        m[row + j] = (m[row + j] - sum) / m[other + j];
      }
      if (i >= right) continue;
      let sum = 0;
      for (let c = left; c < i; c++) sum += m[row + c] ** 2;
      const pivot = m[row + i] - sum;
      if (!(pivot > 0)) return false;
      m[row + i] = Math.sqrt(pivot);
    }
  }
  return true;
}
