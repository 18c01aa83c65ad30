/** `operator(c)`: the norm of the whole convolution, for kernels of all kinds, against its frequencies one by one. */
import { describe, expect, it } from "vitest";
import { vjp } from "../../src/graph/autodiff.ts";
import { Builder } from "../../src/graph/builder.ts";
import { operator } from "../../src/graph/constraints/operator.ts";
import { symbolBound } from "../../src/graph/constraints/symbol.ts";
import { array64, interpret } from "../../src/graph/interpret.ts";
import { sizeOf } from "../../src/graph/primitives/size.ts";
import { mapNorm } from "../helpers/map-norm.ts";
import { symbolNorm } from "../helpers/symbol-norm.ts";
import { normal, seeded } from "../rig/matrix.ts";
import { gradientError, randomArray } from "./random-graph.ts";

type Shape = readonly [out: number, inner: number, height: number, width: number];

/** The effective kernel from the free one. */
function constraining(shape: readonly number[], bound = 1): (free: ArrayLike<number>) => Float64Array {
  const builder = new Builder();
  const free = builder.input("w", [shape[0], sizeOf(shape) / shape[0]]);
  const tensor = operator.effective(builder, free, { kind: "operator", bound }, shape);
  const graph = builder.graph("operator", [{ name: "w", tensor }]);
  return (entries) => interpret(graph, { w: array64(free.shape, entries) }).w.data;
}

/** Free kernels of one shape: noise, signs, smooth ones, single taps, few entries. */
function* kernels(shape: Shape, seed: number): Iterable<readonly [name: string, entries: Float64Array]> {
  const random = seeded(seed);
  const [, inner, height, width] = shape;
  const taps = height * width;
  const size = sizeOf(shape);
  const from = (entry: (k: number) => number) => Float64Array.from({ length: size }, (_, k) => entry(k));
  const noise = from(() => normal(random));
  const each = noise.slice(0, size / taps);
  yield ["noise", noise];
  yield ["uniform", from(() => random())];
  yield ["signs", from(() => Math.sign(random() - 0.5))];
  yield ["alternating", from((k) => (k % 2 === 0 ? 1 : -1))];
  yield ["all equal", from(() => 0.3)];
  yield ["smooth", from((k) => each[Math.floor(k / taps)] * Math.exp(-(((k % taps) - taps / 2) ** 2) / 2))];
  yield ["waves", from((k) => Math.cos(3 * seed + 0.7 * k) * (1 + 0.1 * noise[k]))];
  yield ["one tap", from((k) => (k % taps === seed % taps ? noise[k] : 0))];
  yield ["few", noise.map((x) => (random() < 0.25 ? x : 0))];
  yield [
    "identity and noise",
    noise.map((x, k) => 0.05 * x + (k % (taps * (inner + 1)) === taps >> 1 ? 1 : 0)),
  ];
  yield ["rank one", from((k) => each[Math.floor(k / taps / inner)] * Math.sin(k % (taps * inner)))];
  yield ["zero sums", noise.map((x, k) => x - noise[k % 2 === 0 ? Math.min(k + 1, size - 1) : k - 1])];
  yield ["scales apart", noise.map((x, k) => x * 10 ** -(k % 9))];
}

const shapes: readonly Shape[] = [
  ...[1, 2, 3, 4, 5].flatMap((k): Shape[] => [
    [2, 2, 1, k + 1],
    [1, 2, k, k],
    [2, 1, 2, k],
  ]),
  [2, 3, 3, 3],
  [3, 2, 3, 3],
  [2, 2, 3, 5],
  [1, 1, 7, 7],
  [3, 3, 2, 2],
  [3, 4, 3, 3],
];

