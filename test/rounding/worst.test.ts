/** Sums whose roundings all go one way: what the worst order of an engine may do, and how near the bound is to it. */
import { expect, it } from "vitest";
import { Builder, type Tensor } from "../../src/graph/builder.ts";
import { float32 } from "../../src/rounding/arithmetic.ts";
import { runningErrors, storedValue } from "../../src/rounding/running.ts";
import { generator } from "../../src/runtime/random.ts";

/** The bound of x·w for one long vector each. */
function boundOf(x: Float64Array, w: Float64Array): { exact: number; bound: number } {
  const b = new Builder();
  const product = b.matmul(b.input("x", [1, x.length]), b.input("w", [1, x.length]), false, true);
  const graph = b.graph("product", [{ name: "y", tensor: product }]);
  const value = (data: Float64Array) => storedValue([1, data.length], data, [float32], false);
  const { centre, tracks } = runningErrors(graph, { x: value(x), w: value(w) }, [float32]).y;
  return { exact: centre[0], bound: tracks[0].linf };
}

/** One after the other, in float32; with or without fused multiply-adds. */
function sequential(products: readonly number[], fused: boolean): number {
  let s = 0;
  for (const p of products) s = Math.fround(s + (fused ? p : Math.fround(p)));
  return s;
}

it("one large term first, then small ones that are all lost: half of the bound is reached", () => {
  const n = 1 << 12;
  // Each small term is just below half a unit of 1.
  const x = Float64Array.from({ length: n }, (_, i) => (i === 0 ? 1 : 2 ** -24 * (1 - 2 ** -20)));
  const w = new Float64Array(n).fill(1);
  const { exact, bound } = boundOf(x, w);
  const off = Math.abs(sequential([...x], true) - exact);
  expect(off).toBeLessThanOrEqual(bound);
  // A bound that were smaller by a third would be broken.
  expect(off).toBeGreaterThan(bound * 0.67);
});

it.each(["ascending", "descending", "positive ones first", "as they come", "in pairs"])(
  "any order: %s",
  (order) => {
    let closest = 0;
    for (let seed = 0; seed < 60; seed++) {
      const random = generator(seed, 9);
      const n = 2 + Math.floor(random() * 700);
      const sign = (): number => (seed % 3 === 0 ? 1 : random() < 0.5 ? -1 : 1);
      const draw = (): number => Math.fround(sign() * random() * 10 ** (seed % 5 === 0 ? 3 * random() : 0));
      const x = Float64Array.from({ length: n }, draw);
      const w = Float64Array.from({ length: n }, draw);
      const products = Array.from(x, (v, i) => v * w[i]);
      const sorted = {
        ascending: () => products.sort((a, b) => Math.abs(a) - Math.abs(b)),
        descending: () => products.sort((a, b) => Math.abs(b) - Math.abs(a)),
        "positive ones first": () => products.sort((a, b) => b - a),
        "as they come": () => products,
        "in pairs": () => products,
      }[order];
      const { exact, bound } = boundOf(x, w);
      for (const fused of [false, true]) {
        const computed =
          order === "in pairs"
            ? inPairs(products.map((p) => (fused ? p : Math.fround(p))))
            : sequential(sorted?.() ?? [], fused);
        const off = Math.abs(computed - exact);
        expect(off).toBeLessThanOrEqual(bound);
        closest = Math.max(closest, off / bound);
      }
    }
    expect(closest).toBeGreaterThan(1e-3);
  },
);

function inPairs(terms: readonly number[]): number {
  if (terms.length === 1) return Math.fround(terms[0]);
  const half = terms.length >> 1;
  return Math.fround(inPairs(terms.slice(0, half)) + inPairs(terms.slice(half)));
}

it("a bias inside of the product's sum is counted", () => {
  const n = 1 << 10;
  const x = new Float64Array(n).fill(2 ** -24 * (1 - 2 ** -20));
  const b = new Builder();
  const product: Tensor = b.matmul(b.input("x", [1, n]), b.input("w", [1, n]), false, true);
  const graph = b.graph("product", [{ name: "y", tensor: b.add(product, b.input("bias", [1])) }]);
  const value = (shape: number[], data: Float64Array) => storedValue(shape, data, [float32], false);
  const { centre, tracks } = runningErrors(
    graph,
    {
      x: value([1, n], x),
      w: value([1, n], new Float64Array(n).fill(1)),
      bias: value([1], Float64Array.of(1)),
    },
    [float32],
  ).y;
  const off = Math.abs(sequential([1, ...x], true) - centre[0]);
  expect(off).toBeLessThanOrEqual(tracks[0].linf);
  expect(off).toBeGreaterThan(tracks[0].linf * 0.6);
});
