/** Hits of a batch: the metric beside the loss. */
import type { Builder, Tensor } from "../builder.ts";
import { classNumbers, type Labels } from "./loss.ts";

/**
 * How many samples have their largest logit (the first of equal ones) at the label; NaN is never right.
 * Of a mixed sample the label with the larger share counts, its own where both have 1/2.
 */
export function countCorrect(builder: Builder, logits: Tensor, labels: Labels): Tensor {
  const [, classes] = logits.shape;
  const isTop = builder.equal(logits, builder.max(logits, [1], true));
  // Largest of −index among the largest logits: minus the first index.
  const first = builder.max(
    builder.select(isTop, builder.neg(classNumbers(builder, classes, "f32")), -classes),
    [1],
  );
  const hit = builder.equal(builder.neg(first), likelier(builder, labels));
  return builder.sum(builder.cast(hit, "f32"), [0]);
}

/** The label that counts, as f32. */
function likelier(builder: Builder, { own, mixed }: Labels): Tensor {
  const number = builder.cast(own, "f32");
  if (!mixed) return number;
  return builder.select(builder.greater(0.5, mixed.share), builder.cast(mixed.other, "f32"), number);
}
