/** Proves gains of trained weights as they stand: what certified radii divide by. */
import { Analysis } from "../gain/analyze.ts";
import { pairGains } from "../gain/pairs.ts";
import { measure, type Tensors } from "../measure/measure.ts";
import type { Model } from "../model/model.ts";
import type { Prover } from "../runtime/certified/report.ts";
import type { HostTensor } from "../runtime/engine.ts";

/** Stored entries by the weight's path, from tensors by graph input name. */
export function tensorsOf(model: Model, weights: ReadonlyMap<string, HostTensor>): Tensors {
  return new Map(model.weights.map(({ path }) => [path, weights.get(`param/${path}`)?.data ?? []]));
}

/** Of the first input and the first output, in the phase `checkpoint`. */
export function proverOf(model: Model): Prover {
  return (weights, norm) => {
    const analysis = new Analysis(model, "checkpoint", measure(tensorsOf(model, weights)));
    return pairGains(analysis, model.inputs[0].value, model.outputs[0].value, norm);
  };
}
