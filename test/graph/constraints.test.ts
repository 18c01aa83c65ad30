/** Every constraint's fact, attacked with random and nasty free matrices; its gradient; what training does with it. */
import fc from "fast-check";
import { describe, expect, it, test } from "vitest";
import { Builder } from "../../src/graph/builder.ts";
import { retracted, effectiveWeight } from "../../src/graph/constraints/registry.ts";
import { initialise, initialWeight } from "../../src/graph/initialise.ts";
import { array64, interpret } from "../../src/graph/interpret.ts";
import { orthonormalColumns } from "../../src/graph/orthonormal.ts";
import type { Array64 } from "../../src/graph/primitives/primitive.ts";
import { buildTrainingGraph } from "../../src/graph/training.ts";
import type { Constraint, Weight } from "../../src/model/model.ts";
import { gradientError, randomArray } from "./random-graph.ts";
import { channels, tinyModel, tinyRecipe, tinyWeights, tokens } from "./tiny-model.ts";
import { mapNorm } from "../helpers/map-norm.ts";
import { nasty } from "../helpers/nasty-matrices.ts";
import { singularValues } from "../helpers/singular.ts";

const span = { file: "test", start: 0, end: 0 };
const weightOf = (
  shape: readonly number[],
  constraint: Constraint,
  role: Weight["role"] = "matrix",
): Weight => ({
  path: "w",
  shape,
  role,
  init: { kind: "zeros" },
  constraint,
  range: null,
  span,
});

type Use = (
  builder: Builder,
  weight: Weight,
  free: ReturnType<Builder["input"]>,
) => ReturnType<Builder["input"]>;
const effective: Use = effectiveWeight;

function run(use: Use, weight: Weight, free: ArrayLike<number>): Float64Array {
  const builder = new Builder();
  const tensor = use(builder, weight, builder.input("w", weight.shape));
  const graph = builder.graph("g", [{ name: "out", tensor }]);
  return interpret(graph, { w: array64(weight.shape, free) }).out.data;
}

/** Largest singular value of (out, everything else). */
function norm(shape: readonly number[], entries: Float64Array): number {
  const rows = shape[0];
  return singularValues(entries, rows, entries.length / rows)[0] ?? 0;
}

const shapes = [
  [1, 1],
  [1, 6],
  [6, 1],
  [5, 5],
  [4, 9],
  [9, 4],
] as const;

const bounded: readonly (readonly [string, Constraint, number])[] = [
  ["orthogonal", { kind: "orthogonal" }, 1],
  ["aol", { kind: "aol" }, 1],
  ["frobenius(0.5)", { kind: "frobenius", bound: 0.5 }, 0.5],
  ["spectral(2)", { kind: "spectral", bound: 2 }, 2],
  ["spectral(0.5)", { kind: "spectral", bound: 0.5 }, 0.5],
];

describe.each(bounded)("%s: ‖W‖₂ ≤ its bound", (_, constraint, bound) => {
  it("nasty free matrices", () => {
    for (const [rows, columns] of shapes) {
      const weight = weightOf([rows, columns], constraint);
      for (const [name, free] of Object.entries(nasty(rows, columns))) {
        const w = run(effective, weight, free);
        expect(w.every(Number.isFinite), `${name} ${rows}×${columns}`).toBe(true);
        expect(norm(weight.shape, w), `${name} ${rows}×${columns}`).toBeLessThanOrEqual(bound * (1 + 1e-12));
      }
    }
  });
  it("random ones of any scale", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 7 }),
        fc.integer({ min: 1, max: 7 }),
        fc.integer(),
        fc.double({ min: -6, max: 6, noNaN: true }),
        (rows, columns, seed, exponent) => {
          const free = randomArray([rows, columns], seed).data.map((x) => x * 10 ** exponent);
          const w = run(effective, weightOf([rows, columns], constraint), free);
          expect(norm([rows, columns], w)).toBeLessThanOrEqual(bound * (1 + 1e-12));
        },
      ),
      { numRuns: 1500 },
    );
  });
});

