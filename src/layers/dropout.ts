import { channelsOf } from "../gain/gain.ts";
import { identityMatrix } from "../gain/matrix.ts";
import type { Tensor } from "../graph/builder.ts";
import {
  defineLayer,
  type Config,
  type LayerRules,
  type LowerContext,
  type ParamSignature,
} from "./layer.ts";
import { storedNumber } from "./pointwise.ts";

export const dropParam: ParamSignature = {
  name: "p",
  type: "real",
  doc: "probability of dropping, in [0, 1)",
};

/**
 * Dropout (Srivastava et al., 2014): in training each entry is 0 with probability p, else divided by 1 − p.
 * `gains.md`, "Dropout".
 *
 * Gain 1, and the range unchanged: certificates are of the inference graph, where the layer is the identity. The keep
 * probability is no part of that bound: multiplying it in is a known defect of tools. (In training mode the gain
 * would be 1/(1−p).)
 */
export const dropout = defineLayer<{ p: number }>({
  name: "Dropout",
  summary: "drops single entries in training; the identity at inference",
  signature: { tensors: ["x"], params: [dropParam], shape: "S -> S" },
  infer: (call) => {
    const p = storedNumber(call, "p", "in [0, 1)", (x) => x >= 0 && x < 1);
    return p === undefined ? undefined : { config: { p }, outputs: [call.inputs[0].shape] };
  },
  macs: () => 0,
  rules: inferenceIdentity("Dropout"),
  tokenwise: ({ shapes: [shape] }) => [[{ input: 0, matrix: identityMatrix(channelsOf(shape)) }]],
  lower: (context) => [dropped(context, context.inputs[0].shape)],
});

/** The rules of a layer that is the identity at inference. */
export function inferenceIdentity<C extends Config>(rule: string): LayerRules<C> {
  return {
    gain: (_, [input]) => [{ gain: input, rule }],
    range: ({ ranges: [input] }) => [input],
  };
}

/** x where fresh uniform numbers of this shape are ≥ p, divided by 1 − p; 0 elsewhere. */
export function dropped(context: LowerContext<{ p: number }>, shape: readonly number[]): Tensor {
  const { builder: b, inputs, config, training, random } = context;
  const [x] = inputs;
  if (!training || config.p === 0) return x;
  const factor = b.select(b.greater(config.p, random(shape)), 0, 1 / (1 - config.p));
  return b.mul(x, factor);
}
