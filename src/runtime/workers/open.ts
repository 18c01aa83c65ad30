/** Chooses where the rows of batches are made. */
import { availableParallelism } from "node:os";
import { applied } from "../data/augment/augment.ts";
import { openPool } from "./pool.ts";
import { hereRows, type RowMaker, type RowPlan } from "./rows.ts";

/** Beyond this many bytes of batches that wait, only one is made ahead. */
const mostWaiting = 256 * 2 ** 20;

/** `workers` threads, or, where that is null, as many as pay; 0: in this thread, between the steps. */
export async function openRows(plan: RowPlan, batch: number, workers: number | null): Promise<RowMaker> {
  const threads = workers ?? defaultWorkers(plan, batch);
  if (threads === 0) return hereRows(plan);
  const bytes = 4 * batch * plan.shape.reduce((a, b) => a * b, 1);
  return openPool(plan, { workers: threads, ahead: 2 * bytes > mostWaiting ? 1 : 2 });
}

/** Pixels of a batch from where on operations on them are worth a thread: some 30 ms of work (docs/engines.md). */
const manyPixels = 2 ** 20;

/**
 * Threads pay where making a batch takes a fair part of a step: for files to decode, and for operations on colours and
 * geometry of many pixels. Other samples are made faster than they are handed over.
 */
function defaultWorkers({ source, shape, augment }: RowPlan, batch: number): number {
  const [height, width] = shape;
  const heavy = applied(augment).some(({ name }) => name === "rand_augment" || name === "color_jitter");
  const worth = source.kind === "files" || (heavy && batch * height * width >= manyPixels);
  return worth ? Math.min(8, Math.max(1, availableParallelism() - 1)) : 0;
}
