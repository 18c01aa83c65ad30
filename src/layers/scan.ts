import type { Range } from "../gain/facts.ts";
import { entry, norms, unproven, type Stated } from "../gain/gain.ts";
import { closeRange } from "../gain/range.ts";
import { minBound, mulUp, sqrtUp } from "../gain/up.ts";
import type { Norm, Shape } from "../model/model.ts";
import type { Tensor } from "../graph/builder.ts";
import { requireRank, showShape } from "./check.ts";
import { invariant, series } from "./feedback.ts";
import { defineLayer, type GainContext } from "./layer.ts";
import { mapped, reason } from "./pointwise.ts";

interface ScanConfig {
  readonly [key: string]: string;
  readonly start: "zeros" | "learned";
  readonly emit: "after" | "before";
}

/**
 * A recurrence over the first axis: h_t = step(h_{t−1}, u_t), with one set of weights, from a constant start; the
 * result holds h_t (emit after) or h_{t−1} (emit before). `gains.md`, "Feedback".
 *
 * Gain: if the step has gain κ in its state and g in its input, in one norm q of a state (one token), then
 * g·(1 + κ + … + κ^(t−1)) ≤ g/(1 − κ) in norm q of the whole sequence: l2 and token for q = l2, linf for q = linf.
 * Proof: ‖δh_t‖ ≤ κ‖δh_{t−1}‖ + g‖δu_t‖, δh_0 = 0, so ‖δh_t‖ ≤ Σ_k κ^k·g·‖δu_{t−k}‖; the largest over t is at most
 * the sum times the largest ‖δu‖, and the l2 norm over t is at most the sum too (Young). For κ ≥ 1 only the finite sum
 * over this length holds. κ must hold for every pair of states: all states are the start or results of the step, so
 * the step is bounded over the hull of both. 1 − κ rounds down.
 * Range: that hull.
 */
export const scan = defineLayer<ScanConfig>({
  name: "Scan",
  summary: "a step fed back along the sequence",
  signature: {
    tensors: ["x"],
    params: [
      { name: "step", type: "Layer", doc: "state [n], input [m] -> [n]" },
      {
        name: "start",
        type: "Word",
        words: ["zeros", "learned"],
        default: "zeros",
        doc: "state before the first step",
      },
      {
        name: "emit",
        type: "Word",
        words: ["after", "before"],
        default: "after",
        doc: "the state after or before the step",
      },
    ],
    shape: "[t, m] -> [t, n]",
  },
  infer: (call) => {
    if (!requireRank(call, "Scan", [2], "a sequence", "[t, m]")) return undefined;
    const [length, width] = call.inputs[0].shape;
    const body = call.step("step", [null, [width]]);
    if (!body || call.failed) return undefined;
    const [state] = body.shapes;
    const result = body.result.shape;
    if (result.length !== 1 || state.length !== 1 || result[0] !== state[0]) {
      call.fail(
        "different-shapes",
        { layer: "Scan", expected: showShape(state), found: showShape(result) },
        "step",
      );
      return undefined;
    }
    const start = call.word("start") === "learned" ? "learned" : "zeros";
    const emit = call.word("emit") === "before" ? "before" : "after";
    const weights =
      start === "learned"
        ? { start: call.weight("start", { shape: state, role: "value", init: { kind: "zeros" } }) }
        : undefined;
    return { config: { start, emit }, outputs: [[length, state[0]]], weights, body };
  },
  macs: ({ shapes: [[length]], step }) => length * step,
  rules: {
    gain: (context, [input]) => {
      const length = context.shapes[0][0];
      const { gains } = context.step([states(context), oneStep(context.ranges[0], context.shapes[0])]);
      const [state, drive] = gains;
      const bound = (q: Norm): number => mulUp(entry(drive, q, q), series(entry(state, q, q), length));
      // One state is one token, so its l2 and token norms are the same number.
      const token = minBound(bound("l2"), bound("token"));
      const stated: Stated = { l2: token, token, linf: bound("linf") };
      const why =
        state.why ??
        drive.why ??
        reason("the step of `Scan` doesn't contract: its gain in the state is 1 or more", context);
      if (norms.every((q) => stated[q] === Infinity))
        return [{ gain: unproven(why, input), rule: "Feedback" }];
      return mapped(context, input, stated, "Feedback", why);
    },
    range: (context) => {
      const [shape] = context.outputs;
      const state = states(context);
      const { token, linf, low, high, why } = state;
      return [closeRange({ token, linf, low, high, l2: mulUp(sqrtUp(shape[0]), token) }, shape, why)];
    },
  },
  // Unrolled: the length is static.
  lower: ({
    builder: b,
    inputs: [x],
    shapes: [[length, width]],
    outputs: [[, states]],
    config,
    batch,
    weight,
    step,
  }) => {
    let state = b.broadcast(config.start === "learned" ? weight("start") : b.constant(0), [batch, states]);
    const rows: Tensor[] = [];
    for (let t = 0; t < length; t++) {
      const before = state;
      if (config.emit === "after" || t < length - 1) {
        state = step([state, b.reshape(b.slice(x, 1, t, t + 1), [batch, width])]);
      }
      rows.push(b.reshape(config.emit === "after" ? state : before, [batch, 1, states]));
    }
    return [b.concat(rows, 1)];
  },
});

/** Range of one input of the step, when the sequence has this range. */
function oneStep(range: Range, shape: Shape): Range {
  const { token, linf, low, high, why } = range;
  return closeRange({ token, linf, low, high }, shape.slice(1), why);
}

/** Where all states lie: the start, or a result of the step from anywhere. */
function states(context: GainContext<ScanConfig>): Range {
  const [input] = context.ranges;
  const shape = context.outputs[0].slice(1);
  const drive = oneStep(input, context.shapes[0]);
  const start =
    context.config.start === "zeros" ? closeRange({ low: 0, high: 0 }, shape) : startRange(context, shape);
  return invariant(context, start, (state) => [state, drive]);
}

function startRange({ weight }: GainContext<ScanConfig>, shape: Shape): Range {
  const facts = weight("start");
  return closeRange(
    { token: facts.frobenius, linf: facts.maxAbs, low: facts.low, high: facts.high },
    shape,
    facts.why,
  );
}
