/**
 * Add and Subtract: two values of one shape, entry by entry (`a + b`, `a - b`).
 *
 * Gain ("Sum"): G(a) + G(b), entrywise, in all norms. Proof: the triangle inequality for ‖δa ± δb‖_q ≤ ‖δa‖_q
 * + ‖δb‖_q.
 * Attained by a + a. Range: the radii add, R° too (the sum of two constant tokens is one), intervals add or
 * subtract.
 */
import { channelsOf, plus } from "../gain/gain.ts";
import { identityMatrix, sumOf } from "../gain/matrix.ts";
import { closeRange } from "../gain/range.ts";
import { addUp, subDown, subUp } from "../gain/up.ts";
import type { Range } from "../gain/facts.ts";
import { requireSameShapes } from "./check.ts";
import { defineLayer, type Layer } from "./layer.ts";

function sumRange(a: Range, b: Range, sign: 1 | -1): Omit<Range, "why"> {
  return {
    l2: addUp(a.l2, b.l2),
    token: addUp(a.token, b.token),
    linf: addUp(a.linf, b.linf),
    low: sign > 0 ? -addUp(-a.low, -b.low) : subDown(a.low, b.high),
    high: sign > 0 ? addUp(a.high, b.high) : subUp(a.high, b.low),
    spread: addUp(a.spread, b.spread),
  };
}

function sum(name: string, summary: string, sign: 1 | -1): Layer {
  return defineLayer<Record<never, never>>({
    name,
    summary,
    signature: { tensors: ["a", "b"], params: [], shape: "S, S -> S" },
    infer(call) {
      return requireSameShapes(call, name) ? { config: {}, outputs: [call.inputs[0].shape] } : undefined;
    },
    macs: () => 0,
    rules: {
      gain: (_, [a, b]) => [{ gain: plus(a, b), rule: "Sum" }],
      range: ({ ranges: [a, b], outputs }) => [closeRange(sumRange(a, b, sign), outputs[0], a.why ?? b.why)],
    },
    tokenwise({ shapes: [shape] }) {
      const whole = identityMatrix(channelsOf(shape));
      const second = sumOf([{ factor: sign, of: whole }]);
      return [
        [
          { input: 0, matrix: whole },
          { input: 1, matrix: second },
        ],
      ];
    },
    lower: ({ builder, inputs: [a, b] }) => [sign > 0 ? builder.add(a, b) : builder.sub(a, b)],
  });
}

export const add = sum("Add", "The sum of two values.", 1);
export const subtract = sum("Subtract", "The difference of two values.", -1);
