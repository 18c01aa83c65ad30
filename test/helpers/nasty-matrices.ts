import { randomArray } from "../graph/random-graph.ts";

/** Free matrices that constraints must survive. */
export function nasty(rows: number, columns: number): Record<string, Float64Array> {
  const size = rows * columns;
  const from = (entry: (i: number, j: number) => number) =>
    Float64Array.from({ length: size }, (_, k) => entry(Math.floor(k / columns), k % columns));
  const noise = randomArray([rows, columns], 7).data;
  return {
    zero: from(() => 0),
    "all equal": from(() => 0.3),
    "rank one": from((i, j) => (i + 1) * Math.cos(j)),
    "zero sums": from((i, j) => ((i + j) % 2 === 0 ? 1 : -1)),
    "one entry": from((i, j) => (i === 0 && j === 0 ? 5 : 0)),
    "one row": from((i) => (i === 0 ? 2 : 0)),
    "one column": from((_, j) => (j === 0 ? 2 : 0)),
    identity: from((i, j) => (i === j ? 1 : 0)),
    "√3 times identity": from((i, j) => (i === j ? Math.sqrt(3) : 0)),
    "2 times identity": from((i, j) => (i === j ? 2 : 0)),
    "scales apart": from((i, j) => (i === j ? 10 ** (3 * i - 6) : 0)),
    random: Float64Array.from(noise),
    "1e-38": from((i, j) => 1e-38 * noise[i * columns + j]),
    "1e-30": from((i, j) => 1e-30 * noise[i * columns + j]),
    "1e30": from((i, j) => 1e30 * noise[i * columns + j]),
    "3e38": from(() => 3e38),
    "1e30 and 1e-30": from((i, j) => ((i + j) % 2 === 0 ? 1e30 : 1e-30)),
  };
}
