/** Layers that move, drop, copy or join entries. */
import { describe, expect, it } from "vitest";
import { mostCopies, paddedPositions, type PadMode } from "../../src/layers/pad.ts";
import { expectGradients, expectMeaning, fill, type View } from "../rig/differences.ts";
import { infer, macs, place, type Argument, type Placed } from "../rig/place.ts";
import { boundOf, expectTight, rangeOf } from "../rig/planted.ts";
import { search } from "../rig/search.ts";
import { Sketch } from "../rig/sketch.ts";

type Case = {
  readonly layer: string;
  readonly shape: number[];
  readonly args?: Record<string, Argument>;
  readonly output: number[];
  /** What the output holds at an index. */
  readonly entry: (x: View, index: number[]) => number;
  /** Norms of the map, known by counting: l2, token, linf. */
  readonly gains: readonly [l2: number, token: number, linf: number];
};

/** (row, column) offsets of a block in Swin's order. */
const columns = [
  [0, 0],
  [1, 0],
  [0, 1],
  [1, 1],
] as const;
const rows = [
  [0, 0],
  [0, 1],
  [1, 0],
  [1, 1],
] as const;

function shifted(group: number): readonly [dy: number, dx: number] {
  return (
    [
      [0, 1],
      [0, -1],
      [1, 0],
      [-1, 0],
      [0, 0],
    ] as const
  )[group];
}

const modulo = (a: number, n: number): number => ((a % n) + n) % n;

const cases: readonly Case[] = [
  {
    layer: "Flatten",
    shape: [2, 3, 4],
    output: [24],
    entry: (x, [i]) => x.data[i],
    gains: [1, Math.sqrt(6), 1],
  },
  {
    layer: "Flatten",
    shape: [2, 3, 4],
    args: { what: "tokens" },
    output: [6, 4],
    entry: (x, [t, c]) => x.at(Math.floor(t / 3), t % 3, c),
    gains: [1, 1, 1],
  },
  {
    layer: "SpaceToDepth",
    shape: [4, 6, 3],
    args: { size: 2, order: "columns" },
    output: [2, 3, 12],
    entry(x, [i, j, c]) {
      const [dy, dx] = columns[Math.floor(c / 3)];
      return x.at(2 * i + dy, 2 * j + dx, c % 3);
    },
    gains: [1, 2, 1],
  },
  {
    layer: "SpaceToDepth",
    shape: [4, 6, 3],
    output: [2, 3, 12],
    entry(x, [i, j, c]) {
      const [dy, dx] = rows[Math.floor(c / 3)];
      return x.at(2 * i + dy, 2 * j + dx, c % 3);
    },
    gains: [1, 2, 1],
  },
  {
    layer: "SpaceToDepth",
    shape: [6, 3, 2],
    args: { size: 3 },
    output: [2, 1, 18],
    entry: (x, [i, j, c]) => x.at(3 * i + Math.floor(c / 6), 3 * j + (Math.floor(c / 2) % 3), c % 2),
    gains: [1, 3, 1],
  },
  {
    layer: "DepthToSpace",
    shape: [2, 3, 8],
    args: { order: "columns" },
    output: [4, 6, 2],
    entry: (x, [i, j, c]) => x.at(i >> 1, j >> 1, 2 * ((j % 2) * 2 + (i % 2)) + c),
    gains: [1, 1, 1],
  },
  {
    layer: "DepthToSpace",
    shape: [2, 3, 8],
    output: [4, 6, 2],
    entry: (x, [i, j, c]) => x.at(i >> 1, j >> 1, 2 * ((i % 2) * 2 + (j % 2)) + c),
    gains: [1, 1, 1],
  },
  {
    layer: "Shift",
    shape: [4, 5, 2],
    args: { dy: 1, dx: -2 },
    output: [4, 5, 2],
    entry: (x, [i, j, c]) => x.at(i - 1, j + 2, c),
    gains: [1, 1, 1],
  },
  {
    layer: "Shift",
    shape: [4, 5, 2],
    args: { dy: -6, dx: 2, mode: "circular" },
    output: [4, 5, 2],
    entry: (x, [i, j, c]) => x.at(modulo(i + 6, 4), modulo(j - 2, 5), c),
    gains: [1, 1, 1],
  },
  {
    layer: "ChannelShift",
    shape: [4, 5, 12],
    output: [4, 5, 12],
    entry(x, [i, j, c]) {
      const [dy, dx] = shifted(Math.min(c, 4));
      return x.at(i + dy, j + dx, c);
    },
    gains: [1, Math.sqrt(5), 1],
  },
  {
    layer: "ChannelShift",
    shape: [3, 3, 8],
    args: { part: "1/4", mode: "circular" },
    output: [3, 3, 8],
    entry(x, [i, j, c]) {
      const [dy, dx] = shifted(Math.floor(c / 2));
      return x.at(modulo(i + dy, 3), modulo(j + dx, 3), c);
    },
    gains: [1, 2, 1],
  },
  {
    layer: "ChannelShift",
    shape: [1, 4, 5],
    args: { part: "1/5" },
    output: [1, 4, 5],
    entry(x, [i, j, c]) {
      const [dy, dx] = shifted(c);
      return x.at(i + dy, j + dx, c);
    },
    gains: [1, Math.sqrt(3), 1],
  },
  {
    layer: "Crop",
    shape: [5, 6, 2],
    args: { all: 1, right: 2 },
    output: [3, 3, 2],
    entry: (x, [i, j, c]) => x.at(i + 1, j + 1, c),
    gains: [1, 1, 1],
  },
  {
    layer: "Crop",
    shape: [5, 2],
    args: { left: 2 },
    output: [3, 2],
    entry: (x, [t, c]) => x.at(t + 2, c),
    gains: [1, 1, 1],
  },
  {
    layer: "Token",
    shape: [5, 3],
    args: { index: 2 },
    output: [3],
    entry: (x, [c]) => x.at(2, c),
    gains: [1, 1, 1],
  },
];

