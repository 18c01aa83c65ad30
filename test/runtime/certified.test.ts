/** Certified radii, the attack on them, and what must never be called robust. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Analysis } from "../../src/gain/analyze.ts";
import { pairGains, type PairGains } from "../../src/gain/pairs.ts";
import { buildInferenceGraph } from "../../src/graph/inference.ts";
import { measure } from "../../src/measure/measure.ts";
import type { Model } from "../../src/model/model.ts";
import {
  evaluateCertified,
  type CertifiedEvaluation,
  type CertifiedPlan,
  type Epsilon,
} from "../../src/runtime/certified/evaluate.ts";
import { certify, holdsAt, predictionOf } from "../../src/runtime/certified/radius.ts";
import { outOfOrder, summarise } from "../../src/runtime/certified/summary.ts";
import type { Samples } from "../../src/runtime/data/samples.ts";
import type { Engine, HostTensor, Session } from "../../src/runtime/engine.ts";
import { generator } from "../../src/runtime/random.ts";
import { openEngine } from "../../src/runtime/engines/select.ts";
import { modelOf } from "../elaborate/host.ts";

/** All pairs with the same gain. */
const same = (gain: number, classes = 3): PairGains => ({
  phase: "checkpoint",
  norm: "l2",
  classes,
  head: "norms",
  between: (a, b) => (a === b ? 0 : gain),
});

