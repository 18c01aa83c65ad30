/** Batches of one epoch, in an order that depends on (seed, epoch) only, so that a resumed run sees the same ones. */
import type { HostTensor } from "./engine.ts";
import type { Augment } from "./data/augment.ts";
import type { Samples } from "./data/samples.ts";
import { permutation } from "./random.ts";
import { good, type Result } from "./result.ts";

export interface Batch {
  readonly values: HostTensor;
  readonly labels: HostTensor;
  /** Rows that are real; the rest repeat the last sample to fill the static shape. */
  readonly count: number;
}

/** Whole batches in an epoch; what is left over sits out until the next shuffle. */
export function batchesPerEpoch(samples: Samples, batch: number): number {
  return Math.floor(samples.count / batch);
}

/** The training batch at place `index` of `epoch` (both from 0), augmented. */
export function trainingBatches(samples: Samples, batch: number, seed: number, augment: Augment) {
  let shuffled: { epoch: number; order: number[] } | null = null;
  return async (epoch: number, index: number): Promise<Result<Batch>> => {
    if (shuffled?.epoch !== epoch) shuffled = { epoch, order: permutation(samples.count, seed, 1, epoch) };
    const filled = await fill(samples, shuffled.order.slice(index * batch, (index + 1) * batch), batch);
    if (filled.ok) augment(filled.value.values.data as Float32Array, [seed, 2, epoch, index]);
    return filled;
  };
}

/** All samples in order, the last batch filled up. */
export async function* evaluationBatches(samples: Samples, batch: number): AsyncGenerator<Result<Batch>> {
  for (let at = 0; at < samples.count; at += batch) {
    const which = Array.from({ length: Math.min(batch, samples.count - at) }, (_, i) => at + i);
    yield fill(samples, which, batch);
  }
}

async function fill(samples: Samples, which: readonly number[], batch: number): Promise<Result<Batch>> {
  const size = samples.shape.reduce((a, b) => a * b, 1);
  const values = new Float32Array(batch * size);
  const labels = new Int32Array(batch);
  const padded =
    which.length === batch
      ? which
      : [...which, ...new Array<number>(batch - which.length).fill(which[which.length - 1])];
  const done = await samples.fill(padded, values, labels);
  if (!done.ok) return done;
  return good({
    values: { dtype: "f32", dims: [batch, ...samples.shape], data: values },
    labels: { dtype: "i32", dims: [batch], data: labels },
    count: which.length,
  });
}
