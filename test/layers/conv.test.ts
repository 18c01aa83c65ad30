import { describe, expect, it } from "vitest";
import { Builder } from "../../src/graph/builder.ts";
import { mostReads, windowCount, windowPositions, type Windows } from "../../src/layers/windows.ts";
import { worstOfDense } from "../rig/dense.ts";
import { expectGradients, expectMeaning, fill } from "../rig/differences.ts";
import { infer, macs, place, type Argument, type Placed } from "../rig/place.ts";
import { seeded } from "../rig/matrix.ts";
import { boundOf, expectSound, expectTight, rangeOf } from "../rig/planted.ts";
import { lower, run, search } from "../rig/search.ts";

/** Direct sums, independent of the graph: Conv and DepthwiseConv on maps, and on sequences as maps of one row. */
function expectConvolution(placed: Placed, depthwise: boolean): void {
  const {
    kernel: k,
    stride,
    padding,
    dilation,
    multiplier = 1,
  } = placed.plan.config as Record<string, number>;
  expectMeaning(placed, ([x], { weight, bias }) => {
    const flat = x.shape.length === 2;
    const channels = x.shape[x.shape.length - 1];
    const depth = depthwise ? 1 : channels;
    const rows = flat ? 1 : k;
    return [
      fill(placed.plan.outputs[0], (...index) => {
        const out = index[index.length - 1];
        let sum = bias ? bias[out] : 0;
        for (let c = 0; c < depth; c++) {
          const from = depthwise ? Math.floor(out / multiplier) : c;
          for (let ty = 0; ty < rows; ty++) {
            for (let tx = 0; tx < k; tx++) {
              const w = weight[((out * depth + c) * rows + ty) * k + tx];
              const column = index[flat ? 0 : 1] * stride - padding + tx * dilation;
              const row = index[0] * stride - padding + ty * dilation;
              sum += w * (flat ? x.at(column, from) : x.at(row, column, from));
            }
          }
        }
        return sum;
      }),
    ];
  });
}

/** A kernel that copies every tap of one channel into a channel of its own: its reshaped norm is 1. */
function unfoldKernel(taps: number): number[] {
  return fill([taps, taps], (r, c) => (r === c ? 1 : 0));
}

describe("windows", () => {
  it("read a position as often as counted, for all k < 8, s < 7, δ < 5", () => {
    for (let kernel = 1; kernel < 8; kernel++) {
      for (let stride = 1; stride < 7; stride++) {
        for (let dilation = 1; dilation < 5; dilation++) {
          for (const [size, padding, exact] of [
            [90, 0, true],
            [29, 3, false],
            [9, 6, false],
          ] as const) {
            const w: Windows = { kernel, stride, dilation, padding };
            if (windowCount(size, w) < 1) continue;
            const counts = new Array<number>(size).fill(0);
            for (const positions of windowPositions(size, w)) for (const e of positions) counts[e]++;
            const most = Math.max(...counts);
            expect(mostReads(size, w), JSON.stringify(w)).toBeGreaterThanOrEqual(most);
            if (exact) expect(mostReads(size, w), JSON.stringify(w)).toBe(most);
          }
        }
      }
    }
  });
});

