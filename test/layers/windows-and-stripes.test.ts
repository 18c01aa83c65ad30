/**
 * Swin's shifted windows and CSwin's cross-shaped stripes, from the outside: whole blocks of the standard library are
 * compared with attention written down from the papers' definitions, which share nothing with our lowering, and their
 * bounds are attacked where the two halves of the heads see different tokens.
 */
import { describe, expect, it, test } from "vitest";
import { entry, type Gain } from "../../src/gain/gain.ts";
import { Analysis } from "../../src/gain/analyze.ts";
import { buildInferenceGraph } from "../../src/graph/inference.ts";
import { array64, interpret } from "../../src/graph/interpret.ts";
import type { AttendConfig } from "../../src/layers/attend/config.ts";
import type { Model, Norm } from "../../src/model/model.ts";
import { modelOf } from "../elaborate/host.ts";
import { normal, seeded } from "../rig/matrix.ts";
import { boundOf, expectSound, expectTight } from "../rig/planted.ts";
import { normOf, run, search } from "../rig/search.ts";
import { Sketch, type SketchWeight } from "../rig/sketch.ts";

// A map [side, side, channels] as maps[y][x][c]; weights by the end of their path.
type Field = number[][][];
type Weights = Record<string, number[]>;

interface Compiled {
  readonly weights: Weights;
  readonly input: Field;
  readonly apply: (input: Field) => Field;
}

/** The model of a source with random weights, its output as a function of its input. */
function compiled(source: string, side: number, channels: number, seed: number): Compiled {
  const model: Model = modelOf(source);
  const random = seeded(seed);
  const numbers = (count: number, size = 1): number[] =>
    Array.from({ length: count }, () => size * normal(random));
  const graph = buildInferenceGraph(model, { batch: 1 });
  if (!graph.ok) throw new Error(graph.problem.message);
  const weights: Weights = {};
  const feeds: Record<string, ReturnType<typeof array64>> = {};
  for (const { path, shape } of model.weights) {
    const data = numbers(
      shape.reduce((a, b) => a * b, 1),
      0.5,
    );
    weights[path.replace(/^.*?attention\./, "")] = data;
    feeds[`param/${path}`] = array64(shape, data);
  }
  const field = (data: ArrayLike<number>): Field =>
    Array.from({ length: side }, (_, y) =>
      Array.from({ length: side }, (_, x) =>
        Array.from({ length: channels }, (_, c) => data[(y * side + x) * channels + c]),
      ),
    );
  const apply = (input: Field): Field => {
    const data = array64([1, side, side, channels], input.flat(2));
    return field(interpret(graph.value, { ...feeds, "data/x": data }).y.data);
  };
  return { weights, input: field(numbers(side * side * channels)), apply };
}

/** y = Wx + b for the token x, W (out, in). */
function linear(x: number[], weight: number[], bias: number[]): number[] {
  return bias.map((b, o) => x.reduce((sum, v, i) => sum + weight[o * x.length + i] * v, b));
}

/** Σ_j softmax(s)_j v_j over the tokens that are seen. */
function mean(scores: number[], values: number[][]): number[] {
  const weights = scores.map((s) => Math.exp(s));
  const total = weights.reduce((a, b) => a + b, 0);
  return values[0].map((_, c) => weights.reduce((sum, w, j) => sum + (w / total) * values[j][c], 0));
}

/** 1/√d_h as it is stored: rounded to float32. */
const usualScale = (width: number): number => Math.fround(1 / Math.sqrt(width));
const inner = (a: number[], b: number[]): number => a.reduce((sum, x, i) => sum + x * b[i], 0);

function largestGap(a: Field, b: Field): number {
  const [p, q] = [a.flat(2), b.flat(2)];
  expect(p.length).toBe(q.length);
  return p.reduce((most, x, i) => Math.max(most, Math.abs(x - q[i])), 0);
}

