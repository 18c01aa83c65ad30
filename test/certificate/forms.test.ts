/**
 * "Adjacent linear maps", "Centre slope" and "Channel scales" of both implementations, the analysis's and the checker's,
 * which follow each other too closely to find each other's mistakes. The truth here is a third: a random graph of small
 * layers is one matrix for every choice of a slope at every entry of every pointwise map, written out by hand below, and the
 * rules promise their bound for each choice. Between every two values, in all nine pairs of norms.
 */
import { describe, expect, it } from "vitest";
import { enclosures, numberAbove, type Enclosure } from "../../src/certificate/verify/enclosure.ts";
import { checkGraph } from "../../src/certificate/verify/graph.ts";
import { Forms as CheckedForms } from "../../src/certificate/verify/rules/forms.ts";
import { Scene } from "../../src/certificate/verify/rules/scene.ts";
import type { Facts } from "../../src/certificate/verify/rules/facts.ts";
import { modelDocument } from "../../src/certificate/write.ts";
import { Analysis } from "../../src/gain/analyze.ts";
import { layers } from "../../src/layers/registry.ts";
import { Forms } from "../../src/gain/forms.ts";
import { measure } from "../../src/measure/measure.ts";
import type { Model } from "../../src/model/model.ts";
import { normal, seeded, spectralNorm } from "../rig/matrix.ts";
import { Sketch } from "../rig/sketch.ts";
import { Checked } from "../soundness/checker.ts";

const tokens = 2;
const norms = ["l2", "token", "linf"] as const;

/** Row-major, rows over the entries of a value, columns over those of the source. */
interface Dense {
  readonly rows: number;
  readonly columns: number;
  readonly data: Float64Array;
}
type Slopes = (entry: number) => number;
/** The linear part of a node, from those of its inputs; `slope` of each of its entries where it is pointwise. */
type Jacobian = (inputs: readonly Dense[], slope: Slopes) => readonly Dense[];

interface Step {
  readonly inputs: readonly number[];
  readonly outputs: readonly number[];
  readonly jacobian: Jacobian;
  /** Least and largest slope of a pointwise map. */
  readonly slopes: readonly [number, number] | null;
}

const dense = (rows: number, columns: number, of: (r: number, c: number) => number): Dense => ({
  rows,
  columns,
  data: Float64Array.from({ length: rows * columns }, (_, i) => of(Math.floor(i / columns), i % columns)),
});
const at = ({ columns, data }: Dense, r: number, c: number): number => data[r * columns + c];
/** Rows as sums of rows: Σ_s weight(r, s)·x[s]. */
const mixed = (x: Dense, rows: number, weight: (r: number, s: number) => number): Dense =>
  dense(rows, x.columns, (r, c) => {
    let sum = 0;
    for (let s = 0; s < x.rows; s++) sum += weight(r, s) * at(x, s, c);
    return sum;
  });
/** One matrix for each token. */
const tokenwise = (x: Dense, width: number, from: number, w: (o: number, i: number) => number): Dense =>
  mixed(x, tokens * width, (r, s) =>
    Math.floor(r / width) === Math.floor(s / from) ? w(r % width, s % from) : 0,
  );

/** Slopes of the smallest and largest kind, by hand. */
const pointwise: readonly (readonly [string, { [key: string]: number | string }, [number, number]])[] = [
  ["ReLU", {}, [0, 1]],
  ["LeakyReLU", { slope: 0.5 }, [0.5, 1]],
  ["LeakyReLU", { slope: 2 }, [1, 2]],
  ["LeakyReLU", { slope: -0.75 }, [-0.75, 1]],
  ["Abs", {}, [-1, 1]],
  ["ELU", { alpha: 2 }, [0, 2]],
  ["GELU", { form: "exact" }, [-0.1289, 1.1289]],
  ["Sigmoid", {}, [0, 0.25]],
];

interface Case {
  readonly sketch: Sketch;
  readonly model: Model;
  readonly steps: readonly Step[];
}