describe("operator(c): no frequency of the convolution is above c", () => {
  it.each(shapes.map((shape) => ({ shape })))("[$shape]", ({ shape }) => {
    const constrain = constraining(shape);
    const rounds = shape[0] > 2 && shape[1] > 2 ? 2 : 8;
    for (let seed = 1; seed <= rounds; seed++)
      for (const [name, entries] of kernels(shape, seed)) {
        const scale = 10 ** ((seed % 4) - 1);
        const made = constrain(entries.map((x) => x * scale));
        expect(symbolNorm(made, shape), `${name}, ${seed}`).toBeLessThanOrEqual(1 + 1e-12);
      }
  });

  it("of any size: 0, 1e-38, 1e30, 3e38", () => {
    for (const shape of [
      [2, 2, 3, 3],
      [1, 1, 2, 2],
      [2, 3, 1, 4],
    ] as const) {
      const constrain = constraining(shape);
      for (const scale of [0, 1e-45, 1e-38, 1e-12, 1e12, 1e30, 3e38])
        for (const [name, entries] of kernels(shape, 5)) {
          const made = constrain(entries.map((x) => x * scale));
          expect(made.every(Number.isFinite), `${name} × ${scale}`).toBe(true);
          expect(symbolNorm(made, shape), `${name} × ${scale}`).toBeLessThanOrEqual(1 + 1e-12);
          if (scale <= 1e-38)
            made.forEach((x, k) => {
              const y = entries[k] * scale;
              expect(Math.abs(x - y)).toBeLessThanOrEqual(2 ** -50 * Math.abs(y));
            });
        }
    }
  });

  it("on maps: strides, dilations, paddings, even kernels", () => {
    for (const shape of [
      [2, 2, 3, 3],
      [2, 2, 2, 2],
      [2, 1, 4, 4],
    ] as const)
      for (const [name, entries] of kernels(shape, 3)) {
        const made = constraining(shape)(entries.map((x) => 9 * x));
        for (const [stride, dilation, padding] of [
          [1, 1, 1],
          [2, 1, 0],
          [1, 2, 3],
          [3, 2, 2],
        ])
          expect(mapNorm(made, shape, 5, { stride, dilation, padding }, 1), name).toBeLessThanOrEqual(
            1 + 1e-12,
          );
      }
  });
});

/**
 * A kernel whose largest frequency lies in the middle between points of a grid of 16 (3 taps) or 8 (2 taps), where it is as
 * much larger as Bernstein and Szegő allow: in complex numbers (e^{i(θ−φ)} + e^{−i(θ−φ)})/2 = cos(θ − φ), as rotations of
 * the plane; both axes by a Kronecker product.
 */
function between(taps: number): { readonly shape: Shape; readonly kernel: Float64Array } {
  const points = 8 * (taps - 1);
  const half = (Math.PI / points) * ((taps - 1) / 2);
  const axis = Array.from({ length: taps }, (_, t) => {
    const angle = t === 0 ? half : -half;
    const size = t === 0 || t === taps - 1 ? 0.5 : 0;
    return [Math.cos(angle), -Math.sin(angle), Math.sin(angle), Math.cos(angle)].map((x) => size * x);
  });
  const kernel = new Float64Array(16 * taps * taps);
  for (let o = 0; o < 4; o++)
    for (let i = 0; i < 4; i++)
      for (let y = 0; y < taps; y++)
        for (let x = 0; x < taps; x++)
          kernel[((o * 4 + i) * taps + y) * taps + x] =
            axis[y][(o >> 1) * 2 + (i >> 1)] * axis[x][(o & 1) * 2 + (i & 1)];
  return { shape: [4, 4, taps, taps], kernel };
}

/** The bound by frequencies alone, of a kernel that has no more outputs than inputs. */
function boundOf(kernel: Float64Array, [out, inner, height, width]: Shape): number {
  const builder = new Builder();
  const free = builder.input("w", [out, inner, height, width]);
  const padding = [height - 1, width - 1, height - 1, width - 1] as const;
  const correlation = builder.conv(free, free, { stride: [1, 1], padding, dilation: [1, 1], groups: 1 });
  const tensor = symbolBound(builder, correlation);
  if (!tensor) throw new Error("no bound");
  return interpret(builder.graph("bound", [{ name: "b", tensor }]), { w: array64(free.shape, kernel) }).b
    .data[0];
}

describe("between the points of the grid", () => {
  it.each([2, 3])("%i taps: the factor is needed, and enough", (taps) => {
    const { shape, kernel } = between(taps);
    const truth = symbolNorm(kernel, shape, 48);
    expect(truth).toBeCloseTo(1, 9);
    const bound = boundOf(kernel, shape);
    expect(bound).toBeGreaterThanOrEqual(truth);
    // The defect that this would find: the largest value on the grid taken for the norm.
    expect(bound * Math.cos(Math.PI / 16) ** 2).toBeLessThan(0.99 * truth);
    const made = constraining(shape)(kernel.map((x) => 7 * x));
    expect(symbolNorm(made, shape, 48)).toBeLessThanOrEqual(1 + 1e-12);
  });

  it("is at most 4 % and the Schatten norm's slack too large, over random kernels", () => {
    for (let seed = 1; seed <= 4; seed++) {
      const random = seeded(seed);
      const shape = [5, 5, 3, 3] as const;
      const kernel = Float64Array.from({ length: sizeOf(shape) }, () => normal(random) / 4);
      const ratio = boundOf(kernel, shape) / symbolNorm(kernel, shape);
      expect(ratio).toBeGreaterThanOrEqual(1);
      expect(ratio).toBeLessThan(1.05);
    }
  });
});

