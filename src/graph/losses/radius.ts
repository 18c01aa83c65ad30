/** The margin loss in units of the input: of certified radii instead of differences of logits. */
import { good } from "../../diagnostics/result.ts";
import type { Tensor } from "../builder.ts";
import { pairSpeeds } from "./head.ts";
import { batchMean, labelled, logSumExp, numberArg, oneHot, shared, type LossTerm } from "./loss.ts";

/**
 * t·log(1 + Σ_{j≠y} exp((u − r_j)/t)) with the offset u, the temperature t and the radius r_j = (z_y − z_j)/L_yj at which
 * class j can be reached (head.ts): `margin` (Prach & Lampert 2022, arXiv 2208.03160) in which each pair of classes is
 * measured in its own unit. Where margins are compared as they are, a network gains by turning the rows of similar
 * classes away from each other, which moves no radius; here it doesn't.
 *
 * What it bounds: as `margin` does, a loss ℓ proves that every r_j is at least u − ℓ, and the least r_j is the sample's
 * certified radius in real arithmetic: an `offset` of ε asks for the radius ε. Where two rows are equal their classes
 * differ by a constant and L is 0; the margin then counts as it is, so that the gradient parts them.
 */
export const radius: LossTerm = {
  name: "radius",
  build(context) {
    const { builder, args, logits, labels } = context;
    const offset = numberArg(args, "offset", 0);
    const temperature = numberArg(args, "temperature", 1);
    const speeds = pairSpeeds(context, "radius");
    if (!speeds.ok) return speeds;
    const units = builder.select(builder.greater(speeds.value, 0), speeds.value, 1);
    const stop: Tensor[] = [];
    const each = shared(builder, labels, (label) => {
      const hot = oneHot(builder, label, logits.shape[1]);
      const unit = builder.matmul(builder.cast(hot, "f32"), units);
      const behind = builder.div(builder.sub(logits, labelled(builder, logits, hot)), unit);
      // (u − r_j)/t; 0 for the label itself: the 1 of the sum.
      const short = builder.mul(builder.select(hot, 0, builder.add(behind, offset)), 1 / temperature);
      const sum = logSumExp(builder, short);
      stop.push(sum.stop);
      return builder.mul(sum.value, temperature);
    });
    return good({ loss: batchMean(builder, each), stop });
  },
};