/** The bands that a map of shifted windows falls into along one side, on the map as it lies: [0, s), [s, s + M), … */
const band = (at: number, size: number, shift: number): number => Math.floor((at - shift + size) / size);

/**
 * Swin (Liu et al. 2021, §3.2), without rolling: after a cyclic shift by s, tokens of one window see each other only if
 * they lie next to each other on the map, so what a token sees is its band in both directions.
 */
function swin(x: Field, heads: number, size: number, shift: number, w: Weights): Field {
  const d = x[0][0].length;
  const width = d / heads;
  const qkv = x.map((row) => row.map((t) => linear(t, w["linear.weight"], w["linear.bias"])));
  const part = (y: number, x0: number, which: number, h: number): number[] =>
    qkv[y][x0].slice(which * d + h * width, which * d + (h + 1) * width);
  return x.map((row, y) =>
    row.map((_, x0) => {
      const seen: [number, number][] = [];
      x.forEach((other, v) =>
        other.forEach((_, u) => {
          if (band(v, size, shift) === band(y, size, shift) && band(u, size, shift) === band(x0, size, shift))
            seen.push([v, u]);
        }),
      );
      const joined = Array.from({ length: heads }, (_, h) =>
        mean(
          seen.map(([v, u]) => {
            const place = (y - v + size - 1) * (2 * size - 1) + (x0 - u + size - 1);
            const score = inner(part(y, x0, 0, h), part(v, u, 1, h)) * usualScale(width);
            return score + w["attend.position"][place * heads + h];
          }),
          seen.map(([v, u]) => part(v, u, 2, h)),
        ),
      ).flat();
      return linear(joined, w["linear_2.weight"], w["linear_2.bias"]);
    }),
  );
}

/**
 * CSwin (Dong et al. 2022, §3.2 and §3.3): heads of the first half see the columns of their stripe, those of the second
 * its rows; LePE adds a 3 × 3 depthwise convolution of the values, which sees zeros outside of the stripe.
 */
function cswin(x: Field, heads: number, stripe: number, w: Weights): Field {
  const d = x[0][0].length;
  const width = d / heads;
  const qkv = x.map((row) => row.map((t) => linear(t, w["linear.weight"], w["linear.bias"])));
  const same = (h: number, y: number, x0: number, v: number, u: number): boolean =>
    h < heads / 2
      ? Math.floor(x0 / stripe) === Math.floor(u / stripe)
      : Math.floor(y / stripe) === Math.floor(v / stripe);
  return x.map((row, y) =>
    row.map((_, x0) => {
      const joined: number[] = [];
      for (let h = 0; h < heads; h++) {
        const part = (v: number, u: number, which: number): number[] =>
          qkv[v][u].slice(which * d + h * width, which * d + (h + 1) * width);
        const seen: [number, number][] = [];
        x.forEach((other, v) =>
          other.forEach((_, u) => {
            if (same(h, y, x0, v, u)) seen.push([v, u]);
          }),
        );
        const attended = mean(
          seen.map(([v, u]) => inner(part(y, x0, 0), part(v, u, 1)) * usualScale(width)),
          seen.map(([v, u]) => part(v, u, 2)),
        );
        const [name, first] = h < heads / 2 ? ["attend", 0] : ["attend_2", heads / 2];
        for (let c = 0; c < width; c++) {
          const channel = (h - first) * width + c;
          let local = w[`${name}.local.bias`][channel];
          for (let a = -1; a <= 1; a++) {
            for (let b = -1; b <= 1; b++) {
              const [v, u] = [y + a, x0 + b];
              if (v < 0 || u < 0 || v >= x.length || u >= x.length || !same(h, y, x0, v, u)) continue;
              local += w[`${name}.local.weight`][channel * 9 + (a + 1) * 3 + b + 1] * part(v, u, 2)[c];
            }
          }
          joined.push(attended[c] + local);
        }
      }
      return linear(joined, w["linear_2.weight"], w["linear_2.bias"]);
    }),
  );
}

