/** Which tokens attend to each other (docs/gains.md, "Regions"). */
import type { Shape } from "./gains.ts";
import { int, record, word, either, type Check } from "./rule.ts";

export type Region =
  | { readonly kind: "global" }
  | { readonly kind: "windows"; readonly size: number; readonly shift: number }
  | { readonly kind: "stripes"; readonly width: number; readonly direction: "horizontal" | "vertical" }
  | { readonly kind: "grid"; readonly size: number };

export const regionCheck: Check = either(
  record({ kind: word("global") }),
  record({ kind: word("windows"), size: int(1), shift: int(0) }),
  record({ kind: word("stripes"), width: int(1), direction: word("horizontal", "vertical") }),
  record({ kind: word("grid"), size: int(1) }),
);

/** Rows and columns of tokens of one group; a sequence is a column. null where the map doesn't come out whole. */
export function groupOf(over: Region, shape: Shape): readonly [rows: number, columns: number] | null {
  const [height = 1, width = 1] = shape.slice(0, -1);
  if (over.kind === "global") return [height, width];
  if (shape.length !== 3) return null;
  const divides = (size: number, ...sides: readonly number[]): boolean => sides.every((n) => n % size === 0);
  switch (over.kind) {
    case "windows":
      return divides(over.size, height, width) && over.shift < over.size ? [over.size, over.size] : null;
    case "stripes":
      if (over.direction === "horizontal") return divides(over.width, height) ? [over.width, width] : null;
      return divides(over.width, width) ? [height, over.width] : null;
    case "grid":
      return divides(over.size, height, width) ? [height / over.size, width / over.size] : null;
  }
}

/** Queries and keys of tokens that see each other: in windows shifted by s the last ones fall into pieces. */
export function classesOf(
  over: Region,
  q: Shape,
  k: Shape,
): readonly (readonly [queries: number, keys: number])[] {
  const positions = (shape: Shape): number => shape.slice(0, -1).reduce((n, size) => n * size, 1);
  if (over.kind === "global") return [[positions(q), positions(k)]];
  const [rows, columns] = groupOf(over, q) ?? [0, 0];
  if (over.kind !== "windows" || over.shift === 0) return [[rows * columns, rows * columns]];
  const { size, shift } = over;
  const pieces = (side: number): number[] => [shift, size - shift, ...(side > size ? [size] : [])];
  const sizes = pieces(q[0]).flatMap((h) => pieces(q[1]).map((w) => h * w));
  return [...new Set(sizes)].map((n) => [n, n]);
}