function entries(placed: Placed, one: Case): void {
  expectMeaning(placed, ([x]) => [fill(one.output, (...index) => one.entry(x, index))]);
}

/** Bounds equal the truths, and a rule lowered by 1e-6 is noticed; the search finds nothing larger, and nearly as much. */
export function expectGains(placed: Placed, layer: string, gains: readonly [number, number, number]): void {
  const question = { from: placed.inputs[0], to: placed.outputs[0], layer };
  (["l2", "token", "linf"] as const).forEach((normIn, i) => {
    expectTight(placed.sketch, { ...question, normIn, truth: gains[i] });
    const { attained } = search(placed.sketch, { ...question, normIn, steps: 150 });
    expect(attained).toBeLessThanOrEqual(gains[i] * (1 + 1e-9));
    expect(attained / gains[i], normIn).toBeGreaterThan(0.8);
  });
}

describe("rearrangements and restrictions", () => {
  for (const one of cases) {
    it(`${one.layer} ${JSON.stringify(one.args ?? {})} on [${one.shape}]`, () => {
      const placed = place(one.layer, [one.shape], one.args);
      expect(placed.plan.outputs).toEqual([one.output]);
      expect(macs(one.layer, [one.shape], one.args)).toBe(0);
      entries(placed, one);
      expectGradients(placed);
      expectGains(placed, one.layer, one.gains);
    });
  }

  it("a part of a map has its range, and zeros that come in count", () => {
    const domain = { kind: "box", low: 1, high: 2 } as const;
    const range = (layer: string, shape: number[], args: Record<string, Argument>) => {
      const placed = place(layer, [shape], args, { domain });
      return rangeOf(placed.sketch, placed.outputs[0]);
    };
    expect(range("Token", [3, 4], { index: 1 })).toMatchObject({
      low: 1,
      high: 2,
      l2: 4,
      token: 4,
      spread: 1,
    });
    expect(range("Shift", [3, 4, 4], { dy: 1, dx: 0 })).toMatchObject({
      low: 0,
      high: 2,
      token: 4,
      spread: 2,
    });
    expect(range("Shift", [3, 4, 4], { dy: 1, dx: 0, mode: "circular" })).toMatchObject({
      low: 1,
      spread: 1,
    });
    expect(range("Flatten", [2, 2, 4], {})).toMatchObject({ low: 1, high: 2, token: 8, spread: 2 });
    expect(range("Pad", [4, 4], { left: 1 })).toMatchObject({ low: 0, high: 2, spread: 2 });
  });

  it("say what is wrong", () => {
    const names = (layer: string, shape: number[], args: Record<string, Argument> = {}) =>
      infer(layer, [shape], args).failures.map((f) => f.name);
    expect(infer("Token", [[7, 7, 96]], { index: 0 }).failures).toEqual([
      {
        name: "wrong-rank",
        params: { layer: "Token", works: "a sequence", expected: "[n, c]", found: "[7, 7, 96]" },
        help: "put `|> Flatten(tokens)` before it",
      },
    ]);
    expect(infer("SpaceToDepth", [[225, 224, 3]], { size: 4 }).failures).toEqual([
      {
        name: "not-divisible",
        params: { top: "225", bottom: "4", layer: "SpaceToDepth", needs: "h / size" },
      },
    ]);
    expect(names("SpaceToDepth", [4, 5, 3])).toEqual(["not-divisible"]);
    expect(names("DepthToSpace", [4, 4, 6])).toEqual(["not-divisible"]);
    expect(names("Token", [5, 3], { index: 5 })).toEqual(["token-out-of-range"]);
    expect(names("Crop", [4, 3], { all: 2 })).toEqual(["nothing-left"]);
    expect(names("Shift", [4, 4, 3], { dy: 0, dx: 4 })).toEqual(["nothing-left"]);
    expect(names("ChannelShift", [4, 4, 8])).toEqual(["bad-part"]);
    expect(names("ChannelShift", [4, 4, 12], { part: "1/3" })).toEqual(["bad-part"]);
    expect(names("Flatten", [9], { what: "tokens" })).toEqual(["wrong-rank"]);
    expect(names("Pad", [4, 3], { left: 4, mode: "reflect" })).toEqual(["padding-too-large"]);
    expect(names("Pad", [4, 3], { right: 5, mode: "circular" })).toEqual(["padding-too-large"]);
    expect(names("Split", [2, 8192], { parts: 8192 })).toEqual(["out-of-range"]);
    expect(names("Learned", [4, 3])).toEqual(["written-otherwise"]);
  });
});