describe("the lowering is the papers' attention", () => {
  test.each([
    { side: 6, size: 3, shift: 0, heads: 2 },
    { side: 6, size: 3, shift: 1, heads: 2 },
    { side: 6, size: 3, shift: 2, heads: 1 },
    { side: 8, size: 4, shift: 2, heads: 4 },
    { side: 4, size: 4, shift: 1, heads: 2 },
  ])("Swin: $side × $side, windows of $size shifted by $shift", ({ side, size, shift, heads }) => {
    const source = `import { Attention } from "std/attention"
model M {
  input x: [${side}, ${side}, 8]
  output y = x |> Attention(${heads}, score: dot, over: windows(${size}, shift: ${shift}), position: relative)
}`;
    const { weights, input, apply } = compiled(source, side, 8, 3);
    expect(largestGap(apply(input), swin(input, heads, size, shift, weights))).toBeLessThan(1e-12);
  });

  test.each([
    { side: 4, stripe: 1, heads: 2 },
    { side: 4, stripe: 2, heads: 4 },
    { side: 6, stripe: 3, heads: 2 },
    { side: 4, stripe: 4, heads: 2 },
  ])("CSwin: $side × $side, stripes of $stripe, $heads heads", ({ side, stripe, heads }) => {
    const source = `import { CrossShapedAttention } from "std/attention"
model M {
  input x: [${side}, ${side}, 8]
  output y = x |> CrossShapedAttention(${heads}, stripe: ${stripe}, score: dot)
}`;
    const { weights, input, apply } = compiled(source, side, 8, 5);
    expect(largestGap(apply(input), cswin(input, heads, stripe, weights))).toBeLessThan(1e-12);
  });

  it("a token of another band is not seen at all, however large it is", () => {
    const [side, size, shift] = [6, 3, 1];
    const source = `import { Attention } from "std/attention"
model M {
  input x: [${side}, ${side}, 8]
  output y = x |> Attention(2, score: cosine(tau: 10, eps: 1e-2), over: windows(${size}, shift: ${shift}))
}`;
    const { input, apply } = compiled(source, side, 8, 7);
    const before = apply(input);
    const [py, px] = [0, 5];
    const moved = input.map((row, y) =>
      row.map((t, x) => (y === py && x === px ? t.map((v) => 1e12 * (v + 1)) : t)),
    );
    apply(moved).forEach((row, y) =>
      row.forEach((token, x) => {
        const seen =
          band(y, size, shift) === band(py, size, shift) && band(x, size, shift) === band(px, size, shift);
        if (!seen) expect(token).toEqual(before[y][x]);
      }),
    );
  });
});

const fixed = (value: number): { kind: "constant"; value: number } => ({ kind: "constant", value });
const base: AttendConfig = {
  heads: 1,
  score: { kind: "cosine", tau: fixed(1), eps: 1, guard: "root" },
  values: { kind: "raw" },
  over: { kind: "global" },
  position: "none",
  causal: false,
  local: null,
};
const unit: AttendConfig["values"] = { kind: "unit", nu: fixed(1), eps: 0.1 };
const sharp: AttendConfig["score"] = { kind: "cosine", tau: fixed(5), eps: 0.1, guard: "root" };
const plainMean: AttendConfig["score"] = { kind: "cosine", tau: fixed(0), eps: 1, guard: "root" };
const stripes = (width: number, direction: "horizontal" | "vertical") =>
  ({ kind: "stripes", width, direction }) as const;

