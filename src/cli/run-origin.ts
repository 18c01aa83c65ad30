/** What a training command is about: a spec as given, or a run to go on with, which keeps what it was begun with. */
import { resolve } from "node:path";
import { diagnostic, type Diagnostic } from "../diagnostics/diagnostic.ts";
import type { Model } from "../model/model.ts";
import { modelHash } from "../runtime/checkpoint.ts";
import type { Samples } from "../runtime/data/samples.ts";
import { seen } from "../runtime/files.ts";
import { bad, good, type Result } from "../runtime/result.ts";
import { readRecord, runFolder, type RunFolder } from "../runtime/run-folder.ts";
import type { RunRecord } from "../runtime/run-record.ts";
import type { EngineFlags } from "./engine-options.ts";
import type { TrainOptions } from "./train.ts";

export interface Origin {
  readonly file: string;
  readonly model: string | null;
  readonly set: Readonly<Record<string, string>>;
  readonly data: string | null;
  readonly engine: EngineFlags;
  /** The run to go on with; null for a new one. */
  readonly run: { readonly folder: RunFolder; readonly record: RunRecord } | null;
}

export function originOf(options: TrainOptions): Result<Origin> {
  const { file, model, set, data, engine, device, threads } = options;
  if (options.resume !== null) return resumed(options, runFolder(options.resume));
  // The command line has one of the two: see run-commands.ts.
  return good({ file: file ?? "", model, set, data, engine: { engine, device, threads }, run: null });
}

/** The command line may repeat what the run was begun with, and say where spec and data lie now. */
function resumed(options: TrainOptions, folder: RunFolder): Result<Origin> {
  const read = readRecord(folder);
  if (!read.ok) return read;
  const record = read.value;
  const { recipe } = record;
  if (record.writtenOut) {
    const problem = "its weights are what constraints made of another run's: go on with that one";
    return bad(diagnostic("run-option", null, { option: "--resume", problem }));
  }
  const pairs: readonly (readonly [option: string, given: unknown, before: unknown])[] = [
    ["--out", options.out === null ? null : resolve(options.out), resolve(folder.path)],
    ["--model", options.model, record.model],
    ["--epochs", options.epochs, recipe.epochs],
    ["--batch", options.batch, recipe.batch],
    ["--seed", options.seed, recipe.seed],
    ["--lr", options.lr, recipe.optimizer.args.lr],
    ["--engine", options.engine, record.engine],
    ["--device", options.device, record.provider ?? "cpu"],
    ...Object.entries(options.set).map(([key, value]) => [`--set ${key}`, value, record.set[key]] as const),
  ];
  const differing = pairs.find(([, given, before]) => given !== null && given !== before);
  if (differing) {
    const [option, given, before] = differing;
    const begun = before === undefined || before === null ? "without it" : `with ${String(before)}`;
    const problem = `the run was begun ${begun}, it can't go on with ${String(given)}; begin a new run for that`;
    return bad(diagnostic("run-option", null, { option, problem }));
  }
  return good({
    file: options.file ?? seen(record.file),
    model: record.model,
    set: record.set,
    data: options.data ?? record.data,
    engine: {
      engine: record.engine,
      device: record.provider,
      threads: options.threads ?? record.threads,
    },
    run: { folder, record },
  });
}

/** What is no longer as it was when the run began: the spec, or the data. */
export function changedSince(
  { folder, record }: NonNullable<Origin["run"]>,
  model: Model,
  train: Samples,
): Diagnostic | null {
  const { path } = folder;
  if (record.modelHash !== modelHash(model))
    return diagnostic("run-changed", null, {
      path,
      what: `the spec \`${seen(record.file)}\` was changed since it began`,
    });
  if (record.samples === train.count) return null;
  const what = `${train.name} holds ${train.count} samples, it was begun with ${record.samples}`;
  return diagnostic("run-changed", null, { path, what });
}
