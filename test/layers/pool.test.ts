import { describe, expect, it } from "vitest";
import { worstOfDense } from "../rig/dense.ts";
import { expectGradients, expectMeaning, fill, type View } from "../rig/differences.ts";
import { infer, place, type Argument, type Placed } from "../rig/place.ts";
import { boundOf, expectSound, expectTight, rangeOf } from "../rig/planted.ts";
import { search } from "../rig/search.ts";

/** Entries of the window at an output position, without the padding. */
function windowOf(x: View, at: readonly number[], c: number, config: Record<string, number>): number[] {
  const { kernel, stride, padding } = config;
  const found: number[] = [];
  const size = x.shape.slice(0, -1);
  const taps = (axis: number): number[] =>
    Array.from({ length: kernel }, (_, t) => at[axis] * stride - padding + t).filter(
      (e) => e >= 0 && e < size[axis],
    );
  for (const i of taps(0)) {
    if (size.length === 1) found.push(x.at(i, c));
    else for (const j of taps(1)) found.push(x.at(i, j, c));
  }
  return found;
}

function expectPool(placed: Placed, join: (entries: number[], whole: number) => number): void {
  const config = placed.plan.config as Record<string, number>;
  expectMeaning(placed, ([x]) => [
    fill(placed.plan.outputs[0], (...index) =>
      join(
        windowOf(x, index.slice(0, -1), index[index.length - 1], config),
        config.kernel ** (x.shape.length - 1),
      ),
    ),
  ]);
}

const total = (entries: number[]): number => entries.reduce((a, b) => a + b, 0);

const cases: readonly [shape: number[], args: Record<string, Argument>, output: number[]][] = [
  [[4, 6, 2], { kernel: 2 }, [2, 3, 2]],
  [[5, 7, 2], { kernel: 3, stride: 2 }, [2, 3, 2]],
  [[5, 5, 2], { kernel: 3, stride: 2, padding: 1 }, [3, 3, 2]],
  [[6, 2], { kernel: 3, stride: 1, padding: 1 }, [6, 2]],
];

describe("pools: shapes and meaning", () => {
  for (const [shape, args, output] of cases) {
    it(`[${shape}] ${JSON.stringify(args)}`, () => {
      const max = place("MaxPool", [shape], args);
      expect(max.plan.outputs).toEqual([output]);
      expectPool(max, (entries) => Math.max(...entries));
      expectGradients(max);
      const average = place("AveragePool", [shape], args);
      expectPool(average, (entries, whole) => total(entries) / whole);
      expectGradients(average);
      const inside = place("AveragePool", [shape], { ...args, divisor: "inside" });
      expectPool(inside, (entries) => total(entries) / entries.length);
      expectGradients(inside);
    });
  }

  it("MeanPool averages all positions", () => {
    for (const shape of [
      [7, 3],
      [2, 3, 4],
    ]) {
      const placed = place("MeanPool", [shape]);
      const c = shape[shape.length - 1];
      const count = shape.slice(0, -1).reduce((a, b) => a * b, 1);
      expect(placed.plan.outputs).toEqual([[c]]);
      expectMeaning(placed, ([x]) => [
        fill(
          [c],
          (channel) => total(Array.from({ length: count }, (_, t) => x.data[t * c + channel])) / count,
        ),
      ]);
      expectGradients(placed);
    }
    expect(infer("MeanPool", [[96]]).failures[0].name).toBe("wrong-rank");
  });

  it("refuses windows that could lie outside, or don't fit", () => {
    expect(infer("MaxPool", [[5, 5, 1]], { kernel: 2, padding: 2 }).failures[0].name).toBe("out-of-range");
    expect(infer("AveragePool", [[2, 5, 1]], { kernel: 3 }).failures[0].name).toBe("kernel-too-large");
  });
});

