import { describe, expect, it } from "vitest";
import { isFirmActivation, slopeOf } from "../../src/layers/activations.ts";
import { expectGradients, expectMeaning } from "../rig/differences.ts";
import { seeded } from "../rig/matrix.ts";
import { infer, macs, place, type Argument } from "../rig/place.ts";
import { expectSound, expectTight, rangeOf } from "../rig/planted.ts";
import { search } from "../rig/search.ts";
import { Sketch } from "../rig/sketch.ts";

/** erf by its Maclaurin series: enough to |x| = 6 for tests at 1e-12 (terms reach 1e14 only beyond). */
function erf(x: number): number {
  if (Math.abs(x) > 3) return Math.sign(x) * (1 - erfc(Math.abs(x)));
  let sum = 0;
  let term = x;
  for (let n = 0; n < 200; n++) {
    sum += term / (2 * n + 1);
    term *= (-x * x) / (n + 1);
  }
  return (2 / Math.sqrt(Math.PI)) * sum;
}
/** Continued fraction, for x > 3. */
function erfc(x: number): number {
  let f = x;
  for (let k = 80; k >= 1; k--) f = x + k / 2 / f;
  return Math.exp(-x * x) / Math.sqrt(Math.PI) / f;
}
const logistic = (x: number): number => 1 / (1 + Math.exp(-x));
const density = (x: number): number => Math.exp((-x * x) / 2) / Math.sqrt(2 * Math.PI);
const softplus = (x: number): number => Math.log(1 + Math.exp(x));

/** The largest value of a smooth function near `from`..`to`, by golden section: exact to second order. */
function peak(f: (x: number) => number, from: number, to: number): number {
  const g = (Math.sqrt(5) - 1) / 2;
  for (let i = 0; i < 200; i++) {
    const [a, b] = [to - g * (to - from), from + g * (to - from)];
    if (f(a) > f(b)) to = b;
    else from = a;
  }
  return f((from + to) / 2);
}

const [λ, α] = [Math.fround(1.0507009873554805), Math.fround(1.6732632423543772)];

interface Case {
  readonly name: string;
  readonly args?: Readonly<Record<string, Argument>>;
  readonly f: (x: number) => number;
  /** Derivative, written out by hand. */
  readonly slope: (x: number) => number;
  /** Its supremum, known independently. */
  readonly truth: number;
  /** Where the steepest slope is, and the size of the search's steps. */
  readonly at: number;
  readonly firm: boolean;
}

const tanhGelu = (x: number): { u: number; du: number } => ({
  u: Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3),
  du: Math.sqrt(2 / Math.PI) * (1 + 3 * 0.044715 * x * x),
});
const tanhSlope = (x: number): number => {
  const { u, du } = tanhGelu(x);
  return (1 + Math.tanh(u)) / 2 + (x / 2) * (1 - Math.tanh(u) ** 2) * du;
};
const siluSlope = (x: number): number => logistic(x) * (1 + x * (1 - logistic(x)));
const mishSlope = (x: number): number => {
  const t = Math.tanh(softplus(x));
  return t + x * (1 - t * t) * logistic(x);
};
const elu = (a: number): Pick<Case, "f" | "slope"> => ({
  f: (x) => (x > 0 ? x : a * (Math.exp(x) - 1)),
  slope: (x) => (x > 0 ? 1 : a * Math.exp(x)),
});

