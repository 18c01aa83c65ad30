import { describe, expect, it } from "vitest";
import { expectGradients, expectMeaning, fill, indices } from "../rig/differences.ts";
import { isometry, seeded, spectralNorm } from "../rig/matrix.ts";
import { infer, macs, place } from "../rig/place.ts";
import { boundOf, expectSound, expectTight, rangeOf } from "../rig/planted.ts";
import { search } from "../rig/search.ts";

describe("Linear", () => {
  it("keeps positions and changes channels", () => {
    const { plan, weights } = infer("Linear", [[7, 7, 96]], { width: 384 });
    expect(plan?.outputs).toEqual([[7, 7, 384]]);
    expect(weights).toEqual([
      { name: "weight", shape: [384, 96], role: "matrix" },
      { name: "bias", shape: [384], role: "bias" },
    ]);
    expect(infer("Linear", [[96]], { width: 10, bias: false }).weights).toHaveLength(1);
    expect(infer("Linear", [[5, 96]], { width: 10 }, { bias: false }).weights).toHaveLength(1);
  });

  it("counts a multiply-add per token, input and output channel", () => {
    expect(macs("Linear", [[56, 56, 96]], { width: 384 })).toBe(56 * 56 * 96 * 384);
    expect(macs("Linear", [[768]], { width: 1000 })).toBe(768_000);
  });

  for (const shape of [[4], [3, 4], [2, 3, 4]]) {
    for (const bias of [true, false]) {
      const placed = place("Linear", [shape], { width: 5, bias });
      it(`is Wx + b on [${shape}]${bias ? "" : " without bias"}`, () => {
        expectMeaning(placed, ([x], { weight, bias: b }) => [
          fill(placed.plan.outputs[0], (...index) => {
            const [at, out] = [index.slice(0, -1), index[index.length - 1]];
            let sum = b ? b[out] : 0;
            for (let c = 0; c < 4; c++) sum += weight[4 * out + c] * x.at(...at, c);
            return sum;
          }),
        ]);
        expectGradients(placed);
      });
    }
  }

  it("has gain σ in l2 and token, and the largest row sum in linf", () => {
    const data = isometry(6, 4, seeded(5), 1.25);
    data[3] += 0.5;
    const { sketch, inputs, outputs } = place("Linear", [[3, 4]], { width: 6 }, { data: { weight: data } });
    const question = { from: inputs[0], to: outputs[0], layer: "Linear" };
    const truth = spectralNorm(data, 6, 4);
    expectTight(sketch, { ...question, normIn: "l2", truth });
    expectTight(sketch, { ...question, normIn: "token", truth });
    expectTight(sketch, { ...question, normIn: "l2", normOut: "token", truth });
    const rows = Array.from({ length: 6 }, (_, r) => data.slice(4 * r, 4 * r + 4));
    const rowSum = Math.max(...rows.map((row) => row.reduce((a, x) => a + Math.abs(x), 0)));
    expectTight(sketch, { ...question, normIn: "linf", truth: rowSum });
    const rowNorm = Math.max(...rows.map((row) => Math.hypot(...row)));
    expectTight(sketch, { ...question, normIn: "token", normOut: "linf", truth: rowNorm });
  });

  it("withstands a search over points and weights of norm ≤ σ", () => {
    const { sketch, inputs, outputs } = place(
      "Linear",
      [[2, 3]],
      { width: 4, bias: false },
      { facts: { spectral: 0.7 } },
    );
    for (const normIn of ["l2", "token"] as const) {
      const hunt = { from: inputs[0], to: outputs[0], normIn };
      const { attained } = search(sketch, { ...hunt, weights: [0], starts: 2, steps: 150 });
      expect(attained).toBeGreaterThan(0.69);
      expectSound(sketch, { ...hunt, attained });
    }
  });

  it("is unproven where nothing is known of the weight, and says why", () => {
    const why = { text: "the weight is free", path: "linear.weight", because: [] };
    const facts = { spectral: Infinity, frobenius: Infinity, rowSum: Infinity, rowNorm: Infinity, why };
    const { sketch, inputs, outputs } = place("Linear", [[2, 3]], { width: 4, bias: false }, { facts });
    expect(boundOf(sketch, { from: inputs[0], to: outputs[0], normIn: "l2" })).toBe(Infinity);
  });

  it("moves the range by the bias, but not the spread", () => {
    // W = 2·I, b = 3 in each of 4 channels: x ∈ [0, 1] gives y ∈ [3, 5].
    const weight = fill([4, 4], (r, c) => (r === c ? 2 : 0));
    const domain = { kind: "box", low: 0, high: 1 } as const;
    const placed = place("Linear", [[3, 4]], { width: 4 }, { data: { weight, bias: [3, 3, 3, 3] }, domain });
    const range = rangeOf(placed.sketch, placed.outputs[0]);
    expect(range.linf).toBe(5);
    expect(range.token).toBeCloseTo(10, 12);
    expect(range.l2).toBeCloseTo(10 * Math.sqrt(3), 12);
    // Round the constant token (1/2)·W1 + b every token lies within 2·(½√4).
    expect(range.spread).toBeCloseTo(2, 12);
    expect(range.why).toBeNull();
  });
});

describe("indices", () => {
  it("run row-major", () => {
    expect([...indices([2, 2])]).toEqual([
      [0, 0],
      [0, 1],
      [1, 0],
      [1, 1],
    ]);
  });
});