describe("Conv: shapes and cost", () => {
  it("keeps the map by default and halves it at stride 2", () => {
    expect(infer("Conv", [[56, 56, 64]], { width: 128, kernel: 3, stride: 2 }).plan?.outputs).toEqual([
      [28, 28, 128],
    ]);
    expect(
      infer("Conv", [[224, 224, 3]], { width: 64, kernel: 7, stride: 4, padding: 2 }).plan?.outputs,
    ).toEqual([[56, 56, 64]]);
    expect(infer("Conv", [[9, 5, 2]], { width: 4, kernel: 3, dilation: 2 }).plan?.outputs).toEqual([
      [9, 5, 4],
    ]);
    const sequence = infer("Conv", [[50, 8]], { width: 16, kernel: 5 });
    expect(sequence.plan?.outputs).toEqual([[50, 16]]);
    expect(sequence.weights[0]).toEqual({ name: "weight", shape: [16, 8, 5], role: "kernel" });
    expect(infer("Conv", [[32, 32, 3]], { width: 192, kernel: 2, stride: 2, padding: 1 }).weights).toEqual([
      { name: "weight", shape: [192, 3, 2, 2], role: "kernel" },
      { name: "bias", shape: [192], role: "bias" },
    ]);
  });

  it("counts every tap of every output", () => {
    expect(macs("Conv", [[224, 224, 3]], { width: 96, kernel: 4, stride: 4, padding: 0 })).toBe(
      56 * 56 * 96 * 48,
    );
    expect(macs("Conv", [[10, 3]], { width: 7, kernel: 3 })).toBe(10 * 7 * 9);
    expect(macs("DepthwiseConv", [[56, 56, 96]], { kernel: 7 })).toBe(56 * 56 * 96 * 49);
    expect(macs("DepthwiseConv", [[8, 8, 2]], { kernel: 3, multiplier: 2 })).toBe(8 * 8 * 4 * 9);
  });

  it("asks for the padding of an even kernel", () => {
    const { failures } = infer("Conv", [[8, 8, 3]], { width: 4, kernel: 4 });
    expect(failures).toEqual([{ name: "even-kernel", params: { kernel: 4, default: "(4 - 1) / 2 = 1.5" } }]);
    expect(infer("Conv", [[8, 8, 3]], { width: 4, kernel: 2, dilation: 2 }).plan?.outputs).toEqual([
      [8, 8, 4],
    ]);
  });

  it("refuses a kernel larger than the padded map, and a value without positions", () => {
    expect(infer("Conv", [[4, 4, 3]], { width: 4, kernel: 7, padding: 0 }).failures[0]).toMatchObject({
      name: "kernel-too-large",
      params: { reach: 7, size: 4, found: "[4, 4, 3]" },
    });
    expect(infer("DepthwiseConv", [[96]], { kernel: 7 }).failures[0].name).toBe("wrong-rank");
    expect(infer("DepthwiseConv", [[3, 9, 2]], { kernel: 5, padding: 0 }).failures[0].name).toBe(
      "kernel-too-large",
    );
  });
});

const cases: readonly [shape: number[], args: Record<string, Argument>][] = [
  [[5, 6, 2], { kernel: 3 }],
  [[5, 6, 2], { kernel: 1 }],
  [[5, 6, 2], { kernel: 1, stride: 2 }],
  [[5, 6, 2], { kernel: 1, padding: 1 }],
  [[7, 6, 2], { kernel: 3, stride: 2 }],
  [[8, 6, 2], { kernel: 2, stride: 2, padding: 0 }],
  [[7, 9, 2], { kernel: 2, stride: 2, padding: 0 }],
  [[6, 6, 1], { kernel: 3, stride: 1, dilation: 2 }],
  [[7, 7, 2], { kernel: 2, stride: 2, padding: 0, dilation: 3 }],
  [[5, 5, 2], { kernel: 2, stride: 2, padding: 1 }],
  [[9, 3], { kernel: 3 }],
  [[9, 3], { kernel: 2, stride: 2, padding: 0 }],
  [[9, 3], { kernel: 1 }],
  [[9, 3], { kernel: 3, stride: 2, dilation: 2 }],
];

describe("Conv: lowering", () => {
  for (const [shape, args] of cases) {
    it(`is the sum over taps: [${shape}] ${JSON.stringify(args)}`, () => {
      const placed = place("Conv", [shape], { width: 3, ...args });
      expectConvolution(placed, false);
      expectGradients(placed);
      expectConvolution(place("Conv", [shape], { width: 3, ...args, bias: false }), false);
    });
    it(`depthwise: [${shape}] ${JSON.stringify(args)}`, () => {
      const placed = place("DepthwiseConv", [shape], args);
      expectConvolution(placed, true);
      expectGradients(placed);
      expectConvolution(place("DepthwiseConv", [shape], { ...args, multiplier: 2, bias: false }), true);
    });
  }

  it("makes patch embeddings matrix products", () => {
    const { sketch, inputs } = place("Conv", [[8, 8, 3]], { width: 5, kernel: 4, stride: 4, padding: 0 });
    const builder = new Builder();
    const x = builder.input("x", [2, 8, 8, 3]);
    lower(
      sketch.model(),
      builder,
      2,
      new Map([[inputs[0], x]]),
      sketch.weights.map((w, i) => builder.input(`w${i}`, w.shape)),
    );
    const ops = builder.nodes.map((node) => node.op);
    expect(ops).toContain("matmul");
    expect(ops).not.toContain("conv");
  });
});

