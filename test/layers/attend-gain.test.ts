import { describe, expect, it } from "vitest";
import { entry } from "../../src/gain/gain.ts";
import type { AttendConfig } from "../../src/layers/attend/config.ts";
import { kappa, meanSquare } from "../../src/layers/attend/score-distance.ts";
import { softmaxFacts, visibleTokens } from "../../src/layers/attend/softmax.ts";
import type { Domain, Norm, Shape } from "../../src/model/model.ts";
import { seeded } from "../rig/matrix.ts";
import { analysisOf, boundOf, expectSound, expectTight, rangeOf } from "../rig/planted.ts";
import { normOf, run, search } from "../rig/search.ts";
import { Sketch, type SketchWeight } from "../rig/sketch.ts";

type Score = AttendConfig["score"];
const fixed = (value: number): { kind: "constant"; value: number } => ({ kind: "constant", value });
const cosine = (tau: number, eps: number, guard: "root" | "max" = "root"): Score => ({
  kind: "cosine",
  tau: fixed(tau),
  eps,
  guard,
});
const dot = (scale: number): Score => ({ kind: "dot", scale: fixed(scale) });
const distance = (scale: number): Score => ({ kind: "distance", scale: fixed(scale) });
const raw: AttendConfig["values"] = { kind: "raw" };
const unit = (nu: number, eps: number): AttendConfig["values"] => ({ kind: "unit", nu: fixed(nu), eps });
const base: AttendConfig = {
  heads: 1,
  score: cosine(1, 1),
  values: raw,
  over: { kind: "global" },
  position: "none",
  causal: false,
  local: null,
};
const norms: readonly Norm[] = ["l2", "token", "linf"];

/** Three separate inputs into one Attend. */
function separate(
  shapes: readonly Shape[],
  changes: Partial<AttendConfig>,
  domains: readonly (Domain | undefined)[] = [],
) {
  const sketch = new Sketch();
  const inputs = shapes.map((shape, i) => sketch.input(shape, domains[i]));
  const width = shapes[2][shapes[2].length - 1];
  const outputs = [[...shapes[0].slice(0, -1), width]];
  const [y] = sketch.node({ layer: "Attend", inputs, config: { ...base, ...changes }, outputs });
  return { sketch, inputs, y };
}

/** Attention of one value through three projections whose spectral norms are at most 1. */
function projected(shape: Shape, changes: Partial<AttendConfig>, domain?: Domain) {
  const sketch = new Sketch();
  const x = sketch.input(shape, domain);
  const c = shape[shape.length - 1];
  const parts = [0, 1, 2].map(() => {
    const weight: SketchWeight = { shape: [c, c], facts: { spectral: 1 } };
    return sketch.node({
      layer: "Linear",
      inputs: [x],
      config: { width: c, bias: false },
      weights: { weight },
    })[0];
  });
  const [y] = sketch.node({ layer: "Attend", inputs: parts, config: { ...base, ...changes } });
  return { sketch, x, y };
}

const box = (radius: number): Domain => ({ kind: "box", low: -radius, high: radius });

