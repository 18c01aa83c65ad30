/** Trained weights on the command line: a run folder, or a spec with a weights file. */
import { existsSync } from "node:fs";
import { diagnostic, type Diagnostic } from "../diagnostics/diagnostic.ts";
import { buildInferenceGraph } from "../graph/inference.ts";
import { unconstrained } from "../measure/effective.ts";
import type { Model } from "../model/model.ts";
import type { Engine, HostTensor, Session } from "../runtime/engine.ts";
import { openEngine } from "../runtime/engines/select.ts";
import { engineRequest } from "./engine-options.ts";
import { readCheckpoint } from "../runtime/checkpoint.ts";
import { isFolder, seen } from "../runtime/files.ts";
import { notRunnable } from "../runtime/prepare.ts";
import { bad, good, missing, type Result } from "../runtime/result.ts";
import { readRecord, runFolder } from "../runtime/run-folder.ts";
import type { Provider } from "../targets/onnx/emitter.ts";
import type { SourceFile } from "../text/source.ts";
import { nodeHost } from "./host-node.ts";
import { loadModel, type Loaded } from "./load.ts";
import { fact } from "./report/table.ts";

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
  readonly classNames: readonly string[] | null;
  /** As in Place. */
  readonly changes: readonly string[];
}

export interface Opened {
  readonly trained: Trained | null;
  /** Errors where there is nothing; else what is worth knowing, such as another engine than the usual one. */
  readonly problems: readonly Diagnostic[];
  readonly sources: ReadonlyMap<string, SourceFile>;
}

/** Opens weights and an inference session for them, at most `largestBatch` samples at a time. */
export async function openTrained(options: TrainedOptions, largestBatch: number): Promise<Opened> {
  const where = locate(options);
  if (!where.ok) return { trained: null, problems: [where.problem], sources: new Map() };
  const { model, diagnostics, sources } = loadPlace(where.value);
  if (!model) return { trained: null, problems: diagnostics, sources };
  const engine = await openEngine(engineRequest(options));
  if (!engine.ok) return { trained: null, problems: [engine.problem], sources };
  const batch = Math.min(largestBatch, where.value.batch);
  const opened = await open(model, { ...where.value, batch }, engine.value);
  return opened.ok
    ? { trained: opened.value, problems: [...toldOf(where.value), ...engine.notes], sources }
    : { trained: null, problems: [opened.problem], sources };
}

/** Where spec and weights of a command are: what a run's folder says, or the command line. */
export interface Place {
  readonly file: string;
  readonly weights: string;
  readonly model: string | null;
  readonly set: Record<string, string>;
  readonly data: string | null;
  readonly classNames: readonly string[] | null;
  readonly batch: number;
  /** The weights are effective ones: the model is the spec's without its constraints. */
  readonly writtenOut: boolean;
  /** `--set key=value` that the run was made without: its weights in a changed model. */
  readonly changes: readonly string[];
}

/** What to tell of a place whose model isn't the one that its weights were trained in. */
export function toldOf({ weights, changes }: Place): readonly Diagnostic[] {
  return changes.length === 0 ? [] : [diagnostic("changed-model", null, { path: weights, changes })];
}

/** Whose weights a place takes. */
export function weightsFrom({ changes }: Place): "model" | "any" {
  return changes.length === 0 ? "model" : "any";
}

/** The model of a place: the spec's, without constraints where they were written out. */
export function loadPlace({ file, model, set, writtenOut }: Place): Loaded {
  const loaded = loadModel(nodeHost, file, model, set);
  return loaded.model && writtenOut ? { ...loaded, model: unconstrained(loaded.model) } : loaded;
}

export function locate(options: Pick<TrainedOptions, "path" | "weights" | "model" | "set">): Result<Place> {
  const { path } = options;
  if (!existsSync(path)) return missing(path, "run folder or spec");
  if (!isFolder(path)) {
    if (options.weights === null) {
      return bad(
        diagnostic("run-option", null, {
          option: "--weights",
          problem: `\`${path}\` is a spec: say which weights, or name a run folder`,
        }),
      );
    }
    return good({ ...placeOfSpec(path, options.model, options.set), weights: options.weights });
  }
  const folder = runFolder(path);
  const record = readRecord(folder);
  if (!record.ok) return record;
  const weights = options.weights ?? [folder.weights, folder.checkpoint].find((p) => existsSync(p));
  if (weights === undefined) return bad(diagnostic("no-weights-yet", null, { path }));
  const { recipe, ...kept } = record.value;
  const set = { ...kept.set, ...options.set };
  const { batch } = recipe;
  const writtenOut = kept.writtenOut === true;
  const changes = Object.entries(options.set)
    .filter(([key, value]) => kept.set[key] !== value)
    .map(([key, value]) => `${key}=${value}`);
  const [file, named] = [seen(kept.file), options.model ?? kept.model];
  return good({ ...kept, file, weights, model: named, set, batch, writtenOut, changes });
}

/** A spec by itself. */
export function placeOfSpec(file: string, model: string | null, set: Record<string, string>): Place {
  return {
    file,
    weights: "",
    model,
    set,
    data: null,
    classNames: null,
    batch: 128,
    writtenOut: false,
    changes: [],
  };
}

async function open(model: Model, place: Place, engine: Engine): Promise<Result<Trained>> {
  const problem = notRunnable(model);
  if (problem) return bad(problem);
  const { weights: weightsPath, data, classNames, batch } = place;
  const shapes = new Map(model.weights.map((w) => [`param/${w.path}`, w.shape]));
  const checkpoint = readCheckpoint(weightsPath, model, shapes, weightsFrom(place));
  if (!checkpoint.ok) return checkpoint;
  const graph = buildInferenceGraph(model, { batch });
  if (!graph.ok) return graph;
  const session = await engine.open(graph.value);
  if (!session.ok) return session;
  return good({
    model,
    weightsPath,
    weights: checkpoint.value.state,
    engine,
    session: session.value,
    batch,
    data,
    classNames,
    changes: place.changes,
  });
}

/** What runs, with which weights, and where: the head of what eval and predict print. */
export function headOf({ model, weightsPath, engine }: Trained): string {
  return (
    fact("model", `${model.name} (${weightsPath})`) +
    fact("engine", `${engine.name} ${engine.version} on ${engine.device}`)
  );
}
