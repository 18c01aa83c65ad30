import { defineLayer } from "./layer.ts";
import { gainParams, keepsFeatures, plant, plantParams, readPlant } from "./ren.ts";

/**
 * Robust recurrent deep network (Barbara, Wang and Manchester, 2025, arXiv 2504.01250): a linear system in feedback
 * with a 1-Lipschitz network f: z_{t+1} = A·z + B1·w + B2·u + b_x, v = C1·z + D12·u + b_v with w = f(v),
 * y = C2·z + D21·w + D22·u + b_y. Weights: those matrices, explicitly, and f's own. `gains.md`, "R2DN and REN".
 *
 * No gain rule: a linear matrix inequality in the weights at hand certifies contraction, so only a checkpoint can be.
 */
export const r2dn = defineLayer({
  name: "R2DN",
  summary: "linear dynamics in feedback with a 1-Lipschitz network",
  signature: {
    tensors: ["x"],
    params: [
      ...plantParams,
      { name: "inner", type: "Layer", doc: "1-Lipschitz, [features] -> [features]" },
      { name: "outputs", type: "int", doc: "channels of the result" },
      ...gainParams,
    ],
    shape: "[t, m] -> [t, outputs]",
  },
  infer: (call) => {
    const sizes = readPlant(call, "R2DN");
    if (!sizes) return undefined;
    const body = call.step("inner", [[sizes.l]]);
    if (!body || !keepsFeatures(call, "R2DN", body.result.shape, sizes.l)) return undefined;
    return { config: sizes.config, outputs: [sizes.output], weights: plant(call, sizes), body };
  },
  macs: ({ shapes: [[t, m]], outputs: [[, p]], config, step }) => {
    const [n, l] = [Number(config.states), Number(config.features)];
    return t * ((n + l + p) * (n + l + m) - l * l + step);
  },
  rules: { none: "the gain of R2DN rests on a linear matrix inequality, which no part of lipsc solves yet" },
  lower: { none: "the recurrence of R2DN has no lowering yet" },
});