describe("Conv: gain", () => {
  // ⌈k/s⌉ alone would give √2 for the first two.
  for (const [kernel, stride, dilation, truth] of [
    [3, 2, 2, Math.sqrt(3)],
    [4, 2, 2, 2],
    [7, 1, 1, Math.sqrt(7)],
    [3, 2, 1, Math.sqrt(2)],
    [4, 4, 1, 1],
    [3, 2, 3, Math.sqrt(2)],
  ]) {
    it(`k ${kernel}, stride ${stride}, dilation ${dilation}: √ of the reads of one position, ${truth.toFixed(4)}`, () => {
      const args = { width: kernel, kernel, stride, dilation, padding: 0, bias: false };
      const placed = place("Conv", [[25, 1]], args, { data: { weight: unfoldKernel(kernel) } });
      const question = { from: placed.inputs[0], to: placed.outputs[0], layer: "Conv" };
      expectTight(placed.sketch, { ...question, normIn: "l2", truth });
      expectTight(placed.sketch, { ...question, normIn: "token", truth: Math.sqrt(kernel) });
      expectTight(placed.sketch, { ...question, normIn: "l2", normOut: "token", truth: 1 });
      expectTight(placed.sketch, { ...question, normIn: "linf", truth: 1 });
      // The truth is reached: by one perturbed position, and by all of them.
      const point = Array.from({ length: 25 }, (_, i) => (i === 12 ? 1 : 0));
      const moved = run(placed.sketch, new Map([[placed.inputs[0], point]]), placed.outputs[0]);
      expect(Math.hypot(...moved)).toBeCloseTo(truth, 12);
    });
  }

  it("7 × 7 at stride 1 is 7 in l2 and token on a map, although the reshaped kernel has norm 1", () => {
    const args = { width: 49, kernel: 7, bias: false };
    const placed = place("Conv", [[13, 13, 1]], args, { data: { weight: unfoldKernel(49) } });
    const question = { from: placed.inputs[0], to: placed.outputs[0], layer: "Conv" };
    expectTight(placed.sketch, { ...question, normIn: "l2", truth: 7 });
    expectTight(placed.sketch, { ...question, normIn: "token", truth: 7 });
  });

  it("a position is read by no more outputs than there are", () => {
    // One output of the whole 3 × 3 map: l2 is σ, token 3σ.
    const args = { width: 9, kernel: 3, padding: 0, bias: false };
    const placed = place("Conv", [[3, 3, 1]], args, { data: { weight: unfoldKernel(9) } });
    const question = { from: placed.inputs[0], to: placed.outputs[0], layer: "Conv" };
    expectTight(placed.sketch, { ...question, normIn: "l2", truth: 1 });
    expectTight(placed.sketch, { ...question, normIn: "token", truth: 3 });
  });

  for (const [shape, args] of [
    [[9, 2], { kernel: 3, stride: 2, dilation: 2, padding: 0 }],
    [[6, 2], { kernel: 3 }],
    [[4, 4, 1], { kernel: 3 }],
    [[5, 5, 1], { kernel: 3, stride: 2 }],
  ] as const) {
    it(`withstands a search over kernels of norm ≤ 1: [${shape}] ${JSON.stringify(args)}`, () => {
      const width = shape.length === 2 ? 6 : 9;
      const placed = place("Conv", [shape], { width, bias: false, ...args }, { facts: { spectral: 1 } });
      for (const [normIn, normOut] of [
        ["l2", "l2"],
        ["token", "token"],
        ["l2", "token"],
      ] as const) {
        const hunt = { from: placed.inputs[0], to: placed.outputs[0], normIn, normOut };
        const { attained } = search(placed.sketch, { ...hunt, weights: [0], starts: 2, steps: 120 });
        const bound = expectSound(placed.sketch, { ...hunt, attained });
        expect(attained / bound).toBeGreaterThan(0.6);
      }
    });
  }

  it("range: zeros in the padding take the spread away", () => {
    const domain = { kind: "box", low: 1, high: 1 } as const;
    const data = { weight: [1, 1, 1], bias: [0] };
    const padded = place("Conv", [[5, 1]], { width: 1, kernel: 3 }, { data, domain });
    const cut = place("Conv", [[5, 1]], { width: 1, kernel: 3, padding: 0 }, { data, domain });
    // All ones: inside every output is 3, at the border 2; without padding all outputs are alike.
    expect(rangeOf(padded.sketch, padded.outputs[0]).linf).toBe(3);
    expect(rangeOf(padded.sketch, padded.outputs[0]).spread).toBeGreaterThanOrEqual(0.5);
    expect(rangeOf(cut.sketch, cut.outputs[0]).spread).toBe(0);
  });
});

