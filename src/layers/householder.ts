import { closeRange } from "../gain/range.ts";
import { sqrtUp } from "../gain/up.ts";
import { defineLayer } from "./layer.ts";
import { requireMultiple } from "./check.ts";
import { mapped } from "./pointwise.ts";
import { sineCosine } from "./trigonometry.ts";

/**
 * Householder activation of order 1 (Singla, Singla and Feizi, 2022, arXiv 2108.04062): the channels' halves give pairs
 * z = (a, b); with a learned angle θ per pair and v = (sin θ/2, −cos θ/2), z stays where v·z > 0 and is reflected,
 * z − 2(v·z)v, elsewhere. θ starts at π/2, which is MaxMin. `gains.md`, "Sorting".
 *
 * Gain: l2 and token 1; linf √2. Proof: both pieces are orthogonal and they agree on the line v·z = 0, so along the
 * segment between two inputs the map is a chain of isometries of the plane: 1 in l2 of the pair, hence of the token.
 * The absolute row sums of the reflection are |cos θ| + |sin θ| ≤ √2, reached at θ = π/4.
 * The lowering writes z − 2·min(v·z, 0)·v/max(‖v‖², ¼): with any v that is a reflection up to a factor t ≤ 1 on the
 * part along v, so an inexact sine costs nothing: I − 2t·v̂v̂ᵀ has norm ≤ 1 for 0 ≤ t ≤ 1, and its absolute row sums
 * are convex in t and ≤ √2 at both ends.
 * Range: the norm of each pair never grows, and |entry| ≤ ‖pair‖ ≤ √2·linf.
 */
export const householder = defineLayer({
  name: "Householder",
  summary: "pairs of channels, reflected on one side of a learned line",
  signature: { tensors: ["x"], params: [], shape: "[..., c] -> [..., c]" },
  infer: (call) => {
    const { shape } = call.inputs[0];
    const channels = shape[shape.length - 1];
    if (!requireMultiple(call, "Householder", channels, 2, "c / 2")) return undefined;
    const theta = call.weight("theta", {
      shape: [channels / 2],
      role: "vector",
      // trust: T7
      init: { kind: "constant", values: [Math.fround(Math.PI / 2)] },
    });
    return { config: {}, outputs: [shape], weights: { theta } };
  },
  macs: () => 0,
  rules: {
    gain: (context, [input]) => mapped(context, input, { l2: 1, token: 1, linf: sqrtUp(2) }, "Sorting"),
    range: ({ ranges: [input], outputs: [shape] }) => [
      closeRange({ l2: input.l2, token: input.token, spread: input.spread }, shape, input.why),
    ],
  },
  lower: ({ builder: b, inputs: [x], weight }) => {
    const axis = x.shape.length - 1;
    const half = x.shape[axis] / 2;
    const [first, second] = [b.slice(x, axis, 0, half), b.slice(x, axis, half, 2 * half)];
    const { sine, cosine } = sineCosine(b, b.mul(weight("theta"), 0.5));
    const size = b.maximum(b.add(b.mul(sine, sine), b.mul(cosine, cosine)), 0.25);
    const below = b.minimum(b.sub(b.mul(first, sine), b.mul(second, cosine)), 0);
    const step = b.div(b.mul(below, 2), size);
    return [b.concat([b.sub(first, b.mul(step, sine)), b.add(second, b.mul(step, cosine))], axis)];
  },
});
