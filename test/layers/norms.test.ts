import { describe, expect, it } from "vitest";
import { Analysis } from "../../src/gain/analyze.ts";
import type { Norm } from "../../src/model/model.ts";
import { expectGradients, expectMeaning, fill, type View } from "../rig/differences.ts";
import { normal, seeded } from "../rig/matrix.ts";
import { infer, macs, place, type Argument, type Placed } from "../rig/place.ts";
import { analysisOf, boundOf, expectSound, expectTight, rangeOf } from "../rig/planted.ts";
import { run, search } from "../rig/search.ts";

type Weights = Readonly<Record<string, readonly number[]>>;

/** One token of a sample. */
function token(x: View, index: readonly number[]): number[] {
  const d = x.shape[x.shape.length - 1];
  return Array.from({ length: d }, (_, c) => x.at(...index.slice(0, -1), c));
}
const mean = (v: readonly number[]): number => v.reduce((a, b) => a + b, 0) / v.length;
const squares = (v: readonly number[]): number => v.reduce((a, b) => a + b * b, 0);

/** The layer's formula for one entry of one token. */
type Formula = (t: readonly number[], c: number, w: Weights) => number;

interface Case {
  readonly name: string;
  readonly args?: Readonly<Record<string, Argument>>;
  readonly data?: Weights;
  readonly formula: Formula;
  /** Known gains with weights `flat`. */
  readonly flat: Weights;
  readonly truth: Partial<Record<Norm, number>>;
  /** A token where the gain is reached, and the direction. */
  readonly at?: readonly [readonly number[], readonly number[]];
}

const eps5 = Math.fround(1e-5);
const eps2 = Math.fround(1e-2);
const flat = (γ: number, β = 0): Weights => ({ gamma: [γ, -γ, γ, γ], beta: [β, β, 2 * β, 0] });

const cases: readonly Case[] = [
  {
    name: "CenterNorm",
    formula: (t, c, w) => (w.gamma[c] * 4 * (t[c] - mean(t))) / 3 + w.beta[c],
    flat: flat(1.5, 2),
    truth: { l2: 2, token: 2, linf: 3 },
    at: [
      [0, 0, 0, 0],
      [1, -1, 0, 0],
    ],
  },
  {
    name: "LayerNorm",
    formula: (t, c, w) => {
      const m = mean(t);
      return (w.gamma[c] * (t[c] - m)) / Math.sqrt(squares(t.map((x) => x - m)) / 4 + eps5) + w.beta[c];
    },
    flat: flat(0.5, 1),
    truth: { l2: 0.5 / Math.sqrt(eps5), token: 0.5 / Math.sqrt(eps5) },
    at: [
      [7, 7, 7, 7],
      [1, -1, 1, -1],
    ],
  },
  {
    name: "LayerNorm",
    args: { eps: 0.01 },
    formula: (t, c, w) => {
      const m = mean(t);
      return (w.gamma[c] * (t[c] - m)) / Math.sqrt(squares(t.map((x) => x - m)) / 4 + eps2) + w.beta[c];
    },
    flat: flat(2),
    truth: { l2: 2 / Math.sqrt(eps2), token: 2 / Math.sqrt(eps2) },
    at: [
      [0, 0, 0, 0],
      [1, -1, 1, -1],
    ],
  },
  {
    name: "RMSNorm",
    args: { eps: 0.01 },
    formula: (t, c, w) => (w.gamma[c] * t[c]) / Math.sqrt(squares(t) / 4 + eps2),
    flat: { gamma: [3, 3, -3, 3] },
    truth: { l2: 3 / Math.sqrt(eps2), token: 3 / Math.sqrt(eps2) },
    at: [
      [0, 0, 0, 0],
      [1, 2, 3, 4],
    ],
  },
  {
    name: "BatchNorm",
    data: { running_var: [0.25, 4, 1, 2] },
    formula: (t, c, w) =>
      (w.gamma[c] * (t[c] - w.running_mean[c])) / Math.sqrt(w.running_var[c] + eps5) + w.beta[c],
    flat: {
      gamma: [1, 3, -2, 1],
      beta: [1, 1, 1, 1],
      running_mean: [5, 0, 1, 1],
      running_var: [1, 4, 4, 0.25],
    },
    truth: Object.fromEntries((["l2", "token", "linf"] as const).map((n) => [n, 1 / Math.sqrt(0.25 + eps5)])),
    at: [
      [1, 2, 3, 4],
      [0, 0, 0, 1],
    ],
  },
  {
    name: "UnitNorm",
    args: { eps: 0.01 },
    formula: (t, c) => t[c] / Math.sqrt(squares(t) + eps2),
    flat: {},
    truth: { l2: 1 / Math.sqrt(eps2), token: 1 / Math.sqrt(eps2) },
    at: [
      [0, 0, 0, 0],
      [1, 2, 3, 4],
    ],
  },
  {
    name: "UnitNorm",
    args: { eps: 0.5, guard: "max" },
    formula: (t, c) => t[c] / Math.max(Math.sqrt(squares(t)), 0.5),
    flat: {},
    truth: { l2: 2, token: 2 },
    at: [
      [0, 0, 0, 0],
      [1, 2, 3, 4],
    ],
  },
];