describe("Pad", () => {
  // What numpy.pad gives for [1, 2, 3] with 2 before and 1 after (modes constant, reflect, wrap, edge, symmetric).
  const numpy: Record<PadMode, number[]> = {
    zeros: [0, 0, 1, 2, 3, 0],
    reflect: [3, 2, 1, 2, 3, 2],
    circular: [2, 3, 1, 2, 3, 1],
    replicate: [1, 1, 1, 2, 3, 3],
    symmetric: [2, 1, 1, 2, 3, 3],
  };
  for (const [mode, expected] of Object.entries(numpy) as [PadMode, number[]][]) {
    it(`${mode} holds what numpy.pad gives`, () => {
      expect(paddedPositions(3, 2, 1, mode).map((e) => e + 1)).toEqual(expected);
      const line = place("Pad", [[3, 2]], { left: 2, right: 1, mode });
      expectMeaning(line, ([x]) => [fill([6, 2], (t, c) => x.at(expected[t] - 1, c))]);
      expectGradients(line);
      const map = place("Pad", [[4, 3, 2]], { top: 1, bottom: 0, left: 2, right: 1, mode });
      const row = paddedPositions(4, 1, 0, mode);
      expectMeaning(map, ([x]) => [fill([5, 6, 2], (i, j, c) => x.at(row[i], expected[j] - 1, c))]);
      expectGradients(map);
    });
  }

  // With the counterexamples to «√2 per side» and «√(p + 1)».
  for (const [mode, size, before, after, squared] of [
    ["zeros", 5, 3, 2, 1],
    ["reflect", 7, 3, 3, 3],
    ["reflect", 8, 3, 3, 2],
    ["reflect", 7, 6, 0, 2],
    ["circular", 4, 2, 2, 2],
    ["circular", 4, 3, 2, 3],
    ["symmetric", 5, 3, 2, 2],
    ["symmetric", 5, 3, 3, 3],
    ["replicate", 5, 2, 3, 4],
    ["replicate", 1, 2, 3, 6],
  ] as const) {
    it(`${mode} of ${before} and ${after} on ${size} positions reads one of them ${squared} times`, () => {
      const placed = place("Pad", [[size, 2]], { left: before, right: after, mode });
      expectGains(placed, "Pad", [Math.sqrt(squared), 1, 1]);
    });
  }

  it("counts as the list of positions does, for all that is allowed up to 7 positions", () => {
    for (const mode of ["zeros", "reflect", "circular", "replicate", "symmetric"] as const) {
      for (let size = 1; size <= 7; size++) {
        const most = { zeros: 9, reflect: size - 1, circular: size, replicate: 9, symmetric: size }[mode];
        for (let before = 0; before <= most; before++) {
          for (let after = 0; after <= most; after++) {
            const counts = new Array<number>(size).fill(0);
            for (const e of paddedPositions(size, before, after, mode)) if (e >= 0) counts[e]++;
            expect(mostCopies(size, before, after, mode), `${mode} ${size} ${before} ${after}`).toBe(
              Math.max(...counts),
            );
          }
        }
      }
    }
  });

  it("multiplies over the axes: the corner of a replicated map is read (1 + p)² times", () => {
    const placed = place("Pad", [[3, 3, 1]], { all: 2, mode: "replicate" });
    expectGains(placed, "Pad", [3, 1, 1]);
  });
});

