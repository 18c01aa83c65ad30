/** Cross entropy, with label smoothing. */
import { good } from "../../diagnostics/result.ts";
import type { Builder, Tensor } from "../builder.ts";
import { batchMean, numberArg, oneHot, shared, type Labels, type Loss, type LossTerm } from "./loss.ts";

export const crossEntropy: LossTerm = {
  name: "cross_entropy",
  build: ({ builder, logits, labels, args }) =>
    good(crossEntropyOf(builder, logits, labels, numberArg(args, "smoothing", 0))),
};

/**
 * Mean over the batch of −Σ q·log p, q = (1 − s)·onehot + s/classes (Szegedy et al. 2016, arXiv 1512.00567).
 * With Σ q = 1 that is log Σ exp z − Σ q·z for z = logits − max. Of mixed samples q is
 * share·q(own) + (1 − share)·q(other) (Zhang et al. 2018, arXiv 1710.09412; smoothed as in timm's `mixup_target`).
 */
export function crossEntropyOf(builder: Builder, logits: Tensor, labels: Labels, smoothing: number): Loss {
  const [, classes] = logits.shape;
  const top = builder.max(logits, [1], true);
  const z = builder.sub(logits, top);
  const logSum = builder.log(builder.sum(builder.exp(z), [1], true));
  const q = (of: Tensor): Tensor =>
    builder.select(oneHot(builder, of, classes), 1 - smoothing + smoothing / classes, smoothing / classes);
  const picked = builder.sum(builder.mul(z, shared(builder, labels, q)), [1], true);
  return { loss: batchMean(builder, builder.sub(logSum, picked)), stop: [top] };
}
