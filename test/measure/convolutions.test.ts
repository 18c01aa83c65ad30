/** Bounds of convolutions at a checkpoint against the dense matrix of the operator, for strides, paddings and dilations. */
import { describe, expect, it } from "vitest";
import { Analysis } from "../../src/gain/analyze.ts";
import type { WeightOracle } from "../../src/gain/facts.ts";
import { entry } from "../../src/gain/gain.ts";
import { measure } from "../../src/measure/measure.ts";
import { convolutionNorm, depthwiseNorm } from "../../src/measure/symbol.ts";
import { denseOf } from "../rig/dense.ts";
import { normal, seeded, spectralNorm } from "../rig/matrix.ts";
import { place, type Argument } from "../rig/place.ts";

/**
 * bound/truth of l2, l2→token, linf and of the token norm's largest row of blocks, all of the dense operator.
 * `large`: as on a map that is too large to be written out.
 */
function ratios(
  layer: string,
  shape: readonly number[],
  args: Record<string, Argument>,
  seed: number,
  large = false,
): number[] {
  const random = seeded(seed);
  const placed = place(layer, [shape], { bias: false, ...args });
  const { sketch, inputs, outputs } = placed;
  const kernel = sketch.weights[0];
  const size = kernel.shape.reduce((a, b) => a * b, 1);
  const kinds = [
    () => Float64Array.from({ length: size }, () => normal(random)),
    () => new Float64Array(size).fill(0.5),
    () => Float64Array.from({ length: size }, (_, i) => (i % 2 === 0 ? 1 : -1)),
  ];
  const data = kinds[seed % kinds.length]();
  (kernel as { data?: Float64Array }).data = data;
  const model = sketch.model();
  const weights = model.weights.map((w) => ({
    ...w,
    role: layer === "Conv" ? ("kernel" as const) : ("depthwise" as const),
  }));
  const tensors = new Map([["w0", data]]);
  const measured = measure(tensors);
  const oracle = large ? asOnLargeMaps(measured.oracle) : measured.oracle;
  const analysis = new Analysis({ ...model, weights }, "checkpoint", { ...measured, oracle });
  const gain = analysis.from(inputs[0]).gain(outputs[0]);
  const dense = denseOf(placed);
  const width = placed.plan.outputs[0].at(-1) as number;
  const line = (r: number, count: number) =>
    dense.data.subarray(r * dense.columns, (r + count) * dense.columns);
  let token = 0;
  for (let r = 0; r < dense.rows; r += width)
    token = Math.max(token, spectralNorm(line(r, width), width, dense.columns));
  let linf = 0;
  for (let r = 0; r < dense.rows; r++)
    linf = Math.max(
      linf,
      line(r, 1).reduce((sum, x) => sum + Math.abs(x), 0),
    );
  return [
    entry(gain, "l2", "l2") / spectralNorm(dense.data, dense.rows, dense.columns),
    entry(gain, "l2", "token") / token,
    entry(gain, "linf", "linf") / linf,
  ];
}

const asOnLargeMaps =
  (oracle: WeightOracle): WeightOracle =>
  (weight, phase) => {
    const facts = oracle(weight, phase);
    const kernel = facts.stored?.kernel;
    // The facts are getters: what is asked for is computed, here as there.
    return !kernel
      ? facts
      : Object.create(facts, {
          stored: {
            value: Object.create(facts.stored ?? null, {
              kernel: { value: { ...kernel, onMap: () => Infinity } },
            }),
          },
        });
  };

describe("the operator norm of a convolution", () => {
  for (const layer of ["Conv", "DepthwiseConv"]) {
    it.each([
      ["written out", false],
      ["by taps and frequencies", true],
    ])(`${layer}: never below the truth, %s`, (_, large) => {
      let seed = 0;
      for (const kernel of [1, 2, 3, 5]) {
        for (const stride of [1, 2, 3]) {
          for (const dilation of [1, 2]) {
            for (const padding of [0, 1, 2, 4]) {
              const reach = (kernel - 1) * dilation + 1;
              const shape = seed % 4 === 0 ? [7, 2] : [5, 4, 2];
              if (Math.min(...shape.slice(0, -1)) + 2 * padding < reach) continue;
              seed++;
              const extra: Record<string, Argument> =
                layer === "Conv" ? { width: 3 } : { multiplier: 1 + (seed % 2) };
              const found = ratios(
                layer,
                shape,
                { kernel, stride, dilation, padding, ...extra },
                seed,
                large,
              );
              if (!large)
                expect(found[0], JSON.stringify({ kernel, stride, dilation, padding })).toBeLessThan(1.00001);
              for (const ratio of found)
                expect(ratio, JSON.stringify({ kernel, stride, dilation, padding })).toBeGreaterThanOrEqual(
                  1 - 1e-12,
                );
            }
          }
        }
      }
      expect(seed).toBeGreaterThan(60);
    });
  }

  it("is tight where frequencies decide: a kernel of alternating signs on a larger map", () => {
    // reads·σ is 3 to 5 times above it.
    for (const seed of [0, 2, 3, 5]) {
      expect(ratios("DepthwiseConv", [9, 9, 1], { kernel: 5 }, seed, true)[0]).toBeLessThan(1.7);
      expect(ratios("Conv", [6, 6, 2], { width: 2, kernel: 3 }, seed, true)[0]).toBeLessThan(1.7);
    }
  });

  it("a coarse grid of frequencies is raised enough", () => {
    const random = seeded(5);
    for (let round = 0; round < 20; round++) {
      const kernel = Float64Array.from({ length: 5 * 5 }, () => normal(random));
      const taps = { height: 5, width: 5 };
      const fine = depthwiseNorm(kernel, taps, [240, 240], 1, 1);
      // The same kernel, seen as one channel in and out; a torus beyond the budget falls back to a coarse grid.
      const coarse = convolutionNorm(kernel, 1, 1, taps, [20_000, 20_000], 1);
      expect(coarse).toBeGreaterThanOrEqual(fine * (1 - 1e-12));
      expect(coarse).toBeLessThan(fine * 1.02);
    }
  });
});
