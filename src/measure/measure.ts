/** The phase `checkpoint`: what the analysis may ask of stored tensors, answered with proven numbers. */
import { requireSubnormals } from "../gain/up.ts";
import type { MatrixOracle, WeightOracle } from "../gain/facts.ts";
import { unknown, weightFacts } from "../gain/weights.ts";
import { effectiveWeights, type Tensors } from "./effective.ts";
import { storedFacts } from "./weights.ts";
import { matrixOracle } from "./matrices.ts";

export type { Tensors } from "./effective.ts";

/** Facts of weights and of matrices made of them, for an `Analysis` in the phase `checkpoint`. */
export function measure(tensors: Tensors): { oracle: WeightOracle; matrices: MatrixOracle } {
  requireSubnormals();
  const effective = effectiveWeights(tensors);
  return {
    oracle: (weight, phase) => {
      if (phase !== "checkpoint") return weightFacts(weight, phase);
      const entries = tensors.get(weight.path);
      return entries
        ? storedFacts(weight, entries, effective(weight))
        : unknown({ text: `\`${weight.path}\` is not in the weights`, path: weight.path, because: [] });
    },
    matrices: matrixOracle(effective),
  };
}
