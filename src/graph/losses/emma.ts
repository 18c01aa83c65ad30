/** EMMA: a margin loss whose margin follows each sample and pair of classes. */
import { good } from "../../diagnostics/result.ts";
import { crossEntropyOf } from "./cross-entropy.ts";
import { misfit, pairSpeeds } from "./head.ts";
import { labelled, numberArg, oneHot, type LossTerm } from "./loss.ts";

/** The least part of `eps` that is asked of a sample, as in the authors' code: so that a wrong one still pulls rows together. */
const leastShare = 0.01;

/**
 * Cross entropy of z_j + ε_j·L_j, j ≠ y (Hu et al. 2023, arXiv 2301.12549, "efficient margin maximisation"), where
 *   L_j = ‖w_y − w_j‖₂·G   bounds how fast the margin m_j = z_y − z_j changes: w the rows of the linear head, G the gain
 *                          from the input to the features, l2 to l2, that is proven for every weight (phase `always`)
 *   ε_j = clip(m_j/L_j, 0.01·ε, ε)   the radius at which class j is reached, at most `eps`; a constant for the gradient
 *
 * What it bounds: m_j ≥ ε·L_j for all j means a certified radius of at least ε. Until then ε_j·L_j = m_j: all classes
 * that can be reached within ε stand level with y, so that none of them is left out of the gradient, while a fixed
 * margin lets the nearest class alone decide. The loss trains; the certificate is computed from proven norms elsewhere.
 */
export const emma: LossTerm = {
  name: "emma",
  build(context) {
    const { builder, recipe, args, logits, labels } = context;
    const eps = numberArg(args, "eps", 0);
    if (labels.mixed) {
      const reason =
        "its margin is the certified radius of one label, and mixup and cutmix give a sample two";
      return misfit(recipe, "emma", reason, "use radius(…) or margin(…), or don't mix");
    }
    const speeds = pairSpeeds(context, "emma");
    if (!speeds.ok) return speeds;

    const hot = oneHot(builder, labels.own, logits.shape[1]);
    const speed = builder.matmul(builder.cast(hot, "f32"), speeds.value);
    const margins = builder.sub(labelled(builder, logits, hot), logits);
    // At j = y the speed is 0 and so is what is added.
    const reached = builder.div(margins, builder.maximum(speed, 1e-8));
    const radius = builder.minimum(builder.maximum(reached, leastShare * eps), eps);
    const moved = builder.add(logits, builder.mul(radius, speed));
    const loss = crossEntropyOf(builder, moved, labels, 0);
    return good({ loss: loss.loss, stop: [...loss.stop, radius] });
  },
};
