/** Sliding windows: shapes, how often a position is read, how many positions a window reads (docs/gains.md, "Conv"). */
import type { Shape } from "./gains.ts";
import { int, type Check } from "./rule.ts";

export type Windows = {
  readonly kernel: number;
  readonly stride: number;
  readonly padding: number;
  readonly dilation: number;
};

export const windowChecks: { readonly [key in keyof Windows]: Check } = {
  kernel: int(1),
  stride: int(1),
  padding: int(0),
  dilation: int(1),
};

function count(size: number, { kernel, stride, padding, dilation }: Windows): number {
  return Math.floor((size + 2 * padding - (kernel - 1) * dilation - 1) / stride) + 1;
}

/** Positions of the output; null where the shape has no position axes or a window doesn't fit. */
export function slid(shape: Shape, w: Windows): Shape | null {
  if (shape.length < 2 || shape.length > 3) return null;
  const positions = shape.slice(0, -1).map((size) => count(size, w));
  return positions.every((n) => n >= 1) ? positions : null;
}

const gcd = (a: number, b: number): number => (b === 0 ? a : gcd(b, a % b));

/** Along one axis: ⌈k·g/s⌉ windows at most read one position, g = gcd(stride, dilation). */
export function reads(size: number, w: Windows): number {
  return Math.min(Math.ceil((w.kernel * gcd(w.stride, w.dilation)) / w.stride), count(size, w));
}
/** Along one axis: positions that one window reads at most. */
export function taps(size: number, w: Windows): number {
  return Math.min(w.kernel, size);
}
/** Product over the position axes. */
export function over(shape: Shape, n: (size: number) => number): number {
  return shape.slice(0, -1).reduce((all, size) => all * n(size), 1);
}

/** Along one axis: the positions inside of the map that each window reads. */
export function insides(size: number, w: Windows): readonly number[] {
  return Array.from({ length: count(size, w) }, (_, o) => {
    const first = o * w.stride - w.padding;
    return Math.min(size, first + w.kernel) - Math.max(0, first);
  });
}

/** Taps by the residue of their position modulo the stride, for kernels over one or two axes: lists of tap numbers. */
export function classesOf(
  axes: number,
  { kernel, stride, dilation }: Windows,
): readonly (readonly number[])[] {
  const classes = new Map<string, number[]>();
  for (let tap = 0; tap < kernel ** axes; tap++) {
    const places = axes === 1 ? [tap] : [Math.floor(tap / kernel), tap % kernel];
    const key = places.map((i) => (i * dilation) % stride).join();
    classes.set(key, [...(classes.get(key) ?? []), tap]);
  }
  return [...classes.values()];
}