function scaled(
  placed: Placed,
  from: readonly number[],
  direction: readonly number[],
  step: number,
): [number[], number[]] {
  const shape = placed.sketch.shape(placed.inputs[0]);
  const x = fill(shape, (...index) => from[index[index.length - 1]]);
  const y = fill(
    shape,
    (...index) => from[index[index.length - 1]] + step * direction[index[index.length - 1]],
  );
  return [x, y];
}

for (const { name, args = {}, data, formula, flat: weights, truth, at } of cases) {
  describe(`${name}(${Object.entries(args).map(([k, v]) => `${k}: ${v}`)})`, () => {
    const placed = place(name, [[3, 4]], args, { data: weights });
    const [from] = placed.inputs;
    const [to] = placed.outputs;

    it("keeps the shape and costs no matrix products", () => {
      for (const shape of [[4], [5, 4], [2, 3, 4]])
        expect(infer(name, [shape], args).plan?.outputs).toEqual([shape]);
      expect(macs(name, [[5, 4]], args)).toBe(0);
    });

    for (const shape of [[4], [3, 4], [2, 2, 4]]) {
      const general = place(name, [shape], args, { seed: 4, ...(data ? { data } : {}) });
      it(`computes its formula and gradient on [${shape}]`, () => {
        const reference = (inputs: readonly View[], w: Weights): number[][] => [
          fill(shape, (...index) => formula(token(inputs[0], index), index[index.length - 1], w)),
        ];
        expectMeaning(general, reference);
        expectGradients(general, 1e-5);
      });
    }

    for (const [norm, known] of Object.entries(truth) as [Norm, number][]) {
      it(`has the known gain in ${norm}, and withstands a search`, () => {
        expectTight(placed.sketch, { from, to, normIn: norm, truth: known, layer: name });
        const hunt = { from, to, normIn: norm, starts: 4, steps: 80, size: 0.3 };
        const random = search(placed.sketch, hunt).attained;
        const point = at && scaled(placed, at[0], at[1], 1e-6);
        const planted = point
          ? search(placed.sketch, { ...hunt, starts: 1, steps: 5, points: [point] }).attained
          : 0;
        const bound = expectSound(placed.sketch, {
          from,
          to,
          normIn: norm,
          attained: Math.max(random, planted),
        });
        if (norm !== "linf" || name !== "CenterNorm") expect(planted / bound).toBeGreaterThan(0.99);
      });
    }

    it("bounds its range on a box round 3", () => {
      const boxed = place(name, [[3, 4]], args, { data: weights, domain: { kind: "box", low: 1, high: 5 } });
      const range = rangeOf(boxed.sketch, boxed.outputs[0]);
      const random = seeded(2);
      for (let round = 0; round < 300; round++) {
        const x = Array.from({ length: 12 }, () =>
          random() < 0.5 ? 1 + 4 * random() : random() < 0.5 ? 1 : 5,
        );
        const y = run(boxed.sketch, new Map([[boxed.inputs[0], x]]), boxed.outputs[0]);
        const rows = [0, 1, 2].map((i) => Array.from(y.subarray(4 * i, 4 * i + 4)));
        expect(Math.hypot(...y)).toBeLessThanOrEqual(range.l2 * (1 + 1e-12));
        for (const row of rows) expect(Math.hypot(...row)).toBeLessThanOrEqual(range.token * (1 + 1e-12));
        expect(Math.max(...y)).toBeLessThanOrEqual(range.high * (1 + 1e-12));
        expect(Math.min(...y)).toBeGreaterThanOrEqual(range.low * (1 + 1e-12));
        // Any two tokens lie in one ball of radius `spread`.
        for (const a of rows) {
          for (const b of rows)
            expect(Math.hypot(...a.map((v, c) => v - b[c]))).toBeLessThanOrEqual(2 * range.spread + 1e-9);
        }
      }
    });
  });
}