describe("the radius of a sample", () => {
  it("is at most the exact quotient, and close to it", () => {
    const float = fc.float({
      noNaN: true,
      noDefaultInfinity: true,
      min: Math.fround(-1e6),
      max: Math.fround(1e6),
    });
    fc.assert(
      fc.property(
        fc.array(float, { minLength: 2, maxLength: 6 }),
        fc.double({ min: 1e-6, max: 1e6, noNaN: true }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (logits, gain, error) => {
          const { predicted, radius } = certify(logits, same(gain), error);
          if (predicted === null) throw new Error("finite logits");
          const scale = 2n ** 1200n;
          const exact = (x: number): bigint => scaled(x, 1200);
          for (const [j, other] of logits.entries()) {
            if (j === predicted) continue;
            expect(logits[predicted]).toBeGreaterThanOrEqual(other);
            const margin = exact(logits[predicted]) - exact(other) - 2n * exact(error);
            // radius·gain ≤ margin, in whole numbers; 0 certifies nothing.
            if (radius > 0) expect(exact(radius) * exact(gain) <= margin * scale).toBe(true);
          }
          const least = Math.min(
            ...logits.flatMap((f, j) => (j === predicted ? [] : [logits[predicted] - f - 2 * error])),
          );
          if (least > 1e-9) expect(radius).toBeGreaterThan((least / gain) * (1 - 1e-6));
        },
      ),
    );
  });

  it("is 0 for equal logits, whichever is called the largest", () => {
    expect(certify([1, 1, 0], same(1), 0)).toMatchObject({ predicted: 0, radius: 0 });
    expect(certify([0, 2, 2], same(1), 0)).toMatchObject({ predicted: 1, radius: 0 });
    // Even where nothing moves them.
    expect(certify([1, 1, 0], same(0), 0).radius).toBe(0);
    expect(holdsAt({ radius: 0 }, Number.MIN_VALUE)).toBe(false);
  });

  it("is 0 wherever a number is missing: NaN and ∞ are never robust", () => {
    for (const logits of [[NaN, 1, 0], [2, NaN, 0], [2, 1, NaN], [Infinity, 1, 0], [1, -Infinity, 0], []])
      expect(certify(logits, same(1), 0)).toEqual({ predicted: null, radius: 0, nearest: null });
    for (const error of [NaN, Infinity, -1]) expect(certify([2, 1, 0], same(1), error).radius).toBe(0);
    for (const gain of [NaN, Infinity, -1]) expect(certify([2, 1, 0], same(gain), 0).radius).toBe(0);
    expect(holdsAt({ radius: NaN }, 0.1)).toBe(false);
    expect(predictionOf([NaN, NaN])).toBe(null);
  });

  it("is 0 where the logits' error may hide another order", () => {
    expect(certify([1, 0.9, 0], same(1), 0.05).radius).toBe(0);
    expect(certify([1, 0.8, 0], same(1), 0.05).radius).toBeCloseTo(0.1, 12);
  });

  it("is ∞ only where no other class can be reached at all", () => {
    expect(certify([1, 0, 0], same(0), 0)).toMatchObject({ radius: Infinity, nearest: null });
    const one: PairGains = { ...same(0), between: (a, b) => (a + b === 1 ? 0 : 4) };
    expect(certify([1, 0, 0], one, 0)).toMatchObject({ radius: expect.closeTo(0.25, 12), nearest: 2 });
  });

  it("counts a sample at ε only where the radius is larger than ε", () => {
    const { radius } = certify([1, 0], same(2), 0);
    expect(holdsAt({ radius }, 0.5)).toBe(false);
    expect(holdsAt({ radius }, 0.4999)).toBe(true);
  });
});

const source = (layers: string): string => `lips 1
model Two {
  input x: [2] in [-4, 4]
  weights { init: zeros }
  output y = x |> ${layers}
}
`;

/** W = [[3, 0], [0, 4], [−3, −4]], no bias. */
const weights = new Map<string, number[]>([["linear.weight", [3, 0, 0, 4, -3, -4]]]);

const gainsOf = (
  model: Model,
  tensors: ReadonlyMap<string, ArrayLike<number>> = weights,
  norm: "l2" | "linf" = "l2",
) =>
  pairGains(
    new Analysis(model, "checkpoint", measure(tensors)),
    model.inputs[0].value,
    model.outputs[0].value,
    norm,
  );

describe("gains of differences", () => {
  it("of a linear head are the distances of its rows", () => {
    const gains = gainsOf(modelOf(source("Linear(3, bias: false)")));
    expect(gains.head).toBe("rows");
    for (const [a, b, distance] of [
      [0, 1, 5],
      [0, 2, Math.hypot(6, 4)],
      [1, 2, Math.hypot(3, 8)],
    ]) {
      expect(gains.between(a, b)).toBeGreaterThanOrEqual(distance * (1 - 1e-15));
      expect(gains.between(a, b)).toBeLessThan(distance * (1 + 1e-9));
      expect(gains.between(b, a)).toBe(gains.between(a, b));
    }
    expect(gains.between(1, 1)).toBe(0);
  });

  it("count a scale behind the head, and leave a scale per class to the norms", () => {
    const scaled = gainsOf(modelOf(source("Linear(3, bias: false) |> Scale(1/2)")));
    expect(scaled.between(0, 1)).toBeCloseTo(2.5, 6);
    const perClass = modelOf(source("Linear(3, bias: false) |> Scale(learned(1, shape: [3]))"));
    const stretched = gainsOf(perClass, new Map([...weights, ["scale.by", [100, 1, 1]]]));
    expect(stretched.head).toBe("norms");
    // 100·w_0 − w_1 has norm √(300² + 4²).
    expect(stretched.between(0, 1)).toBeGreaterThanOrEqual(Math.hypot(300, 4));
  });

  it("are refused from the initialiser's phase", () => {
    const model = modelOf(source("Linear(3, bias: false)"));
    const analysis = new Analysis(model, "init");
    expect(() => pairGains(analysis, model.inputs[0].value, model.outputs[0].value, "l2")).toThrow(
      /initialiser/,
    );
  });

  it("are ∞ for several tokens, and for a weight that isn't there", () => {
    const tokens = modelOf(
      "lips 1\nmodel T {\n  input x: [4, 2] in [0, 1]\n  output y = x |> Linear(3)\n}\n",
    );
    const known = new Map([
      ["linear.weight", [1, 0, 0, 1, 1, 1]],
      ["linear.bias", [0, 0, 0]],
    ]);
    expect(gainsOf(tokens, known).between(0, 1)).toBe(Infinity);
    expect(gainsOf(modelOf(source("Linear(3, bias: false)")), new Map()).between(0, 1)).toBe(Infinity);
  });

  it("do not shrink by the probability that a branch is kept in training", () => {
    const model = modelOf(
      source(
        "Residual(Linear(2, bias: false), alpha: 1, drop: 0.9) |> Dropout(0.9) |> Linear(3, bias: false)",
      ),
    );
    const names = model.weights.map(({ path }) => path);
    const [inner, head] = [
      names.find((n) => n.includes("residual")),
      names.find((n) => !n.includes("residual")),
    ];
    const tensors = new Map([
      [inner as string, [1, 0, 0, 1]],
      [head as string, [1, 0, -1, 0, 0, 0]],
    ]);
    // y_0 − y_1 = 2·2·x_0 at inference, every branch kept.
    expect(gainsOf(model, tensors).between(0, 1)).toBeGreaterThanOrEqual(4);
  });
});

/** Samples of two numbers. */
function samplesOf(points: readonly (readonly number[])[], labels: readonly number[]): Samples {
  const numbers = Float32Array.from(points.flat());
  return {
    name: "points",
    count: points.length,
    shape: [2],
    low: -4,
    high: 4,
    classes: 3,
    classNames: null,
    source: { kind: "numbers", numbers },
    labelOf: (i) => labels[i],
    pathOf: () => null,
  };
}

/** A finite number times 2^bits, which must be whole. */
function scaled(x: number, bits: number): bigint {
  let [n, power] = [x, 0];
  while (!Number.isInteger(n)) [n, power] = [n * 2, power + 1];
  return BigInt(n) << BigInt(bits - power);
}

const sizes = (...texts: number[]): Epsilon[] => texts.map((x) => ({ text: String(x), up: x, down: x }));

async function planOf(
  model: Model,
  samples: Samples,
  change: Partial<CertifiedPlan> = {},
): Promise<CertifiedPlan> {
  const opened = await openEngine({ engine: "reference" });
  if (!opened.ok) throw new Error("no engine");
  const graph = buildInferenceGraph(model, { batch: 4 });
  if (!graph.ok) throw new Error(graph.problem.message);
  const session = await opened.value.open(graph.value);
  if (!session.ok) throw new Error(session.problem.message);
  const tensors = new Map<string, HostTensor>(
    model.weights.map((w) => [
      `param/${w.path}`,
      { dtype: "f32", dims: w.shape, data: Float32Array.from(weights.get(w.path) ?? []) },
    ]),
  );
  return {
    model,
    weights: tensors,
    engine: opened.value,
    session: session.value,
    batch: 4,
    samples,
    limit: null,
    seed: 0,
    epsilons: sizes(0.1, 0.5, 1),
    gains: gainsOf(model),
    errors: () => null,
    attack: { norm: "l2", steps: 12, restarts: 2, seed: 0 },
    ...change,
  };
}

async function run(plan: CertifiedPlan): Promise<CertifiedEvaluation> {
  const done = await evaluateCertified(plan);
  if (!done.ok) throw new Error(done.problem.message);
  return done.value;
}

/** A session whose logits of some points have the wrong sign. */
function wrongAt(session: Session, isWrong: (point: readonly number[]) => boolean): Session {
  return {
    ...session,
    run: async (feeds) => {
      const out = await session.run(feeds);
      const { data } = feeds["data/x"];
      // `y` of the network's graph, `logits` of the attack's.
      const name = "y" in out ? "y" : "logits";
      const flipped = out[name].data.map((v, i) => {
        const row = Math.floor(i / 3);
        return isWrong(Array.from(data.slice(2 * row, 2 * row + 2))) ? -v : v;
      });
      return { ...out, [name]: { ...out[name], data: flipped } };
    },
  };
}

/** An engine that opens the attack's graph alone. */
function wrongAttack({ engine }: CertifiedPlan, isWrong: (point: readonly number[]) => boolean): Engine {
  return {
    ...engine,
    open: async (graph, options) => {
      const opened = await engine.open(graph, options);
      return opened.ok ? { ...opened, value: wrongAt(opened.value, isWrong) } : opened;
    },
  };
}

/** Random points of the plane with the classes that W gives them, some of them wrong. */
function points(count: number): { points: number[][]; labels: number[] } {
  const random = generator(5);
  const all = Array.from({ length: count }, () => [random() * 5 - 2.5, random() * 5 - 2.5].map(Math.fround));
  const labels = all.map(([a, b], i) =>
    i % 7 === 3 ? i % 3 : (predictionOf([3 * a, 4 * b, -3 * a - 4 * b]) ?? 0),
  );
  return { points: all, labels };
}

describe("certified evaluation", () => {
  const model = modelOf(source("Linear(3, bias: false)"));

  it("of a linear map: the attack finds exactly what the certificate leaves open", async () => {
    const { points: at, labels } = points(40);
    const plan = await planOf(model, samplesOf(at, labels));
    const result = await run(plan);
    expect(result.violations).toEqual([]);
    expect(outOfOrder(result)).toEqual([]);
    for (const outcome of result.outcomes) {
      const [a, b] = at[outcome.sample];
      const logits = [3 * a, 4 * b, -3 * a - 4 * b];
      const distance = Math.min(
        ...logits.flatMap((f, j) =>
          j === outcome.answer
            ? []
            : [(logits[outcome.answer ?? 0] - f) / plan.gains.between(outcome.answer ?? 0, j)],
        ),
      );
      const right = outcome.answer === outcome.label;
      expect(outcome.radius).toBeCloseTo(right ? distance : 0, 5);
      const first = plan.epsilons.findIndex(({ up }) => up > distance * (1 + 1e-3));
      expect(outcome.brokenAt).toBe(!right || first < 0 ? null : first);
      expect(outcome.certified).toEqual(plan.epsilons.map(({ up }) => right && up < outcome.radius));
    }
    const { count, clean, rows, radii, rounding } = summarise(result, plan.epsilons, true);
    expect([count, rounding]).toEqual([40, null]);
    for (const row of rows) {
      expect(row.certified).toBe(row.exact);
      expect(row.certified).toBeCloseTo(row.attacked ?? -1, 12);
      expect(row.attacked ?? 2).toBeLessThanOrEqual(clean);
    }
    expect(rows[0].certified).toBeGreaterThan(rows[2].certified);
    expect(radii[0]).toBeLessThan(radii[2]);
  });

  it("in linf, and for a seeded choice of the samples", async () => {
    const { points: at, labels } = points(40);
    const norm = "linf" as const;
    const attack = { norm, steps: 12, restarts: 2, seed: 0 };
    const change = { gains: gainsOf(model, weights, norm), attack, limit: 12, seed: 3 };
    const result = await run(await planOf(model, samplesOf(at, labels), change));
    expect(result.outcomes.length).toBe(12);
    expect(outOfOrder(result)).toEqual([]);
    expect(result.outcomes.some(({ brokenAt }) => brokenAt !== null)).toBe(true);
    expect(result.outcomes.some(({ certified }) => certified[0])).toBe(true);
    const again = await run(await planOf(model, samplesOf(at, labels), change));
    expect(again.outcomes).toEqual(result.outcomes);
    // ‖w_0 − w_1‖₁ = 7: what moves a margin in linf. The √n of ours is larger.
    expect(change.gains.between(0, 1)).toBeGreaterThanOrEqual(7 * (1 - 1e-12));
  });

  it("a bound that is too small is a violation, with both points", async () => {
    const { points: at, labels } = points(40);
    const real = gainsOf(model);
    const gains: PairGains = { ...real, between: (a, b) => real.between(a, b) / 2 };
    const result = await run(await planOf(model, samplesOf(at, labels), { gains }));
    expect(result.violations.length).toBeGreaterThan(0);
    expect(outOfOrder(result).length).toBeGreaterThan(0);
    for (const { wrong, distance, radius, clean, point, label } of result.violations) {
      expect(wrong).toBe("gain");
      expect(distance).toBeLessThan(radius);
      expect(Math.hypot(point[0] - clean[0], point[1] - clean[1])).toBeCloseTo(distance, 9);
      expect(predictionOf([3 * point[0], 4 * point[1], -3 * point[0] - 4 * point[1]])).not.toBe(label);
    }
  });

  it("an engine that errs more than its bound is a violation; without a bound it breaks nothing", async () => {
    const { points: at, labels } = points(40);
    const plan = await planOf(model, samplesOf(at, labels));
    const counted: CertifiedPlan["errors"] = (values, count) => ({
      logits: Array.from({ length: count }, (_, i) => {
        const [a, b] = values.subarray(2 * i, 2 * i + 2);
        return Float64Array.of(3 * a, 4 * b, -3 * a - 4 * b);
      }),
      exact: new Float64Array(count).fill(1e-12),
      engine: new Float64Array(count).fill(1e-3),
      single: new Float64Array(count).fill(1e-3),
    });
    // Both sessions give every answer wrong but those at the samples.
    const known = new Set(at.map(String));
    const elsewhere = (point: readonly number[]): boolean => !known.has(String(point));
    const [engine, session] = [wrongAttack(plan, elsewhere), wrongAt(plan.session, elsewhere)];
    const found = await run({ ...plan, engine, session, errors: counted });
    expect(found.violations.length).toBeGreaterThan(0);
    expect(found.violations.every(({ wrong }) => wrong === "rounding")).toBe(true);
    // What the attack's graph alone gets wrong is no success.
    const alone = await run({ ...plan, engine, errors: counted });
    expect([alone.violations, alone.rounded]).toEqual([[], 0]);
    const unbounded = await run({ ...plan, engine, session });
    expect(unbounded.violations).toEqual([]);
    expect(unbounded.rounded).toBeGreaterThan(0);
    expect(outOfOrder(unbounded)).toEqual([]);
  });

  it("the engine's rounding narrows what is certified, and a sample without a bound is not certified", async () => {
    const { points: at, labels } = points(40);
    const plan = await planOf(model, samplesOf(at, labels), { attack: null });
    const errors =
      (engine: number): CertifiedPlan["errors"] =>
      (values, count) => ({
        logits: Array.from({ length: count }, (_, i) => {
          const [a, b] = values.subarray(2 * i, 2 * i + 2);
          return Float64Array.of(3 * a, 4 * b, -3 * a - 4 * b);
        }),
        exact: new Float64Array(count).fill(1e-12),
        engine: new Float64Array(count).fill(engine),
        single: new Float64Array(count).fill(engine),
      });
    const shares = async (engine: number) =>
      summarise(await run({ ...plan, errors: errors(engine) }), plan.epsilons, false).rows;
    const [fine, coarse, none] = [await shares(1e-7), await shares(1), await shares(Infinity)];
    for (const [at, row] of fine.entries()) {
      expect(row.attacked).toBe(null);
      expect(row.certified).toBe(row.exact);
      expect(coarse[at].certified).toBeLessThan(row.certified);
      expect(coarse[at].exact).toBe(row.exact);
      expect(none[at].certified).toBe(0);
      expect(none[at].exact).toBe(row.exact);
    }
  });

  it("never looks outside of the domain", async () => {
    const half = modelOf(source("Linear(3, bias: false)").replace("[-4, 4]", "[0, 1]"));
    // Class 0 wins for every x_0 ≥ 0 but where x_1 is larger by 3/4.
    const plan = await planOf(half, samplesOf([[0.95, 0.05]], [0]), { epsilons: sizes(0.5, 100) });
    const { outcomes } = await run(plan);
    expect(outcomes[0].brokenAt).toBe(1);
    const held = new Map([["linear.weight", [1, 0, -1, 0, -1, 0]]]);
    const flat = await planOf(half, samplesOf([[0.5, 0.5]], [0]), {
      epsilons: sizes(0.4, 100),
      gains: gainsOf(half, held),
      weights: new Map([
        [
          "param/linear.weight",
          { dtype: "f32", dims: [3, 2], data: Float32Array.from(held.get("linear.weight") ?? []) },
        ],
      ]),
    });
    const [only] = (await run(flat)).outcomes;
    expect(only).toMatchObject({ certified: [true, false], brokenAt: null });
  });

  it("wrong answers and NaN logits are neither right nor certified", async () => {
    const broken: HostTensor = { dtype: "f32", dims: [3, 2], data: Float32Array.of(3, 0, 0, 4, NaN, 0) };
    const plan = await planOf(model, samplesOf([[1, 0]], [0]), {
      weights: new Map([["param/linear.weight", broken]]),
    });
    const result = await run(plan);
    expect(result.outcomes[0]).toMatchObject({ answer: null, radius: 0, certified: [false, false, false] });
    expect(summarise(result, plan.epsilons, true)).toMatchObject({ clean: 0, radii: [0, 0, 0] });
    expect(outOfOrder(result)).toEqual([]);
  });
});