describe("orthogonal", () => {
  const constraint: Constraint = { kind: "orthogonal" };
  it("leaves orthogonal matrices, wide and tall, as they are", () => {
    for (const [rows, columns] of shapes) {
      const count = Math.min(rows, columns);
      const length = Math.max(rows, columns);
      const vectors = orthonormalColumns(
        Float64Array.from(randomArray([count, length], 3).data),
        count,
        length,
      );
      const free = rows <= columns ? vectors : transposed(vectors, count, length);
      const w = run(effective, weightOf([rows, columns], constraint), free);
      w.forEach((x, i) => expect(x).toBeCloseTo(free[i], 12));
    }
  });
  it("retraction reaches the polar factor: singular values of 0.8 to 1.2 come within 1 %", () => {
    const weight = weightOf([4, 4], constraint);
    const free = Float64Array.from({ length: 16 }, (_, k) =>
      k % 5 === 0 ? [0.8, 0.95, 1.1, 1.2][k / 5] : 0,
    );
    const w = run(retracted, weight, free);
    for (const s of singularValues(w, 4, 4)) expect(Math.abs(s - 1)).toBeLessThan(1e-2);
  });
  it("kernels count as (out, everything else), and other constraints are not retracted", () => {
    const weight = weightOf([4, 2, 3, 3], constraint, "kernel");
    const w = run(retracted, weight, randomArray([4, 2, 3, 3], 5).data);
    expect(norm(weight.shape, w)).toBeLessThanOrEqual(1 + 1e-12);
    const free = randomArray([3, 3], 5).data;
    expect(run(retracted, weightOf([3, 3], { kind: "aol" }), free)).toEqual(free);
  });
});

describe("spectral", () => {
  it("Gaussian matrices keep 99 % of their allowed norm, shorter ones stay as they are", () => {
    for (const [rows, columns] of [
      [64, 64],
      [96, 24],
      [16, 128],
    ]) {
      const path = `${rows}×${columns}`;
      const shape = [rows, columns];
      const free = initialWeight({ path, shape, init: { kind: "normal", std: 3 }, range: null }, 1);
      const w = run(effective, weightOf(shape, { kind: "spectral", bound: 1 }), free);
      const kept = norm(shape, w);
      expect(kept).toBeGreaterThan(0.99);
      expect(kept).toBeLessThanOrEqual(1 + 1e-12);
      const short = Float64Array.from(free, (x) => x / 1000);
      const same = run(effective, weightOf(shape, { kind: "spectral", bound: 1 }), short);
      same.forEach((x, i) => expect(Math.abs(x - short[i])).toBeLessThanOrEqual(2 ** -50 * Math.abs(x)));
    }
  });
  it("rms(c) allows c·√(out/in)", () => {
    const free = randomArray([8, 2], 3).data.map((x) => 10 * x);
    const w = run(effective, weightOf([8, 2], { kind: "rms", bound: 0.7 }), free);
    expect(norm([8, 2], w)).toBeLessThanOrEqual(1.4 * (1 + 1e-12));
    expect(norm([8, 2], w)).toBeGreaterThan(1.38);
  });
});

describe("convolutions by the norm of the map", () => {
  const windows = [
    { size: 5, stride: 1, dilation: 1, padding: 1 },
    { size: 5, stride: 2, dilation: 1, padding: 1 },
    { size: 6, stride: 1, dilation: 2, padding: 2 },
    { size: 4, stride: 1, dilation: 1, padding: 0 },
  ];
  const kernels = (shape: readonly number[]): Record<string, Float64Array> => {
    const size = shape.reduce((a, b) => a * b, 1);
    const noise = randomArray(shape, 9).data;
    return {
      random: Float64Array.from(noise),
      "all ones": new Float64Array(size).fill(1),
      alternating: Float64Array.from({ length: size }, (_, k) => (k % 2 === 0 ? 1 : -1)),
      "one tap": Float64Array.from({ length: size }, (_, k) => (k % 9 === 4 ? noise[k] : 0)),
      "1e30": noise.map((x) => 1e30 * x),
      "1e-30": noise.map((x) => 1e-30 * x),
      zero: new Float64Array(size),
    };
  };
  it.each(windows)("operator(1): %j", ({ size, ...w }) => {
    for (const shape of [
      [2, 3, 3, 3],
      [3, 2, 3, 3],
      [1, 1, 3, 3],
    ]) {
      for (const [name, free] of Object.entries(kernels(shape))) {
        const made = run(effective, weightOf(shape, { kind: "operator", bound: 1 }, "kernel"), free);
        expect(mapNorm(made, shape, size, w, 1), `${name} [${shape}]`).toBeLessThanOrEqual(1 + 1e-12);
        expect(norm(shape, made), `${name} [${shape}] as a matrix`).toBeLessThanOrEqual(1 + 1e-12);
      }
    }
  });
  it.each(windows)("l1(1) on depthwise kernels: %j", ({ size, ...w }) => {
    const shape = [3, 1, 3, 3];
    for (const [name, free] of Object.entries(kernels(shape))) {
      const made = run(effective, weightOf(shape, { kind: "l1", bound: 1 }, "depthwise"), free);
      expect(mapNorm(made, shape, size, w, 3), name).toBeLessThanOrEqual(1 + 1e-12);
      for (let c = 0; c < 3; c++)
        expect(made.subarray(9 * c, 9 * c + 9).reduce((s, x) => s + Math.abs(x), 0)).toBeLessThanOrEqual(
          1 + 1e-12,
        );
    }
  });
  it("is tight: one tap keeps its whole norm, all ones most of it on a large map", () => {
    const shape = [1, 1, 3, 3];
    const w = { stride: 1, dilation: 1, padding: 1 };
    const tap = run(
      effective,
      weightOf(shape, { kind: "operator", bound: 1 }, "kernel"),
      kernels(shape)["one tap"].map((x) => 50 * x),
    );
    expect(mapNorm(tap, shape, 4, w, 1)).toBeCloseTo(1, 12);
    const ones = run(
      effective,
      weightOf(shape, { kind: "operator", bound: 1 }, "kernel"),
      kernels(shape)["all ones"],
    );
    expect(mapNorm(ones, shape, 12, w, 1)).toBeGreaterThan(0.9);
  });
  it("sequences", () => {
    const shape = [2, 3, 5];
    const free = randomArray(shape, 4).data.map((x) => 3 * x);
    const made = run(effective, weightOf(shape, { kind: "operator", bound: 1 }, "kernel"), free);
    const flat = mapNorm(made, [2, 3, 1, 5], 6, { stride: 1, dilation: 1, padding: 2 }, 1, 1);
    expect(flat).toBeLessThanOrEqual(1 + 1e-12);
    expect(flat).toBeGreaterThan(0.4);
  });
});

