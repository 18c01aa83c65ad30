/** What the main thread and its workers say to each other. */
import type { Diagnostic } from "../../diagnostics/diagnostic.ts";
import type { RowPlan, RowTask } from "./rows.ts";

/** Given to a worker at its start. */
export interface WorkerStart {
  readonly plan: RowPlan;
  /** One number in shared memory: not 0 once what is still queued is wanted no more. */
  readonly stop: Int32Array;
}

export type ToWorker = { readonly id: number; readonly task: RowTask } | "close";

export type FromWorker =
  | { readonly id: number; readonly values: Float32Array<ArrayBuffer> }
  | { readonly id: number; readonly problem: Diagnostic };