describe("Split and Concat", () => {
  it("Split takes the channels in turn", () => {
    const placed = place("Split", [[2, 3, 6]], { parts: 3 });
    expect(placed.plan.outputs).toEqual([
      [2, 3, 2],
      [2, 3, 2],
      [2, 3, 2],
    ]);
    expectMeaning(placed, ([x]) =>
      [0, 1, 2].map((part) => fill([2, 3, 2], (i, j, c) => x.at(i, j, 2 * part + c))),
    );
    expectGradients(placed);
    for (const output of placed.outputs) {
      for (const normIn of ["l2", "token", "linf"] as const) {
        expectTight(placed.sketch, { from: placed.inputs[0], to: output, normIn, truth: 1, layer: "Split" });
      }
    }
    expect(infer("Split", [[4, 7]], { parts: 3 }).failures[0].name).toBe("not-divisible");
  });

  it("Concat joins channels, or tokens", () => {
    const wide = place("Concat", [
      [2, 3, 1],
      [2, 3, 4],
    ]);
    expect(wide.plan.outputs).toEqual([[2, 3, 5]]);
    expectMeaning(wide, ([a, b]) => [
      fill([2, 3, 5], (i, j, c) => (c < 1 ? a.at(i, j, c) : b.at(i, j, c - 1))),
    ]);
    expectGradients(wide);
    const long = place(
      "Concat",
      [
        [1, 4],
        [3, 4],
        [2, 4],
      ],
      { axis: "tokens" },
    );
    expect(long.plan.outputs).toEqual([[6, 4]]);
    expectMeaning(long, ([a, b, d]) => [
      fill([6, 4], (t, c) => (t < 1 ? a.at(t, c) : t < 4 ? b.at(t - 1, c) : d.at(t - 4, c))),
    ]);
    expectGradients(long);
    expect(
      infer("Concat", [
        [3, 4],
        [2, 4],
      ]).failures[0],
    ).toEqual({
      name: "concat-mismatch",
      params: { axis: "channels", expected: "[3, 4]", found: "[2, 4]" },
    });
    expect(
      infer(
        "Concat",
        [
          [2, 2, 4],
          [2, 2, 4],
        ],
        { axis: "tokens" },
      ).failures[0].name,
    ).toBe("wrong-rank");
  });

  it("a value beside itself: √2 in l2, √2 or 1 in token, 1 in linf", () => {
    for (const [axis, token] of [
      ["channels", Math.SQRT2],
      ["tokens", 1],
    ] as const) {
      const { sketch, outputs } = (() => {
        const { plan } = infer(
          "Concat",
          [
            [3, 2],
            [3, 2],
          ],
          { axis },
        );
        const placed = place(
          "Concat",
          [
            [3, 2],
            [3, 2],
          ],
          { axis },
        );
        const x = placed.inputs[0];
        const [y] = placed.sketch.node({
          layer: "Concat",
          inputs: [x, x],
          config: { axis },
          outputs: plan?.outputs ?? [],
        });
        return { sketch: placed.sketch, outputs: [x, y] };
      })();
      const [from, to] = outputs;
      expectTight(sketch, { from, to, normIn: "l2", truth: Math.SQRT2, layer: "Concat" });
      expectTight(sketch, { from, to, normIn: "token", truth: token, layer: "Concat" });
      expectTight(sketch, { from, to, normIn: "linf", truth: 1, layer: "Concat" });
      const { attained } = search(sketch, { from, to, normIn: "token" });
      expect(attained).toBeGreaterThan(0.99 * token);
      expect(attained).toBeLessThanOrEqual(token * (1 + 1e-9));
    }
  });

  it("ranges: tokens add up in squares on channels, and may lie round different constants along tokens", () => {
    const sketch = new Sketch();
    const constant = (data: number[]): number =>
      sketch.node({
        layer: "Learned",
        inputs: [],
        outputs: [[1, 2]],
        weights: { value: { shape: [1, 2], data } },
      })[0];
    const parts = [constant([3, 4]), constant([5, 12])];
    const joined = (axis: string, shape: number[]) =>
      rangeOf(sketch, sketch.node({ layer: "Concat", inputs: parts, config: { axis }, outputs: [shape] })[0]);
    const wide = joined("channels", [1, 4]);
    expect(wide).toMatchObject({ low: 3, high: 12, linf: 12 });
    expect(wide.token).toBeCloseTo(Math.hypot(5, 13), 12);
    const long = joined("tokens", [2, 2]);
    expect(long.token).toBe(13);
    expect(long.l2).toBeCloseTo(Math.hypot(5, 13), 12);
    // Halfway between the two tokens both are √(1 + 16) away; any proof needs at least that.
    expect(long.spread).toBeGreaterThanOrEqual(Math.sqrt(17));
  });

  it("Split and Concat back is the identity, and known as such", () => {
    const placed = place("Split", [[3, 4]], { parts: 2 });
    const [y] = placed.sketch.node({
      layer: "Concat",
      inputs: placed.outputs,
      config: { axis: "channels" },
      outputs: [[3, 4]],
    });
    expect(boundOf(placed.sketch, { from: placed.inputs[0], to: y, normIn: "l2" })).toBe(1);
  });
});
