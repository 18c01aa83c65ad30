/**
 * Exponential moving averages of weights (Polyak & Juditsky 1992; timm's `ModelEma`): e ← e + (1 − decay)(w − e) after
 * each step, from the weights that the first step begins with, whatever is fed for e there.
 *
 * What is averaged are free tensors: a constraint is applied to the average, so it holds for it as for any weight.
 * Ranges are convex, so they hold too, up to rounding: the caller projects.
 */
import type { OptionValue } from "../model/model.ts";
import type { Builder, Tensor } from "./builder.ts";
import { numberOf } from "./optimizer/optimizer.ts";

/** `before` and `after` are the weight around the step, `step` its number from 1. */
export function averaged(
  builder: Builder,
  option: OptionValue,
  { average, before, after, step }: { average: Tensor; before: Tensor; after: Tensor; step: Tensor },
): Tensor {
  const decay = numberOf(option, "decay", 0.9999);
  const from = builder.select(builder.greater(1.5, step), before, average);
  return builder.add(from, builder.mul(builder.sub(after, from), 1 - decay));
}