const smooth: readonly (readonly [string, Constraint])[] = [
  ...bounded.map(([name, c]) => [name, c] as const),
  ["rms(0.4)", { kind: "rms", bound: 0.4 }],
  ["l1(0.4)", { kind: "l1", bound: 0.4 }],
  ["operator(0.3)", { kind: "operator", bound: 0.3 }],
];
test.each(smooth)("%s: gradients equal central differences", (_, constraint) => {
  for (const [shape, scale] of [
    [[4, 3], 0.4],
    [[3, 4], 0.4],
    [[3, 3], 5],
    [[2, 3, 2, 2], 5],
    [[4, 2, 3], 2],
  ] as const) {
    if (constraint.kind === "operator" && shape.length < 3) continue;
    const free = randomArray(shape, 11);
    const feeds = {
      w: array64(
        shape,
        free.data.map((x) => x * scale),
      ),
    };
    const error = gradientError(feeds, (b, t) => [effective(b, weightOf(shape, constraint), t.w)]);
    expect(error, `${shape} × ${scale}`).toBeLessThan(1e-6);
  }
});

function transposed(x: Float64Array, rows: number, columns: number): Float64Array {
  return Float64Array.from(x, (_, k) => x[(k % rows) * columns + Math.floor(k / rows)]);
}

it("training retracts an orthogonal weight after each step, whatever the optimiser's step was", () => {
  const orthogonal = tinyWeights.map((w): Weight =>
    w.role === "matrix" ? { ...w, init: { kind: "orthogonal" }, constraint: { kind: "orthogonal" } } : w,
  );
  const model = tinyModel(orthogonal);
  const optimizer = { name: "sgd", args: { lr: 0.3, momentum: 0, weight_decay: 0 } };
  const built = buildTrainingGraph(model, tinyRecipe({ optimizer }));
  if (!built.ok) throw new Error(built.problem.message);
  const feeds: Record<string, Array64> = {
    "data/x": randomArray([6, tokens, channels], 1, -3, 3),
    labels: array64([6], [0, 1, 2, 0, 1, 2]),
    "scalar/lr": array64([], 0.3),
    "scalar/seed": array64([], 0),
  };
  const start = initialise(model, 1);
  for (const w of orthogonal) feeds[`param/${w.path}`] = array64(w.shape, start.get(w.path) as Float32Array);
  for (let step = 1; step <= 8; step++) {
    const out = interpret(built.value, { ...feeds, "scalar/step": array64([], step) });
    expect(out["metric/grad_norm"].data[0]).toBeGreaterThan(1e-3);
    for (const w of orthogonal) {
      const stored = out[`param/${w.path}`];
      if (w.role === "matrix")
        for (const s of singularValues(stored.data, w.shape[0], w.shape[1]))
          expect(Math.abs(s - 1)).toBeLessThan(2e-3);
      feeds[`param/${w.path}`] = stored;
    }
  }
});
