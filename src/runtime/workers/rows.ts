/**
 * Makes rows of training batches: reads samples, augments each, mixes pairs. A pure function of plan and task, whichever
 * thread runs it, so that the number of threads never shows in the numbers.
 */
import type { OptionValue } from "../../model/model.ts";
import { augmentation } from "../data/augment/augment.ts";
import { drawMix, mixPair } from "../data/augment/mix.ts";
import type { Frame } from "../data/augment/step.ts";
import { readRow, type Source } from "../data/source.ts";
import { good, type Result } from "../result.ts";
import { Stream } from "../stream.ts";

/** What a run's rows are made from: plain data, given to each thread once. */
export interface RowPlan {
  readonly source: Source;
  readonly shape: readonly number[];
  readonly augment: readonly OptionValue[];
  readonly frame: Frame;
  readonly seed: number;
}

export interface RowTask {
  readonly epoch: number;
  /** Place of the batch in its epoch. */
  readonly index: number;
  /** Partners follow one another; the last of an odd number is its own. */
  readonly rows: readonly { readonly sample: number; readonly path: string | null }[];
}

/** Where rows are made: in this thread or in others. */
export interface RowMaker {
  /** [rows, …shape], rows in the task's order. */
  make(task: RowTask): Promise<Result<Float32Array>>;
  /** Of other threads; 0: rows are made in this one. */
  readonly threads: number;
  /** Batches worth asking for before they are needed; 0: nothing is made in between. */
  readonly ahead: number;
  close(): Promise<void>;
}

/** The second seed of each stream; 1 is the order of an epoch (batches.ts). */
const [ofSample, ofBatch] = [2, 3];

/** How a batch is mixed; null: not at all. */
export function mixOf({ augment, shape, seed }: Omit<RowPlan, "source">, epoch: number, index: number) {
  return drawMix(augment, shape, new Stream(seed, ofBatch, epoch, index));
}

/** Makes the rows of a task. */
export function rowsOf(plan: RowPlan): (task: RowTask) => Promise<Result<Float32Array>> {
  const { source, shape, augment, frame, seed } = plan;
  const size = shape.reduce((a, b) => a * b, 1);
  const change = augmentation(augment, frame);
  return async ({ epoch, index, rows }) => {
    const values = new Float32Array(rows.length * size);
    const images = rows.map((_, i) => values.subarray(i * size, (i + 1) * size));
    const streams = rows.map(({ sample }) => new Stream(seed, ofSample, epoch, sample));
    const read = rows.map((row, i) => readRow(source, row, images[i], shape, streams[i]));
    for (const [i, pending] of read.entries()) {
      const done = pending && (await pending);
      if (done && !done.ok) return done;
      change(images[i], streams[i]);
    }
    const mix = mixOf(plan, epoch, index);
    if (mix) for (let i = 0; i + 1 < images.length; i += 2) mixPair(images[i], images[i + 1], mix, shape);
    return good(values);
  };
}

/** Makes rows in this thread, when they are asked for. */
export function hereRows(plan: RowPlan): RowMaker {
  const make = rowsOf(plan);
  return { make, threads: 0, ahead: 0, close: () => Promise.resolve() };
}
