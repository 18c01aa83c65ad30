/** Models that a machine can't hold are refused before they are tried: the system would end the program without a word. */
import { totalmem } from "node:os";
import { diagnostic, type Diagnostic } from "../diagnostics/diagnostic.ts";
import type { Model, TrainConfig } from "../model/model.ts";
import { activationBytes, countParameters } from "./report/figures.ts";
import { showBytes } from "./report/numbers.ts";

/** Largest file of weights: one array of bytes. */
const mostWeights = 2 ** 31;

/**
 * A training step: weights, gradients, two moments, and averages where there are some, in two sets where a step
 * cannot write over what it read, and activations.
 */
export function refuseTraining(model: Model, { batch, average }: TrainConfig): Diagnostic | null {
  const sets = 2 * (average ? 5 : 4);
  const needs = 4 * sets * countParameters(model) + activationBytes(model, batch);
  // Counted is what layers give; an engine gets by with less of it, but not with half.
  if (needs < 2 * totalmem()) return refuseWeights(model);
  const what = `A training step of \`${model.name}\` at batch ${batch}`;
  return diagnostic("too-large-to-run", null, {
    what,
    needs: showBytes(needs),
    has: `this machine has ${showBytes(totalmem())}`,
  });
}

export function refuseWeights(model: Model): Diagnostic | null {
  const bytes = 4 * countParameters(model);
  if (bytes < mostWeights) return null;
  const has = `one file holds at most ${showBytes(mostWeights)}`;
  const what = `The weights of \`${model.name}\``;
  return diagnostic("too-large-to-run", null, { what, needs: showBytes(bytes), has });
}
