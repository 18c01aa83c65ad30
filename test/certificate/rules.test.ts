/**
 * The checker's rules for affine layers against the layer itself: written out as a dense matrix, perturbed in the direction
 * that a power method between two norms finds, for all nine pairs of norms; and the ranges at the points where they are
 * largest. Configurations are those that a forger may write, not only those that lipsc makes.
 */
import { describe, expect, it } from "vitest";
import type { WeightFacts } from "../../src/gain/facts.ts";
import type { Json } from "../../src/certificate/verify/rules/rule.ts";
import { ruleOf } from "../../src/certificate/verify/rules/table.ts";
import type { Node, Shape, Weight } from "../../src/model/model.ts";
import { normal, seeded, spectralNorm } from "../rig/matrix.ts";
import { normOf, run } from "../rig/search.ts";
import { Sketch } from "../rig/sketch.ts";
import { Checked } from "../soundness/checker.ts";

const norms = ["l2", "token", "linf"] as const;
type Norm = (typeof norms)[number];
type Config = { readonly [key: string]: Json };
type Entries = (shape: Shape, random: () => number) => Float64Array;

const sizeOf = (shape: Shape): number => shape.reduce((n, size) => n * size, 1);
const fill =
  (of: (i: number, random: () => number) => number): Entries =>
  (shape, random) =>
    Float64Array.from({ length: sizeOf(shape) }, (_, i) => Math.fround(of(i, random)));
const entries: { readonly [name: string]: Entries } = {
  normal: fill((_, random) => normal(random)),
  ones: fill(() => 1),
  signs: fill((_, random) => (random() < 0.5 ? -1 : 1)),
  sparse: fill((_, random) => (random() < 0.3 ? normal(random) : 0)),
  "one entry": fill((i) => (i === 0 ? 2 : 0)),
  diagonal: (shape) => {
    const columns = sizeOf(shape) / shape[0];
    return fill((i) => (Math.floor(i / columns) === i % columns ? 1 : 0))(shape, Math.random);
  },
};

interface Built {
  readonly sketch: Sketch;
  readonly to: readonly number[];
  readonly checked: Checked;
}

/** A model of one layer, as far as the checker takes its configuration; null where it doesn't. */
function build(layer: string, shape: Shape, config: Config, data: Entries, seed: number): Built | null {
  const rule = ruleOf(layer);
  if (!rule) throw new Error(`no rule for ${layer}`);
  const node = { layer, path: "", inputs: [0], outputs: [], config, weights: {}, body: null };
  const never = (): never => {
    throw new Error("not asked for");
  };
  const site = { node, config, shapes: [shape], weight: never, weightOf: never, shapeOf: never };
  if (Object.entries(rule.config).some(([key, fits]) => !fits(config[key], site))) return null;
  const outputs = rule.shapes(site);
  if (!outputs) return null;
  const random = seeded(seed);
  const weights = Object.fromEntries(
    Object.entries(rule.weights?.(site) ?? {}).map(([name, of]) => [
      name,
      // A variance is no negative number.
      { shape: of, data: data(of, random).map((x) => (name === "running_var" ? Math.abs(x) + 0.5 : x)) },
    ]),
  );
  const sketch = new Sketch();
  const x = sketch.input(shape, { kind: "box", low: -1, high: 1 });
  const to = sketch.node({ layer, inputs: [x], config: config as Node["config"], outputs, weights });
  const oracle = (weight: Weight): WeightFacts => {
    const facts = sketch.oracle(weight);
    const taps = tapsOf(layer, weight, facts.values ?? []);
    const kernel = taps && { taps: () => taps, circular: () => Infinity, onMap: () => Infinity };
    return kernel ? { ...facts, stored: { rowDistance: Infinity, columnSpread: Infinity, kernel } } : facts;
  };
  return { sketch, to, checked: new Checked(sketch.model(), "checkpoint", { oracle }) };
}

function tapsOf(layer: string, { shape, path }: Weight, values: readonly number[]): number[] | null {
  if (path !== "w0" || shape.length < 3) return null;
  const [out, depth, ...taps] = shape;
  const count = sizeOf(taps);
  return Array.from({ length: count }, (_, t) => {
    const tap = values.filter((_, i) => i % count === t);
    return layer === "DepthwiseConv" ? Math.max(...tap.map(Math.abs)) : spectralNorm(tap, out, depth);
  });
}

/** The layer's linear part, as rows over the entries of its output, and its constant. */
function denseOf({ sketch }: Built, to: number): { rows: Float64Array[]; constant: Float64Array } {
  const columns = sizeOf(sketch.shape(0));
  const at = (x: Float64Array): Float64Array => run(sketch, new Map([[0, x]]), to);
  const constant = at(new Float64Array(columns));
  const rows = Array.from(constant, () => new Float64Array(columns));
  for (let c = 0; c < columns; c++) {
    const basis = new Float64Array(columns);
    basis[c] = 1;
    at(basis).forEach((y, r) => (rows[r][c] = y - constant[r]));
  }
  return { rows, constant };
}

