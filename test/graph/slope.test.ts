/** The graphs that searches climb: their slopes against central differences in float64, constraints written out or not. */
import { expect, it } from "vitest";
import { buildEffectiveGraph, isConstrained, withoutConstraints } from "../../src/graph/effective.ts";
import { buildInferenceGraph } from "../../src/graph/inference.ts";
import { initialise } from "../../src/graph/initialise.ts";
import { array64, interpret } from "../../src/graph/interpret.ts";
import type { Array64 } from "../../src/graph/primitives/primitive.ts";
import { buildSlopeGraph } from "../../src/graph/slope.ts";
import { buildSteepnessGraph } from "../../src/graph/steepness.ts";
import { generator } from "../../src/runtime/random.ts";
import { modelOf } from "../elaborate/host.ts";

const model = modelOf(`lips 1
import { Attention } from "std/attention"
model Net {
  input x: [4, 4, 2] in [0, 1]
  weights { init: orthogonal, constraint: orthogonal }
  let tokens = x |> Conv(4, kernel: 2, stride: 2, padding: 0) |> GELU
  let mixed = tokens |> Residual(Attention(2, score: cosine(tau: 1, eps: 1), values: unit(eps: 1)), alpha: 1/2)
  output y = mixed |> Flatten |> Linear(3, constraint: unit_rows)
}
`);

const valueOf = <T>(result: { ok: true; value: T } | { ok: false; problem: { message: string } }): T => {
  if (!result.ok) throw new Error(result.problem.message);
  return result.value;
};

const batch = 2;
const size = 32;
const free: Record<string, Array64> = Object.fromEntries(
  [...initialise(model, 3)].map(([path, data]) => {
    const shape = model.weights.find((w) => w.path === path)?.shape ?? [];
    // Not orthogonal as they are: constraints have something to do.
    return [
      `param/${path}`,
      array64(
        shape,
        Float64Array.from(data, (v, i) => 0.9 * v + 0.01 * Math.sin(i)),
      ),
    ];
  }),
);
const used = { ...free };
const made = interpret(valueOf(buildEffectiveGraph(model)), free);
for (const { path } of model.weights.filter(isConstrained)) used[`param/${path}`] = made[`effective/${path}`];

const random = generator(1);
const points = Float64Array.from({ length: batch * size }, () => 0.2 + 0.6 * random());
const image = (data: Float64Array): Array64 => array64([batch, 4, 4, 2], data);

/** d/dx_k of a function of the points, by a symmetric difference. */
function difference(f: (data: Float64Array) => number, k: number, step = 1e-5): number {
  const at = (d: number): number => f(points.map((v, i) => (i === k ? v + d : v)));
  return (at(step) - at(-step)) / (2 * step);
}

it("constraints are written out to the weights that the network uses", () => {
  expect(model.weights.filter(isConstrained).length).toBeGreaterThan(3);
  const own = interpret(valueOf(buildInferenceGraph(model, { batch })), { ...free, "data/x": image(points) });
  const plain = valueOf(buildInferenceGraph(withoutConstraints(model), { batch }));
  const written = interpret(plain, { ...used, "data/x": image(points) });
  own.y.data.forEach((v, i) => expect(written.y.data[i]).toBeCloseTo(v, 12));
  // Free tensors in their place give another network.
  const wrong = interpret(plain, { ...free, "data/x": image(points) });
  expect(Math.abs(wrong.y.data[0] - own.y.data[0])).toBeGreaterThan(1e-3);
});

it("the slope of an attack is that of direction·logits, each sample's its own", () => {
  const graph = valueOf(buildSlopeGraph(withoutConstraints(model), batch));
  const direction = Float64Array.of(1, -1, 0, -1, 0, 1);
  const run = (data: Float64Array) =>
    interpret(graph, { ...used, "data/x": image(data), direction: array64([batch, 3], direction) });
  const { slope, logits } = run(points);
  expect(logits.shape).toEqual([batch, 3]);
  const total = (data: Float64Array): number =>
    run(data).logits.data.reduce((s, v, i) => s + v * direction[i], 0);
  for (let k = 0; k < batch * size; k += 3) expect(slope.data[k]).toBeCloseTo(difference(total, k), 7);
});

it("the steepness of a part climbs log‖Δto‖ − log‖Δfrom‖, at both points", () => {
  const valueNamed = (name: string): number => {
    const value = model.taps.find((tap) => tap.name === name)?.value;
    if (value === undefined) throw new Error(name);
    return value;
  };
  const [from, to] = [valueNamed("tokens"), valueNamed("mixed")];
  const moved = points.map((v, i) => v + 0.05 * Math.cos(i));
  for (const norm of ["l2", "token", "linf"] as const) {
    const graph = valueOf(
      buildSteepnessGraph(withoutConstraints(model), { batch, input: "x", from, to, norm }),
    );
    const run = (data: Float64Array, other: Float64Array) =>
      interpret(graph, { ...used, "data/x": image(data), "other/x": image(other) });
    const lengths = (p: Array64, q: Array64): number[] => {
      const tokens = p.shape.slice(1, -1).reduce((a, b) => a * b, 1);
      const channels = p.shape[p.shape.length - 1];
      return Array.from({ length: batch }, (_, b) => {
        const of = (t: number, power: (d: number) => number, join: (xs: number[]) => number): number =>
          join(
            Array.from({ length: channels }, (_, c) => {
              const i = (b * tokens + t) * channels + c;
              return power(q.data[i] - p.data[i]);
            }),
          );
        const each = Array.from({ length: tokens }, (_, t) =>
          norm === "linf"
            ? of(t, Math.abs, (xs) => Math.max(...xs))
            : Math.sqrt(
                of(
                  t,
                  (d) => d * d,
                  (xs) => xs.reduce((s, x) => s + x, 0),
                ),
              ),
        );
        return norm === "l2" ? Math.hypot(...each) : Math.max(...each);
      });
    };
    const steepness = (data: Float64Array, other: Float64Array): number => {
      const out = run(data, other);
      const [far, near] = [lengths(out.x, out.y), lengths(out["from/x"], out["from/y"])];
      return far.reduce((s, v, i) => s + Math.log(v) - Math.log(near[i]), 0);
    };
    const { "slope/x": slope, "slope/y": otherSlope } = run(points, moved);
    for (let k = 0; k < batch * size; k += 7) {
      expect(slope.data[k]).toBeCloseTo(
        difference((data) => steepness(data, moved), k, 1e-6),
        4,
      );
      const apart = (d: number): number =>
        steepness(
          points,
          moved.map((v, i) => (i === k ? v + d : v)),
        );
      expect(otherSlope.data[k]).toBeCloseTo((apart(1e-6) - apart(-1e-6)) / 2e-6, 4);
    }
  }
});
