/** Losses and their metrics. Labels are i32 [batch], logits [batch, classes]. */
import { diagnostic } from "../diagnostics/diagnostic.ts";
import { bad, good, type Result } from "../diagnostics/result.ts";
import type { Model, TrainConfig, ValueId } from "../model/model.ts";
import type { Builder, Tensor } from "./builder.ts";

/** What each sample of a batch is. */
export interface Labels {
  /** i32 [batch] */
  readonly own: Tensor;
  /** Of a batch that mixup or cutmix has mixed; null: `own` is the whole truth. */
  readonly mixed: {
    /** i32 [batch]: the label of the other sample. */
    readonly other: Tensor;
    /** f32 [batch], 0 to 1: the part of `own` in the target; the rest is `other`'s. */
    readonly share: Tensor;
  } | null;
}

export interface Loss {
  /** Scalar, mean over the batch. */
  readonly loss: Tensor;
  readonly logits: Tensor;
  /** Taken as constants by autodiff: shifts that cancel in exact arithmetic. */
  readonly stop: readonly Tensor[];
}

/** The recipe's weighted sum, on the model's first output. */
export function classificationLoss(
  builder: Builder,
  model: Model,
  recipe: TrainConfig,
  values: ReadonlyMap<ValueId, Tensor>,
  labels: Labels,
): Result<Loss> {
  const logits = values.get(model.outputs[0]?.value);
  if (!logits || logits.shape.length !== 2) {
    const what = `The loss of \`${model.name}\``;
    const reason = "its first output is not one vector of logits per sample";
    return bad(diagnostic("not-executable", recipe.span, { what, reason }));
  }
  builder.origin = "loss";
  const stop: Tensor[] = [];
  let total: Tensor | null = null;
  for (const { weight, term } of recipe.loss) {
    if (term.name !== "cross_entropy") {
      const what = `The loss \`${term.name}\``;
      return bad(
        diagnostic("not-executable", recipe.span, { what, reason: "only cross_entropy is compiled so far" }),
      );
    }
    const smoothing = typeof term.args.smoothing === "number" ? term.args.smoothing : 0;
    const part = crossEntropy(builder, logits, labels, smoothing);
    stop.push(...part.stop);
    const scaled = weight === 1 ? part.loss : builder.mul(part.loss, weight);
    total = total ? builder.add(total, scaled) : scaled;
  }
  builder.origin = "";
  return good({ loss: total ?? builder.constant(0), logits, stop });
}

/**
 * Mean over the batch of −Σ q·log p, q = (1 − s)·onehot + s/classes (Szegedy et al. 2016, arXiv 1512.00567).
 * With Σ q = 1 that is log Σ exp z − Σ q·z for z = logits − max. Of mixed samples q is
 * share·q(own) + (1 − share)·q(other) (Zhang et al. 2018, arXiv 1710.09412; smoothed as in timm's `mixup_target`).
 */
export function crossEntropy(builder: Builder, logits: Tensor, labels: Labels, smoothing: number) {
  const [batch, classes] = logits.shape;
  const top = builder.max(logits, [1], true);
  const z = builder.sub(logits, top);
  const logSum = builder.log(builder.sum(builder.exp(z), [1], true));
  const q = (of: Tensor): Tensor =>
    builder.select(oneHot(builder, of, classes), 1 - smoothing + smoothing / classes, smoothing / classes);
  const picked = builder.sum(builder.mul(z, mixed(builder, q, labels)), [1], true);
  const each = builder.sub(logSum, picked);
  return { loss: builder.mul(builder.sum(each, [0, 1]), 1 / batch), stop: [top] };
}

/** The target [batch, classes], from the target of a list of labels. */
function mixed(builder: Builder, q: (of: Tensor) => Tensor, { own, mixed }: Labels): Tensor {
  if (!mixed) return q(own);
  const share = builder.reshape(mixed.share, [own.shape[0], 1]);
  return builder.add(builder.mul(q(own), share), builder.mul(q(mixed.other), builder.sub(1, share)));
}

function oneHot(builder: Builder, labels: Tensor, classes: number): Tensor {
  return builder.equal(builder.reshape(labels, [labels.shape[0], 1]), classNumbers(builder, classes, "i32"));
}

function classNumbers(builder: Builder, classes: number, dtype: "i32" | "f32"): Tensor {
  return builder.constant(
    Array.from({ length: classes }, (_, i) => i),
    [1, classes],
    dtype,
  );
}

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
