/** A worker thread: makes the rows it is told to, one task after the other, and hands their memory over. */
import { parentPort, workerData } from "node:worker_threads";
import type { FromWorker, ToWorker, WorkerStart } from "./messages.ts";
import { rowsOf } from "./rows.ts";

const port = parentPort;
if (!port) throw new Error("worker.ts is run as a worker thread, by pool.ts");
const { plan, stop } = workerData as WorkerStart;
const make = rowsOf(plan);

if (plan.source.kind === "files") {
  const { default: sharp } = await import("sharp");
  // The pool is what runs in parallel; what a task leaves behind is never asked for again.
  sharp.concurrency(1);
  sharp.cache(false);
}

let before = Promise.resolve();
port.on("message", (message: ToWorker) => {
  if (message === "close") {
    before = before.then(() => port.close());
    return;
  }
  const { id, task } = message;
  before = before.then(async () => {
    if (Atomics.load(stop, 0) !== 0) return;
    const made = await make(task);
    const answer: FromWorker = made.ok
      ? { id, values: made.value as Float32Array<ArrayBuffer> }
      : { id, problem: made.problem };
    port.postMessage(answer, "values" in answer ? [answer.values.buffer] : []);
  });
});
