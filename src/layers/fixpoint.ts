import type { Range } from "../gain/facts.ts";
import { closed, conversion, entry, norms, through, unproven, type Stated } from "../gain/gain.ts";
import { addUp, divUp, maxUp, mulUp, subDown, subUp } from "../gain/up.ts";
import { showShape } from "./check.ts";
import { invariant } from "./feedback.ts";
import { defineLayer, type GainContext } from "./layer.ts";
import { reason, storedNumber, towardZero } from "./pointwise.ts";

interface FixpointConfig {
  readonly [key: string]: number;
  readonly damping: number;
  readonly iterations: number;
  readonly tolerance: number;
}

/** Rounds are unrolled in the compiled graph. */
const mostRounds = 10_000;

/**
 * The y with y = step(y, x), by y ← (1 − damping)·y + damping·step(y, x), started at y = x, `iterations` rounds. A
 * compiled graph does all of them; `tolerance` is what a round may still change at the end, and is only recorded.
 * `gains.md`, "Feedback".
 *
 * Gain: if the step has gain κ < 1 in y in a norm q, and G[p→q] in x, then G[p→q]/(1 − κ) for the exact fixed point.
 * Proof: the step maps the closed convex hull of its results and the start into itself and contracts there, so the
 * fixed point exists and is unique (Banach); ‖y − y'‖_q ≤ κ‖y − y'‖_q + G·‖x − x'‖_p. After k damped rounds the gain is
 * g_k = κ_d·g_{k−1} + damping·G with κ_d = 1 − damping + damping·κ and g_0 = K[p→q], the identity's; a convex
 * combination of g_{k−1} and G/(1 − κ). The larger of g_k and G/(1 − κ) is the bound: it holds for the k rounds that
 * are done and for the exact fixed point. Stopping early is not covered: the number of rounds may jump.
 * 1 − κ rounds down. Range: the hull.
 */
export const fixpoint = defineLayer<FixpointConfig>({
  name: "Fixpoint",
  summary: "the value that a contracting step leaves as it is",
  signature: {
    tensors: ["x"],
    params: [
      { name: "step", type: "Layer", doc: "y, x -> y; contracts in y" },
      { name: "damping", type: "real", default: "1", doc: "part of a round that is taken, in (0, 1]" },
      { name: "iterations", type: "int", doc: "most rounds" },
      { name: "tolerance", type: "real", default: "0", doc: "change that the last round may still make" },
    ],
    shape: "S -> S",
  },
  infer: (call) => {
    const { shape } = call.inputs[0];
    const body = call.step("step", [shape, shape]);
    const damping = storedNumber(call, "damping", "in (0, 1]", (x) => x > 0 && x <= 1, towardZero);
    const tolerance = storedNumber(call, "tolerance", "0 or more", (x) => x >= 0);
    const iterations = call.int("iterations");
    if (iterations > mostRounds) {
      call.fail(
        "out-of-range",
        { argument: "iterations", found: String(iterations), allowed: `at most ${mostRounds}` },
        "iterations",
      );
    }
    if (!body || call.failed || damping === undefined || tolerance === undefined) return undefined;
    const result = body.result.shape;
    if (result.length !== shape.length || result.some((n, i) => n !== shape[i])) {
      call.fail(
        "different-shapes",
        { layer: "Fixpoint", expected: showShape(shape), found: showShape(result) },
        "step",
      );
      return undefined;
    }
    return { config: { damping, iterations, tolerance }, outputs: [shape], body };
  },
  macs: ({ config: { iterations }, step }) => iterations * step,
  rules: {
    gain: (context, [input]) => {
      const { damping, iterations } = context.config;
      const [shape] = context.outputs;
      const { gains } = context.step([values(context), context.ranges[0]]);
      const [state, drive] = gains;
      const start = { entries: conversion(shape), why: null };
      const stated: Stated = {};
      for (const q of norms) {
        const kappa = entry(state, q, q);
        if (!(kappa < 1)) continue;
        for (const p of norms) {
          const g = entry(drive, p, q);
          const limit = divUp(g, subDown(1, kappa));
          stated[`${p}->${q}`] = maxUp(limit, rounds(entry(start, p, q), kappa, g, damping, iterations));
        }
      }
      const why =
        state.why ??
        drive.why ??
        reason("the step of `Fixpoint` doesn't contract: its gain in y is 1 or more", context);
      if (Object.values(stated).every((x) => x === Infinity))
        return [{ gain: unproven(why, input), rule: "Feedback" }];
      return [{ gain: through(input, closed(stated, shape, shape), why), rule: "Feedback" }];
    },
    range: (context) => [values(context)],
  },
  lower: ({ builder: b, inputs: [x], config: { damping, iterations }, step }) => {
    let y = x;
    for (let k = 0; k < iterations; k++) {
      const next = step([y, x]);
      y = damping === 1 ? next : b.add(y, b.mul(b.sub(next, y), damping));
    }
    return [y];
  },
});

/** Where all rounds lie: the start x, results of the step, and what lies between. */
function values(context: GainContext<FixpointConfig>): Range {
  const [input] = context.ranges;
  return invariant(context, input, (y) => [y, input]);
}

/** ≥ g_k of the damped rounds. */
function rounds(start: number, kappa: number, drive: number, damping: number, count: number): number {
  if (!(drive < Infinity)) return Infinity;
  const damped = addUp(subUp(1, damping), mulUp(damping, kappa));
  let g = start;
  for (let k = 0; k < count; k++) {
    const next = addUp(mulUp(damped, g), mulUp(damping, drive));
    if (next === g) break;
    g = next;
  }
  return g;
}