describe("planted truths of attention", () => {
  it("one token of raw values is passed through", () => {
    const { sketch, inputs, y } = separate(
      [
        [1, 2],
        [1, 2],
        [1, 2],
      ],
      {},
    );
    for (const norm of norms)
      expectTight(sketch, { from: inputs[2], to: y, normIn: norm, truth: 1, layer: "Attend" });
    expect(boundOf(sketch, { from: inputs[0], to: y, normIn: "l2" })).toBe(0);
    expect(boundOf(sketch, { from: inputs[1], to: y, normIn: "l2" })).toBe(0);
  });

  it("one token of unit values has slope nu/sqrt(eps) at 0", () => {
    const { sketch, inputs, y } = separate(
      [
        [1, 2],
        [1, 2],
        [1, 2],
      ],
      { values: unit(-3, 0.25) },
    );
    for (const norm of ["l2", "token"] as const) {
      expectTight(sketch, { from: inputs[2], to: y, normIn: norm, truth: 6, layer: "Attend" });
    }
  });

  it("tau 0 is the plain mean: an average costs nothing in any norm", () => {
    const shape: Shape = [4, 3];
    const { sketch, inputs, y } = separate([shape, shape, shape], { score: cosine(0, 1) });
    for (const norm of norms)
      expectTight(sketch, { from: inputs[2], to: y, normIn: norm, truth: 1, layer: "Attend" });
    // One perturbed value token reaches every output with weight 1/4; all entries of P are 1/4.
    expectTight(sketch, {
      from: inputs[2],
      to: y,
      normIn: "l2",
      normOut: "token",
      truth: 0.5,
      layer: "Attend",
    });
  });

  // Two keys at ±K, two values at ±R, one query at 0: P = (½, ½), and the covariance of ±a with ±R is a·R.
  it("dot product: a query moves the mean of values at ±R by |scale|·K·R", () => {
    const domains = [undefined, box(5), box(3)];
    const { sketch, inputs, y } = separate(
      [
        [1, 1],
        [2, 1],
        [2, 1],
      ],
      { score: dot(-0.5) },
      domains,
    );
    for (const norm of norms)
      expectTight(sketch, { from: inputs[0], to: y, normIn: norm, truth: 7.5, layer: "Attend" });
    const at = (q: number): number =>
      run(
        sketch,
        new Map([
          [inputs[0], [q]],
          [inputs[1], [5, -5]],
          [inputs[2], [3, -3]],
        ]),
        y,
      )[0];
    expect(Math.abs(at(1e-5) - at(-1e-5)) / 2e-5).toBeCloseTo(7.5, 6);
  });

  it("dot product: two keys, one of them moved or both", () => {
    const domains = [box(5), undefined, box(3)];
    const { sketch, inputs, y } = separate(
      [
        [1, 1],
        [2, 1],
        [2, 1],
      ],
      { score: dot(0.5) },
      domains,
    );
    const from = inputs[1];
    expectTight(sketch, { from, to: y, normIn: "token", truth: 7.5, layer: "Attend" });
    expectTight(sketch, {
      from,
      to: y,
      normIn: "l2",
      normOut: "token",
      truth: 7.5 / Math.SQRT2,
      layer: "Attend",
    });
    const two = separate(
      [
        [2, 1],
        [2, 1],
        [2, 1],
      ],
      { score: dot(0.5) },
      domains,
    );
    expectTight(two.sketch, { from: two.inputs[1], to: two.y, normIn: "l2", truth: 7.5, layer: "Attend" });
  });

  it("cosine, unit values: keys at 0 between values at ±1, long queries", () => {
    const shapes: Shape[] = [
      [2, 1],
      [2, 1],
      [2, 1],
    ];
    const { sketch, inputs, y } = separate(shapes, { score: cosine(2, 0.25), values: unit(3, 0.5) });
    const from = inputs[1];
    // Slope 1/√eps = 2 at a zero key, times tau = 2, nu = 3; both queries see both keys.
    expectTight(sketch, { from, to: y, normIn: "token", truth: 12, layer: "Attend" });
    expectTight(sketch, {
      from,
      to: y,
      normIn: "l2",
      normOut: "token",
      truth: 12 / Math.SQRT2,
      layer: "Attend",
    });
    expectTight(sketch, { from, to: y, normIn: "l2", truth: 12, layer: "Attend" });
    const values = [1e8, -1e8];
    const at = (k: number): Float64Array =>
      run(
        sketch,
        new Map([
          [inputs[0], [1e8, 1e8]],
          [from, [k, -k]],
          [inputs[2], values],
        ]),
        y,
      );
    const [a, b] = [at(1e-6), at(-1e-6)];
    expect(
      normOf(
        a.map((v, i) => v - b[i]),
        [2, 1],
        "token",
      ) / 2e-6,
    ).toBeCloseTo(12, 5);
    // A query at 0 between long keys.
    expectTight(sketch, { from: inputs[0], to: y, normIn: "l2", truth: 12, layer: "Attend" });
    expectTight(sketch, { from: inputs[0], to: y, normIn: "token", truth: 12, layer: "Attend" });
  });

  it("cosine with guard max, raw values on a range", () => {
    const domains = [undefined, undefined, box(3)];
    const { sketch, inputs, y } = separate(
      [
        [1, 1],
        [2, 1],
        [2, 1],
      ],
      { score: cosine(2, 0.5, "max") },
      domains,
    );
    for (const from of [inputs[0], inputs[1]]) {
      expectTight(sketch, { from, to: y, normIn: "token", truth: 12, layer: "Attend" });
    }
  });

  it("distance of separate queries and keys on a range", () => {
    const domains = [box(1), box(5), box(3)];
    const { sketch, inputs, y } = separate(
      [
        [1, 1],
        [2, 1],
        [2, 1],
      ],
      { score: distance(0.5) },
      domains,
    );
    // 2β·R°_k·R°_v, attained with the query at 0 between keys at ±5.
    expectTight(sketch, { from: inputs[0], to: y, normIn: "l2", truth: 15, layer: "Attend" });
  });

  it("local adds its own depthwise term", () => {
    const sketch = new Sketch();
    const [q, k, v] = [0, 1, 2].map(() => sketch.input([2, 2, 1]));
    const data = [0, 0, 0, 0, 4, 0, 0, 0, 0];
    const weights = { "local.weight": { shape: [1, 1, 3, 3], role: "depthwise" as const, data } };
    const config = { ...base, score: cosine(0, 1), local: { kernel: 3, bias: false } };
    const [y] = sketch.node({ layer: "Attend", inputs: [q, k, v], config, weights });
    for (const norm of ["l2", "linf"] as const)
      expectTight(sketch, { from: v, to: y, normIn: norm, truth: 5, layer: "Attend" });
  });
});

