/**
 * Planted truths: a bound that a rule gives, by the same code path as the analysis, beside a gain that is known.
 *
 *   const sketch = new Sketch();
 *   const x = sketch.input([4, 8]);
 *   const [y] = sketch.node({ layer: "Linear", inputs: [x], config: { … }, outputs: [[4, 16]],
 *                             weights: { weight: { shape: [16, 8], data } } });
 *   expectTight(sketch, { from: x, to: y, normIn: "l2", truth: spectralNorm(data, 16, 8), layer: "Linear" });
 */
import { expect } from "vitest";
import { Analysis, type LayerTable } from "../../src/gain/analyze.ts";
import { entry } from "../../src/gain/gain.ts";
import type { Norm, Phase, ValueId } from "../../src/model/model.ts";
import type { Range } from "../../src/gain/facts.ts";
import { mutant } from "./mutate.ts";
import type { Sketch } from "./sketch.ts";

export interface Question {
  readonly from: ValueId;
  readonly to: ValueId;
  readonly normIn: Norm;
  /** normIn unless told. */
  readonly normOut?: Norm;
  readonly phase?: Phase;
  readonly layers?: LayerTable;
}

/** The analysis of a sketch with the facts of its weights. */
export function analysisOf(sketch: Sketch, phase: Phase = "init", layers?: LayerTable): Analysis {
  return new Analysis(sketch.model(), phase, { oracle: sketch.oracle, ...(layers ? { layers } : {}) });
}

/** The proven gain, ∞ where there is none. */
export function boundOf(sketch: Sketch, q: Question): number {
  const gain = analysisOf(sketch, q.phase, q.layers).from(q.from).gain(q.to);
  return entry(gain, q.normIn, q.normOut ?? q.normIn);
}

export function rangeOf(sketch: Sketch, value: ValueId, phase: Phase = "init"): Range {
  return analysisOf(sketch, phase).range(value);
}

/** Relative rounding allowed between a bound and a planted truth that was computed in float64. */
export const slack = 1e-11;

/** The bound is not below `attained`, a gain that some perturbation really reaches. */
export function expectSound(sketch: Sketch, q: Question & { readonly attained: number }): number {
  const bound = boundOf(sketch, q);
  expect(bound).not.toBeNaN();
  expect(
    bound,
    `${q.normIn}→${q.normOut ?? q.normIn}: bound ${bound} < attained ${q.attained}`,
  ).toBeGreaterThanOrEqual(q.attained * (1 - slack));
  return bound;
}

/**
 * The bound equals the known norm within rounding, and the mutation of `layer`'s rule (every gain it gives lowered by
 * one part in a million) is caught by the same comparison.
 */
export function expectTight(
  sketch: Sketch,
  q: Question & { readonly truth: number; readonly layer: string },
): void {
  const bound = expectSound(sketch, { ...q, attained: q.truth });
  expect(bound, `bound ${bound} is not tight: the truth is ${q.truth}`).toBeLessThanOrEqual(
    q.truth * (1 + slack),
  );
  const lowered = boundOf(sketch, { ...q, layers: mutant(q.layer) });
  expect(lowered, "the lowered rule passes the test").toBeLessThan(q.truth * (1 - slack));
}
