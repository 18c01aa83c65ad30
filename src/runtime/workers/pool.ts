/** A pool of threads that make rows of batches. Tasks wait in the threads' own ports, so that a busy main thread holds nobody up. */
import { Worker } from "node:worker_threads";
import { shared } from "../data/source.ts";
import { bad, good, type Result } from "../result.ts";
import type { FromWorker, ToWorker, WorkerStart } from "./messages.ts";
import type { RowMaker, RowPlan, RowTask } from "./rows.ts";

/** Beside this file once compiled. Tests, which run the sources, give the compiled one. */
const compiled = new URL("./worker.js", import.meta.url);

/** How long a thread may take over what it has begun when the pool closes, in ms. */
const patience = 5000;

interface Pending {
  readonly resolve: (rows: Result<Float32Array>) => void;
  readonly reject: (cause: Error) => void;
}

interface Member {
  readonly worker: Worker;
  readonly pending: Map<number, Pending>;
}

export async function openPool(
  plan: RowPlan,
  { workers, ahead, entry = compiled }: { workers: number; ahead: number; entry?: URL },
): Promise<RowMaker> {
  // sharp asks to be loaded by the main thread before any other.
  if (plan.source.kind === "files") await import("sharp");
  const stop = new Int32Array(new SharedArrayBuffer(4));
  const start: WorkerStart = { plan: { ...plan, source: shared(plan.source) }, stop };
  const members = Array.from({ length: workers }, () => join(entry, start));
  let tasks = 0;
  return {
    threads: workers,
    ahead,
    make: (task) => {
      const idlest = members.reduce((a, b) => (b.pending.size < a.pending.size ? b : a));
      return send(idlest, tasks++, task);
    },
    close: async () => {
      Atomics.store(stop, 0, 1);
      await Promise.all(members.map(leave));
    },
  };
}

function join(entry: URL, start: WorkerStart): Member {
  const worker = new Worker(entry, { workerData: start, name: "lipsc data" });
  const pending = new Map<number, Pending>();
  const fail = (cause: Error): void => {
    for (const { reject } of pending.values()) reject(cause);
    pending.clear();
  };
  worker.on("message", (answer: FromWorker) => {
    pending.get(answer.id)?.resolve("values" in answer ? good(answer.values) : bad(answer.problem));
    pending.delete(answer.id);
    if (pending.size === 0) worker.unref();
  });
  worker.on("error", fail);
  worker.on("exit", (code) => fail(new Error(`a data worker ended with code ${code}`)));
  // A thread without work keeps no process alive.
  worker.unref();
  return { worker, pending };
}

function send({ worker, pending }: Member, id: number, task: RowTask): Promise<Result<Float32Array>> {
  return new Promise((resolve, reject) => {
    pending.set(id, { resolve, reject });
    worker.ref();
    worker.postMessage({ id, task } satisfies ToWorker);
  });
}

/** Politely, since a thread that is ended within foreign code may take the process with it; by force after a while. */
async function leave({ worker, pending }: Member): Promise<void> {
  pending.clear();
  worker.ref();
  const gone = new Promise<void>((resolve) => worker.once("exit", () => resolve()));
  worker.postMessage("close" satisfies ToWorker);
  const timer = setTimeout(() => void worker.terminate(), patience);
  await gone;
  clearTimeout(timer);
}