function randomCase(seed: number): Case {
  const random = seeded(seed);
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)];
  const sketch = new Sketch();
  const steps: Step[] = [];
  const number = (): number =>
    Math.fround(random() < 0.15 ? 0 : random() < 0.3 ? pick([1, -1, 2]) : normal(random));
  const numbers = (count: number): number[] => Array.from({ length: count }, number);
  const width = (value: number): number => sketch.shape(value)[1];
  const values = [sketch.input([tokens, 2])];
  if (random() < 0.3) values.push(sketch.input([tokens, 2]));
  // Late values more often: chains are what the rules are about.
  const any = (): number => (random() < 0.65 ? values[values.length - 1] : pick(values));
  const add = (
    layer: string,
    inputs: readonly number[],
    config: { [key: string]: unknown },
    jacobian: Jacobian,
    more: {
      weights?: { [name: string]: number[] };
      shapes?: { [name: string]: number[] };
      outputs?: number[][];
      slopes?: Step["slopes"];
    } = {},
  ): void => {
    const weights = Object.fromEntries(
      Object.entries(more.weights ?? {}).map(([name, data]) => [
        name,
        { shape: more.shapes?.[name] ?? [data.length], data },
      ]),
    );
    const outputs = sketch.node({
      layer,
      inputs,
      config: config as never,
      weights,
      ...(more.outputs ? { outputs: more.outputs } : {}),
    });
    steps.push({ inputs, outputs, jacobian, slopes: more.slopes ?? null });
    values.push(...outputs);
  };
  const repeated: { from: number; w: number[] }[] = [];
  const linear = (x: number): void => {
    const d = width(x);
    const known = repeated.filter(({ w }) => w.length === 2 * d);
    // The same matrix again: what is subtracted may cancel.
    const w = known.length > 0 && random() < 0.4 ? pick(known).w : numbers(2 * d);
    repeated.push({ from: x, w });
    const as = pick(["Linear", "Conv"]);
    const config =
      as === "Linear"
        ? { width: 2, bias: true }
        : { width: 2, bias: true, kernel: 1, stride: 1, padding: 0, dilation: 1 };
    add(as, [x], config, ([j]) => [tokenwise(j, 2, d, (o, i) => w[o * d + i])], {
      weights: { weight: w, bias: numbers(2) },
      shapes: { weight: as === "Linear" ? [2, d] : [2, d, 1] },
      outputs: [[tokens, 2]],
    });
  };
  const coefficient = (): { c: unknown; values: number[] } => {
    const values = random() < 0.5 ? numbers(1) : numbers(2);
    if (values.length === 1)
      return { c: { kind: "constant", value: values[0] }, values: [values[0], values[0]] };
    return {
      c: { kind: "learned", weight: sketch.weight({ shape: [2], data: values }), shape: [2] },
      values,
    };
  };
  const count = 4 + Math.floor(random() * 6);
  // What a scale sees through a pointwise map, down to the terms of a sum, is too seldom left to chance.
  const planned: string[] = [];
  while (steps.length < count || planned.length > 0) {
    const next = planned.shift();
    const x = next === undefined ? any() : values[values.length - 1];
    if (width(x) === 1) {
      linear(x);
      continue;
    }
    const other = pick(values.filter((value) => width(value) === 2));
    const kind =
      next ??
      pick("linear linear pointwise pointwise channels sum residual scale centre split offset".split(" "));
    if (kind === "linear") linear(x);
    if (kind === "pointwise") {
      const [layer, config, slopes] = pick(pointwise);
      add(layer, [x], config, ([j], s) => [dense(j.rows, j.columns, (r, c) => s(r) * at(j, r, c))], {
        slopes,
      });
    }
    if (kind === "channels") {
      const w = numbers(6);
      const config = { kernel: 3, stride: 1, padding: 1, dilation: 1, multiplier: 1, bias: false };
      const tap = (r: number, s: number): number => {
        const t = Math.floor(s / 2) - Math.floor(r / 2) + 1;
        return r % 2 === s % 2 && t >= 0 && t < 3 ? w[3 * (r % 2) + t] : 0;
      };
      add("DepthwiseConv", [x], config, ([j]) => [mixed(j, j.rows, tap)], {
        weights: { weight: w },
        shapes: { weight: [2, 1, 3] },
      });
    }
    if (kind === "sum") {
      if (random() < 0.5) planned.push("pointwise", "scale");
      const sign = pick([1, -1]);
      const inputs = random() < 0.5 ? [x, other] : [other, x];
      add(sign > 0 ? "Add" : "Subtract", inputs, {}, ([a, b]) => [
        dense(a.rows, a.columns, (r, c) => at(a, r, c) + sign * at(b, r, c)),
      ]);
    }
    if (kind === "residual") {
      const { c: alpha, values: as } = coefficient();
      const form = pick(["additive", "convex"]);
      const inputs = random() < 0.5 ? [x, other] : [other, x];
      const weights = (alpha as { weight?: number }).weight;
      add("Residual", inputs, { alpha, form, drop: 0 }, ([a, b]) => [
        dense(
          a.rows,
          a.columns,
          (r, c) => (form === "convex" ? 1 - as[r % 2] : 1) * at(a, r, c) + as[r % 2] * at(b, r, c),
        ),
      ]);
      named(sketch, weights, "alpha");
    }
    if (kind === "scale") {
      const { c: by, values: as } = coefficient();
      add("Scale", [x], { by }, ([j]) => [dense(j.rows, j.columns, (r, c) => as[r % 2] * at(j, r, c))]);
      named(sketch, (by as { weight?: number }).weight, "by");
    }
    if (kind === "offset") add("Offset", [x], { by: { kind: "constant", value: 1 } }, ([j]) => [j]);
    if (kind === "centre") {
      const gamma = numbers(2);
      // γ·2·(x − (x₀ + x₁)/2)
      add("CenterNorm", [x], {}, ([j]) => [tokenwise(j, 2, 2, (o, i) => gamma[o] * (o === i ? 1 : -1))], {
        weights: { gamma, beta: numbers(2) },
      });
    }
    if (kind === "split")
      add(
        "Split",
        [x],
        { parts: 2 },
        ([j]) => [0, 1].map((part) => dense(tokens, j.columns, (r, c) => at(j, 2 * r + part, c))),
        {
          outputs: [
            [tokens, 1],
            [tokens, 1],
          ],
        },
      );
  }
  const outputs = [values[values.length - 1], ...(random() < 0.4 ? [pick(values)] : [])];
  const model = {
    ...sketch.model(),
    outputs: outputs.map((value, i) => ({ name: `y${i}`, value, span: { file: "", start: 0, end: 0 } })),
  };
  return { sketch, model, steps };
}

