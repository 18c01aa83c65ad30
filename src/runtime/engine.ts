/** An engine runs a compiled graph on a device. */
import type { Graph, HostTensor } from "../graph/graph.ts";
import type { Result } from "./result.ts";

export type { HostTensor } from "../graph/graph.ts";

export interface SessionOptions {
  /**
   * Inputs whose value in the next run is the output of the same name (parameters, moments). They begin as zeros, are
   * set by `write`, stay in the engine's memory from step to step without copies, and are read with `read`.
   */
  readonly carry?: readonly string[];
}

export interface Session {
  /**
   * Runs the graph once: all inputs but the carried ones by name in, all outputs but the carried ones by name out.
   * The outputs' memory belongs to the caller. One run at a time.
   */
  run(feeds: Readonly<Record<string, HostTensor>>): Promise<Record<string, HostTensor>>;
  /** Sets carried inputs: before the first run, and when a run is resumed. The data is copied. */
  write(state: Readonly<Record<string, HostTensor>>): Promise<void>;
  /** Copies of carried inputs as they stand now: all, or those named. */
  read(names?: readonly string[]): Promise<Record<string, HostTensor>>;
  release(): Promise<void>;
}

export interface Engine {
  /** As the user says it with --engine: `onnxruntime-node`, `onnxruntime-web`, `reference`. */
  readonly name: string;
  /** `CPU, 2 threads`, `WebGPU`, …: always printed with the name. */
  readonly device: string;
  readonly version: string;
  /** Prepares a graph to be run; an engine's refusal is a diagnostic. */
  open(graph: Graph, options?: SessionOptions): Promise<Result<Session>>;
}
