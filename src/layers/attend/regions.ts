/**
 * Regions: the groups of tokens that attend to each other. Every region kind cuts a value into groups of one
 * size, rows × columns, so that one lowering and one set of rules serve them all.
 */
import type { Shape } from "../../model/model.ts";

export type RegionConfig =
  | { readonly kind: "global" }
  /** size × size windows; the map is rolled by −shift in both directions first, and tokens that the roll brought
   *  together from opposite edges don't see each other (Liu et al., 2021, arXiv 2103.14030, §3.2). */
  | { readonly kind: "windows"; readonly size: number; readonly shift: number }
  /** Bands over the whole map, `width` rows (horizontal) or columns (vertical) each (Dong et al., 2022, arXiv 2107.00652). */
  | { readonly kind: "stripes"; readonly width: number; readonly direction: "horizontal" | "vertical" }
  /** Tokens at the same place of every size × size patch (Mehta and Rastegari, 2022, arXiv 2110.02178: unfolding). */
  | { readonly kind: "grid"; readonly size: number };

/** How a value is cut: `count` groups of `rows` × `columns` tokens. A sequence is one row per token, one column. */
export interface Partition {
  readonly height: number;
  readonly width: number;
  readonly rows: number;
  readonly columns: number;
  /** Tokens of one group lie next to each other (windows, stripes) or a patch apart (grid). */
  readonly spaced: boolean;
  readonly shift: number;
}

/** The partition of a value of this shape; the shape rule has checked that it comes out whole. */
export function partitionOf(over: RegionConfig, shape: Shape): Partition {
  const positions = shape.slice(0, -1);
  const height = positions[0] ?? 1;
  const width = positions[1] ?? 1;
  const whole = { height, width, rows: height, columns: width, spaced: false, shift: 0 };
  switch (over.kind) {
    case "global":
      return whole;
    case "windows":
      return { ...whole, rows: over.size, columns: over.size, shift: over.shift };
    case "stripes":
      return over.direction === "horizontal"
        ? { ...whole, rows: over.width }
        : { ...whole, columns: over.width };
    case "grid":
      return { ...whole, rows: height / over.size, columns: width / over.size, spaced: true };
  }
}

/** Number of groups. */
export function groupsOf(p: Partition): number {
  return (p.height / p.rows) * (p.width / p.columns);
}

/** Tokens of one group. */
export function sizeOf(p: Partition): number {
  return p.rows * p.columns;
}

/** The whole numbers that divide n, in order: the sizes that would tile. */
export function divisors(n: number): number[] {
  const small: number[] = [];
  const large: number[] = [];
  for (let d = 1; d * d <= n; d++) {
    if (n % d !== 0) continue;
    small.push(d);
    if (d * d !== n) large.unshift(n / d);
  }
  return [...small, ...large];
}

/**
 * Which parts of a rolled map a group holds: tokens with different labels came from opposite edges. One list
 * of labels per group, in the order of the groups; null without a shift.
 *
 * After rolling by −s the last s rows (columns) of the map are its former first ones, and only the last row
 * (column) of groups holds any of them.
 */
export function shiftLabels(p: Partition): number[][] | null {
  if (p.shift === 0) return null;
  const wrapped = (at: number, size: number): number => (at >= size - p.shift ? 1 : 0);
  const labels: number[][] = [];
  for (let top = 0; top < p.height; top += p.rows) {
    for (let left = 0; left < p.width; left += p.columns) {
      const group: number[] = [];
      for (let i = 0; i < p.rows; i++) {
        for (let j = 0; j < p.columns; j++)
          group.push(2 * wrapped(top + i, p.height) + wrapped(left + j, p.width));
      }
      labels.push(group);
    }
  }
  return labels;
}

/** Which keys each query sees, per kind of group: rows of booleans; null where every query sees every key. */
export interface Visibility {
  /** masks[g][i][j]: group g's query i sees its key j. One entry that serves all groups where they agree. */
  readonly masks: readonly (readonly (readonly boolean[])[])[];
}

export function visibility(p: Partition, causal: boolean): Visibility | null {
  const labels = shiftLabels(p);
  if (!labels && !causal) return null;
  const n = sizeOf(p);
  const groups = labels ?? [new Array<number>(n).fill(0)];
  return {
    masks: groups.map((group) => group.map((a, i) => group.map((b, j) => a === b && (!causal || j <= i)))),
  };
}
