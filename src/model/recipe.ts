/** What holds where a spec's `train` section, or an entry of it, is missing (docs/language.md, "Train"). */
import type { TrainConfig } from "./model.ts";

export const defaultRecipe: Omit<TrainConfig, "span"> = {
  data: null,
  augment: [],
  loss: [{ weight: 1, term: { name: "cross_entropy", args: { smoothing: 0 } } }],
  optimizer: { name: "adamw", args: { lr: 1e-3, betas: [0.9, 0.999], eps: 1e-8, weight_decay: 0.05 } },
  groups: [],
  schedule: { name: "cosine", args: { warmup: 0, min_lr: 0 } },
  epochs: null,
  steps: null,
  batch: 128,
  clip: null,
  average: null,
  precision: "float32",
  seed: 0,
  report: [],
};

/**
 * Whether batches are mixed (mixup, cutmix). The training graph then takes `labels/other` i32 [batch] and
 * `labels/share` f32 [batch], the part of `labels` in the target, besides `labels`.
 */
export function mixes({ augment }: Pick<TrainConfig, "augment">): boolean {
  return augment.some(({ name }) => name === "mixup" || name === "cutmix");
}

/** Where neither epochs nor steps are given. */
export const defaultEpochs = 10;
