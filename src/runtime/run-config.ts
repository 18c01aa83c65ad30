/** What a run is: the spec's `train` section, after the command line's overrides. */
import { diagnostic, type Diagnostic } from "../diagnostics/diagnostic.ts";
import { selects } from "../graph/groups.ts";
import type { Json, Model, TrainConfig } from "../model/model.ts";
import { defaultEpochs, defaultRecipe } from "../model/recipe.ts";
import { leftOut } from "./certified/report.ts";
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

export interface RunLength {
  readonly steps: number;
  readonly epochs: number;
  /** Batches of an epoch. */
  readonly perEpoch: number;
}

/** How long a run is over so many batches an epoch. */
export function lengthOf(recipe: TrainConfig, perEpoch: number): RunLength {
  const steps = recipe.steps ?? (recipe.epochs ?? defaultEpochs) * perEpoch;
  return { steps, epochs: Math.ceil(steps / perEpoch), perEpoch };
}

/** What the run passes over, said before it begins. */
export function adviceOn(model: Model, recipe: TrainConfig): Diagnostic[] {
  const advice: Diagnostic[] = [];
  const names = leftOut(recipe);
  if (names.length > 0) advice.push(diagnostic("report-left-out", recipe.span, { names }));
  for (const { args } of recipe.groups) {
    if (!model.weights.some((weight) => selects(args.weights, weight)))
      advice.push(
        diagnostic("group-empty", recipe.span, { selector: showSelector(args.weights), model: model.name }),
      );
  }
  return advice;
}

function showSelector(selector: Json | undefined): string {
  return typeof selector === "string" ? selector : JSON.stringify(selector);
}