/** A coefficient is a weight of its node. */
function named(sketch: Sketch, weight: number | undefined, name: string): void {
  if (weight === undefined) return;
  const nodes = sketch.model().nodes;
  (nodes[nodes.length - 1].weights as { [name: string]: number })[name] = weight;
}

/** All values against one source, for one choice of slopes. */
function jacobians(
  { sketch, steps }: Case,
  source: number,
  slope: (step: number, entry: number) => number,
): Map<number, Dense> {
  const columns = tokens * sketch.shape(source)[1];
  const known = new Map([[source, dense(columns, columns, (r, c) => (r === c ? 1 : 0))]]);
  steps.forEach(({ inputs, outputs, jacobian }, i) => {
    if (outputs.includes(source) || !inputs.some((value) => known.has(value))) return;
    const given = inputs.map(
      (value) => known.get(value) ?? dense(tokens * sketch.shape(value)[1], columns, () => 0),
    );
    jacobian(given, (entry) => slope(i, entry)).forEach((j, o) => known.set(outputs[o], j));
  });
  return known;
}

/** From below: exact but for those that begin at the token norm and don't end at linf. */
function gainsOf(j: Dense): number[] {
  const width = j.rows / tokens;
  const tokenSigma = Math.max(
    ...Array.from({ length: tokens }, (_, t) =>
      spectralNorm(j.data.subarray(t * width * j.columns, (t + 1) * width * j.columns), width, j.columns),
    ),
  );
  const rows = Array.from({ length: j.rows }, (_, r) => j.data.subarray(r * j.columns, (r + 1) * j.columns));
  const part = j.columns / tokens;
  const byTokens = (row: Float64Array): number =>
    Math.hypot(...row.subarray(0, part)) + Math.hypot(...row.subarray(part));
  const largest = (of: (row: Float64Array) => number): number => Math.max(...rows.map(of));
  const reached = (x: Float64Array): [number, number] => {
    const y = rows.map((row) => row.reduce((sum, e, c) => sum + e * x[c], 0));
    return [Math.hypot(...y), Math.max(Math.hypot(...y.slice(0, width)), Math.hypot(...y.slice(width)))];
  };
  const [signs, unit]: [[number, number], [number, number]] = [
    [0, 0],
    [0, 0],
  ];
  for (let k = 0; k < 2 ** (j.columns - 1); k++) {
    const x = Float64Array.from({ length: j.columns }, (_, c) => ((k >> c) & 1 ? -1 : 1));
    reached(x).forEach((y, i) => (signs[i] = Math.max(signs[i], y)));
    reached(x.map((e) => e / Math.sqrt(part))).forEach((y, i) => (unit[i] = Math.max(unit[i], y)));
  }
  return [
    ...[spectralNorm(j.data, j.rows, j.columns), tokenSigma, largest((row) => Math.hypot(...row))],
    ...[unit[0], unit[1], largest(byTokens)],
    ...[signs[0], signs[1], largest((row) => row.reduce((sum, e) => sum + Math.abs(e), 0))],
  ];
}

/** The matrices' norms as the analysis measures them, and everything that both sides promise. */
function promises(made: Case) {
  const tensors = new Map(made.sketch.weights.map(({ data }, i) => [`w${i}`, Float32Array.from(data ?? [])]));
  const { oracle, matrices } = measure(tensors);
  const analysis = new Analysis(made.model, "checkpoint", { oracle, matrices });
  return { oracle, matrices, analysis, checked: new Checked(made.model, "checkpoint", { oracle, matrices }) };
}

