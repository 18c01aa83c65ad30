/** What a run is, after the spec's `train` section and the command line's overrides. Saved as config.json. */
import { diagnostic } from "../diagnostics/diagnostic.ts";
import type { Model, TrainConfig } from "../model/model.ts";
import { defaultEpochs, defaultRecipe } from "../model/recipe.ts";
import { bad, good, type Result } from "./result.ts";

/** As given on the command line; null where it wasn't. */
export interface Overrides {
  readonly epochs: number | null;
  readonly batch: number | null;
  readonly lr: number | null;
  readonly seed: number | null;
}

/** The recipe of a run. */
export function resolveRecipe(model: Model, overrides: Overrides): Result<TrainConfig> {
  const base: TrainConfig = model.train ?? { ...defaultRecipe, span: model.span };
  if (base.average) return refuse("average", "weight averages can't be run yet");
  if (base.precision !== "float32") return refuse(`precision: ${base.precision}`, "training runs in float32");
  const optimizer =
    overrides.lr === null
      ? base.optimizer
      : { ...base.optimizer, args: { ...base.optimizer.args, lr: overrides.lr } };
  return good({
    ...base,
    optimizer,
    epochs: overrides.epochs ?? base.epochs,
    // --epochs replaces a length in steps.
    steps: overrides.epochs === null ? base.steps : null,
    batch: overrides.batch ?? base.batch,
    seed: overrides.seed ?? base.seed,
  });
}

function refuse(option: string, problem: string): Result<never> {
  return bad(diagnostic("run-option", null, { option, problem }));
}

/** Steps and epochs of a run over so many batches an epoch. */
export function lengthOf(recipe: TrainConfig, perEpoch: number): { steps: number; epochs: number } {
  const steps = recipe.steps ?? (recipe.epochs ?? defaultEpochs) * perEpoch;
  return { steps, epochs: Math.ceil(steps / perEpoch) };
}

/** config.json of a run folder. */
export interface RunRecord {
  readonly lipsc: string;
  readonly node: string;
  readonly platform: string;
  readonly engine: string;
  readonly device: string;
  readonly engineVersion: string;
  readonly model: string;
  readonly modelHash: string;
  /** The spec as given, seen from the folder the run began in, and its text. */
  readonly file: string;
  readonly spec: string;
  readonly set: Readonly<Record<string, string>>;
  /** As given with --data; null: what the spec says. */
  readonly data: string | null;
  readonly dataName: string;
  readonly threads: number | null;
  readonly parameters: number;
  readonly recipe: TrainConfig;
  readonly steps: number;
}
