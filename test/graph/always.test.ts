/** `always` means every step: what a constraint or a range promises holds for every weight of a training run, and for the averages. */
import { expect, it } from "vitest";
import { Analysis } from "../../src/gain/analyze.ts";
import { weightFacts } from "../../src/gain/weights.ts";
import { Builder } from "../../src/graph/builder.ts";
import { effectiveWeight } from "../../src/graph/constraints/registry.ts";
import { buildInferenceGraph } from "../../src/graph/inference.ts";
import { initialise } from "../../src/graph/initialise.ts";
import { array64, interpret } from "../../src/graph/interpret.ts";
import type { Array64 } from "../../src/graph/primitives/primitive.ts";
import { buildTrainingGraph } from "../../src/graph/training.ts";
import type { Model, TrainConfig, Weight } from "../../src/model/model.ts";
import { defaultRecipe } from "../../src/model/recipe.ts";
import { modelOf } from "../helpers/elaborated.ts";
import { mapNorm } from "../helpers/map-norm.ts";
import { singularValues } from "../helpers/singular.ts";
import { randomArray } from "./random-graph.ts";

const spec = `lips 1
model Kept {
  input image: [5, 5, 2] in [-1, 1]
  weights { constraint: spectral(1), gamma: learned(1, in: [-1, 1]) }
  let x = image |> Conv(4, kernel: 3) |> MaxMin |> DepthwiseConv(kernel: 3) |> CenterNorm
  x = x |> Residual(Linear(4, constraint: rms(1)) |> ReLU, alpha: learned(1/2, in: [0, 1], shape: [4]), form: convex)
  x = x |> Residual(Linear(4, constraint: l1(1)) |> ReLU, alpha: learned(1/4, in: [0, 1/2])) |> PReLU(learned(1/4, in: [-1, 1]))
  let y = x |> Flatten |> Linear(8, constraint: orthogonal) |> MaxMin |> Sandwich(6)
  y = y |> Linear(6, constraint: aol) |> Linear(6, constraint: frobenius(1)) |> Linear(6, constraint: unit_rms)
  output logits = y |> Linear(3, constraint: unit_rows)
}
`;

const steps = 12;
const batch = 6;

it("constraints and ranges hold at every step with a rate far too high, and for the averages", () => {
  const model = modelOf("kept.lips", "Kept", {}, { "kept.lips": spec });
  const recipe: TrainConfig = {
    ...defaultRecipe,
    span: model.span,
    batch,
    optimizer: { name: "adam", args: { lr: 0.3, betas: [0.9, 0.99], eps: 1e-8, weight_decay: 0 } },
    average: { name: "ema", args: { decay: 0.6 } },
  };
  const built = buildTrainingGraph(model, recipe);
  if (!built.ok) throw new Error(built.problem.message);
  const bound = new Analysis(model, "always").from(model.inputs[0].value).gain(model.outputs[0].value)
    .entries[0];
  expect(bound).toBeLessThan(Infinity);

  const feeds: Record<string, Array64> = {
    "data/image": randomArray([batch, 5, 5, 2], 1),
    labels: array64([batch], [0, 1, 2, 0, 1, 2]),
    "scalar/lr": array64([], 0.3),
    "scalar/seed": array64([], 0),
  };
  const start = initialise(model, 3);
  for (const { path, shape } of model.weights) {
    feeds[`param/${path}`] = array64(shape, start.get(path) as Float32Array);
    for (const slot of ["m", "v", "ema"]) feeds[`${slot}/${path}`] = array64(shape, 0);
  }
  for (let step = 1; step <= steps; step++) {
    const out = interpret(built.value, { ...feeds, "scalar/step": array64([], step) });
    for (const name of Object.keys(out)) if (name in feeds) feeds[name] = out[name];
    for (const of of ["param", "ema"]) {
      for (const weight of model.weights)
        holds(weight, feeds[`${of}/${weight.path}`].data, `${of} at step ${step}`);
      expect(steepest(model, feeds, of), `${of} at step ${step}`).toBeLessThanOrEqual(bound * (1 + 1e-9));
    }
  }
  // Weights have left their starts: the ranges and norms were put to the test.
  for (const { path, shape } of model.weights) {
    const before = start.get(path) as Float32Array;
    const moved = feeds[`param/${path}`].data.some((x, i) => Math.abs(x - before[i]) > 1e-3);
    expect(moved || shape.length === 0, path).toBe(true);
  }
});

function holds(weight: Weight, free: Float64Array, when: string): void {
  const facts = weightFacts(weight, "always");
  if (facts.why) return;
  const builder = new Builder();
  const tensor = effectiveWeight(builder, weight, builder.input("w", weight.shape));
  const { data } = interpret(builder.graph("w", [{ name: "w", tensor }]), {
    w: array64(weight.shape, free),
  }).w;
  const what = `${weight.path} ${when}`;
  const rows = weight.shape[0] ?? 1;
  const columns = data.length / rows;
  const room = 1 + 1e-12;
  expect(singularValues(data, rows, columns)[0], what).toBeLessThanOrEqual(facts.spectral * room);
  for (let r = 0; r < rows; r++) {
    const row = data.subarray(r * columns, (r + 1) * columns);
    expect(
      row.reduce((s, x) => s + Math.abs(x), 0),
      what,
    ).toBeLessThanOrEqual(facts.rowSum * room);
    expect(Math.hypot(...row), what).toBeLessThanOrEqual(facts.rowNorm * room);
  }
  for (const x of data) {
    expect(x, what).toBeGreaterThanOrEqual(facts.low - 1e-12);
    expect(x, what).toBeLessThanOrEqual(facts.high + 1e-12);
  }
  if (facts.operator !== undefined)
    expect(
      mapNorm(data, weight.shape, 5, { stride: 1, dilation: 1, padding: 1 }, 1),
      what,
    ).toBeLessThanOrEqual(facts.operator * room);
}

/** The largest ‖f(x) − f(y)‖/‖x − y‖ of some pairs. */
function steepest(model: Model, feeds: Record<string, Array64>, of: string): number {
  const pairs = 8;
  const built = buildInferenceGraph(model, { batch: 2 * pairs });
  if (!built.ok) throw new Error(built.problem.message);
  const x = randomArray([pairs, 50], 5).data;
  const other = randomArray([pairs, 50], 6, -0.1, 0.1).data.map((d, i) =>
    Math.min(Math.max(x[i] + d, -1), 1),
  );
  const weights = Object.fromEntries(
    model.weights.map(({ path }) => [`param/${path}`, feeds[`${of}/${path}`]]),
  );
  const image = array64([2 * pairs, 5, 5, 2], Float64Array.from([...x, ...other]));
  const logits = interpret(built.value, { ...weights, "data/image": image })[model.outputs[0].name].data;
  const classes = logits.length / (2 * pairs);
  const distance = (a: Float64Array, b: Float64Array, width: number, i: number): number =>
    Math.hypot(...Array.from({ length: width }, (_, k) => a[i * width + k] - b[i * width + k]));
  const [first, second] = [logits.subarray(0, pairs * classes), logits.subarray(pairs * classes)];
  let steep = 0;
  for (let i = 0; i < pairs; i++)
    steep = Math.max(steep, distance(first, second, classes, i) / distance(x, other, 50, i));
  return steep;
}
