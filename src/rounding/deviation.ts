/**
 * Three norms of a difference (or of a value) at once: its largest entry, the largest l2 norm of a row along its last
 * axis, its l2 norm. All numbers are upper bounds and round up; ∞ where nothing is known.
 */
import type { Dims } from "../graph/graph.ts";
import { sizeOf } from "../graph/primitives/size.ts";
import { addUp, hypotUp, maxUp, minBound, mulUp, sqrtUp } from "../gain/up.ts";
import { sumUpper } from "./sums.ts";

export interface Deviation {
  readonly linf: number;
  readonly row: number;
  readonly l2: number;
}

export const zero: Deviation = { linf: 0, row: 0, l2: 0 };
export const infinite: Deviation = { linf: Infinity, row: Infinity, l2: Infinity };

export function isZero(d: Deviation): boolean {
  return d.linf === 0 && d.row === 0 && d.l2 === 0;
}

/** Entries of one row. */
export function rowLength(shape: Dims): number {
  return shape.length === 0 ? 1 : shape[shape.length - 1];
}

export function rowCount(shape: Dims): number {
  const length = rowLength(shape);
  return length === 0 ? 0 : sizeOf(shape) / length;
}

/** What is known of some norms of a tensor of this shape: linf ≤ row ≤ l2, row ≤ √n·linf, l2 ≤ √rows·row. */
export function closed(known: Partial<Deviation>, shape: Dims): Deviation {
  let { linf = Infinity, row = Infinity, l2 = Infinity } = known;
  if (linf === 0 || row === 0 || l2 === 0) return zero;
  row = minBound(row, minBound(l2, mulUp(sqrtUp(rowLength(shape)), linf)));
  l2 = minBound(l2, mulUp(sqrtUp(rowCount(shape)), row));
  linf = minBound(linf, minBound(row, l2));
  row = minBound(row, l2);
  return { linf, row, l2 };
}

export function plus(a: Deviation, b: Deviation): Deviation {
  if (isZero(b)) return a;
  if (isZero(a)) return b;
  return { linf: addUp(a.linf, b.linf), row: addUp(a.row, b.row), l2: addUp(a.l2, b.l2) };
}

export function times(factor: number, d: Deviation): Deviation {
  return { linf: mulUp(factor, d.linf), row: mulUp(factor, d.row), l2: mulUp(factor, d.l2) };
}

/** The smaller bound in each norm; both must bound one thing. */
export function tighter(a: Deviation, b: Deviation): Deviation {
  return { linf: minBound(a.linf, b.linf), row: minBound(a.row, b.row), l2: minBound(a.l2, b.l2) };
}

/** Of what is at most the larger of two entries, everywhere. */
export function either(a: Deviation, b: Deviation): Deviation {
  if (isZero(b)) return a;
  if (isZero(a)) return b;
  return { linf: maxUp(a.linf, b.linf), row: hypotUp(a.row, b.row), l2: hypotUp(a.l2, b.l2) };
}

/** Every entry at most this. */
export function entries(most: number, shape: Dims): Deviation {
  return closed({ linf: most }, shape);
}

/** Repeated along axes, as numpy does. */
export function broadcast(d: Deviation, from: Dims, to: Dims): Deviation {
  const [before, after] = [sizeOf(from), sizeOf(to)];
  if (before === after || isZero(d)) return d;
  const row = rowLength(from) === rowLength(to) ? d.row : Infinity;
  return closed({ linf: d.linf, row, l2: mulUp(sqrtUp(after / before), d.l2) }, to);
}

/** Of a product entry by entry of a difference and a value: Hölder, with either of them by its largest entry. */
export function product(d: Deviation, size: Deviation): Deviation {
  if (isZero(d) || isZero(size)) return zero;
  return {
    linf: mulUp(d.linf, size.linf),
    row: minBound(mulUp(d.row, size.linf), mulUp(d.linf, size.row)),
    l2: minBound(mulUp(d.l2, size.linf), mulUp(d.linf, size.l2)),
  };
}

/** Squares of smaller or larger numbers would leave float64's range of full precision. */
const [least, most] = [2 ** -450, 2 ** 450];

/** Norms of a tensor's entries, each an upper bound; ∞ for what is not finite, or so large that squares overflow. */
export function normsOf(data: Float64Array, shape: Dims): Deviation {
  const length = rowLength(shape);
  if (data.length === 0) return zero;
  let linf = 0;
  let largestRow = 0;
  let total = 0;
  for (let from = 0; from < data.length; from += length) {
    let squares = 0;
    for (let i = from; i < from + length; i++) {
      const x = Math.abs(data[i]);
      if (!(x <= linf)) linf = x < Infinity ? x : Infinity;
      squares += x * x;
    }
    if (squares > largestRow) largestRow = squares;
    total += squares;
  }
  if (linf === 0) return zero;
  if (!(linf < most)) return closed({ linf: linf < Infinity ? linf : Infinity }, shape);
  // What underflows in a square is below (2^−450)² each.
  const add = (squares: number, count: number): number =>
    sqrtUp(addUp(sumUpper(squares, count + 2), mulUp(count, least * least)));
  return closed({ linf, row: add(largestRow, length), l2: add(total, data.length) }, shape);
}
