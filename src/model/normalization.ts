/** What a model takes for the middle and the spread of its input: the `Normalize` that the input flows into first. */
import type { Model } from "./model.ts";

export interface Normalization {
  /** One number per channel, in the input's units. */
  readonly mean: readonly number[];
  readonly deviation: readonly number[];
}

/** null: the first input flows into no `Normalize`, or into something else too before it is normalised. */
export function normalizationOf(model: Model): Normalization | null {
  const readers = model.nodes.filter(({ inputs }) => inputs.includes(model.inputs[0].value));
  if (readers.length !== 1 || readers[0].layer !== "Normalize") return null;
  // What src/layers/normalize.ts stores: the deviations' inverses.
  const { mean, scale } = readers[0].config as { mean: readonly number[]; scale: readonly number[] };
  return { mean, deviation: scale.map((s) => 1 / s) };
}
