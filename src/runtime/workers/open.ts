/** Chooses where the rows of batches are made. */
import { availableParallelism } from "node:os";
import { applied } from "../data/augment/augment.ts";
import { openPool } from "./pool.ts";
import { hereRows, type RowMaker, type RowPlan } from "./rows.ts";

/** Beyond this many bytes of batches that wait, only one is made ahead. */
const mostWaiting = 256 * 2 ** 20;

/** `workers` threads, or, where that is null, as many as pay; 0: in this thread, between the steps. */
export async function openRows(plan: RowPlan, batch: number, workers: number | null): Promise<RowMaker> {
  const threads = workers ?? defaultWorkers(plan);
  if (threads === 0) return hereRows(plan);
  const bytes = 4 * batch * plan.shape.reduce((a, b) => a * b, 1);
  return openPool(plan, { workers: threads, ahead: 2 * bytes > mostWaiting ? 1 : 2 });
}

/**
 * Threads pay where making a batch takes a fair part of a step: for files to decode, and for operations on colours and
 * geometry. Samples in memory that are only mirrored and moved are made faster than they are handed over.
 */
function defaultWorkers({ source, augment }: RowPlan): number {
  const heavy =
    source.kind === "files" ||
    applied(augment).some(({ name }) => name === "rand_augment" || name === "color_jitter");
  return heavy ? Math.min(8, Math.max(1, availableParallelism() - 1)) : 0;
}
