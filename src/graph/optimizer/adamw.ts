/** AdamW: Adam with decoupled weight decay (Loshchilov & Hutter 2019, arXiv 1711.05101), as PyTorch does it. */
import { adamStep } from "./adam.ts";
import type { Optimizer } from "./optimizer.ts";

export const adamw: Optimizer = {
  name: "adamw",
  slots: () => ["m", "v"],
  update(builder, options, update) {
    const { param, lr, weightDecay } = update;
    const kept = weightDecay === 0 ? param : builder.mul(param, builder.sub(1, builder.mul(lr, weightDecay)));
    return adamStep(builder, options, update, kept);
  },
};
