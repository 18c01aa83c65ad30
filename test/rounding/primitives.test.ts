/** Every rule of the running error analysis against moved operands in float64, and against an engine at moved operands. */
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { HostTensor, Op } from "../../src/graph/graph.ts";
import { array64, interpret } from "../../src/graph/interpret.ts";
import type { Array64 } from "../../src/graph/primitives/primitive.ts";
import { float32 } from "../../src/rounding/arithmetic.ts";
import { closed, normsOf, type Deviation } from "../../src/rounding/deviation.ts";
import { rules } from "../../src/rounding/rules/registry.ts";
import { runningErrors, storedValue, type Track } from "../../src/rounding/running.ts";
import { openEngine } from "../../src/runtime/engines/select.ts";
import { cases, drawCase } from "../onnx/cases.ts";
import { runOnce, valueOf } from "../onnx/support.ts";

const engine = valueOf(await openEngine({ engine: "onnxruntime-node", threads: 1 }));
const tracks: readonly Track[] = [null, float32];
const ops = Object.keys(cases).filter((op) => rules[op as Op] !== null);

/** Ways to move an operand by at most 1 in l2. */
const moves: readonly ((data: ArrayLike<number>, at: (i: number) => number) => Float64Array)[] = [
  (data, at) => Float64Array.from(data, (_, i) => at(i) - 0.5),
  (data) => new Float64Array(data.length).fill(1),
  (data) => Float64Array.from(data, (x) => Math.sign(x)),
  (data) => Float64Array.from(data, (_, i) => (i % 2 === 0 ? 1 : -1)),
  (data, at) => {
    const one = Math.floor(at(0) * data.length);
    return Float64Array.from(data, (_, i) => (i === one ? 1 : 0));
  },
];

function within(found: Deviation, bound: Deviation): boolean {
  const slack = (x: number): number => x * (1 + 1e-9) + 1e-12;
  return (["linf", "row", "l2"] as const).every((norm) => found[norm] <= slack(bound[norm]));
}

/** Largest ratio of what was found to its bound, over the three norms. */
function ratio(found: Deviation, bound: Deviation): number {
  return Math.max(...(["linf", "row", "l2"] as const).map((n) => (bound[n] > 0 ? found[n] / bound[n] : 0)));
}

describe.each(ops)("%s", (op) => {
  it("moves and rounds no further than its rule says", async () => {
    let [closest, finite] = [0, 0];
    await fc.assert(
      fc.asyncProperty(fc.gen(), async (g) => {
        const { graph, feeds } = drawCase(op as Op, g);
        const size = 10 ** g(fc.integer, { min: -3, max: 0 });
        const values = Object.fromEntries(
          Object.entries(feeds).map(([name, { dims, data, dtype }]) => {
            const value = storedValue(dims, Float64Array.from(data), tracks, false);
            if (dtype === "f32") value.tracks = [closed({ l2: size }, dims), value.tracks[1]];
            return [name, value];
          }),
        );
        const [moved, rounded] = runningErrors(graph, values, tracks).y.tracks;
        const start = evaluated(graph, feeds);
        for (const move of moves) {
          const at = (i: number): number => ((i * 7919 + 13) % 101) / 101;
          const there: Record<string, HostTensor> = Object.fromEntries(
            Object.entries(feeds).map(([name, t]) => [
              name,
              t.dtype === "f32" ? shifted(t, move(t.data, at), size) : t,
            ]),
          );
          const exact = evaluated(graph, there);
          const off = normsOf(
            exact.data.map((x, i) => x - start.data[i]),
            exact.shape,
          );
          if (moved.linf < Infinity) {
            finite++;
            expect(within(off, moved), JSON.stringify({ off, moved })).toBe(true);
            closest = Math.max(closest, ratio(off, moved));
          }
          if (rounded.linf < Infinity && move === moves[0]) {
            const found = (await runOnce(engine, graph, there)).y;
            const error = normsOf(
              exact.data.map((x, i) => found.data[i] - x),
              exact.shape,
            );
            expect(within(error, rounded), JSON.stringify({ error, rounded })).toBe(true);
          }
        }
      }),
      { numRuns: 12, endOnFailure: true, seed: 11 },
    );
    expect(finite).toBeGreaterThan(0);
    // Slopes are attained by some of these moves, or nearly; comparisons rarely flip.
    if (!["greater", "equal", "sign"].includes(op)) expect(closest).toBeGreaterThan(0.2);
  });
});

/** A tensor moved by `size` in l2 along a direction, rounded to float32 towards where it was. */
function shifted(t: HostTensor, direction: Float64Array, size: number): HostTensor {
  const length = Math.hypot(...direction) || 1;
  // A little less, so that rounding stays within.
  const step = (size * (1 - 1e-2)) / length;
  return { ...t, data: Float32Array.from(t.data, (x, i) => x + step * direction[i]) };
}

function evaluated(graph: Parameters<typeof interpret>[0], feeds: Record<string, HostTensor>): Array64 {
  return interpret(
    graph,
    Object.fromEntries(Object.entries(feeds).map(([name, t]) => [name, array64(t.dims, t.data)])),
  ).y;
}
