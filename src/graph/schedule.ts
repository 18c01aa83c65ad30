/** Learning-rate schedules: pure functions of the step. */
import type { TrainConfig } from "../model/model.ts";
import { numberOf } from "./optimizer/optimizer.ts";

/** Names of the schedules that are known; others are refused when the training graph is built. */
export const schedules: ReadonlySet<string> = new Set(["constant", "linear", "cosine"]);

/**
 * The rate of step `index` (from 0) of `steps`. `warmup` counts epochs, over which the rate rises linearly: its first
 * step has 1/(warmup steps) of the rate. Then per step
 *   cosine(min_lr)  min + (lr − min)·(1 + cos πt)/2 (Loshchilov & Hutter 2017, arXiv 1608.03983)
 *   linear(end)     lr + (end − lr)·t, `end` a rate
 *   constant        lr
 * with t from 0 at the first step after the warmup to 1 just after the last step.
 */
export function learningRate(
  recipe: TrainConfig,
  index: number,
  steps: number,
  stepsPerEpoch: number,
): number {
  const lr = numberOf(recipe.optimizer, "lr", 1e-3);
  const { schedule } = recipe;
  const warmup = Math.min(steps, Math.round(numberOf(schedule, "warmup", 0) * stepsPerEpoch));
  if (index < warmup) return (lr * (index + 1)) / warmup;
  const t = Math.min(1, (index - warmup) / Math.max(1, steps - warmup));
  switch (schedule.name) {
    case "constant":
      return lr;
    case "linear":
      return lr + (numberOf(schedule, "end", 0) - lr) * t;
    case "cosine": {
      const least = numberOf(schedule, "min_lr", 0);
      return least + ((lr - least) * (1 + Math.cos(Math.PI * t))) / 2;
    }
    default:
      throw new Error(`schedule ${schedule.name} was let through`);
  }
}
