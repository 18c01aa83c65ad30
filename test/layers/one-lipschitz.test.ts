import { describe, expect, it } from "vitest";
import type { Norm, Shape } from "../../src/model/model.ts";
import { expectGradients, expectMeaning } from "../rig/differences.ts";
import { isometry, normal, seeded, spectralNorm } from "../rig/matrix.ts";
import type { Placed } from "../rig/place.ts";
import { analysisOf, boundOf, expectSound, expectTight } from "../rig/planted.ts";
import { search } from "../rig/search.ts";
import { Sketch, type SketchWeight } from "../rig/sketch.ts";

const width = 5;
const [t, c] = [3, 4];

interface Options {
  readonly act?: string;
  readonly actConfig?: Record<string, number | string>;
  readonly data?: Record<string, readonly number[]>;
}

/** SLL, CPL or Sandwich around one activation, with random weights. */
function around(
  layer: "SLL" | "CPL" | "Sandwich",
  { act = "ReLU", actConfig = {}, data = {} }: Options = {},
): Placed {
  const random = seeded(17);
  const shapes: Record<string, Record<string, Shape>> = {
    SLL: { weight: [c, width], q: [width], bias: [width] },
    CPL: { weight: [width, c], bias: [width] },
    Sandwich: { weight: [width, c + width], psi: [width], bias: [width] },
  };
  const entries: Record<string, readonly number[]> = {};
  const weights: Record<string, SketchWeight> = {};
  for (const [name, shape] of Object.entries(shapes[layer])) {
    const size = shape.reduce((a, b) => a * b, 1);
    entries[name] = data[name] ?? Array.from({ length: size }, () => normal(random));
    // What a search may make of them: [A B] of norm 1, anything of the others.
    const facts = layer === "Sandwich" ? { facts: { spectral: name === "weight" ? 1 : 100 } } : {};
    weights[name] = { shape, data: entries[name], ...facts };
  }
  const sketch = new Sketch();
  const x = sketch.input([t, c]);
  const inner = sketch.value([t, width]);
  const node = sketch.loose({ layer: act, inputs: [inner], config: actConfig });
  const body = { parameters: [inner], nodes: [node], result: node.outputs[0] };
  const shape = layer === "Sandwich" ? [t, width] : [t, c];
  const config: Record<string, number> = layer === "Sandwich" ? {} : { width };
  const outputs = sketch.node({ layer, inputs: [x], config, outputs: [shape], weights, body });
  return { sketch, inputs: [x], outputs, plan: { config, outputs: [shape] }, weights: entries };
}

const question = (p: Placed, normIn: Norm) => ({ from: p.inputs[0], to: p.outputs[0], normIn });

/** Row-major matrix product of a (rows × n) and b (n × columns). */
function product(
  a: (i: number, k: number) => number,
  b: (k: number, j: number) => number,
  n: number,
  i: number,
  j: number,
): number {
  let sum = 0;
  for (let k = 0; k < n; k++) sum += a(i, k) * b(k, j);
  return sum;
}

describe("SLL", () => {
  it("is x − 2WT⁻¹ρ(Wᵀx + b)", () => {
    for (const act of ["ReLU", "Tanh"]) {
      const placed = around("SLL", { act });
      expectMeaning(placed, ([x], { weight, q, bias }) => {
        const w = (i: number, j: number): number => weight[width * i + j];
        const gram = (i: number, j: number): number => product((a, k) => w(k, a), w, c, i, j);
        const T = Array.from({ length: width }, (_, i) =>
          Array.from({ length: width }, (_, j) => Math.abs(gram(i, j)) * Math.exp(q[j] - q[i])).reduce(
            (a, b) => a + b,
            0,
          ),
        );
        const y: number[] = [];
        for (let token = 0; token < t; token++) {
          const z = T.map((size, i) => {
            const v = product((_, k) => x.at(token, k), w, c, 0, i) + bias[i];
            return (act === "ReLU" ? Math.max(v, 0) : Math.tanh(v)) / size;
          });
          for (let k = 0; k < c; k++)
            y.push(x.at(token, k) - 2 * z.reduce((sum, v, i) => sum + w(k, i) * v, 0));
        }
        return [y];
      });
      expectGradients(placed, 1e-6);
    }
  });

  it("drops zero columns", () => {
    const placed = around("SLL", { data: { weight: new Array<number>(c * width).fill(0) } });
    expectMeaning(placed, ([x]) => [Array.from(x.data)]);
  });
});

describe("CPL", () => {
  it("is x − 2/s·Wᵀρ(Wx + b) with a proven s ≥ ‖W‖²", () => {
    const placed = around("CPL");
    expectMeaning(placed, ([x], { weight, bias }) => {
      const w = (i: number, k: number): number => weight[c * i + k];
      const rows = Array.from({ length: width }, (_, i) =>
        Array.from({ length: width }, (_, j) => Math.abs(product(w, (k, b) => w(b, k), c, i, j))).reduce(
          (a, b) => a + b,
          0,
        ),
      );
      const s = Math.max(...rows);
      const y: number[] = [];
      for (let token = 0; token < t; token++) {
        const z = rows.map((_, i) => Math.max(product(w, (k) => x.at(token, k), c, i, 0) + bias[i], 0));
        for (let k = 0; k < c; k++)
          y.push(x.at(token, k) - (2 / s) * z.reduce((sum, v, i) => sum + w(i, k) * v, 0));
      }
      return [y];
    });
    expectGradients(placed, 1e-6);
  });
});

