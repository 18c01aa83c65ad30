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

/** The first line of what was thrown, without the place in the C++ source that a native error begins with. */
export function reasonOf(error: unknown): string {
  const [text] = (error instanceof Error ? error.message : String(error)).split("\n");
  const condition = text.lastIndexOf(" was false. ");
  return (condition < 0 ? text : text.slice(condition + " was false. ".length)).trim();
}
