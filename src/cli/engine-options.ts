/** --engine, --device and --threads, as the runtime wants them. */
import type { EngineRequest } from "../runtime/engines/select.ts";
import type { Provider } from "../targets/onnx/emitter.ts";

export interface EngineFlags {
  readonly engine: string | null;
  readonly device: Provider | null;
  readonly threads: number | null;
}

/** What wasn't given stays out, so that the engine's own defaults hold. */
export function engineRequest(flags: EngineFlags): EngineRequest {
  return {
    ...(flags.engine === null ? {} : { engine: flags.engine }),
    ...(flags.device === null ? {} : { device: flags.device }),
    ...(flags.threads === null ? {} : { threads: flags.threads }),
  };
}