/** Gains of two channel groups of a value, by both. */
function partsOf(
  made: Case,
  { analysis, checked, matrices }: ReturnType<typeof promises>,
  value: number,
  source: number,
): (readonly number[][] | null)[] {
  const ours = new Forms(made.model, layers, matrices).parts(value, 2, source, (v) =>
    analysis.from(source).gain(v),
  );
  const document = JSON.parse(JSON.stringify(modelDocument(made.model))) as ReturnType<typeof modelDocument>;
  const scene = new Scene<Enclosure>(enclosures, document.values, () => ({}) as Facts<Enclosure>);
  const known = (v: number): Enclosure[] => checked.from(source).gain(v).entries.map(enclosures.num);
  const theirs = new CheckedForms(
    scene,
    checkGraph(document),
    document.outputs.map((o) => o.value),
    (m) => {
      const found = matrices(withWeights(m, made.model) as never);
      return (
        found && {
          spectral: enclosures.num(found.spectral),
          rowSum: enclosures.num(found.rowSum),
          rowNorm: enclosures.num(found.rowNorm),
        }
      );
    },
  ).parts(value, 2, source, known);
  return [
    ours?.map(({ entries }) => [...entries]) ?? null,
    theirs?.map((gain) => gain.map(numberAbove)) ?? null,
  ];
}

/** The checker's matrices name weights by number, the analysis's hold them. */
function withWeights(x: unknown, model: Model): unknown {
  if (Array.isArray(x)) return x.map((item: unknown) => withWeights(item, model));
  if (typeof x !== "object" || x === null) return x;
  return Object.fromEntries(
    Object.entries(x).map(([key, item]: [string, unknown]) => {
      const weight = typeof item === "number" && (key === "weight" || key === "entries");
      return [key, weight ? model.weights[item] : withWeights(item, model)];
    }),
  );
}

const rules = ["Adjacent linear maps", "Centre slope", "Channel scales"] as const;

/** Attacks one graph, and counts the steps that each rule gives. */
function attack(seed: number, used: Map<string, number>): void {
  const made = randomCase(seed);
  const promised = promises(made);
  const random = seeded(seed + 7);
  const pointwiseSteps = made.steps.map(({ slopes }) => slopes);
  for (let source = 0; source < made.model.values.length; source++) {
    const [ours, theirs] = [promised.analysis.from(source), promised.checked.from(source)];
    const split = new Map<number, ReturnType<typeof partsOf>>();
    const hold = (slope: (step: number, entry: number) => number): void => {
      for (const [value, j] of jacobians(made, source, slope)) {
        const truth = gainsOf(j);
        if (j.rows === 2 * tokens && value !== source && !split.has(value))
          split.set(value, partsOf(made, promised, value, source));
        norms.forEach((p, a) =>
          norms.forEach((q, b) => {
            const name = `seed ${seed}: ${source} → ${value}, ${p}→${q}`;
            const least = truth[3 * a + b] * (1 - 1e-9) - 1e-12;
            expect(ours.gain(value).entries[3 * a + b], `analysis, ${name}`).toBeGreaterThanOrEqual(least);
            expect(theirs.gain(value).entries[3 * a + b], `checker, ${name}`).toBeGreaterThanOrEqual(least);
          }),
        );
        split.get(value)?.forEach((parts, who) =>
          parts?.forEach((gain, part) => {
            const alone = gainsOf(dense(tokens, j.columns, (r, c) => at(j, 2 * r + part, c)));
            gain.forEach((bound, i) =>
              expect(
                bound,
                `part ${part} of ${value} from ${source}, ${who}, seed ${seed}`,
              ).toBeGreaterThanOrEqual(alone[i] * (1 - 1e-9) - 1e-12),
            );
          }),
        );
      }
    };
    // Norms are convex in each slope, so ends do: all of one kind, then by chance.
    for (let turn = 0; turn < 6; turn++) {
      const chosen = new Map<string, number>();
      hold((step, entry) => {
        const [low, high] = pointwiseSteps[step] as [number, number];
        const key = `${step} ${entry}`;
        const end =
          chosen.get(key) ??
          (turn < 2 ? turn : turn === 2 ? step % 2 : turn === 3 ? entry % 2 : Math.floor(random() * 2));
        chosen.set(key, end);
        return end === 0 ? low : high;
      });
    }
    for (const { outputs } of made.steps)
      for (const value of outputs) used.set(theirs.rule(value), (used.get(theirs.rule(value)) ?? 0) + 1);
  }
}

describe("forms of neighbouring layers", () => {
  const many = Number(process.env.LIPSC_FORMS ?? 120);
  it(`hold for every choice of slopes, ${many} random graphs`, () => {
    const used = new Map<string, number>();
    for (let seed = 1; seed <= many; seed++) attack(seed, used);
    for (const rule of rules) expect(used.get(rule), rule).toBeGreaterThan(many / 12);
  }, 600_000);
});
