/**
 * Sliding windows along one axis, and along the one or two position axes of a map: for convolutions and
 * pools.
 */
import type { Shape } from "../model/model.ts";
import { showShape } from "./check.ts";
import type { Call } from "./layer.ts";

/**
 * Windows of `kernel` taps, `dilation` apart, every `stride` positions; `padding` positions on both sides.
 */
export type Windows = {
  readonly kernel: number;
  readonly stride: number;
  readonly padding: number;
  readonly dilation: number;
};

/** Positions from the first to the last tap of a window. */
export function reach(w: Windows): number {
  return (w.kernel - 1) * w.dilation + 1;
}

/** Number of windows along an axis of `size` positions. */
export function windowCount(size: number, w: Windows): number {
  return Math.floor((size + 2 * w.padding - reach(w)) / w.stride) + 1;
}

function gcd(a: number, b: number): number {
  return b === 0 ? a : gcd(b, a % b);
}

/**
 * Largest number of windows that read one position: ⌈k·g/s⌉ with g = gcd(stride, dilation), and never more
 * than there are windows. Output o and tap t read position e iff o·s + t·δ = e (up to the padding); that
 * fixes t modulo s/g, and k consecutive taps hold at most ⌈k/(s/g)⌉ of a residue class.
 */
export function mostReads(size: number, w: Windows): number {
  const g = gcd(w.stride, w.dilation);
  return Math.min(Math.ceil((w.kernel * g) / w.stride), windowCount(size, w));
}

/** Largest number of different positions that one window reads. */
export function mostTaps(size: number, w: Windows): number {
  return Math.min(w.kernel, size);
}

/** The positions that each window reads, without those in the padding. */
export function windowPositions(size: number, w: Windows): readonly (readonly number[])[] {
  return Array.from({ length: windowCount(size, w) }, (_, o) => {
    const first = o * w.stride - w.padding;
    const taps = Array.from({ length: w.kernel }, (_, t) => first + t * w.dilation);
    return taps.filter((e) => e >= 0 && e < size);
  });
}

/** Product over the position axes of a [positions…, channels] shape. */
export function overPositions(shape: Shape, count: (size: number) => number): number {
  return shape.slice(0, -1).reduce((product, size) => product * count(size), 1);
}

/** Whether any position is read by more than one window. */
export function overlap(shape: Shape, w: Windows): boolean {
  return overPositions(shape, (size) => mostReads(size, w)) > 1;
}

/** The output's position axes, or undefined after reporting a window that doesn't fit. */
export function slide(call: Call, layer: string, shape: Shape, w: Windows): number[] | undefined {
  const positions = shape.slice(0, -1);
  const tight = positions.find((size) => size + 2 * w.padding < reach(w));
  if (tight !== undefined) {
    const found = showShape(shape);
    call.fail("kernel-too-large", { layer, reach: reach(w), size: tight + 2 * w.padding, found });
    return undefined;
  }
  return positions.map((size) => windowCount(size, w));
}
