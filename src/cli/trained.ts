/** Trained weights on the command line: a run folder, or a spec with a weights file. */
import { existsSync, statSync } from "node:fs";
import { diagnostic, type Diagnostic } from "../diagnostics/diagnostic.ts";
import { buildInferenceGraph } from "../graph/inference.ts";
import type { Model } from "../model/model.ts";
import type { Engine, HostTensor, Session } from "../runtime/engine.ts";
import { openEngine } from "../runtime/engines/select.ts";
import { engineRequest } from "./engine-options.ts";
import { readCheckpoint } from "../runtime/checkpoint.ts";
import { bad, good, missing, type Result } from "../runtime/result.ts";
import { readRecord, runFolder } from "../runtime/run-folder.ts";
import type { Provider } from "../targets/onnx/emitter.ts";
import type { SourceFile } from "../text/source.ts";
import { nodeHost } from "./host-node.ts";
import { loadModel } from "./load.ts";

export interface TrainedOptions {
  /** A run folder, or a spec file (then `weights` says which weights). */
  readonly path: string;
  readonly weights: string | null;
  readonly model: string | null;
  readonly set: Record<string, string>;
  readonly engine: string | null;
  readonly device: Provider | null;
  readonly threads: number | null;
}

export interface Trained {
  readonly model: Model;
  readonly weightsPath: string;
  readonly weights: ReadonlyMap<string, HostTensor>;
  readonly engine: Engine;
  readonly session: Session;
  readonly batch: number;
  /** Data of the run, as given with --data then. */
  readonly data: string | null;
}

export interface Opened {
  readonly trained: Trained | null;
  readonly problems: readonly Diagnostic[];
  readonly sources: ReadonlyMap<string, SourceFile>;
}

/** Opens weights and an inference session for them, at most `largestBatch` samples at a time. */
export async function openTrained(options: TrainedOptions, largestBatch: number): Promise<Opened> {
  const where = locate(options);
  if (!where.ok) return { trained: null, problems: [where.problem], sources: new Map() };
  const { file, weights: path, data } = where.value;
  const loaded = loadModel(nodeHost, file, where.value.model, where.value.set);
  if (!loaded.model) return { trained: null, problems: loaded.diagnostics, sources: loaded.sources };
  const opened = await open(loaded.model, path, data, options, Math.min(largestBatch, where.value.batch));
  return opened.ok
    ? { trained: opened.value, problems: [], sources: loaded.sources }
    : { trained: null, problems: [opened.problem], sources: loaded.sources };
}

interface Place {
  readonly file: string;
  readonly weights: string;
  readonly model: string | null;
  readonly set: Record<string, string>;
  readonly data: string | null;
  readonly batch: number;
}

function locate(options: TrainedOptions): Result<Place> {
  const { path } = options;
  if (!existsSync(path)) return missing(path, "run folder or spec");
  if (!statSync(path).isDirectory()) {
    if (options.weights === null) {
      return bad(
        diagnostic("run-option", null, {
          option: "--weights",
          problem: `\`${path}\` is a spec: say which weights, or name a run folder`,
        }),
      );
    }
    return good({
      file: path,
      weights: options.weights,
      model: options.model,
      set: options.set,
      data: null,
      batch: 128,
    });
  }
  const folder = runFolder(path);
  const record = readRecord(folder);
  if (!record.ok) return record;
  const weights = options.weights ?? [folder.weights, folder.checkpoint].find((p) => existsSync(p));
  if (weights === undefined) return missing(folder.checkpoint, "checkpoint");
  const { file, model, set, data, recipe } = record.value;
  return good({ file, weights, model, set: { ...set, ...options.set }, data, batch: recipe.batch });
}

async function open(
  model: Model,
  path: string,
  data: string | null,
  options: TrainedOptions,
  batch: number,
): Promise<Result<Trained>> {
  const shapes = new Map(model.weights.map((w) => [`param/${w.path}`, w.shape]));
  const checkpoint = readCheckpoint(path, model, shapes);
  if (!checkpoint.ok) return checkpoint;
  const graph = buildInferenceGraph(model, { batch });
  if (!graph.ok) return graph;
  const engine = await openEngine(engineRequest(options));
  if (!engine.ok) return engine;
  const session = await engine.value.open(graph.value);
  if (!session.ok) return session;
  const weights = checkpoint.value.state;
  return good({
    model,
    weightsPath: path,
    weights,
    engine: engine.value,
    session: session.value,
    batch,
    data,
  });
}
