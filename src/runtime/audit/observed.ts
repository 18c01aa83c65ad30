/** `report: [observed_gain]` of a recipe: the steepest perturbation that a short search finds after each epoch. */
import type { Model, TrainConfig } from "../../model/model.ts";
import type { Samples } from "../data/samples.ts";
import type { Engine, HostTensor } from "../engine.ts";
import { good, type Result } from "../result.ts";
import { steepest } from "./ascent.ts";
import { startsFrom } from "./starts.ts";

/** ≤ the true l2 gain from the first input to the first output, of the whole domain: an observation, no bound. */
export interface ObservedGain {
  readonly kind: "observed_gain";
  readonly norm: "l2";
  readonly lower: number;
}

/** A search that takes seconds at most: `lipsc audit` searches longer. */
const search = { restarts: 8, steps: 40 } as const;

export function wantsObservedGain({ report }: Pick<TrainConfig, "report">): boolean {
  return report.some(({ name }) => name === "observed_gain");
}

export interface ObservedPlan {
  readonly model: Model;
  readonly engine: Engine;
  /** Where half of the starts come from. */
  readonly samples: Samples;
  readonly seed: number;
}

export async function observedGain(
  { model, engine, samples, seed }: ObservedPlan,
  weights: ReadonlyMap<string, HostTensor>,
): Promise<Result<ObservedGain>> {
  const starts = await startsFrom(samples, search.restarts, seed);
  if (!starts.ok) return starts;
  const found = await steepest(
    {
      ...{ model, weights, engine, seed, ...search },
      input: model.inputs[0],
      from: null,
      to: model.outputs[0].value,
      samples: starts.value,
    },
    "l2",
  );
  return found.ok ? good({ kind: "observed_gain", norm: "l2", lower: found.value.lower }) : found;
}