interface Hunted {
  readonly name: string;
  readonly shape: Shape;
  readonly config: Partial<AttendConfig>;
  readonly domain?: Domain;
  /** The bound over what is found may not be larger than this: a looser rule, or a weaker search, is noticed. */
  readonly ratio: number;
  readonly size?: number;
}

describe("adversarial search over inputs, perturbations and weights stays below the bound", () => {
  const cases: readonly Hunted[] = [
    { name: "cosine, unit values, tau 1", shape: [3, 4], config: { values: unit(1, 1) }, ratio: 2.5 },
    {
      name: "cosine, unit values, tau 10",
      shape: [4, 4],
      config: { score: cosine(10, 0.1), values: unit(1, 0.1) },
      ratio: 1.8,
    },
    {
      name: "two heads",
      shape: [3, 4],
      config: { heads: 2, score: cosine(5, 0.1), values: unit(1, 0.1) },
      ratio: 2.2,
    },
    {
      name: "eps of score and values differ",
      shape: [3, 3],
      config: { score: cosine(2, 0.01), values: unit(1, 1) },
      ratio: 2,
    },
    {
      name: "guard max, unit values",
      shape: [3, 3],
      config: { score: cosine(2, 0.5, "max"), values: unit(1, 0.5) },
      ratio: 3,
    },
    {
      name: "cosine, raw values in a ball",
      shape: [3, 3],
      config: { score: cosine(5, 0.1) },
      domain: { kind: "ball", norm: "token", radius: 2 },
      ratio: 2.5,
      size: 1,
    },
    {
      name: "dot product in a ball",
      shape: [3, 3],
      config: { score: dot(0.7) },
      domain: { kind: "ball", norm: "token", radius: 2 },
      ratio: 2.5,
      size: 1,
    },
    {
      name: "causal",
      shape: [3, 3],
      config: { causal: true, score: cosine(5, 0.1), values: unit(1, 0.1) },
      ratio: 2.5,
    },
    {
      name: "rotary",
      shape: [3, 4],
      config: { position: "rotary", score: cosine(5, 0.1), values: unit(1, 0.1) },
      ratio: 2.5,
    },
    {
      name: "shifted windows",
      shape: [4, 4, 2],
      config: { over: { kind: "windows", size: 2, shift: 1 }, score: cosine(5, 0.1), values: unit(1, 0.1) },
      ratio: 3,
    },
  ];
  const pairs: readonly (readonly [Norm, Norm])[] = [
    ["l2", "l2"],
    ["token", "token"],
    ["l2", "token"],
  ];
  it.each(cases)(
    "$name",
    ({ shape, config, domain, ratio, size }) => {
      const { sketch, x, y } = projected(shape, config, domain);
      const radius = domain?.kind === "ball" ? domain.radius : Infinity;
      const c = shape[shape.length - 1];
      const inBall = (v: Float64Array): void => {
        for (let at = 0; at < v.length; at += c) {
          const length = Math.hypot(...v.subarray(at, at + c));
          if (length > radius) for (let i = at; i < at + c; i++) v[i] *= radius / length;
        }
      };
      for (const [normIn, normOut] of pairs) {
        const hunt = {
          from: x,
          to: y,
          normIn,
          normOut,
          weights: [0, 1, 2],
          starts: 8,
          steps: 300,
          seed: 5,
          distances: [1e-3, 1e-2],
        };
        const { attained } = search(sketch, {
          ...hunt,
          ...(size ? { size } : {}),
          ...(domain ? { domain: inBall } : {}),
        });
        const bound = expectSound(sketch, { from: x, to: y, normIn, normOut, attained });
        expect(bound / attained, `${normIn}→${normOut}: bound ${bound}, found ${attained}`).toBeLessThan(
          ratio,
        );
      }
    },
    60_000,
  );

  const tied: readonly Hunted[] = [
    { name: "2 tokens", shape: [2, 2], config: {}, ratio: 3 },
    { name: "6 tokens", shape: [6, 3], config: {}, ratio: 4 },
    { name: "two heads", shape: [4, 4], config: { heads: 2 }, ratio: 4 },
    { name: "causal", shape: [4, 3], config: { causal: true }, ratio: 5 },
  ];
  it.each(tied)(
    "tied distance attention: $name",
    ({ shape, config, ratio }) => {
      const sketch = new Sketch();
      const x = sketch.input(shape);
      const [y] = sketch.node({
        layer: "Attend",
        inputs: [x, x, x],
        config: { ...base, score: distance(0.7), ...config },
      });
      for (const [normIn, normOut] of pairs) {
        const { attained } = search(sketch, {
          from: x,
          to: y,
          normIn,
          normOut,
          starts: 32,
          steps: 400,
          seed: 3,
        });
        const bound = expectSound(sketch, { from: x, to: y, normIn, normOut, attained });
        expect(bound / attained, `${normIn}→${normOut}: bound ${bound}, found ${attained}`).toBeLessThan(
          ratio,
        );
      }
    },
    60_000,
  );

  it("tied keys with unit values", () => {
    const sketch = new Sketch();
    const x = sketch.input([4, 3]);
    const weight = { shape: [3, 3], facts: { spectral: 1 } };
    const [v] = sketch.node({
      layer: "Linear",
      inputs: [x],
      config: { width: 3, bias: false },
      weights: { weight },
    });
    const [y] = sketch.node({
      layer: "Attend",
      inputs: [x, x, v],
      config: { ...base, score: distance(2), values: unit(1, 0.5) },
    });
    for (const [normIn, normOut] of pairs) {
      const { attained } = search(sketch, {
        from: x,
        to: y,
        normIn,
        normOut,
        weights: [0],
        starts: 6,
        steps: 250,
      });
      const bound = expectSound(sketch, { from: x, to: y, normIn, normOut, attained });
      expect(bound / attained).toBeLessThan(4);
    }
  }, 60_000);
});