describe("Sandwich", () => {
  const rows = isometry(width, c + width, seeded(5));
  it("is √2·AᵀΨρ(√2·Ψ⁻¹Bx + b)", () => {
    const placed = around("Sandwich", { act: "Tanh", data: { weight: Array.from(rows) } });
    expectMeaning(placed, ([x], { weight, psi, bias }) => {
      const at = (i: number, j: number): number => weight[(c + width) * i + j];
      const y: number[] = [];
      for (let token = 0; token < t; token++) {
        const inner = Array.from({ length: width }, (_, i) => {
          const driven = product(
            (_, k) => x.at(token, k),
            (k) => at(i, width + k),
            c,
            0,
            0,
          );
          return Math.exp(psi[i]) * Math.tanh(Math.exp(-psi[i]) * driven + bias[i]);
        });
        for (let k = 0; k < width; k++) y.push(2 * inner.reduce((sum, z, i) => sum + at(i, k) * z, 0));
      }
      return [y];
    });
    expectGradients(placed, 1e-6);
  });

  it("withstands a search over matrices [A B] of norm 1, scales and biases, and comes near 1", () => {
    const placed = around("Sandwich", { data: { weight: Array.from(rows) } });
    for (const normIn of ["l2", "token"] as const) {
      const hunt = { ...question(placed, normIn), weights: [0, 1, 2], starts: 4, steps: 150 };
      const { attained } = search(placed.sketch, hunt);
      expectSound(placed.sketch, { ...question(placed, normIn), attained });
      expect(attained).toBeGreaterThan(0.9);
    }
  });
});

describe.each(["SLL", "CPL"] as const)("%s", (layer) => {
  it("has gain 1 in l2 and token, reached where the activation is off, and withstands a search over weights", () => {
    const off = around(layer, { data: { bias: new Array<number>(width).fill(-1e3) } });
    const placed = around(layer);
    for (const normIn of ["l2", "token"] as const) {
      expectTight(off.sketch, { ...question(off, normIn), truth: 1, layer });
      expect(search(off.sketch, { ...question(off, normIn), starts: 1, steps: 3 }).attained).toBeGreaterThan(
        0.999,
      );
      const weights = Object.keys(placed.weights).map((_, i) => i);
      const hunt = { ...question(placed, normIn), weights, keep: () => undefined, starts: 4, steps: 150 };
      const { attained } = search(placed.sketch, hunt);
      expectSound(placed.sketch, { ...question(placed, normIn), attained });
      expect(attained).toBeGreaterThan(0.9);
    }
  });
});

describe.each(["SLL", "CPL", "Sandwich"] as const)("%s", (layer) => {
  it.each([
    ["ReLU", {}],
    ["Tanh", {}],
    ["Sigmoid", {}],
    ["Softplus", { beta: 1 }],
    ["LeakyReLU", { slope: 0.5 }],
    ["Clamp", { low: -1, high: 1 }],
  ])("is 1-Lipschitz around %s", (act, actConfig) => {
    const placed = around(layer, { act, actConfig: actConfig as Record<string, number> });
    expect(boundOf(placed.sketch, question(placed, "l2"))).toBe(1);
    expect(boundOf(placed.sketch, question(placed, "token"))).toBe(1);
  });

  it.each([
    ["GELU", { form: "exact" }],
    ["SiLU", {}],
    ["Abs", {}],
    ["LeakyReLU", { slope: -0.1 }],
    ["ELU", { alpha: 2 }],
    ["GroupSort", { n: 5 }],
  ])("has no proof around %s", (act, actConfig) => {
    const placed = around(layer, { act, actConfig: actConfig as Record<string, number> });
    const gain = analysisOf(placed.sketch).from(placed.inputs[0]).gain(placed.outputs[0]);
    expect(gain.entries.every((x) => x === Infinity)).toBe(true);
    expect(gain.why?.text).toContain(act);
  });
});

describe("the sandwich proof", () => {
  it("‖2AᵀDB‖ ≤ 1 for every [A B] with orthonormal rows and D in [0, 1], and more for a steeper D", () => {
    const random = seeded(23);
    let steep = 0;
    for (let round = 0; round < 200; round++) {
      const [p, q] = [3, 4];
      const rows = isometry(q, p + q, random);
      const a = (i: number, k: number): number => rows[(p + q) * i + k];
      const b = (i: number, k: number): number => rows[(p + q) * i + q + k];
      const D = Array.from({ length: q }, () => (round % 2 === 0 ? random() : Math.round(random())));
      const norm = (factor: number): number => {
        const m = Array.from({ length: q * p }, (_, at) => {
          const [i, j] = [Math.floor(at / p), at % p];
          return 2 * factor * D.reduce((sum, d, k) => sum + a(k, i) * d * b(k, j), 0);
        });
        return spectralNorm(m, q, p);
      };
      expect(norm(1)).toBeLessThanOrEqual(1 + 1e-12);
      steep = Math.max(steep, norm(1.1289));
    }
    expect(steep).toBeGreaterThan(1);
  });
});

describe("CPL around a steeper activation", () => {
  it("really expands: slope 1.1289 gives nearly 1.2578", () => {
    const weight = Array.from({ length: width * c }, (_, i) => (i % (c + 1) === 0 && i < 16 ? 1 : 0));
    const placed = around("CPL", {
      act: "GELU",
      actConfig: { form: "exact" },
      data: { weight, bias: new Array<number>(width).fill(Math.SQRT2) },
    });
    const { attained } = search(placed.sketch, {
      ...question(placed, "l2"),
      size: 0.01,
      distances: [1e-3],
      steps: 100,
    });
    expect(attained).toBeGreaterThan(1.25);
  });
});
