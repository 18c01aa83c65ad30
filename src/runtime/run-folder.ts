/** The folder of a run: config.json, metrics.jsonl, checkpoint.safetensors, model.safetensors. */
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { writeWhole } from "./checkpoint.ts";
import { damaged, good, missing, type Result } from "./result.ts";
import type { RunRecord } from "./run-config.ts";

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

/** A folder that isn't there yet: runs/<model>-1, -2, … */
export function freshFolder(model: string): RunFolder {
  const base = model.replace(/([a-z0-9])([A-Z])/g, "$1-$2").toLowerCase();
  let number = 1;
  while (existsSync(join("runs", `${base}-${number}`))) number++;
  return runFolder(join("runs", `${base}-${number}`));
}

export function createFolder(folder: RunFolder, record: RunRecord): void {
  mkdirSync(folder.path, { recursive: true });
  writeWhole(folder.config, JSON.stringify(record, null, 2) + "\n");
}

export function readRecord(folder: RunFolder): Result<RunRecord> {
  if (!existsSync(folder.config)) return missing(folder.config, "run configuration");
  try {
    return good(JSON.parse(readFileSync(folder.config, "utf8")) as RunRecord);
  } catch {
    return damaged(folder.config, "it is not JSON");
  }
}