describe("attention weights", () => {
  it("column sums of random rows stay below c", () => {
    const random = seeded(11);
    for (let round = 0; round < 300; round++) {
      const n = 1 + Math.floor(random() * 6);
      const spread = random() * 4;
      const causal = random() < 0.5;
      const facts = softmaxFacts(visibleTokens({ kind: "global" }, causal, [n, 1], [n, 1]), spread);
      const columns = new Array<number>(n).fill(0);
      // Scores at the ends of the allowed interval are the extreme ones.
      const favoured = Math.floor(random() * n);
      for (let i = 0; i < n; i++) {
        const seen = causal ? i + 1 : n;
        const e = Array.from({ length: seen }, (_, j) =>
          Math.exp(random() < 0.2 ? random() * spread : j === favoured ? spread : 0),
        );
        const total = e.reduce((a, b) => a + b, 0);
        e.forEach((x, j) => (columns[j] += x / total));
        expect(Math.max(...e) / total).toBeLessThanOrEqual(facts.largest * (1 + 1e-12));
      }
      expect(Math.max(...columns)).toBeLessThanOrEqual(facts.columnSum * (1 + 1e-12));
    }
  });

  it("c is attained by the favoured first key, and falls to N without a bound", () => {
    const { columnSum } = softmaxFacts(visibleTokens({ kind: "global" }, false, [5, 1], [5, 1]), 2);
    expect(columnSum).toBeCloseTo(5 / (1 + 4 * Math.exp(-2)), 12);
    const causal = softmaxFacts(visibleTokens({ kind: "global" }, true, [3, 1], [3, 1]), 2);
    expect(causal.columnSum).toBeCloseTo(1 + 1 / (1 + Math.exp(-2)) + 1 / (1 + 2 * Math.exp(-2)), 12);
    expect(softmaxFacts(visibleTokens({ kind: "global" }, false, [5, 1], [5, 1]), Infinity).columnSum).toBe(
      5,
    );
  });

  it("counts a table of positions", () => {
    const sketch = new Sketch();
    const inputs = [0, 1, 2].map(() => sketch.input([5, 2]));
    const weights = {
      position: { shape: [9, 1], role: "table" as const, facts: { low: -0.5, high: 0.5, maxAbs: 0.5 } },
    };
    const config: AttendConfig = { ...base, score: cosine(0, 1), position: "relative" };
    const [y] = sketch.node({ layer: "Attend", inputs, config, weights });
    const bound = boundOf(sketch, { from: inputs[2], to: y, normIn: "l2" });
    expect(bound).toBeCloseTo(Math.sqrt(5 / (1 + 4 * Math.exp(-1))), 12);
  });

  it("tied distances: w and kappa are what they are said to be", () => {
    for (const n of [1, 2, 5, 48, 195, 3135, 1e6]) {
      const w = meanSquare(n);
      expect(w * Math.exp(w + 1)).toBeGreaterThanOrEqual(n * (1 - 1e-13));
      expect(w * Math.exp(w + 1)).toBeLessThanOrEqual(n * (1 + 1e-11));
    }
    let most = 0;
    for (let t = 1; t < 2; t += 1e-4) most = Math.max(most, t / (Math.exp(t) + 1));
    expect(kappa).toBeGreaterThanOrEqual(most);
    expect(kappa).toBeLessThan(most * (1 + 1e-8));
  });
});

