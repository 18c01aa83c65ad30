/** Matrix products in float64 together with the products of absolute values: one pass over the larger operand. */
import type { Dims, OpAttributes } from "../../graph/graph.ts";
import { broadcastStrides, walk } from "../../graph/primitives/arrays.ts";
import { transposed } from "../../graph/primitives/matmul.ts";
import { sizeOf } from "../../graph/primitives/size.ts";
import type { Value } from "../value.ts";

/** A·B and |A||B|, over leading axes that broadcast. */
export function matrixProducts(
  [a, b]: readonly Value[],
  { transposeA, transposeB }: OpAttributes["matmul"],
  shape: Dims,
): { centre: Float64Array; absolute: Float64Array } {
  const [m, n] = shape.slice(-2);
  const k = a.shape[a.shape.length - (transposeA ? 2 : 1)];
  const lead = shape.slice(0, -2);
  const centre = new Float64Array(sizeOf(shape));
  const absolute = new Float64Array(centre.length);
  const firsts: number[] = [];
  walk(lead, broadcastStrides(a.shape.slice(0, -2), lead), 0, (_, offset) => firsts.push(offset));
  walk(lead, broadcastStrides(b.shape.slice(0, -2), lead), 0, (at, offset) => {
    const left = a.centre.subarray(firsts[at] * m * k, (firsts[at] + 1) * m * k);
    const right = b.centre.subarray(offset * k * n, (offset + 1) * k * n);
    const rows = transposeA ? transposed(left, k, m) : left;
    const to = at * m * n;
    if (transposeB) byRows(rows, right, centre, absolute, to, m, k, n);
    else byColumns(rows, right, centre, absolute, to, m, k, n);
  });
  return { centre, absolute };
}

/** b is n × k: inner products of rows, two rows of b at a time. */
function byRows(
  a: Float64Array,
  b: Float64Array,
  centre: Float64Array,
  absolute: Float64Array,
  to: number,
  m: number,
  k: number,
  n: number,
): void {
  for (let i = 0; i < m; i++) {
    const row = i * k;
    let j = 0;
    for (; j + 1 < n; j += 2) {
      const [p, q] = [j * k, (j + 1) * k];
      let [s, t, us, ut] = [0, 0, 0, 0];
      for (let l = 0; l < k; l++) {
        const x = a[row + l];
        const y = x * b[p + l];
        const z = x * b[q + l];
        s += y;
        us += Math.abs(y);
        t += z;
        ut += Math.abs(z);
      }
      centre[to + i * n + j] = s;
      centre[to + i * n + j + 1] = t;
      absolute[to + i * n + j] = us;
      absolute[to + i * n + j + 1] = ut;
    }
    if (j < n) {
      let [s, us] = [0, 0];
      for (let l = 0; l < k; l++) {
        const y = a[row + l] * b[j * k + l];
        s += y;
        us += Math.abs(y);
      }
      centre[to + i * n + j] = s;
      absolute[to + i * n + j] = us;
    }
  }
}

/** b is k × n: multiples of its rows, four rows of b at a time. */
function byColumns(
  a: Float64Array,
  b: Float64Array,
  centre: Float64Array,
  absolute: Float64Array,
  to: number,
  m: number,
  k: number,
  n: number,
): void {
  for (let i = 0; i < m; i++) {
    const out = to + i * n;
    let l = 0;
    for (; l + 3 < k; l += 4) {
      const at = i * k + l;
      const p = a[at];
      const q = a[at + 1];
      const r = a[at + 2];
      const s = a[at + 3];
      const row = l * n;
      for (let j = row; j < row + n; j++) {
        const t = p * b[j];
        const u = q * b[j + n];
        const v = r * b[j + 2 * n];
        const w = s * b[j + 3 * n];
        centre[out + j - row] += t + u + (v + w);
        absolute[out + j - row] += Math.abs(t) + Math.abs(u) + (Math.abs(v) + Math.abs(w));
      }
    }
    for (; l < k; l++) {
      const x = a[i * k + l];
      const row = l * n;
      for (let j = 0; j < n; j++) {
        const y = x * b[row + j];
        centre[out + j] += y;
        absolute[out + j] += Math.abs(y);
      }
    }
  }
}
