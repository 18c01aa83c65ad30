/** Positions in attention: the table of relative positions and the angles of rotary ones. */
import type { Partition } from "./regions.ts";

/** Entries of the table of relative positions for one head: (2·rows − 1)(2·columns − 1). */
export function tableLength(p: Partition): number {
  return (2 * p.rows - 1) * (2 * p.columns - 1);
}

/**
 * Row of the table for each (query, key) of a group, row-major: the offset query − key, shifted to start at 0
 * (Liu et al., 2021, arXiv 2103.14030; the layout of the authors' code).
 */
export function relativeIndex(p: Partition): number[] {
  const index: number[] = [];
  const span = 2 * p.columns - 1;
  for (let qi = 0; qi < p.rows; qi++) {
    for (let qj = 0; qj < p.columns; qj++) {
      for (let ki = 0; ki < p.rows; ki++) {
        for (let kj = 0; kj < p.columns; kj++) {
          index.push((qi - ki + p.rows - 1) * span + (qj - kj + p.columns - 1));
        }
      }
    }
  }
  return index;
}

/**
 * Cosines and sines of rotary positions, [tokens, half], half = d_h/2: token t turns channel pair (i, i +
 * half) by t·10000^(−i/half) (Su et al., 2021, arXiv 2104.09864, in the layout that halves the head).
 * Rounded to float32, the stored type, so that bounds and engines speak of the same rotation.
 */
export function rotations(tokens: number, half: number): { cos: Float64Array; sin: Float64Array } {
  const cos = new Float64Array(tokens * half);
  const sin = new Float64Array(tokens * half);
  for (let t = 0; t < tokens; t++) {
    for (let i = 0; i < half; i++) {
      const angle = t * 10000 ** (-i / half);
      // trust: T2, T7
      cos[t * half + i] = Math.fround(Math.cos(angle));
      sin[t * half + i] = Math.fround(Math.sin(angle));
    }
  }
  return { cos, sin };
}

/**
 * ≥ the gain of one stored rotation. A pair (c, s) of float32 is within √2·2⁻²⁵ of the pair (cos, sin) of
 * float64, whose norm is 1 up to 2⁻⁵⁰; [[c, −s], [s, c]] has norm √(c² + s²) ≤ 1 + 2⁻²⁴ + 2⁻⁵⁰ < 1 + 2⁻²².
 */
export const rotationGain = 1 + 2 ** -22;