describe("reasons", () => {
  const shape: Shape = [3, 2];
  const whyOf = (changes: Partial<AttendConfig>, domains: readonly (Domain | undefined)[] = []): string => {
    const { sketch, inputs, y } = separate([shape, shape, shape], changes, domains);
    const { why } = analysisOf(sketch).from(inputs[0]).gain(y);
    return JSON.stringify(why);
  };
  it("raw values without a range", () => {
    expect(whyOf({})).toContain("values: unit(eps: 1e-2)");
  });
  it("the released LipsFormer: raw values, and queries and keys divided by max(‖·‖, 1e-12)", () => {
    const why = whyOf({ score: cosine(10, Math.fround(1e-12), "max") });
    expect(why).toContain("values of unbounded size");
    expect(why).toContain("values: unit(eps: 1e-2)");
    expect(why).toContain("max(‖·‖, 1e-12)");
    expect(why).toContain("guard: root");
  });
  it("dot product without a range", () => {
    expect(whyOf({ score: dot(1), values: unit(1, 1) })).toContain("cosine(tau: 1, eps: 1)");
  });
  it("distance of separate values", () => {
    expect(whyOf({ score: distance(1), values: unit(1, 1) })).toContain("Attend(p, p, p");
  });
  it("a finite bound that is of no use carries a caution", () => {
    const { sketch, inputs, y } = separate(
      [shape, shape, shape],
      { score: cosine(10, Math.fround(1e-12), "max") },
      [undefined, undefined, box(1)],
    );
    const bound = boundOf(sketch, { from: inputs[0], to: y, normIn: "l2" });
    expect(bound).toBeGreaterThan(1e12);
    expect(bound).toBeLessThan(Infinity);
  });
  it("an unconstrained tau has no bound", () => {
    const sketch = new Sketch();
    const inputs = [0, 1, 2].map(() => sketch.input(shape));
    const tau = { kind: "learned" as const, weight: sketch.weight({ shape: [] }) };
    const config: AttendConfig = {
      ...base,
      score: { kind: "cosine", tau, eps: 1, guard: "root" },
      values: unit(1, 1),
    };
    const [y] = sketch.node({ layer: "Attend", inputs, config });
    expect(boundOf(sketch, { from: inputs[0], to: y, normIn: "l2" })).toBe(Infinity);
  });
});

