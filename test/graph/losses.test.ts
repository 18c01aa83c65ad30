/** Losses against their definitions in float64, gradients against central differences, and what they claim to bound. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { gradients } from "../../src/graph/autodiff.ts";
import { Builder } from "../../src/graph/builder.ts";
import { initialise } from "../../src/graph/initialise.ts";
import { array64, interpret } from "../../src/graph/interpret.ts";
import { illegalities } from "../../src/graph/legality.ts";
import { hinge } from "../../src/graph/losses/hinge.ts";
import type { LossTerm } from "../../src/graph/losses/loss.ts";
import { margin } from "../../src/graph/losses/margin.ts";
import type { Array64 } from "../../src/graph/primitives/primitive.ts";
import { buildTrainingGraph } from "../../src/graph/training.ts";
import type { Json, Model, TrainConfig, Weight } from "../../src/model/model.ts";
import { valueOf } from "../onnx/support.ts";
import { randomArray } from "./random-graph.ts";
import {
  channels,
  classes,
  hidden,
  tinyModel,
  tinyNode,
  tinyRecipe,
  tinyWeights,
  tokens,
} from "./tiny-model.ts";

const batch = 3;
const k = 5;

type Args = Readonly<Record<string, Json>>;

/** Of one batch: logits, labels, labels of what the samples are mixed with, and how much is their own. */
interface Batch {
  readonly z: readonly (readonly number[])[];
  readonly own: readonly number[];
  readonly other: readonly number[];
  readonly share: readonly number[];
}

const times = { minLength: batch, maxLength: batch };
const anyBatch: fc.Arbitrary<Batch> = fc.record({
  z: fc.array(fc.array(fc.double({ min: -4, max: 4, noNaN: true }), { minLength: k, maxLength: k }), times),
  own: fc.array(fc.nat(k - 1), times),
  other: fc.array(fc.nat(k - 1), times),
  share: fc.array(fc.double({ min: 0, max: 1, noNaN: true }), times),
});
const offsets = fc.double({ min: 0, max: 3, noNaN: true });
const temperatures = fc.double({ min: 0.05, max: 3, noNaN: true });

/** Loss and gradient in the logits, as they are compiled. */
function compiled(term: LossTerm, args: Args, mixed: boolean) {
  const builder = new Builder();
  const logits = builder.input("z", [batch, k]);
  const own = builder.input("own", [batch], "i32");
  const other = builder.input("other", [batch], "i32");
  const share = builder.input("share", [batch]);
  const labels = { own, mixed: mixed ? { other, share } : null };
  const model = tinyModel();
  const { loss, stop } = valueOf(
    term.build({ builder, model, recipe: tinyRecipe(), args, logits, labels, params: [] }),
  );
  const [slope] = gradients(builder, loss, [logits], { stop });
  const graph = builder.graph(term.name, [
    { name: "loss", tensor: loss },
    { name: "slope", tensor: slope },
  ]);
  expect(illegalities(graph)).toEqual([]);
  return (b: Batch): { loss: number; slope: Float64Array } => {
    const lists = { own: b.own, other: b.other, share: b.share };
    const feeds = Object.entries(lists).map(([name, list]) => [name, array64([batch], list)] as const);
    const out = interpret(graph, { z: array64([batch, k], b.z.flat()), ...Object.fromEntries(feeds) });
    return { loss: out.loss.data[0], slope: out.slope.data };
  };
}

type Each = (z: readonly number[], y: number) => number;

/** Mean over the batch, of the mixture where samples are mixed. */
function meanOf(each: Each, { z, own, other, share }: Batch, mixed: boolean): number {
  const of = (s: number): number =>
    mixed ? share[s] * each(z[s], own[s]) + (1 - share[s]) * each(z[s], other[s]) : each(z[s], own[s]);
  return z.reduce((sum, _, s) => sum + of(s) / batch, 0);
}

const marginsOf = (z: readonly number[], y: number): number[] =>
  z.filter((_, j) => j !== y).map((x) => z[y] - x);
const hingeOf = (z: readonly number[], y: number, u: number): number =>
  Math.max(0, ...marginsOf(z, y).map((m) => u - m));

/** Least distance of anything from a kink, in units of the logits. */
function smoothness(each: (z: readonly number[], y: number) => readonly number[], b: Batch): number {
  const all = b.z.flatMap((z, s) => [...each(z, b.own[s]), ...each(z, b.other[s])]);
  return Math.min(...all.map(Math.abs));
}

