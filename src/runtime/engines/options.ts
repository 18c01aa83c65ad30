import { availableParallelism } from "node:os";
import type { Provider } from "../../targets/onnx/emitter.ts";

export interface EngineOptions {
  /** Default: cpu. */
  readonly device?: Provider;
  /** Threads within one operator, on the CPU. Default: one for each core. */
  readonly threads?: number;
}

/** As many threads as there are cores for this process. */
export function cpuThreads(): number {
  return Math.max(1, availableParallelism());
}

/** The first line of what was thrown: native errors carry stacks of C++. */
export function reasonOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.split("\n")[0].trim();
}
