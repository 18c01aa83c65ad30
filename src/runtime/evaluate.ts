/** Loss and accuracy of given weights over a set of samples. */
import type { HostTensor, Session } from "./engine.ts";
import { evaluationBatches } from "./batches.ts";
import { judge } from "./classify.ts";
import type { Samples } from "./data/samples.ts";
import { good, type Result } from "./result.ts";

export interface Evaluation {
  readonly loss: number;
  readonly accuracy: number;
  readonly count: number;
}

/** Runs an inference session (inputs `param/…` and `data/<input>`; output logits [batch, classes]) over all samples. */
export async function evaluate(
  session: Session,
  weights: ReadonlyMap<string, HostTensor>,
  samples: Samples,
  names: { readonly input: string; readonly output: string },
  batch: number,
): Promise<Result<Evaluation>> {
  let loss = 0;
  let correct = 0;
  for await (const filled of evaluationBatches(samples, batch)) {
    if (!filled.ok) return filled;
    const feeds = { ...Object.fromEntries(weights), [`data/${names.input}`]: filled.value.values };
    const logits = (await session.run(feeds))[names.output];
    const judged = judge(
      logits.data,
      filled.value.labels.data,
      logits.dims[logits.dims.length - 1],
      filled.value.count,
    );
    loss += judged.loss;
    correct += judged.correct;
  }
  return good({ loss: loss / samples.count, accuracy: correct / samples.count, count: samples.count });
}