function expectDefinition(term: LossTerm, args: Args, each: Each, b: Batch, smooth = true): void {
  for (const mixed of [false, true]) {
    const found = compiled(term, args, mixed)(b);
    expect(Math.abs(found.loss - meanOf(each, b, mixed))).toBeLessThan(1e-10);
    if (!smooth) continue;
    for (let i = 0; i < batch * k; i++) {
      const moved = (h: number): number => {
        const z = b.z.map((row, s) => row.map((x, j) => (s * k + j === i ? x + h : x)));
        return meanOf(each, { ...b, z }, mixed);
      };
      expect(Math.abs(found.slope[i] - (moved(1e-5) - moved(-1e-5)) / 2e-5)).toBeLessThan(1e-6);
    }
  }
}

describe("margin", () => {
  const exact =
    (u: number, t: number): Each =>
    (z, y) =>
      t * Math.log(1 + marginsOf(z, y).reduce((sum, m) => sum + Math.exp((u - m) / t), 0));

  it("is t·log(1 + Σ exp((u − m)/t)), with its gradient", () => {
    fc.assert(
      fc.property(anyBatch, offsets, temperatures, (b, offset, temperature) =>
        expectDefinition(margin, { offset, temperature }, exact(offset, temperature), b),
      ),
      { numRuns: 15 },
    );
  });
  it("lies between the hinge and the hinge plus t·log(classes)", () => {
    fc.assert(
      fc.property(anyBatch, offsets, temperatures, (b, offset, temperature) => {
        const { loss } = compiled(margin, { offset, temperature }, false)(b);
        const least = meanOf((z, y) => hingeOf(z, y, offset), b, false);
        expect(loss).toBeGreaterThanOrEqual(least - 1e-9);
        expect(loss).toBeLessThanOrEqual(least + temperature * Math.log(k) + 1e-9);
      }),
      { numRuns: 50 },
    );
  });
  it("is finite for logits far apart and small temperatures", () => {
    const b = {
      z: [
        [900, -900, 0, 1, 2],
        [-900, 900, 0, 1, 2],
        [0, 0, 0, 0, 0],
      ],
      own: [0, 0, 0],
      other: [1, 1, 1],
      share: [1, 1, 1],
    };
    const { loss, slope } = compiled(margin, { offset: 1, temperature: 0.01 }, false)(b);
    expect(loss).toBeCloseTo((0 + 1801 + 1 + 0.01 * Math.log(4)) / batch, 9);
    expect(slope.every((x) => Math.abs(x) <= 1 / batch + 1e-12)).toBe(true);
  });
});

describe("hinge", () => {
  it("is the sum or the largest of max(0, u − m), with its gradient", () => {
    fc.assert(
      fc.property(anyBatch, offsets, (b, offset) => {
        const kinks = smoothness((z, y) => marginsOf(z, y).map((m) => offset - m), b);
        const ties = smoothness((z) => z.flatMap((x, i) => z.slice(i + 1).map((w) => x - w)), b);
        const sum: Each = (z, y) => marginsOf(z, y).reduce((total, m) => total + Math.max(0, offset - m), 0);
        expectDefinition(hinge, { offset, over: "sum" }, sum, b, kinks > 1e-4);
        const max: Each = (z, y) => hingeOf(z, y, offset);
        expectDefinition(hinge, { offset, over: "max" }, max, b, Math.min(kinks, ties) > 1e-4);
      }),
      { numRuns: 15 },
    );
  });
  it("has no gradient where every margin is wide enough", () => {
    const z = Array.from({ length: batch }, () => [3, 0, 0, 0, 0]);
    const b = { z, own: [0, 0, 0], other: [0, 0, 0], share: [1, 1, 1] };
    for (const over of ["sum", "max"]) {
      const { loss, slope } = compiled(hinge, { offset: 2.9, over }, false)(b);
      expect([loss, ...slope]).toEqual(new Array(1 + batch * k).fill(0));
    }
  });
});

