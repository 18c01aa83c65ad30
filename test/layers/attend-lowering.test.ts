import { describe, expect, it } from "vitest";
import type { AttendConfig } from "../../src/layers/attend/config.ts";
import { partitionOf } from "../../src/layers/attend/regions.ts";
import { tableLength } from "../../src/layers/attend/positions.ts";
import type { Shape } from "../../src/model/model.ts";
import { normal, seeded } from "../rig/matrix.ts";
import { run } from "../rig/search.ts";
import { Sketch, type SketchWeight } from "../rig/sketch.ts";
import { referenceAttend } from "./attend-reference.ts";

const fixed = (value: number): { kind: "constant"; value: number } => ({ kind: "constant", value });
const base: AttendConfig = {
  heads: 2,
  score: { kind: "cosine", tau: fixed(3), eps: 0.25, guard: "root" },
  values: { kind: "raw" },
  over: { kind: "global" },
  position: "none",
  causal: false,
  local: null,
};

interface Case {
  readonly name: string;
  readonly config: Partial<AttendConfig>;
  readonly shapes?: readonly Shape[];
}

const map: readonly Shape[] = [
  [4, 6, 8],
  [4, 6, 8],
  [4, 6, 6],
];
const sequence: readonly Shape[] = [
  [5, 8],
  [5, 8],
  [5, 4],
];

const cases: readonly Case[] = [
  { name: "cosine over a sequence", config: {} },
  { name: "guard max", config: { score: { kind: "cosine", tau: fixed(10), eps: 0.5, guard: "max" } } },
  {
    name: "guard max with a tiny eps",
    config: { score: { kind: "cosine", tau: fixed(10), eps: 1e-30, guard: "max" } },
  },
  { name: "dot product", config: { score: { kind: "dot", scale: fixed(0.5) } } },
  { name: "distance", config: { score: { kind: "distance", scale: fixed(0.3) } } },
  { name: "unit values", config: { values: { kind: "unit", nu: fixed(2), eps: 0.125 } } },
  { name: "causal", config: { causal: true } },
  { name: "rotary", config: { position: "rotary", score: { kind: "dot", scale: fixed(0.5) } } },
  { name: "relative positions on a sequence", config: { position: "relative" } },
  {
    name: "queries of another length",
    config: {},
    shapes: [
      [3, 8],
      [5, 8],
      [5, 4],
    ],
  },
  { name: "one token", config: {}, shapes: [[8], [8], [4]] },
  { name: "global on a map", config: { position: "relative" }, shapes: map },
  {
    name: "windows",
    config: { over: { kind: "windows", size: 2, shift: 0 }, position: "relative" },
    shapes: map,
  },
  {
    name: "shifted windows",
    config: { over: { kind: "windows", size: 2, shift: 1 }, position: "relative" },
    shapes: map,
  },
  {
    name: "shifted windows, causal",
    config: { over: { kind: "windows", size: 2, shift: 1 }, causal: true },
    shapes: map,
  },
  {
    name: "horizontal stripes",
    config: { over: { kind: "stripes", width: 2, direction: "horizontal" }, position: "relative" },
    shapes: map,
  },
  {
    name: "vertical stripes",
    config: { over: { kind: "stripes", width: 1, direction: "vertical" } },
    shapes: map,
  },
  { name: "grid", config: { over: { kind: "grid", size: 2 }, position: "relative" }, shapes: map },
  {
    name: "local in windows",
    config: { over: { kind: "windows", size: 2, shift: 0 }, local: { kernel: 3, bias: true } },
    shapes: map,
  },
  {
    name: "local in a grid",
    config: { over: { kind: "grid", size: 2 }, local: { kernel: 3, bias: false } },
    shapes: map,
  },
  { name: "local over the map", config: { local: { kernel: 3, bias: true } }, shapes: map },
];

describe("Attend's lowering is attention by its definition", () => {
  it.each(cases)("$name", ({ config: changes, shapes = sequence }) => {
    const config = { ...base, ...changes };
    const random = seeded(7);
    const numbers = (count: number): number[] => Array.from({ length: count }, () => normal(random));
    const size = (shape: Shape): number => shape.reduce((a, b) => a * b, 1);
    const sketch = new Sketch();
    const inputs = shapes.map((shape) => sketch.input(shape));
    const data = shapes.map((shape) => numbers(size(shape)));
    const weights: Record<string, SketchWeight & { data: number[] }> = {};
    const width = shapes[2][shapes[2].length - 1];
    if (config.position === "relative") {
      const shape = [tableLength(partitionOf(config.over, shapes[0])), config.heads];
      weights.position = { shape, role: "table", data: numbers(size(shape)) };
    }
    if (config.local) {
      const shape = [width, 1, config.local.kernel, config.local.kernel];
      weights["local.weight"] = { shape, role: "depthwise", data: numbers(size(shape)) };
      if (config.local.bias) weights["local.bias"] = { shape: [width], role: "bias", data: numbers(width) };
    }
    const outputs = [[...shapes[0].slice(0, -1), width]];
    const [y] = sketch.node({ layer: "Attend", inputs, config, outputs, weights });
    const got = run(sketch, new Map(inputs.map((value, i) => [value, data[i]])), y);
    const want = referenceAttend(config, shapes, data, {
      position: weights.position?.data,
      local: weights["local.weight"]?.data,
      localBias: weights["local.bias"]?.data,
    });
    expect(got.length).toBe(want.length);
    const worst = got.reduce((most, x, i) => Math.max(most, Math.abs(x - want[i])), 0);
    expect(worst).toBeLessThan(1e-12);
  });
});
