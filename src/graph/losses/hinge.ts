/** The multi-class hinge loss. */
import { good } from "../../diagnostics/result.ts";
import { batchMean, labelled, numberArg, oneHot, shared, type LossTerm } from "./loss.ts";

/**
 * With margins m_j = z_y − z_j and the offset u, over the classes j ≠ y
 *   over: sum   Σ_j max(0, u − m_j)   (Weston & Watkins 1999)
 *   over: max   max_j max(0, u − m_j) (Crammer & Singer 2001)
 *
 * What it bounds: each of the two is at least u − m_j for every j, so a loss ℓ proves margins of u − ℓ; 0 proves u.
 * Convex in z. Samples whose margins all exceed u have no gradient.
 */
export const hinge: LossTerm = {
  name: "hinge",
  build({ builder, logits, labels, args }) {
    const offset = numberArg(args, "offset", 1);
    const each = shared(builder, labels, (label) => {
      const hot = oneHot(builder, label, logits.shape[1]);
      const margins = builder.sub(labelled(builder, logits, hot), logits);
      const short = builder.select(hot, 0, builder.maximum(builder.sub(offset, margins), 0));
      return args.over === "max" ? builder.max(short, [1], true) : builder.sum(short, [1], true);
    });
    return good({ loss: batchMean(builder, each), stop: [] });
  },
};