describe("losses of radii", () => {
  const eps = 0.3;
  const termsOf = (name: string, args: Args) => [{ weight: 1, term: { name, args } }];
  const plainStep = { name: "sgd", args: { lr: 1, momentum: 0, weight_decay: 0 } };
  const constrained = tinyWeights.map((w): Weight =>
    w.path === "body.weight" ? { ...w, constraint: { kind: "aol" } } : w,
  );
  const model = tinyModel(constrained);
  const recipe = tinyRecipe({ loss: termsOf("emma", { eps }), optimizer: plainStep });
  type State = Record<string, Array64>;
  const start = initialise(model, 3);
  const state: State = Object.fromEntries(
    constrained.map((w) => [`param/${w.path}`, array64(w.shape, start.get(w.path) ?? 0)]),
  );
  const labels = [0, 1, 2, 2, 1, 0];

  /** ‖w_y − w_j‖/√3: the body has norm 1, the ReLU too, the mean of three tokens 1/√3. */
  const speedOf = (s: State, y: number, j: number): number => {
    const row = (i: number) => s["param/head.weight"].data.slice(i * hidden, (i + 1) * hidden);
    return Math.hypot(...row(y).map((x, i) => x - row(j)[i])) / Math.sqrt(tokens);
  };
  const clip = (x: number): number => Math.min(Math.max(x, 0.01 * eps), eps);

  /** Logits by hand. */
  function logitsOf(s: State, data: Array64): number[][] {
    const w = s["param/body.weight"].data;
    const scale = Array.from({ length: channels }, (_, c) => {
      let sum = 0;
      for (let d = 0; d < channels; d++) {
        let dot = 0;
        for (let h = 0; h < hidden; h++) dot += w[h * channels + c] * w[h * channels + d];
        sum += Math.abs(dot);
      }
      return 1 / Math.sqrt(sum);
    });
    return labels.map((_, n) => {
      const mean = Array.from({ length: hidden }, (_, h) => {
        let total = 0;
        for (let t = 0; t < tokens; t++) {
          let y = s["param/body.bias"].data[h];
          for (let c = 0; c < channels; c++)
            y += w[h * channels + c] * scale[c] * data.data[(n * tokens + t) * channels + c];
          total += Math.max(0, y) / tokens;
        }
        return total;
      });
      return Array.from({ length: classes }, (_, j) =>
        mean.reduce(
          (sum, m, h) => sum + m * s["param/head.weight"].data[j * hidden + h],
          s["param/head.bias"].data[j],
        ),
      );
    });
  }

  /** Loss and gradient of every weight, as a step of the training graph finds them, against `lossOf` and its differences. */
  function expectStep(
    changes: Partial<TrainConfig>,
    at: State,
    lossOf: (s: State, data: Array64) => number,
  ): void {
    const graph = valueOf(buildTrainingGraph(model, { ...recipe, ...changes }));
    expect(illegalities(graph)).toEqual([]);
    const data = randomArray([labels.length, tokens, channels], 4, -2, 2);
    const feeds = { "data/x": data, labels: array64([labels.length], labels) };
    const scalars = {
      "scalar/lr": array64([], 1),
      "scalar/step": array64([], 1),
      "scalar/seed": array64([], 0),
    };
    const out = interpret(graph, { ...at, ...feeds, ...scalars });
    expect(out["metric/loss"].data[0]).toBeCloseTo(lossOf(at, data), 8);
    for (const [name, { shape, data: before }] of Object.entries(at)) {
      before.forEach((x, i) => {
        const moved = (h: number): number => {
          const copy = Float64Array.from(before);
          copy[i] += h;
          return lossOf({ ...at, [name]: { shape, data: copy } }, data);
        };
        const slope = (moved(1e-5) - moved(-1e-5)) / 2e-5;
        expect(Math.abs(x - out[name].data[i] - slope), name).toBeLessThan(1e-6);
      });
    }
  }

  it("emma is its definition, and moves every weight by its gradient, radii held fixed", () => {
    expectStep({}, state, (s, data) => {
      const fixed = logitsOf(state, data);
      const each = logitsOf(s, data).map((z, n) => {
        const y = labels[n];
        const moved = z.map((x, j) => {
          if (j === y) return x;
          const radius = clip((fixed[n][y] - fixed[n][j]) / speedOf(state, y, j));
          return x + radius * speedOf(s, y, j);
        });
        return Math.log(moved.reduce((sum, x) => sum + Math.exp(x), 0)) - moved[y];
      });
      return each.reduce((a, b) => a + b, 0) / labels.length;
    });
  });

  /** t·log(1 + Σ exp((u − r_j)/t)), the unit of the margin to j being `unitOf(y, j)`. */
  const radiusLoss = (
    z: readonly number[],
    y: number,
    { offset: u, temperature: t }: { offset: number; temperature: number },
    unitOf: (y: number, j: number) => number,
  ): number =>
    t *
    Math.log(
      1 + z.reduce((sum, x, j) => (j === y ? sum : sum + Math.exp((u - (z[y] - x) / unitOf(y, j)) / t)), 0),
    );

  it("radius is its definition, and moves every weight by its gradient, the head's distances too", () => {
    const args = { offset: 0.8, temperature: 0.2 };
    expectStep({ loss: termsOf("radius", args) }, state, (s, data) => {
      const each = logitsOf(s, data).map((z, n) =>
        radiusLoss(z, labels[n], args, (y, j) => speedOf(s, y, j)),
      );
      return each.reduce((a, b) => a + b, 0) / labels.length;
    });
  });
  it("radius takes the margin as it is where two rows of the head are equal", () => {
    const args = { offset: 0.8, temperature: 0.2 };
    const head = state["param/head.weight"];
    const equal = Float64Array.from(head.data);
    equal.copyWithin(0, hidden, 2 * hidden);
    const at: State = { ...state, "param/head.weight": { shape: head.shape, data: equal } };
    const graph = valueOf(buildTrainingGraph(model, { ...recipe, loss: termsOf("radius", args) }));
    const data = randomArray([labels.length, tokens, channels], 4, -2, 2);
    const feeds = { "data/x": data, labels: array64([labels.length], labels) };
    const one = array64([], 1);
    const out = interpret(graph, {
      ...at,
      ...feeds,
      "scalar/lr": one,
      "scalar/step": one,
      "scalar/seed": one,
    });
    const each = logitsOf(at, data).map((z, n) =>
      radiusLoss(z, labels[n], args, (y, j) => speedOf(at, y, j) || 1),
    );
    expect(out["metric/loss"].data[0]).toBeCloseTo(each.reduce((a, b) => a + b, 0) / labels.length, 8);
    // The step parts them: each of the two classes pulls its own row.
    const rows = out["param/head.weight"].data;
    expect([...rows.slice(0, hidden)]).not.toEqual([...rows.slice(hidden, 2 * hidden)]);
    for (const x of rows) expect(Number.isFinite(x)).toBe(true);
  });
  it("radius lies above what the least radius is short of the offset, by t·log(classes) at most", () => {
    const args = { offset: 0.8, temperature: 0.2 };
    const graph = valueOf(buildTrainingGraph(model, { ...recipe, loss: termsOf("radius", args) }));
    const one = array64([], 1);
    const scalars = { "scalar/lr": one, "scalar/step": one, "scalar/seed": one };
    for (let seed = 0; seed < 20; seed++) {
      const data = randomArray([labels.length, tokens, channels], seed, -4, 4);
      const feeds = { "data/x": data, labels: array64([labels.length], labels) };
      const loss = interpret(graph, { ...state, ...feeds, ...scalars })["metric/loss"].data[0];
      const shorts = logitsOf(state, data).map((z, n) => {
        const radii = z.map((x, j) =>
          j === labels[n] ? Infinity : (z[labels[n]] - x) / speedOf(state, labels[n], j),
        );
        return Math.max(0, args.offset - Math.min(...radii));
      });
      const least = shorts.reduce((a, b) => a + b, 0) / labels.length;
      expect(loss).toBeGreaterThanOrEqual(least - 1e-9);
      expect(loss).toBeLessThanOrEqual(least + args.temperature * Math.log(classes) + 1e-9);
    }
  });

  const messageOf = (m: Model, changes = {}): string => {
    const built = buildTrainingGraph(m, { ...recipe, ...changes });
    return built.ok ? "" : `${built.problem.name}: ${built.problem.message}`;
  };
  it.each(["emma", "radius"])("%s is refused without a proven gain, with the reason", (name) => {
    const refused = messageOf(tinyModel(), { loss: termsOf(name, {}) });
    expect(refused).toMatch(/^recipe-misfit: .*no gain from `x`.*body\.weight/);
    expect(refused).toContain(`The loss \`${name}\``);
  });
  it("are refused where the logits come from something else than a Linear", () => {
    const dropped = tinyModel(constrained, tinyNode("ReLU", "relu", 1, {}, {}));
    const tail = tinyNode("ReLU", "tail", 4, {}, {});
    const long: Model = {
      ...dropped,
      values: [...dropped.values, dropped.values[4]],
      nodes: [...dropped.nodes, tail],
      outputs: [{ ...dropped.outputs[0], value: 5 }],
    };
    expect(messageOf(long)).toMatch(/must come from a `Linear`/);
  });
  it("emma is refused for mixed samples, radius isn't", () => {
    const mixed = { augment: [{ name: "mixup", args: { alpha: 1 } }] };
    expect(messageOf(model, { ...mixed, loss: termsOf("radius", { offset: 1 }) })).toBe("");
    expect(messageOf(model, { augment: [{ name: "mixup", args: { alpha: 1 } }] })).toMatch(
      /mixup and cutmix give a sample two/,
    );
  });
});