const scaledBy = (x: Float64Array, factor: number): Float64Array => x.map((e) => e * factor);
const tokensIn = (x: Float64Array, width: number): Float64Array[] =>
  Array.from({ length: x.length / width }, (_, t) => x.subarray(t * width, (t + 1) * width));

/** The x with ‖x‖_norm = 1 that makes ⟨g, x⟩ largest. */
function steepest(g: Float64Array, width: number, norm: Norm): Float64Array {
  if (norm === "linf") return g.map((e) => Math.sign(e) || 1);
  if (norm === "l2") return scaledBy(g, 1 / (Math.hypot(...g) || 1));
  return Float64Array.from(tokensIn(g, width).flatMap((t) => [...scaledBy(t, 1 / (Math.hypot(...t) || 1))]));
}

/** Perturbations that a power method between two norms ends in, from the output's tokens and from chance. */
function* directions(
  rows: readonly Float64Array[],
  from: Shape,
  to: Shape,
  p: Norm,
  q: Norm,
  random: () => number,
): Iterable<Float64Array> {
  const [widthIn, widthOut] = [from.at(-1) ?? 1, to.at(-1) ?? 1];
  const columns = sizeOf(from);
  const pulled = (y: Float64Array): Float64Array => {
    const g = new Float64Array(columns);
    rows.forEach((row, r) => y[r] !== 0 && row.forEach((e, c) => (g[c] += e * y[r])));
    return g;
  };
  const count = rows.length / widthOut;
  const starts = Math.min(count, 3);
  for (let start = 0; start <= starts; start++) {
    let y = Float64Array.from(rows, (_, r) =>
      start === starts || Math.floor(r / widthOut) === Math.floor((start * count) / starts)
        ? normal(random)
        : 0,
    );
    let x = steepest(pulled(y), widthIn, p);
    for (let step = 0; step < 6; step++) {
      y = Float64Array.from(rows, (row) => row.reduce((sum, e, c) => sum + e * x[c], 0));
      // Of the largest token, or entry, alone.
      const parts = q === "l2" ? [y] : tokensIn(y, q === "token" ? widthOut : 1);
      const sizes = parts.map((part) => Math.hypot(...part));
      const largest = Math.max(...sizes);
      parts.forEach((part, i) => {
        if (i !== sizes.indexOf(largest)) part.fill(0);
      });
      x = steepest(pulled(y), widthIn, p);
    }
    // Nothing pulls where a part of the output stands still.
    if (x.some((e) => e !== 0)) yield x;
  }
}

function attackAffine(layer: string, shape: Shape, config: Config, data: string, seed: number): boolean {
  const built = build(layer, shape, config, entries[data], seed);
  if (!built) return false;
  const { sketch, checked } = built;
  const random = seeded(seed + 1);
  const gains = checked.from(0);
  const name = `${layer} [${shape}] ${JSON.stringify(config)} ${data}`;
  built.to.forEach((value) => {
    const to = sketch.shape(value);
    const { rows, constant } = denseOf(built, value);
    const bound = gains.gain(value).entries;
    const range = checked.range(value);
    for (const [i, p] of norms.entries()) {
      for (const [j, q] of norms.entries()) {
        for (const x of directions(rows, shape, to, p, q, random)) {
          const moved = Float64Array.from(rows, (row) => row.reduce((sum, e, c) => sum + e * x[c], 0));
          const gain = normOf(moved, to, q) / normOf(x, shape, p);
          expect(bound[3 * i + j], `${name} ${p}→${q}`).toBeGreaterThanOrEqual(gain * (1 - 1e-11));
          if (p !== "linf") continue;
          const y = moved.map((e, r) => e + constant[r]);
          for (const r of norms)
            expect(range[r] * (1 + 1e-11) + 1e-300, `${name} range ${r}`).toBeGreaterThanOrEqual(
              normOf(y, to, r),
            );
          const room = 1e-11 * Math.max(1, normOf(y, to, "linf"));
          expect(Math.min(...y), `${name} low`).toBeGreaterThanOrEqual(range.low - room);
          expect(Math.max(...y), `${name} high`).toBeLessThanOrEqual(range.high + room);
          const tokens = tokensIn(y, to.at(-1) ?? 1);
          const apart = Math.max(...tokens.map((t) => Math.hypot(...t.map((e, c) => e - tokens[0][c]))));
          expect(2 * range.spread * (1 + 1e-11) + room, `${name} spread`).toBeGreaterThanOrEqual(apart);
        }
      }
    }
  });
  return true;
}