describe("pools: gain", () => {
  const tight = (
    layer: string,
    shape: number[],
    args: Record<string, Argument>,
    truths: readonly number[],
  ): void => {
    const placed = place(layer, [shape], args);
    const question = { from: placed.inputs[0], to: placed.outputs[0], layer };
    (["l2", "token", "linf"] as const).forEach((normIn, i) => {
      expectTight(placed.sketch, { ...question, normIn, truth: truths[i] });
      const { attained } = search(placed.sketch, { ...question, normIn, steps: 200, starts: 6 });
      expectSound(placed.sketch, { ...question, normIn, attained });
    });
  };

  it("mean over N tokens: 1/√N in l2, 1 in token and linf", () => {
    tight("MeanPool", [49, 3], {}, [1 / 7, 1, 1]);
    tight("MeanPool", [2, 3, 2], {}, [1 / Math.sqrt(6), 1, 1]);
    const placed = place("MeanPool", [[49, 3]]);
    const question = { from: placed.inputs[0], to: placed.outputs[0], layer: "MeanPool" };
    expectTight(placed.sketch, { ...question, normIn: "token", normOut: "l2", truth: 1 });
    const { attained } = search(placed.sketch, { ...question, normIn: "l2", steps: 300 });
    expect(attained).toBeGreaterThan(0.99 / 7);
  });

  it("k × k windows at stride k", () => {
    // Each channel of a token can be the largest of its window at a position of its own: token k needs k² channels.
    tight("MaxPool", [4, 4, 4], { kernel: 2 }, [1, 2, 1]);
    tight("AveragePool", [4, 4, 2], { kernel: 2 }, [1 / 2, 1, 1]);
    tight("AveragePool", [6, 6, 1], { kernel: 3 }, [1 / 3, 1, 1]);
  });

  it("overlapping windows read a position several times", () => {
    // One large entry is the largest of ⌈3/1⌉ windows of a sequence, of 9 of a map.
    tight("MaxPool", [9, 3], { kernel: 3, stride: 1 }, [Math.sqrt(3), Math.sqrt(3), 1]);
    const map = place("MaxPool", [[7, 7, 1]], { kernel: 3, stride: 1 });
    expectTight(map.sketch, { from: 0, to: map.outputs[0], normIn: "l2", truth: 3, layer: "MaxPool" });
  });

  // 1/k is wrong where a window holds fewer positions than k.
  it("a smaller divisor at the border: never below the dense matrix, and near it", () => {
    for (const [shape, args] of [
      [[3, 1], { kernel: 3, padding: 1 }],
      [[5, 1], { kernel: 3, stride: 1, padding: 1 }],
      [[7, 1], { kernel: 4, stride: 3, padding: 2 }],
      [[4, 4, 1], { kernel: 2, padding: 1 }],
      [[5, 7, 2], { kernel: 3, stride: 2, padding: 1 }],
    ] as const) {
      for (const divisor of ["inside", "window"]) {
        const placed = place("AveragePool", [[...shape]], { ...args, divisor });
        expect(worstOfDense(placed)).toBeLessThan(1.6);
      }
    }
    // A window of the corner alone: its mean is the corner itself, so 1 in l2, where 1/k would be 1/2.
    const corner = place("AveragePool", [[4, 4, 1]], { kernel: 2, padding: 1, divisor: "inside" });
    expectTight(corner.sketch, {
      from: 0,
      to: corner.outputs[0],
      normIn: "l2",
      truth: 1,
      layer: "AveragePool",
    });
  });

  it("is √(μ/min n)", () => {
    const placed = place("AveragePool", [[5, 1]], { kernel: 3, stride: 1, padding: 1, divisor: "inside" });
    const bound = boundOf(placed.sketch, { from: 0, to: placed.outputs[0], normIn: "l2" });
    expect(bound).toBeCloseTo(Math.sqrt(3 / 2), 14);
  });

  it("ranges: means stay in the interval, padding with zeros reaches 0", () => {
    const domain = { kind: "box", low: 1, high: 2 } as const;
    const range = (layer: string, args: Record<string, Argument>) => {
      const placed = place(layer, [[5, 5, 4]], args, { domain });
      return rangeOf(placed.sketch, placed.outputs[0]);
    };
    expect(range("MeanPool", {})).toMatchObject({ low: 1, high: 2, token: 4, l2: 4, spread: 1 });
    expect(range("MaxPool", { kernel: 3, padding: 1 })).toMatchObject({
      low: 1,
      high: 2,
      token: 4,
      spread: 1,
    });
    expect(range("AveragePool", { kernel: 3, padding: 1 })).toMatchObject({ low: 0, high: 2 });
    expect(range("AveragePool", { kernel: 3, padding: 1, divisor: "inside" })).toMatchObject({
      low: 1,
      high: 2,
      spread: 1,
    });
  });
});