describe("norms", () => {
  it("CenterNorm is linear with 2‖γ‖∞ in linf, reached by signs", () => {
    const { sketch, inputs, outputs } = place("CenterNorm", [[1, 4]], {}, { data: flat(1, 0) });
    const [a, b] = [
      [0, 0, 0, 0],
      [1, -1, -1, -1],
    ].map((x) => run(sketch, new Map([[inputs[0], x]]), outputs[0]));
    expect(Math.max(...a.map((v, i) => Math.abs(v - b[i])))).toBeCloseTo(2, 12);
  });

  it("CenterNorm needs two channels", () => {
    expect(infer("CenterNorm", [[5, 1]]).failures.map((f) => f.name)).toEqual(["too-few-channels"]);
  });

  it("LayerNorm does not count as 1, and warns", () => {
    const { sketch, inputs, outputs } = place("LayerNorm", [[3, 4]], {}, { data: { gamma: [1, 1, 1, 1] } });
    const analysis = analysisOf(sketch);
    expect(analysis.from(inputs[0]).gain(outputs[0]).entries[0]).toBeGreaterThan(316.2);
    expect([...analysis.cautions.values()].map((why) => why.text)).toEqual([
      "`LayerNorm` is Lipschitz only through its eps: it multiplies the bound by 316",
    ]);
  });

  it.each(["LayerNorm", "RMSNorm"])("%s with eps = 0, or what float32 makes 0 of, is refused", (name) => {
    for (const eps of [0, 1e-60, -1]) {
      expect(infer(name, [[3, 4]], { eps }).failures.map((f) => f.name)).toEqual(["out-of-range"]);
    }
    // A rule that met it all the same would have no gain, and say why.
    const { sketch, inputs, outputs } = place(name, [[3, 4]]);
    const model = sketch.model();
    const zero = { ...model, nodes: model.nodes.map((node) => ({ ...node, config: { eps: 0 } })) };
    const gain = new Analysis(zero, "init", { oracle: sketch.oracle }).from(inputs[0]).gain(outputs[0]);
    expect(gain.entries.every((x) => x === Infinity)).toBe(true);
    expect(gain.why?.text).toMatch(/length that may be 0/);
  });

  it.each(["CenterNorm", "LayerNorm", "RMSNorm", "BatchNorm"])("%s has no gain where γ is free", (name) => {
    const { sketch, inputs, outputs } = place(name, [[3, 4]]);
    const why = { text: "γ is free", path: null, because: [] };
    const no = {
      spectral: Infinity,
      frobenius: Infinity,
      rowSum: Infinity,
      rowNorm: Infinity,
      maxAbs: Infinity,
    };
    const oracle = () => ({ ...no, low: -Infinity, high: Infinity, values: null, why });
    const free = { sketch, oracle };
    Object.defineProperty(free.sketch, "oracle", { value: free.oracle });
    const gain = analysisOf(free.sketch, "always").from(inputs[0]).gain(outputs[0]);
    expect(gain.entries.every((x) => x === Infinity)).toBe(true);
    expect(gain.why?.text).toBe("γ is free");
  });

  it("BatchNorm with a variance at −ε or below has no gain", () => {
    const data = { gamma: [1, 1, 1, 1], running_var: [1, 1, -1, 1] };
    const { sketch, inputs, outputs } = place("BatchNorm", [[3, 4]], {}, { data });
    expect(boundOf(sketch, { from: inputs[0], to: outputs[0], normIn: "l2" })).toBe(Infinity);
    expect(infer("BatchNorm", [[3, 4]], { eps: 0 }).failures.map((f) => f.name)).toEqual(["out-of-range"]);
  });

  it("keeps running statistics away from the optimiser, and says that training must wait", () => {
    const { weights } = infer("BatchNorm", [[3, 4]]);
    expect(weights.map((w) => `${w.name}: ${w.role}`)).toEqual([
      "gamma: vector",
      "beta: bias",
      "running_mean: statistic",
      "running_var: statistic",
    ]);
  });

  it("the spread forgets β, the range doesn't", () => {
    const domain = { kind: "box", low: 2, high: 2.5 } as const;
    const at = (β: number) => {
      const placed = place("CenterNorm", [[3, 4]], {}, { data: flat(1, β), domain });
      return rangeOf(placed.sketch, placed.outputs[0]);
    };
    expect(at(5).spread).toBe(at(0).spread);
    expect(at(5).token).toBeGreaterThan(at(0).token + 5);
  });

  it("LayerNorm's entries reach √(d − 1)", () => {
    const placed = place(
      "LayerNorm",
      [[1, 4]],
      { eps: 1e-12 },
      { data: { gamma: [1, 1, 1, 1], beta: [0, 0, 0, 0] } },
    );
    const range = rangeOf(placed.sketch, placed.outputs[0]);
    expect(range.linf).toBeCloseTo(Math.sqrt(3), 12);
    expect(range.token).toBe(2);
    const y = run(placed.sketch, new Map([[placed.inputs[0], [1e3, 0, 0, 0]]]), placed.outputs[0]);
    expect(y[0]).toBeCloseTo(range.linf, 9);
  });

  it("UnitNorm keeps random tokens below 1, also huge ones", () => {
    const random = seeded(6);
    for (const guard of ["root", "max"]) {
      const { sketch, inputs, outputs } = place("UnitNorm", [[1, 4]], { guard, eps: 0.01 });
      expect(rangeOf(sketch, outputs[0]).token).toBe(1);
      for (let i = 0; i < 50; i++) {
        const x = Array.from({ length: 4 }, () => normal(random) * 10 ** (8 * random() - 4));
        expect(Math.hypot(...run(sketch, new Map([[inputs[0], x]]), outputs[0]))).toBeLessThanOrEqual(
          1 + 1e-15,
        );
      }
    }
  });

  it("UnitNorm refuses an eps that float32 can't hold", () => {
    expect(infer("UnitNorm", [[4]], { eps: "1e-30", guard: "max" }).failures.map((f) => f.name)).toEqual([
      "out-of-range",
    ]);
    expect(infer("UnitNorm", [[4]], { eps: "1e-12", guard: "max" }).failures).toEqual([]);
    expect(infer("UnitNorm", [[4]], { eps: 0 }).failures.map((f) => f.name)).toEqual(["out-of-range"]);
  });
});
