/** Sums in parts: what the unkindest order inside of each piece may do, and how near the bound is to it. */
import { describe, expect, it } from "vitest";
import { Builder } from "../../src/graph/builder.ts";
import { splitSums, sumsOf } from "../../src/graph/passes/parts.ts";
import { float32 } from "../../src/rounding/arithmetic.ts";
import { runningErrors, storedValue } from "../../src/rounding/running.ts";
import { generator } from "../../src/runtime/random.ts";

/** The bound of x·w for one long vector each, and the lengths of its pieces in order. */
function boundOf(x: Float64Array, w: Float64Array, longest: number) {
  const b = new Builder();
  const k = x.length;
  const product = b.matmul(b.input("data/x", [1, k]), b.input("w", [1, k]), false, true);
  const graph = splitSums(b.graph("product", [{ name: "y", tensor: product }]), longest);
  const value = (data: Float64Array) => storedValue([1, k], data, [float32], false);
  const { centre, tracks } = runningErrors(graph, { "data/x": value(x), w: value(w) }, [float32]).y;
  const lengths = graph.nodes
    .filter(({ op }) => op === "matmul")
    .map((n) => graph.nodes[n.inputs[0]].shape[1]);
  expect(lengths.reduce((a, c) => a + c, 0)).toBe(k);
  expect(sumsOf(graph).length).toBe(Math.ceil(k / longest));
  return { exact: centre[0], bound: tracks[0].linf, lengths };
}

/** One after the other, in float32, from `start` on; with or without fused multiply-adds. */
function sequential(products: readonly number[], fused: boolean, start = 0): number {
  let s = start;
  for (const p of products) s = Math.fround(s + (fused ? p : Math.fround(p)));
  return s;
}

interface Engine {
  readonly fused: boolean;
  /** The second product of a pair goes on from the first one's result. */
  readonly goesOn: boolean;
  readonly order: (products: number[]) => number[];
}

/** Pieces by an engine, added in pairs as the graph says. */
function inParts(
  products: readonly number[],
  lengths: readonly number[],
  { fused, goesOn, order }: Engine,
): number {
  let at = 0;
  const pieces = lengths.map((n) => order(products.slice(at, (at += n))));
  let sums = pieces.map((piece) => ({ piece, sum: sequential(piece, fused) }));
  while (sums.length > 1)
    sums = sums.flatMap((one, i) => {
      if (i % 2 === 1) return [];
      const other = sums[i + 1] as (typeof sums)[number] | undefined;
      if (!other) return [one];
      const on = goesOn && other.piece.length > 0;
      const sum = on ? sequential(other.piece, fused, one.sum) : Math.fround(one.sum + other.sum);
      return [{ piece: [], sum }];
    });
  return sums[0].sum;
}

const asTheyCome = (products: number[]): number[] => products;

it("in every piece one large term first, then small ones that are all lost: half of the bound is reached", () => {
  const [k, longest] = [1 << 12, 64];
  // Each small term is just below half a unit of what is there when it comes.
  const x = Float64Array.from({ length: k }, (_, i) =>
    i % longest === 0 ? 1 : (i % (2 * longest) < longest ? 1 : 2) * 2 ** -24 * (1 - 2 ** -20),
  );
  const w = new Float64Array(k).fill(1);
  const { exact, bound, lengths } = boundOf(x, w, longest);
  const off = Math.abs(inParts([...x], lengths, { fused: true, goesOn: true, order: asTheyCome }) - exact);
  expect(off).toBeLessThanOrEqual(bound);
  expect(off).toBeGreaterThan(bound * 0.5);
  // Whole, the same vectors have a bound that is larger by the number of pieces, or nearly.
  expect(boundOf(x, w, k).bound).toBeGreaterThan(20 * bound);
});

describe("no order inside of the pieces is further off", () => {
  const orders: Readonly<Record<string, Engine["order"]>> = {
    "as they come": asTheyCome,
    ascending: (p) => p.sort((a, b) => Math.abs(a) - Math.abs(b)),
    descending: (p) => p.sort((a, b) => Math.abs(b) - Math.abs(a)),
    "positive ones first": (p) => p.sort((a, b) => b - a),
  };
  it.each(Object.keys(orders))("%s", (name) => {
    let closest = 0;
    for (let seed = 0; seed < 60; seed++) {
      const random = generator(seed, 12);
      const k = 2 + Math.floor(random() * 500);
      const sign = (): number => (seed % 3 === 0 ? 1 : random() < 0.5 ? -1 : 1);
      const draw = (): number => Math.fround(sign() * random() * 10 ** (seed % 5 === 0 ? 3 * random() : 0));
      const x = Float64Array.from({ length: k }, draw);
      const w = Float64Array.from({ length: k }, draw);
      const { exact, bound, lengths } = boundOf(x, w, 2 + Math.floor(random() * 40));
      const products = Array.from(x, (v, i) => v * w[i]);
      for (const fused of [false, true])
        for (const goesOn of [false, true]) {
          const off = Math.abs(inParts(products, lengths, { fused, goesOn, order: orders[name] }) - exact);
          expect(off).toBeLessThanOrEqual(bound);
          closest = Math.max(closest, off / bound);
        }
    }
    expect(closest).toBeGreaterThan(0.01);
  });
});

it("operands that move count once for all pieces, not once for each", () => {
  const k = 256;
  const random = generator(3, 4);
  const x = Float64Array.from({ length: k }, () => Math.fround(random() - 0.5));
  const w = Float64Array.from({ length: k * k }, () => Math.fround((random() - 0.5) / 16));
  const moved = (longest: number): { linf: number; l2: number } => {
    const b = new Builder();
    const product = b.matmul(b.input("data/x", [1, k]), b.input("w", [k, k]), false, true);
    const graph = splitSums(b.graph("product", [{ name: "y", tensor: product }]), longest);
    const from = storedValue([1, k], x, [null, float32], false);
    from.tracks = [{ linf: 1, row: 1, l2: 1 }, from.tracks[1]];
    const { tracks } = runningErrors(
      graph,
      { "data/x": from, w: storedValue([k, k], w, [null, float32], true) },
      [null, float32],
    ).y;
    return tracks[0];
  };
  expect(moved(16).l2).toBeLessThanOrEqual(moved(k).l2 * (1 + 1e-12));
  expect(moved(16).linf).toBeLessThanOrEqual(moved(k).linf * (1 + 1e-12));
});
