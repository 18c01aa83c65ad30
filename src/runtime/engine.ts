/** An engine runs a compiled graph on a device. */
import type { DType, Dims } from "../graph/graph.ts";

/** A tensor on the host: row-major; f32 as Float32Array, i32 as Int32Array, bool as Uint8Array. */
export interface HostTensor {
  readonly dtype: DType;
  readonly dims: Dims;
  readonly data: Float32Array | Int32Array | Uint8Array;
}

export interface Session {
  /** Runs the graph once: all inputs by name in, the outputs by name out. */
  run(feeds: Record<string, HostTensor>): Promise<Record<string, HostTensor>>;
  release(): Promise<void>;
}

export interface Engine {
  /** As the user says it with --engine: `onnxruntime-node`, `onnxruntime-web`, `reference`. */
  readonly name: string;
  /** `CPU, 2 threads`, `WebGPU`, …: always printed with the name. */
  readonly device: string;
  readonly version: string;
}
