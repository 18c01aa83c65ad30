import { describe, expect, it } from "vitest";
import type { Domain, Norm, Shape, ValueId } from "../../src/model/model.ts";
import { expectGradients, expectMeaning } from "../rig/differences.ts";
import { isometry, seeded } from "../rig/matrix.ts";
import { infer, macs, place, type Placed } from "../rig/place.ts";
import { analysisOf, boundOf, expectSound, expectTight, rangeOf } from "../rig/planted.ts";
import { search } from "../rig/search.ts";
import { Sketch } from "../rig/sketch.ts";

const norms: readonly Norm[] = ["l2", "token", "linf"];
const times = (value: number) => ({ by: { kind: "constant", value } });

interface Step {
  /** step(y, x) = pull·y + push·x, through `act` if given. */
  readonly pull: number;
  readonly push: number;
  readonly act?: string;
}

/** A Scan or Fixpoint with that step. */
function fedBack(
  layer: "Scan" | "Fixpoint",
  shape: Shape,
  step: Step,
  config: Record<string, string | number>,
  domain?: Domain,
): Placed {
  const sketch = new Sketch();
  const x = sketch.input(shape, domain);
  const inner = layer === "Scan" ? shape.slice(1) : shape;
  const [state, drive] = [sketch.value(inner), sketch.value(inner)];
  const pulled = sketch.loose({ layer: "Scale", inputs: [state], config: times(step.pull) });
  const pushed = sketch.loose({ layer: "Scale", inputs: [drive], config: times(step.push) });
  const sum = sketch.loose({ layer: "Add", inputs: [pulled.outputs[0], pushed.outputs[0]] });
  const nodes = [pulled, pushed, sum];
  if (step.act) nodes.push(sketch.loose({ layer: step.act, inputs: [sum.outputs[0]] }));
  const body = { parameters: [state, drive], nodes, result: nodes[nodes.length - 1].outputs[0] };
  const outputs = sketch.node({ layer, inputs: [x], config, body });
  return { sketch, inputs: [x], outputs, plan: { config, outputs: [shape] }, weights: {} };
}

const question = (p: Placed, normIn: Norm): { from: ValueId; to: ValueId; normIn: Norm } => ({
  from: p.inputs[0],
  to: p.outputs[0],
  normIn,
});

