/** Long sums in parts: no piece is longer than it may be, and the pieces are the whole. */
import { describe, expect, it } from "vitest";
import { Builder, type Tensor } from "../../src/graph/builder.ts";
import type { ConvAttributes, Graph } from "../../src/graph/graph.ts";
import { buildInferenceGraph, lowerValues } from "../../src/graph/inference.ts";
import { array64, interpret } from "../../src/graph/interpret.ts";
import { holdsSumsOf, longestSum, splitSums, sumsOf } from "../../src/graph/passes/parts.ts";
import { simplify } from "../../src/graph/passes/simplify.ts";
import { sizeOf } from "../../src/graph/primitives/size.ts";
import { buildSlopeGraph } from "../../src/graph/slope.ts";
import { buildTrainingGraph } from "../../src/graph/training.ts";
import type { Model } from "../../src/model/model.ts";
import { generator } from "../../src/runtime/random.ts";
import { modelsOf } from "../helpers/elaborated.ts";
import { valueOf } from "../onnx/support.ts";

/** A graph of two operands, both of them samples. */
function graphOf(
  shapes: readonly (readonly number[])[],
  make: (b: Builder, a: Tensor, w: Tensor) => Tensor,
): Graph {
  const b = new Builder();
  const [a, w] = shapes.map((shape, i) => b.input(`data/${i}`, shape));
  return b.graph("one", [{ name: "y", tensor: make(b, a, w) }]);
}

function sameResult(graph: Graph, longest: number, shapes: readonly (readonly number[])[]): void {
  const parts = splitSums(graph, longest);
  expect(longestSum(parts)).toBeLessThanOrEqual(longest);
  expect(longestSum(simplify(parts))).toBeLessThanOrEqual(longest);
  const random = generator(7, longest);
  const feeds = Object.fromEntries(
    shapes.map((shape, i) => [
      `data/${i}`,
      array64(
        shape,
        Float64Array.from({ length: sizeOf(shape) }, () => random() - 0.5),
      ),
    ]),
  );
  const [whole, sum] = [graph, parts].map((g) => interpret(g, feeds).y);
  expect(sum.shape).toEqual(whole.shape);
  whole.data.forEach((x, i) => expect(Math.abs(sum.data[i] - x)).toBeLessThan(1e-12));
}

describe("matrix products", () => {
  const cases = [2, 3, 5, 8, 13, 31, 100].flatMap((k) =>
    [false, true].flatMap((s) => [false, true].map((t) => [k, s, t] as const)),
  );
  it.each(cases)("of %i terms, transposed: %s and %s", (k, transposeA, transposeB) => {
    const shapes = [
      [2, 1, ...(transposeA ? [k, 3] : [3, k])],
      [4, ...(transposeB ? [5, k] : [k, 5])],
    ];
    const graph = graphOf(shapes, (b, a, w) => b.matmul(a, w, transposeA, transposeB));
    for (const longest of [2, 3, 7, 16, 99]) sameResult(graph, longest, shapes);
  });

  it("pieces are as few and as equal as can be", () => {
    const graph = graphOf(
      [
        [1, 100],
        [100, 1],
      ],
      (b, a, w) => b.matmul(a, w),
    );
    expect(sumsOf(splitSums(graph, 32))).toEqual([" 25", " 25", " 25", " 25"]);
    expect(sumsOf(splitSums(graph, 40))).toEqual([" 33", " 33", " 34"]);
  });
});

