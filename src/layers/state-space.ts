import { divUp, mulUp, subDown } from "../gain/up.ts";
import { closeRange } from "../gain/range.ts";
import { defineLayer, type GainContext } from "./layer.ts";
import { requireRank } from "./check.ts";
import { mapped, reason, storedNumber, towardZero } from "./pointwise.ts";
import { sineCosine } from "./trigonometry.ts";

interface StateSpaceConfig {
  readonly [key: string]: number;
  readonly states: number;
  readonly radius: number;
}

/**
 * Linear time-invariant state space over the first axis: z_t = Λz_{t−1} + Bu_t, y_t = Cz_t, z before the start 0.
 * Λ is diagonal with complex λ_i = radius·sigmoid(`decay`_i)·e^{i·`angle`_i}, so |λ_i| ≤ radius < 1. `input` (2n, c)
 * holds the real and then the imaginary rows of B, `output` (c, 2n) the real parts of C and the negative imaginary
 * ones, so that in real coordinates y = output·[Re z; Im z]. There is no feedthrough: put a Residual around it.
 * Neither Λ nor B nor C depends on the input (as they do in Mamba, which this rule doesn't cover). `gains.md`,
 * "State space".
 *
 * Gain: l2 and token σ(C)·σ(B)/(1 − radius), for any length, with 1 − radius rounded down. Proof: in real coordinates
 * Λ is block diagonal with rotations times |λ_i|, so ‖Λ^k‖ ≤ radius^k; y = Σ_k CΛ^kB·u_{t−k} is a causal convolution,
 * whose l2 norm over time (Young) and largest token are at most Σ_k ‖CΛ^kB‖ ≤ σ(C)σ(B)/(1 − radius) times those of u.
 * Diagonal Λ is needed: [[.9, 5], [0, .9]] has Σ‖Λ^k‖ = 501, where 1/(1 − .9) is 10.
 * Range: y is linear in u, so R ≤ gain·R in l2 and token.
 */
export const stateSpace = defineLayer<StateSpaceConfig>({
  name: "StateSpace",
  summary: "diagonal linear state space along the sequence",
  signature: {
    tensors: ["x"],
    params: [
      { name: "states", type: "int", doc: "complex states" },
      { name: "radius", type: "real", doc: "largest |λ|, in [0, 1)" },
    ],
    shape: "[t, c] -> [t, c]",
  },
  infer: (call) => {
    if (!requireRank(call, "StateSpace", [2], "a sequence", "[t, c]")) return undefined;
    const { shape } = call.inputs[0];
    const states = call.int("states");
    const radius = storedNumber(call, "radius", "in [0, 1)", (x) => x >= 0 && x < 1, towardZero);
    if (radius === undefined) return undefined;
    const weights = {
      decay: call.weight("decay", { shape: [states], role: "vector", init: { kind: "zeros" } }),
      angle: call.weight("angle", { shape: [states], role: "vector", init: { kind: "normal", std: 1 } }),
      input: call.weight("input", { shape: [2 * states, shape[1]], role: "matrix" }),
      output: call.weight("output", { shape: [shape[1], 2 * states], role: "matrix" }),
    };
    return { config: { states, radius }, outputs: [shape], weights };
  },
  // B and C, and the complex diagonal at 4 multiply-adds a state.
  macs: ({ shapes: [[t, c]], config: { states } }) => t * (4 * states * c + 4 * states),
  rules: {
    gain: (context, [input]) => {
      const gain = bound(context);
      const why =
        context.weight("input").why ??
        context.weight("output").why ??
        reason("the states of `StateSpace` may not fade: radius is 1", context);
      return mapped(context, input, { l2: gain, token: gain }, "State space", why);
    },
    range: (context) => {
      const [input] = context.ranges;
      const gain = bound(context);
      const why = input.why ?? context.weight("input").why ?? context.weight("output").why;
      return [
        closeRange({ l2: mulUp(gain, input.l2), token: mulUp(gain, input.token) }, context.outputs[0], why),
      ];
    },
  },
  // Unrolled: the length is static. Dividing by the length of (cos, sin) keeps |λ| ≤ radius for an inexact sine, too.
  lower: ({ builder: b, inputs: [x], shapes: [[length]], config: { states, radius }, weight }) => {
    const { sine, cosine } = sineCosine(b, weight("angle"));
    const size = b.sqrt(b.add(b.mul(sine, sine), b.mul(cosine, cosine)));
    const r = b.div(b.mul(b.sigmoid(weight("decay")), radius), size);
    const [re, im] = [b.mul(r, cosine), b.mul(r, sine)];
    const driven = b.matmul(x, weight("input"), false, true);
    let z = b.slice(driven, 1, 0, 1);
    const rows = [z];
    for (let t = 1; t < length; t++) {
      const [a, c] = [b.slice(z, 2, 0, states), b.slice(z, 2, states, 2 * states)];
      const turned = b.concat([b.sub(b.mul(a, re), b.mul(c, im)), b.add(b.mul(a, im), b.mul(c, re))], 2);
      z = b.add(turned, b.slice(driven, 1, t, t + 1));
      rows.push(z);
    }
    return [b.matmul(b.concat(rows, 1), weight("output"), false, true)];
  },
});

function bound({ weight, config }: GainContext<StateSpaceConfig>): number {
  return divUp(mulUp(weight("output").spectral, weight("input").spectral), subDown(1, config.radius));
}