function* windows(): Iterable<Config & { kernel: number; stride: number }> {
  for (const kernel of [1, 2, 3])
    for (const stride of [1, 2, 3])
      for (const padding of [0, 1])
        for (const dilation of [1, 2]) yield { kernel, stride, padding, dilation };
}

const kinds = Object.keys(entries);
/** Each configuration with one kind of entries, in turn. */
function attackEach(cases: Iterable<readonly [layer: string, shape: Shape, config: Config]>): number {
  let [tried, taken] = [0, 0];
  for (const [layer, shape, config] of cases)
    if (attackAffine(layer, shape, config, kinds[tried % kinds.length], ++tried)) taken++;
  return taken;
}

describe("rules of affine layers", () => {
  it.each([
    [[7, 2], 40],
    [[3, 4, 2], 30],
    [[1, 2, 1], 20],
  ] as const)("convolutions of %s", (shape, least) => {
    const convolutions = function* () {
      for (const w of windows()) {
        yield ["Conv", shape, { width: 3, bias: true, ...w }] as const;
        yield ["DepthwiseConv", shape, { multiplier: 1, bias: false, ...w }] as const;
        if (w.stride < 3) yield ["DepthwiseConv", shape, { multiplier: 2, bias: true, ...w }] as const;
      }
    };
    expect(attackEach(convolutions())).toBeGreaterThan(least);
  });

  it("averages", () => {
    const pools = function* () {
      for (const shape of [
        [7, 2],
        [3, 4, 1],
        [1, 2, 2],
      ] as const) {
        yield ["MeanPool", shape, {}] as const;
        for (const w of windows())
          for (const divisor of ["window", "inside"] as const)
            yield ["AveragePool", shape, { ...w, divisor }] as const;
      }
    };
    expect(attackEach(pools())).toBeGreaterThan(40);
  });

  it("padding", () => {
    const pads = function* () {
      for (const mode of ["zeros", "reflect", "symmetric", "circular", "replicate"])
        for (const n of [1, 2, 3, 5])
          for (const before of [0, 1, 2, 4])
            for (const after of [0, 3]) {
              yield ["Pad", [n, 2], { before: [before], after: [after], mode }] as const;
              if (n < 4 && before < 3)
                yield ["Pad", [n, 2, 1], { before: [before, 1], after: [after, 1], mode }] as const;
            }
    };
    expect(attackEach(pads())).toBeGreaterThan(80);
  });

  it("moves", () => {
    const moves = function* () {
      for (const shape of [
        [2, 4, 4],
        [2, 3, 8],
        [4, 2, 5],
        [3, 3, 4],
      ] as const) {
        for (const what of ["all", "tokens"]) yield ["Flatten", shape, { what }] as const;
        for (const size of [1, 2])
          for (const order of ["rows", "columns"]) {
            yield ["SpaceToDepth", shape, { size, order }] as const;
            yield ["DepthToSpace", shape, { size, order }] as const;
          }
        for (const mode of ["zeros", "circular"]) {
          yield ["ChannelShift", shape, { moved: 1, mode }] as const;
          for (const [dy, dx] of [
            [0, 0],
            [1, 0],
            [-1, 1],
            [1, -2],
          ])
            yield ["Shift", shape, { dy, dx, mode }] as const;
        }
        yield ["Crop", shape, { before: [0, 1], after: [0, 0] }] as const;
        for (const parts of [1, 2, 4]) yield ["Split", shape, { parts }] as const;
      }
      for (const shape of [[5], [4, 3]] as const) yield ["Flatten", shape, { what: "all" }] as const;
      for (const index of [0, 2]) yield ["Token", [3, 4], { index }] as const;
      yield ["Crop", [6, 2], { before: [2], after: [3] }] as const;
    };
    expect(attackEach(moves())).toBeGreaterThan(60);
  });

  it("one matrix for each token", () => {
    const maps = function* () {
      for (const shape of [[3], [1], [4, 3], [2, 2, 2], [3, 1]] as const)
        for (let turn = 0; turn < kinds.length + 1; turn++) {
          yield ["Linear", shape, { width: 1 + (turn % 4), bias: turn % 2 === 0 }] as const;
          yield ["CenterNorm", shape, {}] as const;
          yield ["BatchNorm", shape, { eps: [0, 1e-3][turn % 2] }] as const;
          yield ["Scale", shape, { by: { kind: "constant", value: [-3, 0, 0.1][turn % 3] } }] as const;
          yield ["Offset", shape, { by: { kind: "constant", value: [-3, 0, 0.1][turn % 3] } }] as const;
          const channels = { mean: shape.map((n) => n / 3), scale: shape.map((n) => n + 0.5) };
          if (shape.length === channels.mean.length) yield ["Normalize", shape, channels] as const;
        }
    };
    expect(attackEach(maps())).toBeGreaterThan(120);
  });
});