describe("what is left of the allowed norm", () => {
  const kept = (shape: Shape, entries: Float64Array): number =>
    symbolNorm(constraining(shape)(entries.map((x) => 50 * x)), shape);

  it("95 % for random kernels, more where a simpler bound is exact", () => {
    for (const shape of [
      [4, 4, 3, 3],
      [4, 4, 1, 3],
      [2, 2, 5, 5],
      [3, 5, 2, 2],
    ] as const)
      for (const [name, entries] of kernels(shape, 2))
        expect(kept(shape, entries), name).toBeGreaterThan(0.95);
  });
  it("all of it for one tap, and for all equal", () => {
    const shape = [4, 4, 3, 3] as const;
    const entries = new Map(kernels(shape, 1));
    expect(kept(shape, entries.get("all equal") as Float64Array)).toBeGreaterThan(0.999_999);
    const tap = Float64Array.from({ length: 144 }, (_, k) => (k % 45 === 4 ? 1 : 0));
    expect(kept(shape, tap)).toBeGreaterThan(0.999_999);
  });
  it("never less than by the largest row sum of the autocorrelation", () => {
    for (const shape of [
      [2, 2, 3, 3],
      [1, 2, 2, 2],
      [2, 2, 1, 5],
    ] as const)
      for (const [name, entries] of kernels(shape, 4)) {
        const made = constraining(shape)(entries);
        const scale = Math.max(...made.map(Math.abs)) / Math.max(...entries.map(Math.abs));
        expect(scale, name).toBeGreaterThanOrEqual(
          (1 - 1e-12) * Math.min(1, 1 / Math.sqrt(rowSum(entries, shape))),
        );
      }
  });
});

/** max_i Σ_j,t |Σ_o,s K_oi(s)K_oj(s + t)|, over the side that has fewer channels. */
function rowSum(kernel: Float64Array, [out, inner, height, width]: Shape): number {
  const [n, m] = [Math.min(out, inner), Math.max(out, inner)];
  const at = (c: number, o: number, y: number, x: number): number => {
    if (y < 0 || x < 0 || y >= height || x >= width) return 0;
    const channel = out <= inner ? c * inner + o : o * inner + c;
    return kernel[(channel * height + y) * width + x];
  };
  let most = 0;
  for (let i = 0; i < n; i++) {
    let sum = 0;
    for (let j = 0; j < n; j++)
      for (let dy = 1 - height; dy < height; dy++)
        for (let dx = 1 - width; dx < width; dx++) {
          let a = 0;
          for (let o = 0; o < m; o++)
            for (let y = 0; y < height; y++)
              for (let x = 0; x < width; x++) a += at(i, o, y, x) * at(j, o, y + dy, x + dx);
          sum += Math.abs(a);
        }
    most = Math.max(most, sum);
  }
  return most;
}

describe("gradients", () => {
  it.each([
    { shape: [3, 4, 3, 3] },
    { shape: [4, 2, 2, 3] },
    { shape: [3, 3, 1, 4] },
    { shape: [1, 1, 3, 3] },
  ])("equal central differences: [$shape]", ({ shape }) => {
    const feeds = { w: array64([shape[0], sizeOf(shape) / shape[0]], randomArray(shape, 3).data) };
    const error = gradientError(feeds, (b, t) => [
      operator.effective(b, t.w, { kind: "operator", bound: 0.5 }, shape),
    ]);
    expect(error).toBeLessThan(1e-6);
  });
  it("flow through one frequency alone: no product of the whole grid has a backward pass", () => {
    const builder = new Builder();
    const free = builder.input("w", [3, 27]);
    const made = operator.effective(builder, free, { kind: "operator", bound: 0.5 }, [3, 3, 3, 3]);
    const forward = builder.nodes.length;
    vjp(builder, [made], [builder.input("seed", [3, 27])], [free]);
    const behind = builder.nodes.slice(forward).filter(({ shape }) => shape[0] === 130);
    expect(behind).toEqual([]);
  });
  it("a stand-in must come before what it stands in for", () => {
    const builder = new Builder();
    const x = builder.input("x", []);
    const y = builder.mul(x, 2);
    expect(() => builder.differentiatedAs(x, y)).toThrow("stand-in");
  });
});

it("kernels whose frequencies would cost too much keep the simpler bounds", () => {
  for (const [n, fewer] of [
    [64, 130],
    [128, 130],
    [256, 34],
    [512, 0],
  ] as const) {
    const builder = new Builder();
    operator.effective(builder, builder.input("w", [n, n * 9]), { kind: "operator", bound: 1 }, [n, n, 3, 3]);
    const grids = builder.nodes.filter(({ op, shape }) => op === "matmul" && shape.length === 3);
    expect(Math.max(0, ...grids.map(({ shape }) => shape[0])), `${n} channels`).toBe(fewer);
  }
});
