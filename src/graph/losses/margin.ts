/** The log-sum-exp margin loss of 1-Lipschitz classifiers. */
import { good } from "../../diagnostics/result.ts";
import type { Tensor } from "../builder.ts";
import { batchMean, labelled, logSumExp, numberArg, oneHot, shared, type LossTerm } from "./loss.ts";

/**
 * t·CE((z − u·onehot(y))/t) with the temperature t and the offset u (Prach & Lampert 2022, arXiv 2208.03160), which is
 * t·log(1 + Σ_{j≠y} exp((u − m_j)/t)) for the margins m_j = z_y − z_j.
 *
 * What it bounds: with h = max(0, max_{j≠y} (u − m_j)), the hinge, h ≤ loss ≤ h + t·log(classes), because the largest of
 * k terms exp(a_i/t) ≤ their sum ≤ k times the largest. So a loss ℓ proves that every margin is at least u − ℓ; where a
 * difference of two logits changes by at most L per unit of the input, the certified radius is at least (u − ℓ)/L. For
 * 1-Lipschitz logits L = √2: an offset of √2·ε asks for radius ε. It is convex in z, and its slope in each logit is at
 * most 1. Small t puts all weight on samples whose margin is below u.
 */
export const margin: LossTerm = {
  name: "margin",
  build({ builder, logits, labels, args }) {
    const offset = numberArg(args, "offset", 0);
    const temperature = numberArg(args, "temperature", 1);
    const stop: Tensor[] = [];
    const each = shared(builder, labels, (label) => {
      const hot = oneHot(builder, label, logits.shape[1]);
      const z = builder.mul(builder.sub(logits, builder.select(hot, offset, 0)), 1 / temperature);
      const sum = logSumExp(builder, z);
      stop.push(sum.stop);
      return builder.mul(builder.sub(sum.value, labelled(builder, z, hot)), temperature);
    });
    return good({ loss: batchMean(builder, each), stop });
  },
};