describe("DepthwiseConv: gain", () => {
  const ask = (placed: Placed) => ({ from: placed.inputs[0], to: placed.outputs[0], layer: "DepthwiseConv" });

  it("stride = kernel: the largest kernel's l2 norm", () => {
    const placed = place("DepthwiseConv", [[6, 6, 3]], { kernel: 2, stride: 2, padding: 0, bias: false });
    const { weight } = placed.weights;
    const norms = [0, 1, 2].map((c) => Math.hypot(...weight.slice(4 * c, 4 * c + 4)));
    const sums = [0, 1, 2].map((c) => weight.slice(4 * c, 4 * c + 4).reduce((a, w) => a + Math.abs(w), 0));
    expectTight(placed.sketch, { ...ask(placed), normIn: "l2", truth: Math.max(...norms) });
    expectTight(placed.sketch, { ...ask(placed), normIn: "l2", normOut: "token", truth: Math.max(...norms) });
    expectTight(placed.sketch, { ...ask(placed), normIn: "linf", truth: Math.max(...sums) });
  });

  it("a kernel of one tap costs its size, however large the window", () => {
    const weight = fill([2, 1, 7, 7], (c, _, y, x) => (y === 3 && x === 3 ? 0.5 + c : 0));
    const placed = place("DepthwiseConv", [[8, 8, 2]], { kernel: 7, bias: false }, { data: { weight } });
    expectTight(placed.sketch, { ...ask(placed), normIn: "l2", truth: 1.5 });
    expectTight(placed.sketch, { ...ask(placed), normIn: "linf", truth: 1.5 });
  });

  it("equal taps: the token entry is their number", () => {
    const weight = fill([1, 1, 3, 3], (_, __, y, x) => (x === y ? 0.5 : -0.5));
    const placed = place("DepthwiseConv", [[5, 5, 1]], { kernel: 3, bias: false }, { data: { weight } });
    expectTight(placed.sketch, { ...ask(placed), normIn: "token", truth: 4.5 });
  });

  // the rule for one kernel per channel would give 1.
  it("multiplier 2 with both 1 × 1 kernels 1 is √2", () => {
    const args = { kernel: 1, multiplier: 2, bias: false };
    const placed = place("DepthwiseConv", [[3, 3, 2]], args, { data: { weight: [1, 1, 1, 1] } });
    for (const normIn of ["l2", "token"] as const) {
      expectTight(placed.sketch, { ...ask(placed), normIn, truth: Math.SQRT2 });
    }
    expectTight(placed.sketch, { ...ask(placed), normIn: "l2", normOut: "token", truth: Math.SQRT2 });
    expectTight(placed.sketch, { ...ask(placed), normIn: "linf", truth: 1 });
  });

  it("withstands a search over kernels", () => {
    for (const args of [
      { kernel: 3 },
      { kernel: 3, stride: 2 },
      { kernel: 2, multiplier: 2, padding: 0 },
    ] as Record<string, number>[]) {
      const placed = place(
        "DepthwiseConv",
        [[5, 5, 2]],
        { ...args, bias: false },
        { facts: { spectral: 1 } },
      );
      for (const normIn of ["l2", "token", "linf"] as const) {
        const hunt = { from: placed.inputs[0], to: placed.outputs[0], normIn };
        const { attained } = search(placed.sketch, { ...hunt, weights: [0], starts: 2, steps: 120 });
        const bound = expectSound(placed.sketch, { ...hunt, attained });
        if (normIn !== "linf") expect(attained / bound).toBeGreaterThan(0.5);
      }
    }
  });

  it("at spectral init of the 7 × 7 kernel the l2 entry is 7, not 1", () => {
    const placed = place(
      "DepthwiseConv",
      [[56, 56, 4]],
      { kernel: 7, bias: false },
      { facts: { spectral: 1 } },
    );
    expect(boundOf(placed.sketch, { from: 0, to: placed.outputs[0], normIn: "l2" })).toBe(7);
  });
});

describe("dense matrices of random convolutions", () => {
  it("are never above the bounds", () => {
    const random = seeded(42);
    const pick = (most: number, least = 1): number => least + Math.floor(random() * (most - least + 1));
    let tightest = Infinity;
    for (let round = 0; round < 120; round++) {
      const flat = round % 2 === 0;
      const shape = flat ? [pick(11, 3), pick(3)] : [pick(5, 2), pick(5, 2), pick(2)];
      const args = { kernel: pick(4), stride: pick(3), padding: pick(2, 0), dilation: pick(3), bias: true };
      const own: Record<string, Argument> = round % 3 === 0 ? { multiplier: pick(2) } : { width: pick(4) };
      const layer = round % 3 === 0 ? "DepthwiseConv" : "Conv";
      if (!infer(layer, [shape], { ...args, ...own }).plan) continue;
      tightest = Math.min(
        tightest,
        worstOfDense(place(layer, [shape], { ...args, ...own }, { seed: round })),
      );
    }
    expect(tightest).toBeLessThan(1.0001);
  });
});
