/** Losses and their metrics. Labels are i32 [batch], logits [batch, classes]. */
import { diagnostic } from "../diagnostics/diagnostic.ts";
import { bad, good, type Result } from "../diagnostics/result.ts";
import type { Model, TrainConfig, ValueId } from "../model/model.ts";
import type { Builder, Tensor } from "./builder.ts";

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
  labels: Tensor,
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
 * With Σ q = 1 that is log Σ exp z − Σ q·z for z = logits − max.
 */
export function crossEntropy(builder: Builder, logits: Tensor, labels: Tensor, smoothing: number) {
  const [batch, classes] = logits.shape;
  const top = builder.max(logits, [1], true);
  const z = builder.sub(logits, top);
  const logSum = builder.log(builder.sum(builder.exp(z), [1], true));
  const target = builder.select(
    oneHot(builder, labels, classes),
    1 - smoothing + smoothing / classes,
    smoothing / classes,
  );
  const picked = builder.sum(builder.mul(z, target), [1], true);
  const each = builder.sub(logSum, picked);
  return { loss: builder.mul(builder.sum(each, [0, 1]), 1 / batch), stop: [top] };
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

/** How many samples have their largest logit (the first of equal ones) at the label; NaN is never right. */
export function countCorrect(builder: Builder, logits: Tensor, labels: Tensor): Tensor {
  const [, classes] = logits.shape;
  const isTop = builder.equal(logits, builder.max(logits, [1], true));
  // Largest of −index among the largest logits: minus the first index.
  const first = builder.max(
    builder.select(isTop, builder.neg(classNumbers(builder, classes, "f32")), -classes),
    [1],
  );
  const hit = builder.equal(builder.neg(first), builder.cast(labels, "f32"));
  return builder.sum(builder.cast(hit, "f32"), [0]);
}
