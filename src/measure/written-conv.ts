/**
 * Norms of convolutions on the map they are used on: written out as a matrix, with their stride and their zeros around the
 * map. What the frequencies of a torus don't see, the border, is up to a tenth of the norm on small maps.
 */
import type { Sliding } from "../gain/facts.ts";
import { spectralNormUpper } from "../gain/spectral.ts";
import { maxUp } from "../gain/up.ts";
import type { Taps } from "./symbol.ts";

/** Multiply-adds that one kernel's matrix may cost, and the matrices of all channels of a depthwise one, and its numbers. */
const budget = 3.2e10;
const depthwiseBudget = 2e9;
const numbers = 2 ** 25;

/** Kernels (out, in, taps) over a map of rows × columns positions. */
export interface OnMap {
  readonly taps: Taps;
  readonly map: readonly [rows: number, columns: number];
  readonly sliding: Sliding;
}

/**
 * ≥ the l2 norm of an ordinary convolution (out, in, taps); ∞ where that would cost too much.
 * Its matrix has an entry of the kernel, unchanged, where output o reads position o·stride + t·dilation − padding by the
 * tap t, else 0, so that the bound is `spectralNormUpper`'s alone.
 */
export function writtenNorm(kernel: ArrayLike<number>, out: number, inner: number, where: OnMap): number {
  return !(costOf(out, inner, where) <= budget) ? Infinity : normOf(kernel, 0, out, inner, where);
}

/** The same of a depthwise convolution: `together` kernels read one channel, and channels don't mix. */
export function writtenDepthwiseNorm(kernel: ArrayLike<number>, together: number, where: OnMap): number {
  const size = together * where.taps.height * where.taps.width;
  if (!((kernel.length / size) * costOf(together, 1, where) <= depthwiseBudget)) return Infinity;
  let largest = 0;
  for (let from = 0; from < kernel.length; from += size)
    largest = maxUp(largest, normOf(kernel, from, together, 1, where));
  return largest;
}

/** Outputs along rows and columns. */
function outputsOf({
  taps: { height, width },
  map,
  sliding: { stride, padding, dilation },
}: OnMap): [number, number] {
  const along = (size: number, taps: number, pad: number): number =>
    Math.max(0, Math.floor((size + 2 * pad - (taps - 1) * dilation - 1) / stride) + 1);
  // A sequence is a map of one row, and nothing is padded above it.
  return [along(map[0], height, map[0] === 1 && height === 1 ? 0 : padding), along(map[1], width, padding)];
}

/** Gram matrix and Cholesky factors of the shorter side. */
function costOf(out: number, inner: number, where: OnMap): number {
  const [rows, columns] = outputsOf(where);
  const sides = [out * rows * columns, inner * where.map[0] * where.map[1]];
  if (sides[0] * sides[1] > numbers) return Infinity;
  return Math.min(...sides) ** 2 * Math.max(...sides);
}

function normOf(kernel: ArrayLike<number>, from: number, out: number, inner: number, where: OnMap): number {
  const { taps, map, sliding } = where;
  const [rows, columns] = outputsOf(where);
  const [outputs, positions] = [rows * columns, map[0] * map[1]];
  const matrix = new Float64Array(out * outputs * inner * positions);
  const above = map[0] === 1 && taps.height === 1 ? 0 : sliding.padding;
  for (let oy = 0; oy < rows; oy++)
    for (let ty = 0; ty < taps.height; ty++) {
      const y = oy * sliding.stride + ty * sliding.dilation - above;
      if (y < 0 || y >= map[0]) continue;
      for (let ox = 0; ox < columns; ox++)
        for (let tx = 0; tx < taps.width; tx++) {
          const x = ox * sliding.stride + tx * sliding.dilation - sliding.padding;
          if (x < 0 || x >= map[1]) continue;
          for (let o = 0; o < out; o++)
            for (let i = 0; i < inner; i++) {
              const row = o * outputs + oy * columns + ox;
              const tap = ((o * inner + i) * taps.height + ty) * taps.width + tx;
              matrix[(row * inner + i) * positions + y * map[1] + x] = kernel[from + tap];
            }
        }
    }
  return spectralNormUpper(matrix, out * outputs, inner * positions);
}