describe("convolutions", () => {
  const plain: ConvAttributes = { stride: [1, 1], padding: [1, 1, 1, 1], dilation: [1, 1], groups: 1 };
  const cases: readonly [string, number, number, number, ConvAttributes][] = [
    ["plain", 6, 4, 3, plain],
    ["two steps at a time, padded on one side", 6, 4, 3, { ...plain, stride: [2, 3], padding: [0, 2, 1, 0] }],
    ["with holes", 4, 4, 3, { ...plain, dilation: [2, 1], padding: [2, 0, 1, 1] }],
    ["in groups", 6, 4, 3, { ...plain, groups: 2 }],
    ["of each channel", 4, 4, 5, { ...plain, groups: 4, padding: [2, 2, 2, 2] }],
    ["with more padding than map", 2, 2, 5, { ...plain, padding: [4, 4, 4, 4] }],
  ];
  it.each(cases)("%s", (_, channels, out, side, attributes) => {
    const shapes = [
      [2, channels, 7, 8],
      [out, channels / attributes.groups, side, side],
    ];
    const graph = graphOf(shapes, (b, x, kernel) => b.conv(x, kernel, attributes));
    for (const longest of [2, 3, 4, 9, 10, 20]) sameResult(graph, longest, shapes);
  });

  const around = (n: number): ConvAttributes => ({ ...plain, padding: [n, n, n, n] });
  it.each([
    [1, 1, 3, around(1)],
    [1, 3, 5, around(2)],
    [2, 1, 4, { ...around(6), dilation: [2, 1] }],
    [2, 3, 3, { ...plain, padding: [3, 0, 5, 4], stride: [2, 1] }],
    // A window that no map is under: all of it is padding.
    [1, 1, 2, { ...plain, padding: [2, 2, 0, 0], stride: [9, 9] }],
  ] as const)(
    "taps that read padding alone, %i × %i pixels under %i × … taps",
    (height, width, side, attributes) => {
      const shapes = [
        [2, 2, height, width],
        [3, 2, side, side],
      ];
      const graph = graphOf(shapes, (b, x, kernel) => b.conv(x, kernel, attributes));
      for (const longest of [2, 3, 5, 9]) {
        sameResult(graph, longest, shapes);
        // An engine need not know maps without pixels.
        expect(splitSums(graph, longest).nodes.every(({ shape }) => sizeOf(shape) > 0)).toBe(true);
      }
    },
  );
});

function modelOf(statement: string): Model {
  const [model] = modelsOf(
    "m.lips",
    {},
    {
      "m.lips": `lips 1
model M() {
  input x: [6, 6, 1] in [0, 1]
  ${statement}
  weights { init: orthogonal, constraint: orthogonal }
  output logits = x |> Flatten |> Linear(20) |> MaxMin |> Linear(4)
}
train M { loss: cross_entropy, optimizer: adam(lr: 1e-3), epochs: 1, batch: 4, seed: 0 }`,
    },
  );
  return model;
}

describe("a model that says so", () => {
  const [model, whole] = [modelOf("inference { longest_sum: 8 }"), modelOf("")];
  const own = (): Builder => new Builder();

  it("is computed in parts at inference, and whole in training and where a search climbs", () => {
    expect(longestSum(valueOf(buildInferenceGraph(model, { batch: 3 })))).toBe(8);
    expect(longestSum(valueOf(buildInferenceGraph(whole, { batch: 3 })))).toBe(36);
    const { train } = model;
    if (!train) throw new Error("no recipe");
    expect(longestSum(valueOf(buildTrainingGraph(model, train)))).toBe(36);
    expect(longestSum(valueOf(buildSlopeGraph(model, 3)))).toBe(36);
  });

  it("differs in nothing else from one that doesn't", () => {
    const { inference, ...rest } = model;
    expect(inference).toEqual({ longestSum: 8 });
    const plain = (m: object): string =>
      JSON.stringify(m, (key, v: unknown) => (key === "span" || key === "calls" ? 0 : v));
    expect(plain(rest)).toBe(plain(whole));
  });

  it("is analysed as it runs, or not at all", () => {
    const analysed = (m: Model): Graph => valueOf(lowerValues(m, own));
    const run = (m: Model): Graph => valueOf(buildInferenceGraph(m, { batch: 1 }));
    expect(holdsSumsOf(analysed(model), run(model))).toBe(true);
    expect(holdsSumsOf(analysed(whole), run(whole))).toBe(true);
    // Pieces where the whole runs, and pieces that are shorter than those that run.
    expect(holdsSumsOf(analysed(model), run(whole))).toBe(false);
    expect(holdsSumsOf(analysed(modelOf("inference { longest_sum: 7 }")), run(model))).toBe(false);
  });
});
