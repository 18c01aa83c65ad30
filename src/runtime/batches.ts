/** Batches of one epoch, in an order that depends on (seed, epoch) only, so that a resumed run sees the same ones. */
import type { HostTensor } from "./engine.ts";
import { fill, sizeOf, type Samples } from "./data/samples.ts";
import { permutation } from "./random.ts";
import { good, type Result } from "./result.ts";
import { mixOf, type RowMaker, type RowPlan } from "./workers/rows.ts";

export interface Batch {
  readonly values: HostTensor;
  readonly labels: HostTensor;
  /** Of a batch that mixup or cutmix has mixed: see graph/losses/loss.ts. */
  readonly mixed: { readonly other: HostTensor; readonly share: HostTensor } | null;
  /** Rows that are real; the rest repeat the last sample to fill the static shape. */
  readonly count: number;
}

/** Whole batches in an epoch; what is left over sits out until the next shuffle. */
export function batchesPerEpoch(samples: Samples, batch: number): number {
  return Math.floor(samples.count / batch);
}

/** The training batch at place `index` of `epoch` (both from 0), augmented and mixed. */
export type TrainingBatches = (epoch: number, index: number) => Promise<Result<Batch>>;

/** Rows that are made in one go: enough to keep a thread busy, few enough to keep memory and waiting small. */
const mostRows = 32;

/** Asks `rows` for batches ahead of their time, as many as it likes. */
export function trainingBatches(
  samples: Samples,
  batch: number,
  plan: RowPlan,
  rows: RowMaker,
): TrainingBatches {
  const perEpoch = batchesPerEpoch(samples, batch);
  const orders = new Map<number, number[]>();
  const orderOf = (epoch: number): number[] => {
    const order = orders.get(epoch) ?? permutation(samples.count, plan.seed, 1, epoch);
    // Batches ahead may belong to the next epoch; no more than two are in use.
    if (orders.size > 1 && !orders.has(epoch)) orders.delete(Math.min(...orders.keys()));
    orders.set(epoch, order);
    return order;
  };
  const coming = new Map<number, Promise<Result<Batch>>>();
  const request = (place: number): Promise<Result<Batch>> => {
    const [epoch, index] = [Math.floor(place / perEpoch), place % perEpoch];
    const which = orderOf(epoch).slice(index * batch, (index + 1) * batch);
    const made = assemble(samples, plan, rows, { epoch, index, which });
    // Whoever awaits it hears of a failure; nobody else needs to.
    made.catch(() => undefined);
    return made;
  };
  return (epoch, index) => {
    const place = epoch * perEpoch + index;
    const wanted = coming.get(place) ?? request(place);
    for (const other of coming.keys()) if (other <= place || other > place + rows.ahead) coming.delete(other);
    for (let next = place + 1; next <= place + rows.ahead; next++)
      if (!coming.has(next)) coming.set(next, request(next));
    return wanted;
  };
}

interface Place {
  readonly epoch: number;
  readonly index: number;
  readonly which: readonly number[];
}

async function assemble(
  samples: Samples,
  plan: RowPlan,
  rows: RowMaker,
  { epoch, index, which }: Place,
): Promise<Result<Batch>> {
  const batch = which.length;
  const size = sizeOf(samples);
  const values = new Float32Array(batch * size);
  const parts = await Promise.all(
    inPairs(batch).map(async (places) => {
      const wanted = places.map((row) => ({ sample: which[row], path: samples.pathOf(which[row]) }));
      const made = await rows.make({ epoch, index, rows: wanted });
      if (made.ok)
        places.forEach((row, i) => values.set(made.value.subarray(i * size, (i + 1) * size), row * size));
      return made;
    }),
  );
  const failed = parts.find((part) => !part.ok);
  if (failed && !failed.ok) return failed;
  const labels = Int32Array.from(which, samples.labelOf);
  const mix = mixOf(plan, epoch, index);
  return good({
    ...tensorsOf(samples, values, labels),
    mixed: mix && {
      other: { dtype: "i32", dims: [batch], data: labels.toReversed() },
      share: { dtype: "f32", dims: [batch], data: new Float32Array(batch).fill(mix.share) },
    },
    count: batch,
  });
}

/** Rows of a batch in groups, partners side by side: the first and the last, the second and the last but one, … */
function inPairs(batch: number): number[][] {
  const order = Array.from({ length: batch }, (_, i) => (i % 2 === 0 ? i / 2 : batch - 1 - (i - 1) / 2));
  return Array.from({ length: Math.ceil(batch / mostRows) }, (_, i) =>
    order.slice(i * mostRows, (i + 1) * mostRows),
  );
}

/** All samples in order, the last batch filled up. The next is read while the one before is used. */
export async function* evaluationBatches(samples: Samples, batch: number): AsyncGenerator<Result<Batch>> {
  let next: Promise<Result<Batch>> | null = null;
  for (let at = 0; at < samples.count; at += batch) {
    const current = next ?? evaluationBatch(samples, at, batch);
    next = at + batch < samples.count ? evaluationBatch(samples, at + batch, batch) : null;
    next?.catch(() => undefined);
    yield current;
  }
}

async function evaluationBatch(samples: Samples, at: number, batch: number): Promise<Result<Batch>> {
  const count = Math.min(batch, samples.count - at);
  const which = Array.from({ length: batch }, (_, i) => at + Math.min(i, count - 1));
  const values = new Float32Array(batch * sizeOf(samples));
  const labels = new Int32Array(batch);
  const done = await fill(samples, which, values, labels);
  return done.ok ? good({ ...tensorsOf(samples, values, labels), mixed: null, count }) : done;
}

function tensorsOf({ shape }: Samples, values: Float32Array, labels: Int32Array) {
  return {
    values: { dtype: "f32", dims: [labels.length, ...shape], data: values },
    labels: { dtype: "i32", dims: [labels.length], data: labels },
  } as const;
}