/** x [side, side, 6·half] as queries, keys and values, halves in vertical and horizontal stripes, joined. */
function crossShaped(side: number, half: number, width: number, changes: Partial<AttendConfig>) {
  const sketch = new Sketch();
  const x = sketch.input([side, side, 6 * half]);
  const split = (value: number, parts: number): number[] => {
    const shape = sketch.shape(value);
    const part = [...shape.slice(0, -1), (shape.at(-1) ?? 0) / parts];
    return sketch.node({
      layer: "Split",
      inputs: [value],
      config: { parts },
      outputs: Array.from({ length: parts }, () => part),
    });
  };
  const halves = split(x, 3).map((part) => split(part, 2));
  const locals: number[] = [];
  const joined = (["vertical", "horizontal"] as const).map((direction, i) => {
    const config = { ...base, ...changes, over: stripes(width, direction) };
    const facts = { rowNorm: 1 };
    const weights: Record<string, SketchWeight> = config.local
      ? { "local.weight": { shape: [half, 1, 3, 3], role: "depthwise", facts } }
      : {};
    if (config.local) locals.push(sketch.weights.length);
    return sketch.node({ layer: "Attend", inputs: halves.map((h) => h[i]), config, weights })[0];
  });
  const outputs = [[side, side, 2 * half]];
  const [y] = sketch.node({ layer: "Concat", inputs: joined, config: { axis: "channels" }, outputs });
  return { sketch, x, y, joined, locals };
}

describe("bounds of halves that see different stripes", () => {
  it("planted: plain means of both halves cost nothing in l2, where adding both would give √2", () => {
    const { sketch, x, y, joined } = crossShaped(4, 1, 1, { score: plainMean });
    for (const one of joined) expect(boundOf(sketch, { from: x, to: one, normIn: "l2" })).toBeCloseTo(1, 12);
    expectTight(sketch, { from: x, to: y, normIn: "l2", truth: 1, layer: "Attend" });
    expectTight(sketch, { from: x, to: y, normIn: "linf", truth: 1, layer: "Attend" });
  });

  it("in the token norm the halves add up: a row and a column each move their own half", () => {
    const side = 12;
    const { sketch, x, y } = crossShaped(side, 1, 1, { score: plainMean });
    // Values of the first half along column 0, of the second along row 0; the corner has room for one of them.
    const point = new Float64Array(side * side * 6);
    for (let i = 0; i < side; i++) {
      point[i * side * 6 + 4] = 1;
      if (i > 0) point[i * 6 + 5] = 1;
    }
    expect(normOf(point, [side, side, 6], "token")).toBe(1);
    const moved = run(sketch, new Map([[x, point]]), y);
    const attained = normOf(moved, [side, side, 2], "token");
    expect(attained).toBeCloseTo(Math.hypot(1, 11 / 12), 12);
    const bound = expectSound(sketch, { from: x, to: y, normIn: "token", attained });
    expect(bound).toBeCloseTo(Math.SQRT2, 12);
  });

  const pairs: readonly (readonly [Norm, Norm])[] = [
    ["l2", "l2"],
    ["token", "token"],
    ["l2", "token"],
  ];
  test.each([
    { name: "unit values", width: 1, config: { score: sharp, values: unit }, ratio: 3.5 },
    { name: "wide stripes", width: 2, config: { score: sharp, values: unit }, ratio: 3.5 },
    {
      name: "LePE, no scores",
      width: 1,
      config: { score: plainMean, local: { kernel: 3, bias: false } },
      ratio: 2.5,
    },
    {
      name: "LePE beside unit values",
      width: 2,
      config: { score: sharp, values: unit, local: { kernel: 3, bias: false } },
      ratio: 4,
    },
  ])(
    "withstand a search over points and kernels: $name",
    ({ width, config, ratio }) => {
      const { sketch, x, y, locals } = crossShaped(4, 1, width, config);
      // One kernel per channel, of norm at most 1.
      const keep = (_: number, data: Float64Array): void => {
        for (let at = 0; at < data.length; at += 9) {
          const length = Math.hypot(...data.subarray(at, at + 9));
          if (length > 1) for (let i = at; i < at + 9; i++) data[i] /= length;
        }
      };
      for (const [normIn, normOut] of pairs) {
        const hunt = { from: x, to: y, normIn, normOut, starts: 6, steps: 200, seed: 11 };
        const { attained } = search(sketch, {
          ...hunt,
          distances: [1e-3, 1e-2],
          ...(locals.length > 0 ? { weights: locals, keep, starts: 3 } : {}),
        });
        const bound = expectSound(sketch, { from: x, to: y, normIn, normOut, attained });
        expect(bound / attained, `${normIn}→${normOut}: bound ${bound}, found ${attained}`).toBeLessThan(
          ratio,
        );
      }
    },
    60_000,
  );

  it("the whole block of the library has the split rule: its l2 bound is that of one half", () => {
    const source = (attention: string): string => `import { CrossShapedAttention } from "std/attention"
model M {
  input x: [4, 4, 8]
  weights { init: spectral }
  output y = x |> ${attention}
}`;
    const gainOf = (model: Model): Gain =>
      new Analysis(model, "init").from(model.inputs[0].value).gain(model.outputs[0].value);
    const options = "score: cosine(tau: 10, eps: 1e-2), values: unit(eps: 1e-2)";
    const whole = modelOf(source(`CrossShapedAttention(2, stripe: 1, ${options})`));
    const half = modelOf(`model M {
  input x: [4, 4, 4]
  weights { init: spectral }
  let [q, k, v] = x |> Linear(12) |> Split(3)
  output y = Attend(q, k, v, heads: 1, ${options}, over: stripes(1, vertical), local: DepthwiseConv(3))
}`);
    expect(entry(gainOf(whole), "l2", "l2")).toBeCloseTo(entry(gainOf(half), "l2", "l2"), 9);
  });
});

