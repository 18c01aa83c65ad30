import { channelsOf } from "../gain/gain.ts";
import { identityMatrix } from "../gain/matrix.ts";
import { defineLayer } from "./layer.ts";
import { dropParam, dropped, inferenceIdentity } from "./dropout.ts";
import { storedNumber } from "./pointwise.ts";

/**
 * DropPath, or stochastic depth (Huang et al., 2016, arXiv 1603.09382): in training the whole value of a sample is 0
 * with probability p, else divided by 1 − p. `gains.md`, "Dropout".
 *
 * Gain 1, and the range unchanged: the identity at inference, as for Dropout.
 */
export const dropPath = defineLayer<{ p: number }>({
  name: "DropPath",
  summary: "drops whole samples of a branch in training; the identity at inference",
  signature: { tensors: ["x"], params: [dropParam], shape: "S -> S" },
  infer: (call) => {
    const p = storedNumber(call, "p", "in [0, 1)", (x) => x >= 0 && x < 1);
    return p === undefined ? undefined : { config: { p }, outputs: [call.inputs[0].shape] };
  },
  macs: () => 0,
  rules: inferenceIdentity("Dropout"),
  tokenwise: ({ shapes: [shape] }) => [[{ input: 0, matrix: identityMatrix(channelsOf(shape)) }]],
  lower: (context) => [
    dropped(
      context,
      context.inputs[0].shape.map((n, axis) => (axis === 0 ? n : 1)),
    ),
  ],
});
