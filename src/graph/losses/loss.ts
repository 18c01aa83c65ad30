/** What a loss is: one term of the recipe's weighted sum, as graph nodes. */
import type { Result } from "../../diagnostics/result.ts";
import type { Model, OptionValue, TrainConfig } from "../../model/model.ts";
import type { Builder, Tensor } from "../builder.ts";

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

/** What a loss is computed from. */
export interface LossContext {
  readonly builder: Builder;
  readonly model: Model;
  readonly recipe: TrainConfig;
  readonly args: OptionValue["args"];
  /** f32 [batch, classes] */
  readonly logits: Tensor;
  readonly labels: Labels;
  /** Free weights, in the order of Model.weights. */
  readonly params: readonly Tensor[];
}

export interface Loss {
  /** Scalar, mean over the batch. */
  readonly loss: Tensor;
  /** Taken as constants by autodiff: shifts that cancel in exact arithmetic, and what a loss holds fixed. */
  readonly stop: readonly Tensor[];
}

export interface LossTerm {
  /** As `loss:` has it. */
  readonly name: string;
  /** A model or recipe that the loss makes no sense for is refused with the reason. */
  build(context: LossContext): Result<Loss>;
}

export function numberArg(args: OptionValue["args"], name: string, otherwise: number): number {
  const value = args[name];
  return typeof value === "number" ? value : otherwise;
}

/** Mean of one number per sample, [batch, 1]. */
export function batchMean(builder: Builder, each: Tensor): Tensor {
  return builder.mul(builder.sum(each, [0, 1]), 1 / each.shape[0]);
}

/**
 * What depends on a label, for labels that may be mixed: share·f(own) + (1 − share)·f(other), as mixup defines the loss of
 * a mixed sample (Zhang et al. 2018, arXiv 1710.09412). `f` gives [batch, anything].
 */
export function shared(builder: Builder, { own, mixed }: Labels, f: (labels: Tensor) => Tensor): Tensor {
  if (!mixed) return f(own);
  const share = builder.reshape(mixed.share, [own.shape[0], 1]);
  return builder.add(builder.mul(f(own), share), builder.mul(f(mixed.other), builder.sub(1, share)));
}

/** bool [batch, classes]: whether the class is the label. */
export function oneHot(builder: Builder, labels: Tensor, classes: number): Tensor {
  return builder.equal(builder.reshape(labels, [labels.shape[0], 1]), classNumbers(builder, classes, "i32"));
}

export function classNumbers(builder: Builder, classes: number, dtype: "i32" | "f32"): Tensor {
  return builder.constant(
    Array.from({ length: classes }, (_, i) => i),
    [1, classes],
    dtype,
  );
}

/** The logit of the label, [batch, 1]. */
export function labelled(builder: Builder, logits: Tensor, hot: Tensor): Tensor {
  return builder.sum(builder.select(hot, logits, 0), [1], true);
}

/** log Σ exp over the classes, [batch, 1], with its shift: a constant for autodiff. */
export function logSumExp(builder: Builder, z: Tensor): { value: Tensor; stop: Tensor } {
  const top = builder.max(z, [1], true);
  const sum = builder.sum(builder.exp(builder.sub(z, top)), [1], true);
  return { value: builder.add(builder.log(sum), top), stop: top };
}
