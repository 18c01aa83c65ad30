/**
 * Constraints in float32, on every engine: whatever the free tensor is, the weight and its gradient are numbers, and the
 * norm is within rounding of its bound. (The proof is about real arithmetic; what float32 adds is bounded in src/rounding.)
 */
import { describe, expect, test } from "vitest";
import { vjp } from "../../src/graph/autodiff.ts";
import { Builder } from "../../src/graph/builder.ts";
import { effectiveWeight, retracted } from "../../src/graph/constraints/registry.ts";
import { weightFacts } from "../../src/gain/weights.ts";
import type { Constraint, Weight } from "../../src/model/model.ts";
import { nasty } from "../helpers/nasty-matrices.ts";
import { singularValues } from "../helpers/singular.ts";
import { valueOf } from "../onnx/support.ts";
import { parityEngine, parityEngines } from "./engines.ts";

const constraints: readonly Constraint[] = [
  { kind: "orthogonal" },
  { kind: "spectral", bound: 1 },
  { kind: "rms", bound: 1 },
  { kind: "operator", bound: 1 },
  { kind: "l1", bound: 1 },
  { kind: "frobenius", bound: 1 },
  { kind: "aol" },
  { kind: "unit_rows" },
  { kind: "unit_rms" },
];

describe.each(constraints)("$kind", (constraint) => {
  const shape = constraint.kind === "operator" ? [4, 2, 2, 2] : [4, 8];
  const weight: Weight = {
    path: "w",
    shape,
    role: constraint.kind === "operator" ? "kernel" : "matrix",
    init: { kind: "zeros" },
    constraint,
    range: null,
    span: { file: "test", start: 0, end: 0 },
  };
  test.each(parityEngines)("on %s", { timeout: 60_000 }, async (name) => {
    const engine = await parityEngine(name);
    if ("absent" in engine) return;
    const builder = new Builder();
    const free = builder.input("w", shape);
    const made = effectiveWeight(builder, weight, free);
    const [grad] = vjp(builder, [made], [builder.input("seed", shape)], [free]);
    const outputs = { made, grad, after: retracted(builder, weight, free) };
    const graph = builder.graph(
      "constraint",
      Object.entries(outputs).map(([key, tensor]) => ({ name: key, tensor })),
    );
    const session = valueOf(await engine.open(graph));
    const f32 = (data: ArrayLike<number>) => ({
      dtype: "f32" as const,
      dims: shape,
      data: Float32Array.from(data),
    });
    const bound = weightFacts(weight, "always").spectral;
    for (const [what, entries] of Object.entries(nasty(4, 8))) {
      const seed = f32(entries.map((_, i) => Math.cos(i)));
      const out = await session.run({ w: f32(entries), seed });
      expect(out.made.data.every(Number.isFinite), what).toBe(true);
      expect(out.after.data.every(Number.isFinite), what).toBe(true);
      expect(out.grad.data.every(Number.isFinite), `gradient of ${what}`).toBe(true);
      expect(singularValues(out.made.data, 4, 8)[0], what).toBeLessThanOrEqual(bound * (1 + 1e-5));
    }
    await session.release();
  });
});