const cases: readonly Case[] = [
  { name: "ReLU", f: (x) => (x > 0 ? x : 0), slope: (x) => (x > 0 ? 1 : 0), truth: 1, at: 1, firm: true },
  {
    name: "GELU",
    f: (x) => (x / 2) * (1 + erf(x / Math.SQRT2)),
    slope: (x) => (1 + erf(x / Math.SQRT2)) / 2 + x * density(x),
    truth: (1 + erf(1)) / 2 + Math.exp(-1) / Math.sqrt(Math.PI),
    at: Math.SQRT2,
    firm: false,
  },
  {
    name: "GELU",
    args: { form: "tanh" },
    f: (x) => (x / 2) * (1 + Math.tanh(tanhGelu(x).u)),
    slope: tanhSlope,
    truth: peak(tanhSlope, 1.2, 1.7),
    at: 1.4185,
    firm: false,
  },
  {
    name: "SiLU",
    f: (x) => x * logistic(x),
    slope: siluSlope,
    truth: peak(siluSlope, 2, 3),
    at: 2.39936,
    firm: false,
  },
  { name: "Tanh", f: Math.tanh, slope: (x) => 1 / Math.cosh(x) ** 2, truth: 1, at: 0, firm: true },
  { name: "Sigmoid", f: logistic, slope: (x) => logistic(x) * logistic(-x), truth: 1 / 4, at: 0, firm: true },
  { name: "Softplus", f: softplus, slope: logistic, truth: 1, at: 40, firm: true },
  {
    name: "Softplus",
    args: { beta: 4 },
    f: (x) => softplus(4 * x) / 4,
    slope: (x) => logistic(4 * x),
    truth: 1,
    at: 10,
    firm: true,
  },
  { name: "ELU", ...elu(1), truth: 1, at: 1, firm: true },
  { name: "ELU", args: { alpha: 2 }, ...elu(2), truth: 2, at: -1e-9, firm: false },
  {
    name: "LeakyReLU",
    args: { slope: 0.25 },
    f: (x) => (x > 0 ? x : x / 4),
    slope: (x) => (x > 0 ? 1 : 0.25),
    truth: 1,
    at: 1,
    firm: true,
  },
  {
    name: "LeakyReLU",
    args: { slope: -1.5 },
    f: (x) => (x > 0 ? x : -1.5 * x),
    slope: (x) => (x > 0 ? 1 : -1.5),
    truth: 1.5,
    at: -1,
    firm: false,
  },
  { name: "Abs", f: Math.abs, slope: Math.sign, truth: 1, at: 1, firm: false },
  {
    name: "Mish",
    f: (x) => x * Math.tanh(softplus(x)),
    slope: mishSlope,
    truth: peak(mishSlope, 1.3, 1.7),
    at: 1.49057,
    firm: false,
  },
  {
    name: "SELU",
    f: (x) => (x > 0 ? λ * x : λ * α * (Math.exp(x) - 1)),
    slope: (x) => (x > 0 ? λ : λ * α * Math.exp(x)),
    truth: λ * α,
    at: -1e-9,
    firm: false,
  },
  {
    name: "HardSwish",
    f: (x) => (x <= -3 ? 0 : x >= 3 ? x : (x * (x + 3)) / 6),
    slope: (x) => (x < -3 ? 0 : x > 3 ? 1 : (2 * x + 3) / 6),
    truth: 1.5,
    at: 3 - 1e-9,
    firm: false,
  },
];