describe("ranges", () => {
  const spread = (random: () => number): number =>
    random() < 0.7 ? (random() < 0.5 ? -1 : 2) : -1 + 3 * random();
  const cases: readonly [string, Partial<AttendConfig>][] = [
    ["raw values", { heads: 2, score: dot(3) }],
    ["unit values", { heads: 2, values: unit(-2, 0.5) }],
    ["local", { heads: 2, local: { kernel: 3, bias: true } }],
  ];
  it.each(cases)("hold what random inputs give: %s", (_, changes) => {
    const random = seeded(13);
    const domain: Domain = { kind: "box", low: -1, high: 2 };
    for (let round = 0; round < 30; round++) {
      const sketch = new Sketch();
      const inputs = [0, 1, 2].map(() => sketch.input([2, 2, 4], domain));
      const numbers = (count: number): number[] => Array.from({ length: count }, () => random() - 0.4);
      const weights: Record<string, SketchWeight> = changes.local
        ? {
            "local.weight": { shape: [4, 1, 3, 3], role: "depthwise", data: numbers(36) },
            "local.bias": { shape: [4], role: "bias", data: numbers(4) },
          }
        : {};
      const [y] = sketch.node({ layer: "Attend", inputs, config: { ...base, ...changes }, weights });
      const range = rangeOf(sketch, y);
      for (let k = 0; k < 5; k++) {
        const out = run(
          sketch,
          new Map(inputs.map((value) => [value, Array.from({ length: 16 }, () => spread(random))])),
          y,
        );
        expect(Math.max(...out)).toBeLessThanOrEqual(range.high + 1e-12);
        expect(Math.min(...out)).toBeGreaterThanOrEqual(range.low - 1e-12);
        for (const norm of norms)
          expect(normOf(out, [2, 2, 4], norm)).toBeLessThanOrEqual(range[norm] + 1e-12);
      }
    }
  });

  it("heads that each choose their own largest value cost sqrt(H)", () => {
    const { sketch, y } = separate(
      [
        [2, 2],
        [2, 2],
        [2, 2],
      ],
      { heads: 2, score: dot(1) },
      [undefined, undefined, { kind: "ball", norm: "token", radius: 1 }],
    );
    expect(rangeOf(sketch, y).token).toBeCloseTo(Math.SQRT2, 12);
  });
});

describe("every entry of the gain matrix is sound on small layers", () => {
  it("nine entries", () => {
    const { sketch, x, y } = projected([2, 2], { score: cosine(3, 0.2), values: unit(1, 0.2) });
    const gain = analysisOf(sketch).from(x).gain(y);
    for (const normIn of norms) {
      for (const normOut of norms) {
        const { attained } = search(sketch, {
          from: x,
          to: y,
          normIn,
          normOut,
          weights: [0, 1, 2],
          starts: 3,
          steps: 150,
        });
        expect(entry(gain, normIn, normOut)).toBeGreaterThanOrEqual(attained);
      }
    }
  }, 60_000);
});
