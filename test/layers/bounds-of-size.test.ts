/** A stranger's numbers: shape rules and gain rules answer at once, whatever the sizes, and never throw. */
import { describe, expect, it } from "vitest";
import { layers } from "../../src/layers/registry.ts";
import { infer, place, type Argument } from "../rig/place.ts";
import { boundOf, rangeOf } from "../rig/planted.ts";

const sizes = [1, 2, 3, 7, 4096, 2 ** 31, 2 ** 44];

const calls: readonly [layer: string, argsOf: (n: number) => Record<string, Argument>][] = [
  ["Flatten", () => ({})],
  ["Flatten", () => ({ what: "tokens" })],
  ["SpaceToDepth", (n) => ({ size: n })],
  ["DepthToSpace", (n) => ({ size: n })],
  ["Shift", (n) => ({ dy: n, dx: -n })],
  ["Shift", (n) => ({ dy: n, dx: -n, mode: "circular" })],
  ["ChannelShift", () => ({ part: "1/4" })],
  ["Pad", (n) => ({ all: n })],
  ["Pad", (n) => ({ all: n, mode: "reflect" })],
  ["Pad", (n) => ({ all: n, mode: "replicate" })],
  ["Crop", (n) => ({ all: n })],
  ["Token", (n) => ({ index: n })],
  ["Split", (n) => ({ parts: n })],
  ["MeanPool", () => ({})],
  ["MaxPool", (n) => ({ kernel: n })],
  ["AveragePool", (n) => ({ kernel: n, padding: Math.floor(n / 2), stride: 1, divisor: "inside" })],
  ["Linear", (n) => ({ width: n })],
  ["Conv", (n) => ({ width: 3, kernel: n, padding: 0 })],
  ["DepthwiseConv", (n) => ({ kernel: 3, padding: n, dilation: n })],
];

describe("sizes beyond any machine", () => {
  for (const [layer, argsOf] of calls) {
    it(`${layer} ${JSON.stringify(argsOf(2))}`, () => {
      let placedOnes = 0;
      for (const n of sizes) {
        for (const shape of [[n], [n, 4], [3, n], [n, n, 4], [4, 4, n], [n, 1, 1]]) {
          const { plan, failures } = infer(layer, [shape], argsOf(n));
          expect(plan === undefined).toBe(failures.length > 0);
          if (!plan) continue;
          for (const size of plan.outputs.flat()) expect(Number.isInteger(size) && size >= 1).toBe(true);
          const facts = {
            spectral: 1,
            frobenius: 2,
            rowSum: 2,
            rowNorm: 1,
            maxAbs: 1,
            low: -1,
            high: 1,
            values: null,
            why: null,
          };
          const domain = { kind: "box", low: 0, high: 1 } as const;
          const { sketch, inputs, outputs } = place(layer, [shape], argsOf(n), { allFacts: facts, domain });
          expect(boundOf(sketch, { from: inputs[0], to: outputs[0], normIn: "l2" })).toBeLessThan(Infinity);
          expect(rangeOf(sketch, outputs[0]).linf).toBeLessThan(Infinity);
          placedOnes++;
        }
      }
      expect(layers.has(layer)).toBe(true);
      expect(placedOnes).toBeGreaterThan(0);
    });
  }
});
