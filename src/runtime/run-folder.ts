/** The folder of a run: config.json, metrics.jsonl, checkpoint.safetensors, model.safetensors. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { diagnostic } from "../diagnostics/diagnostic.ts";
import { makeFolder, readText, tryFolder, writeWhole } from "./files.ts";
import { bad, damaged, good, missing, type Result } from "./result.ts";
import { misfitOf, type RunRecord } from "./run-record.ts";

export interface RunFolder {
  readonly path: string;
  readonly config: string;
  readonly metrics: string;
  readonly checkpoint: string;
  readonly weights: string;
}

export function runFolder(path: string): RunFolder {
  return {
    path,
    config: join(path, "config.json"),
    metrics: join(path, "metrics.jsonl"),
    checkpoint: join(path, "checkpoint.safetensors"),
    weights: join(path, "model.safetensors"),
  };
}

/** A folder for a new run, where files can be written: the one asked for, which must not hold a run yet, or runs/<model>-1, -2, … */
export function newFolder(asked: string | null, model: string): Result<RunFolder> {
  if (asked !== null) {
    const { path, ...files } = runFolder(asked);
    const taken = Object.values(files).some((file) => existsSync(file));
    return taken ? bad(diagnostic("run-exists", null, { path })) : writable(asked);
  }
  const base = model.replace(/([a-z0-9])([A-Z])/g, "$1-$2").toLowerCase();
  let number = 1;
  while (existsSync(join("runs", `${base}-${number}`))) number++;
  return writable(join("runs", `${base}-${number}`));
}

/** Found before minutes of work, which a folder that can't be written would waste. */
function writable(path: string): Result<RunFolder> {
  const tried = tryFolder(path);
  return tried.ok ? good(runFolder(path)) : tried;
}

export function createFolder(folder: RunFolder, record: RunRecord): Result<void> {
  const made = makeFolder(folder.path);
  return made.ok ? writeWhole(folder.config, JSON.stringify(record, null, 2) + "\n") : made;
}

const whole = "copy the whole folder of the run again, or begin a new run";

export function readRecord(folder: RunFolder): Result<RunRecord> {
  if (!existsSync(folder.path)) return missing(folder.path, "run folder");
  if (!existsSync(folder.config)) return bad(diagnostic("not-a-run", null, { path: folder.path }));
  const text = readText(folder.config, "run configuration");
  if (!text.ok) return text;
  let document: unknown;
  try {
    document = JSON.parse(text.value);
  } catch {
    return damaged(folder.config, "it is not JSON", whole);
  }
  const problem = misfitOf(document);
  return problem === null ? good(document as RunRecord) : damaged(folder.config, problem, whole);
}