for (const { name, args = {}, f, slope, truth, at, firm } of cases) {
  describe(`${name}(${Object.entries(args).map(([k, v]) => `${k}: ${v}`)})`, () => {
    const shape = [3, 4];
    const placed = place(name, [shape], args);
    const [from] = placed.inputs;
    const [to] = placed.outputs;
    const config = placed.plan.config as Record<string, number | string>;

    it("keeps any shape, has no weights and costs nothing", () => {
      for (const shape of [[5], [4, 3], [2, 2, 7]]) {
        expect(infer(name, [shape], args).plan?.outputs).toEqual([shape]);
        expect(macs(name, [shape], args)).toBe(0);
      }
      expect(infer(name, [shape], args).weights).toEqual([]);
    });

    it("computes its formula, and its gradient", () => {
      expectMeaning(placed, ([x]) => [Array.from(x.data, f)]);
      expectGradients(placed);
    });

    it("has the slope's supremum as gain in all three norms", () => {
      for (const normIn of ["l2", "token", "linf"] as const)
        expectTight(placed.sketch, { from, to, normIn, truth, layer: name });
    });

    it("has no steeper slope on a dense grid", () => {
      const bound = slopeOf(name, config);
      let steepest = 0;
      for (let i = -200_000; i <= 200_000; i++) steepest = Math.max(steepest, Math.abs(slope(i * 1e-4)));
      expect(steepest).toBeLessThanOrEqual(bound * (1 + 1e-15));
      expect(Math.max(steepest, Math.abs(slope(at)))).toBeGreaterThan(bound * (1 - 1e-6));
    });

    it("withstands a search between two points", () => {
      const x = new Array<number>(12).fill(at);
      const y = x.map((v) => v + (at < 0 ? -1e-3 : 1e-3) * (Math.abs(at - 3) < 1e-3 ? -1 : 1));
      for (const normIn of ["l2", "token", "linf"] as const) {
        const hunt = { from, to, normIn, starts: 4, steps: 60 };
        const random = search(placed.sketch, { ...hunt, size: 2 }).attained;
        const planted = search(placed.sketch, { ...hunt, starts: 1, points: [[x, y]] }).attained;
        const bound = expectSound(placed.sketch, { from, to, normIn, attained: Math.max(random, planted) });
        expect(planted / bound).toBeGreaterThan(0.99);
      }
    });

    it("encloses its image in the proven range", () => {
      const random = seeded(3);
      for (let round = 0; round < 40; round++) {
        const ends = [8 * random() - 4, 8 * random() - 4].sort((a, b) => a - b);
        const [low, high] = [ends[0], ends[1]];
        const sketch = new Sketch();
        const input = sketch.input(shape, { kind: "box", low, high });
        const [y] = sketch.node({ layer: name, inputs: [input], config });
        const range = rangeOf(sketch, y);
        let [least, most] = [Infinity, -Infinity];
        for (let i = 0; i <= 400; i++) {
          const v = f(low + ((high - low) * i) / 400);
          [least, most] = [Math.min(least, v), Math.max(most, v)];
        }
        expect(range.low).toBeLessThanOrEqual(least + 1e-15);
        expect(range.high).toBeGreaterThanOrEqual(most - 1e-15);
        const size = Math.max(Math.abs(least), Math.abs(most));
        expect(range.linf).toBeGreaterThanOrEqual(size - 1e-15);
        expect(range.token).toBeGreaterThanOrEqual(2 * size - 1e-14);
        expect(range.l2).toBeGreaterThanOrEqual(Math.sqrt(12) * size - 1e-14);
      }
    });

    it("bounds norms through φ(0) and the slope on a ball", () => {
      const sketch = new Sketch();
      const input = sketch.input(shape, { kind: "ball", norm: "token", radius: 2 });
      const [y] = sketch.node({ layer: name, inputs: [input], config });
      const range = rangeOf(sketch, y);
      const random = seeded(9);
      for (let round = 0; round < 200; round++) {
        const token = Array.from({ length: 4 }, () => random() - 0.5);
        const scale = 2 / Math.hypot(...token);
        expect(Math.hypot(...token.map((v) => f(v * scale)))).toBeLessThanOrEqual(range.token + 1e-12);
      }
    });

    it(`is ${firm ? "" : "not "}firm`, () => {
      const node = { layer: name, config } as unknown as Parameters<typeof isFirmActivation>[0];
      expect(isFirmActivation(node)).toBe(firm);
      let [least, most] = [Infinity, -Infinity];
      for (let i = -4000; i <= 4000; i++)
        [least, most] = [Math.min(least, slope(i / 200)), Math.max(most, slope(i / 200))];
      expect(least >= 0 && most <= 1).toBe(firm);
    });
  });
}

describe("activations, known defects of other tools", () => {
  it("round the slope of GELU up, not to 1.1289", () => {
    expect(slopeOf("GELU", { form: "exact" })).toBeGreaterThan(1.1289);
    expect(slopeOf("GELU", { form: "tanh" })).toBeGreaterThan(slopeOf("GELU", { form: "exact" }));
  });

  it("refuse numbers outside of their range", () => {
    expect(infer("ELU", [[4]], { alpha: -1 }).failures[0].name).toBe("out-of-range");
    expect(infer("Softplus", [[4]], { beta: 0 }).failures[0].name).toBe("out-of-range");
    expect(infer("LeakyReLU", [[4]], { slope: "1e300" }).failures[0].name).toBe("out-of-range");
  });
});