describe("Scan", () => {
  for (const emit of ["after", "before"] as const) {
    it(`is the recurrence, emitted ${emit} the step`, () => {
      const placed = fedBack("Scan", [5, 2], { pull: 0.5, push: 2, act: "Tanh" }, { start: "zeros", emit });
      expectMeaning(placed, ([x]) => {
        const rows: number[] = [];
        let h = [0, 0];
        for (let t = 0; t < 5; t++) {
          const next = h.map((v, c) => Math.tanh(0.5 * v + 2 * x.at(t, c)));
          rows.push(...(emit === "after" ? next : h));
          h = next;
        }
        return [rows];
      });
      expectGradients(placed);
    });
  }

  it("has gain push·(1 + κ + …) over its length in token and linf, reached by a constant push", () => {
    for (const pull of [0.5, -0.5, 0.9]) {
      const placed = fedBack("Scan", [6, 2], { pull, push: 1.5 }, { start: "zeros", emit: "after" });
      let sum = 0;
      for (let k = 0; k < 6; k++) sum += Math.abs(pull) ** k;
      for (const normIn of norms) {
        const bound = boundOf(placed.sketch, question(placed, normIn));
        const { attained } = search(placed.sketch, { ...question(placed, normIn), steps: 300, starts: 4 });
        expectSound(placed.sketch, { ...question(placed, normIn), attained });
        if (normIn !== "l2")
          expectTight(placed.sketch, { ...question(placed, normIn), truth: 1.5 * sum, layer: "Scan" });
        expect(bound).toBeLessThanOrEqual((1.5 / (1 - Math.abs(pull))) * (1 + 1e-12));
        expect(attained).toBeGreaterThan((normIn === "l2" ? 0.6 : 0.9) * bound);
      }
    }
  });

  it("is independent of the length once it contracts, and 1 − κ rounds down", () => {
    const at = (length: number): number => {
      const placed = fedBack("Scan", [length, 2], { pull: 0.75, push: 1 }, { start: "zeros", emit: "after" });
      return boundOf(placed.sketch, question(placed, "l2"));
    };
    expect(at(500)).toBeGreaterThanOrEqual(4 * (1 - 1e-15));
    expect(at(500)).toBeLessThanOrEqual(4);
    expect(at(200_000)).toBe(4);
  });

  it("without contraction only the finite sum holds", () => {
    const placed = fedBack("Scan", [4, 2], { pull: 2, push: 1 }, { start: "zeros", emit: "after" });
    expectTight(placed.sketch, { ...question(placed, "token"), truth: 15, layer: "Scan" });
    const endless = fedBack("Scan", [200_000, 2], { pull: 1, push: 1 }, { start: "zeros", emit: "after" });
    expect(boundOf(endless.sketch, question(endless, "token"))).toBe(Infinity);
    const why = analysisOf(endless.sketch).from(endless.inputs[0]).gain(endless.outputs[0]).why;
    expect(why?.text).toMatch(/doesn't contract/);
  });

  it("has the range of the step's results and the start", () => {
    const config = { start: "zeros", emit: "after" };
    const placed = fedBack("Scan", [6, 2], { pull: 0.5, push: 1, act: "Sigmoid" }, config);
    const range = rangeOf(placed.sketch, placed.outputs[0]);
    expect(range).toMatchObject({ low: 0, high: 1 });
    expect(range.token).toBeCloseTo(Math.SQRT2, 12);
    const free = fedBack("Scan", [6, 2], { pull: 0.5, push: 1 }, config, { kind: "box", low: -1, high: 1 });
    expect(rangeOf(free.sketch, free.outputs[0]).linf).toBe(Infinity);
  });
});

describe("Fixpoint", () => {
  it("does its damped rounds", () => {
    const config = { damping: 0.5, iterations: 4, tolerance: 0 };
    const placed = fedBack("Fixpoint", [3, 2], { pull: 0.5, push: 0.75, act: "Tanh" }, config);
    expectMeaning(placed, ([x]) => [
      Array.from(x.data, (v) => {
        let y = v;
        for (let k = 0; k < 4; k++) y = 0.5 * y + 0.5 * Math.tanh(0.5 * y + 0.75 * v);
        return y;
      }),
    ]);
    expectGradients(placed);
  });

  it("has gain G/(1 − κ), the exact fixed point's", () => {
    const config = { damping: 1, iterations: 60, tolerance: 1e-6 };
    const placed = fedBack("Fixpoint", [3, 2], { pull: 0.5, push: 2 }, config);
    for (const normIn of norms) {
      expectTight(placed.sketch, { ...question(placed, normIn), truth: 4, layer: "Fixpoint" });
      const { attained } = search(placed.sketch, { ...question(placed, normIn), steps: 60 });
      expectSound(placed.sketch, { ...question(placed, normIn), attained });
      expect(attained).toBeGreaterThan(3.99);
    }
  });

  it("counts what is left of the start after few rounds", () => {
    // κ_d = 0.75; g_3 = 0.75³ + 0.05·(1 + 0.75 + 0.75²), the limit is 0.1/(1 − 0.5) = 0.2.
    const config = { damping: 0.5, iterations: 3, tolerance: 0 };
    const placed = fedBack("Fixpoint", [3, 2], { pull: 0.5, push: 0.125 }, config);
    const truth = 0.75 ** 3 + 0.0625 * (1 + 0.75 + 0.75 ** 2);
    for (const normIn of norms) {
      expectTight(placed.sketch, { ...question(placed, normIn), truth, layer: "Fixpoint" });
      const { attained } = search(placed.sketch, { ...question(placed, normIn), steps: 40 });
      expectSound(placed.sketch, { ...question(placed, normIn), attained });
    }
  });

  it("refuses a step that doesn't contract, with the reason", () => {
    const config = { damping: 0.5, iterations: 3, tolerance: 0 };
    const placed = fedBack("Fixpoint", [3, 2], { pull: 1, push: 0.5 }, config);
    const gain = analysisOf(placed.sketch).from(placed.inputs[0]).gain(placed.outputs[0]);
    expect(gain.entries.every((x) => x === Infinity)).toBe(true);
    expect(gain.why?.text).toMatch(/doesn't contract/);
  });
});

describe("StateSpace", () => {
  it("works on sequences; its radius is stored towards zero and below 1", () => {
    const { plan, weights } = infer("StateSpace", [[9, 3]], { states: 4, radius: "98/100" });
    expect(plan?.outputs).toEqual([[9, 3]]);
    expect(plan?.config.radius as number).toBeLessThanOrEqual(0.98);
    expect(weights.map((w) => [w.name, w.shape])).toEqual([
      ["decay", [4]],
      ["angle", [4]],
      ["input", [8, 3]],
      ["output", [3, 8]],
    ]);
    expect(infer("StateSpace", [[9, 3]], { states: 4, radius: 1 }).failures.map((f) => f.name)).toEqual([
      "out-of-range",
    ]);
    expect(infer("StateSpace", [[3]], { states: 4, radius: 0.5 }).failures.map((f) => f.name)).toEqual([
      "wrong-rank",
    ]);
    expect(macs("StateSpace", [[9, 3]], { states: 4, radius: 0.5 })).toBe(9 * (2 * 8 * 3 + 16));
  });

  it("is y_t = Re Σ_k C λ^k B u_{t−k} in complex numbers", () => {
    const placed = place("StateSpace", [[6, 2]], { states: 3, radius: 0.75 });
    expectMeaning(placed, ([x], { decay, angle, input, output }) => {
      const y: number[] = new Array<number>(12).fill(0);
      for (let s = 0; s < 3; s++) {
        const size = 0.75 / (1 + Math.exp(-decay[s]));
        for (let t = 0; t < 6; t++) {
          for (let k = 0; k <= t; k++) {
            const [re, im] = [size ** k * Math.cos(k * angle[s]), size ** k * Math.sin(k * angle[s])];
            for (let c = 0; c < 2; c++) {
              for (let e = 0; e < 2; e++) {
                const [p, q] = [input[2 * s + c], input[2 * (3 + s) + c]];
                const u = x.at(t - k, c);
                y[2 * t + e] +=
                  (output[6 * e + s] * (re * p - im * q) + output[6 * e + 3 + s] * (im * p + re * q)) * u;
              }
            }
          }
        }
      }
      return [y];
    });
    expectGradients(place("StateSpace", [[4, 2]], { states: 2, radius: 0.75 }));
  });

  it("has gain σ(C)σ(B)/(1 − radius), nearly reached at λ = radius; any length", () => {
    const random = seeded(4);
    // One complex state with a real λ close to the radius: a constant input adds up.
    const data = { decay: [40], angle: [0], input: [1, 0], output: [2, 0] };
    for (const length of [20, 60]) {
      const placed = place("StateSpace", [[length, 1]], { states: 1, radius: 0.5 }, { data });
      for (const normIn of ["l2", "token"] as const) {
        expectTight(placed.sketch, { ...question(placed, normIn), truth: 4, layer: "StateSpace" });
        const x = Array.from({ length }, () => random());
        const y = x.map((v) => v + 1);
        const hunt = { ...question(placed, normIn), starts: 1, steps: 5, points: [[x, y]] as const };
        const { attained } = search(placed.sketch, hunt);
        expectSound(placed.sketch, { ...question(placed, normIn), attained });
        expect(attained).toBeGreaterThan(normIn === "token" ? 3.999 : 3.7);
      }
    }
  });

  it("withstands a search with random matrices", () => {
    const random = seeded(9);
    const data = {
      input: isometry(8, 3, random, 0.7),
      output: isometry(3, 8, random, 1.5),
      decay: [5, 5, 5, 5],
    };
    const placed = place("StateSpace", [[12, 3]], { states: 4, radius: 0.6 }, { data });
    for (const normIn of norms) {
      const { attained } = search(placed.sketch, { ...question(placed, normIn), steps: 150, starts: 4 });
      const bound = expectSound(placed.sketch, { ...question(placed, normIn), attained });
      if (normIn === "l2") expect(bound).toBeCloseTo((0.7 * 1.5) / (1 - Math.fround(0.6)), 6);
    }
  });
});
