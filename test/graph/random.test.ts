import { expect, it } from "vitest";
import { Builder } from "../../src/graph/builder.ts";
import type { Graph, GraphNode, Op } from "../../src/graph/graph.ts";
import { array64, interpret } from "../../src/graph/interpret.ts";
import type { Array64, Primitive } from "../../src/graph/primitives/primitive.ts";
import { primitives } from "../../src/graph/primitives/registry.ts";
import { RandomSource, reciprocal } from "../../src/graph/random.ts";

function uniformGraph(shapes: readonly (readonly number[])[]): Graph {
  const b = new Builder();
  const source = new RandomSource(b, b.input("seed", []), b.input("step", []));
  return b.graph(
    "random",
    shapes.map((shape, i) => ({ name: `${i}`, tensor: source.uniform(shape) })),
  );
}
const feeds = (seed: number, step: number) => ({ seed: array64([], seed), step: array64([], step) });

/** Runs a graph rounding every result to float32; also gives the largest magnitude met. */
function interpret32(graph: Graph, given: Record<string, Array64>) {
  const values: Array64[] = [];
  let largest = 0;
  graph.nodes.forEach((node: GraphNode) => {
    const data =
      node.op === "input"
        ? given[(node as GraphNode<"input">).attributes.name].data
        : (primitives[node.op] as Primitive<Op>).evaluate(
            node.inputs.map((i) => values[i]),
            node.attributes,
            node.shape,
          );
    const rounded = data.map(Math.fround);
    for (const x of rounded) largest = Math.max(largest, Math.abs(x));
    values.push({ shape: node.shape, data: rounded });
  });
  return { outputs: graph.outputs.map((o) => values[o.node].data), largest };
}

it("quotients by the reciprocal are exact for every number that occurs, in both precisions", () => {
  for (const p of [911, 887, 881]) {
    const r = reciprocal(p);
    let wrong = 0;
    for (let x = 0; x < 4 * p * p; x++) {
      const q = Math.floor(x / p);
      if (Math.floor(x * r) !== q || Math.floor(Math.fround(x * r)) !== q) wrong++;
    }
    expect(wrong).toBe(0);
  }
});

it("gives the same bits in float32 and float64, in all sizes", () => {
  const graph = uniformGraph([[], [7], [64, 1, 1], [600], [3, 700], [1, 1], [5000]]);
  for (const [seed, step] of [
    [0, 1],
    [1, 1],
    [16777215, 16777215],
    [12345, 678901],
  ]) {
    const wide = interpret(graph, feeds(seed, step));
    const { outputs, largest } = interpret32(graph, feeds(seed, step));
    outputs.forEach((data, i) => expect(data).toEqual(wide[`${i}`].data));
    expect(largest).toBeLessThan(2 ** 24);
  }
});

it("many small streams cost one set of nodes", () => {
  const one = uniformGraph([[128]]).nodes.length;
  expect(uniformGraph(Array.from({ length: 24 }, () => [128])).nodes.length).toBeLessThan(one + 2 * 24);
});

const mean = (x: ArrayLike<number>) => Array.from(x).reduce((a, b) => a + b, 0) / x.length;
function correlation(x: ArrayLike<number>, y: ArrayLike<number>): number {
  const mx = mean(x);
  const my = mean(y);
  let xy = 0;
  let xx = 0;
  let yy = 0;
  for (let i = 0; i < Math.min(x.length, y.length); i++) {
    xy += (x[i] - mx) * (y[i] - my);
    xx += (x[i] - mx) ** 2;
    yy += (y[i] - my) ** 2;
  }
  return xy / Math.sqrt(xx * yy);
}

const n = 40000;
const draw = (seed: number, step: number, streams = 1) =>
  Object.values(interpret(uniformGraph(Array.from({ length: streams }, () => [n])), feeds(seed, step))).map(
    (v) => v.data,
  );

/** Standard errors: 0.289/√n for the mean, about 1/√n for correlations. */
it("is uniform: mean, variance, chi-square over 100 cells, pairs over 16 × 16 cells", () => {
  for (const [seed, step] of [
    [0, 1],
    [0, 2],
    [7, 1],
    [123456, 99999],
  ]) {
    const [x] = draw(seed, step);
    expect(Math.min(...x)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...x)).toBeLessThan(1);
    expect(Math.abs(mean(x) - 0.5)).toBeLessThan((4.5 * 0.2887) / Math.sqrt(n));
    expect(Math.abs(mean(x.map((v) => (v - 0.5) ** 2)) - 1 / 12)).toBeLessThan((4.5 * 0.0745) / Math.sqrt(n));
    // Chi-square with k−1 degrees of freedom has deviation √(2(k−1)).
    for (const [cells, cell] of [
      [100, (i: number) => Math.floor(x[i] * 100)],
      [256, (i: number) => 16 * Math.floor(x[i] * 16) + Math.floor(x[(i + 1) % n] * 16)],
      [256, (i: number) => 16 * Math.floor(x[i] * 16) + Math.floor(x[(i + 512) % n] * 16)],
    ] as const) {
      const counts = new Float64Array(cells);
      for (let i = 0; i < n; i++) counts[cell(i)]++;
      const chi = counts.reduce((sum, c) => sum + (c - n / cells) ** 2 / (n / cells), 0);
      expect(Math.abs(chi - (cells - 1))).toBeLessThan(5 * Math.sqrt(2 * (cells - 1)));
    }
  }
});

it("is uncorrelated along elements, across streams, steps and seeds", () => {
  const limit = 4.5 / Math.sqrt(n);
  const [x, y] = draw(3, 10, 2);
  for (const lag of [1, 2, 3, 7, 64, 128, 512, 513])
    expect(Math.abs(correlation(x, x.subarray(lag)))).toBeLessThan(limit);
  expect(Math.abs(correlation(x, y))).toBeLessThan(limit);
  for (const [seed, step] of [
    [3, 11],
    [3, 266],
    [4, 10],
    [259, 10],
  ]) {
    expect(Math.abs(correlation(x, draw(seed, step)[0]))).toBeLessThan(limit);
  }
});

it("hides the polynomial it is made of: finite differences of any low order are uniform modulo 1", () => {
  let [d] = draw(11, 5);
  for (let order = 1; order <= 8; order++) {
    d = Float64Array.from({ length: d.length - 1 }, (_, i) => d[i + 1] - d[i]);
    const cos = mean(d.map((v) => Math.cos(2 * Math.PI * v)));
    const sin = mean(d.map((v) => Math.sin(2 * Math.PI * v)));
    // Neighbouring differences share terms: twice the standard error of independent ones is ample.
    expect(Math.hypot(cos, sin)).toBeLessThan(9 / Math.sqrt(n));
  }
});

it("drop masks of one sample are uniform over steps and streams", () => {
  const graph = uniformGraph(Array.from({ length: 12 }, () => [16, 1, 1]));
  const kept: number[] = [];
  for (let step = 1; step <= 200; step++) {
    const out = interpret(graph, feeds(5, step));
    for (const v of Object.values(out)) kept.push(...v.data);
  }
  expect(Math.abs(mean(kept) - 0.5)).toBeLessThan((4.5 * 0.2887) / Math.sqrt(kept.length));
  // The same place in successive steps.
  const place = kept.filter((_, i) => i % 192 === 5);
  expect(Math.abs(correlation(place, place.slice(1)))).toBeLessThan(4.5 / Math.sqrt(place.length));
});