describe("shifted windows", () => {
  it("planted: in every class of tokens a plain mean costs nothing", () => {
    const sketch = new Sketch();
    const [q, k, v] = [0, 1, 2].map(() => sketch.input([6, 6, 1]));
    const config: AttendConfig = {
      ...base,
      score: plainMean,
      over: { kind: "windows", size: 3, shift: 1 },
    };
    const [y] = sketch.node({ layer: "Attend", inputs: [q, k, v], config });
    for (const norm of ["l2", "token", "linf"] as const)
      expectTight(sketch, { from: v, to: y, normIn: norm, truth: 1, layer: "Attend" });
    // The smallest class is one token (a corner), which passes its own value on.
    expectTight(sketch, { from: v, to: y, normIn: "l2", normOut: "token", truth: 1, layer: "Attend" });
  });

  it("the largest column sum is that of the largest class, attained by one favoured key", () => {
    // One window of 3 × 3, shifted by 1: classes of 4, 2, 2 and 1 tokens; scores ±1, so that Δ = 2.
    const sketch = new Sketch();
    const [q, k, v] = [0, 1, 2].map(() => sketch.input([3, 3, 1]));
    const config: AttendConfig = {
      ...base,
      score: { kind: "cosine", tau: fixed(1), eps: 1e-6, guard: "root" },
      over: { kind: "windows", size: 3, shift: 1 },
    };
    const [y] = sketch.node({ layer: "Attend", inputs: [q, k, v], config });
    const bound = boundOf(sketch, { from: v, to: y, normIn: "l2" });
    expect(bound).toBeCloseTo(Math.sqrt(4 / (1 + 3 * Math.exp(-2))), 12);
    // Rows and columns 1 and 2 are the class of 4; its last token is favoured by all four.
    const feeds = new Map<number, number[]>([
      [q, new Array<number>(9).fill(1e6)],
      [k, Array.from({ length: 9 }, (_, i) => (i === 8 ? 1e6 : -1e6))],
      [v, Array.from({ length: 9 }, (_, i) => (i === 8 ? 1 : 0))],
    ]);
    const moved = run(sketch, feeds, y);
    // One key's weight in four rows: √4·P, where the bound allows √(4P).
    const p = 1 / (1 + 3 * Math.exp(-2));
    expect(Math.hypot(...moved)).toBeCloseTo(2 * p, 9);
    expect(bound).toBeGreaterThan(Math.hypot(...moved));
  });
});
