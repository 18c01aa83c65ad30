/**
 * Checkpoints: one safetensors file with weights under their own paths, optimiser state under `optimizer/…`, and the
 * place in the run as metadata. Written to a temporary name first, so that a kill never leaves half a file.
 */
import { createHash } from "node:crypto";
import { closeSync, existsSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from "node:fs";
import { diagnostic } from "../diagnostics/diagnostic.ts";
import type { Model } from "../model/model.ts";
import type { HostTensor } from "./engine.ts";
import { bad, good, missing, type Result } from "./result.ts";
import { readSafetensors, writeSafetensors, type StoredTensor } from "./safetensors.ts";

/** Everything that the rest of a run depends on. */
export interface Checkpoint {
  /** Steps done. */
  readonly step: number;
  /** Sums over the current epoch, for its averages. */
  readonly epochLoss: number;
  readonly epochCorrect: number;
  readonly bestAccuracy: number;
  /** By graph input name: `param/…`, `m/…`, `v/…`. */
  readonly state: ReadonlyMap<string, HostTensor>;
}

/** Identity of a model: SHA-256 of its document without the places in the text. */
export function modelHash(model: Model): string {
  const text = JSON.stringify(model, (key, value: unknown) =>
    key === "span" || key === "calls" || key === "file" || key === "train" ? undefined : value,
  );
  return createHash("sha256").update(text).digest("hex");
}

/** `param/a.weight` → `a.weight`; `m/a.weight` → `optimizer/m/a.weight`. */
function fileName(input: string): string {
  return input.startsWith("param/") ? input.slice("param/".length) : `optimizer/${input}`;
}
function inputName(name: string): string {
  return name.startsWith("optimizer/") ? name.slice("optimizer/".length) : `param/${name}`;
}

export function encodeCheckpoint(model: Model, checkpoint: Checkpoint): Uint8Array {
  const tensors = new Map<string, StoredTensor>();
  for (const [name, t] of checkpoint.state)
    tensors.set(fileName(name), { dtype: "F32", shape: t.dims, data: t.data as Float32Array });
  return writeSafetensors(tensors, {
    format: "lipsc checkpoint 1",
    model: model.name,
    modelHash: modelHash(model),
    step: String(checkpoint.step),
    epochLoss: String(checkpoint.epochLoss),
    epochCorrect: String(checkpoint.epochCorrect),
    bestAccuracy: String(checkpoint.bestAccuracy),
  });
}

/** Reads a checkpoint and checks that every tensor of this model is there, with its shape, and nothing else. */
export function readCheckpoint(
  path: string,
  model: Model,
  expected: ReadonlyMap<string, readonly number[]>,
): Result<Checkpoint> {
  if (!existsSync(path)) return missing(path, "checkpoint");
  const file = readSafetensors(readFileSync(path), path);
  if (!file.ok) return file;
  const { tensors, metadata } = file.value;
  const misfit = (problem: string) => bad(diagnostic("checkpoint-mismatch", null, { path, problem }));
  if (metadata.modelHash !== undefined && metadata.modelHash !== modelHash(model))
    return misfit("it was made from another spec");
  const state = new Map<string, HostTensor>();
  for (const [name, shape] of expected) {
    const t = tensors.get(fileName(name));
    if (!t) return misfit(`\`${fileName(name)}\` is missing`);
    if (t.dtype !== "F32" || t.shape.join() !== shape.join()) {
      return misfit(
        `\`${fileName(name)}\` is ${t.dtype} [${t.shape.join(", ")}], the model has F32 [${shape.join(", ")}]`,
      );
    }
    state.set(name, { dtype: "f32", dims: t.shape, data: t.data as Float32Array });
  }
  const stranger = [...tensors.keys()].find(
    (name) => !expected.has(inputName(name)) && !name.startsWith("optimizer/"),
  );
  if (stranger !== undefined) return misfit(`it holds \`${stranger}\`, which the model doesn't have`);
  const step = Number(metadata.step ?? "0");
  if (!Number.isSafeInteger(step) || step < 0) return misfit(`its step is ${metadata.step}`);
  return good({
    step,
    epochLoss: Number(metadata.epochLoss ?? "0"),
    epochCorrect: Number(metadata.epochCorrect ?? "0"),
    bestAccuracy: Number(metadata.bestAccuracy ?? "0"),
    state,
  });
}

/** Weights only, for inference and for other tools. */
export function encodeWeights(model: Model, state: ReadonlyMap<string, HostTensor>): Uint8Array {
  const tensors = new Map<string, StoredTensor>();
  for (const w of model.weights) {
    const t = state.get(`param/${w.path}`);
    if (t) tensors.set(w.path, { dtype: "F32", shape: t.dims, data: t.data as Float32Array });
  }
  return writeSafetensors(tensors, {
    format: "lipsc weights 1",
    model: model.name,
    modelHash: modelHash(model),
  });
}

/** Writes a file whole or not at all. */
export function writeWhole(path: string, bytes: Uint8Array | string): void {
  const temporary = `${path}.partial`;
  const handle = openSync(temporary, "w");
  const data = typeof bytes === "string" ? new TextEncoder().encode(bytes) : bytes;
  let at = 0;
  while (at < data.length) at += writeSync(handle, data, at);
  fsyncSync(handle);
  closeSync(handle);
  renameSync(temporary, path);
}

/** The first tensor with an entry that isn't a finite number, or null. */
export function findNotFinite(state: ReadonlyMap<string, HostTensor>): string | null {
  for (const [name, t] of state) for (const x of t.data) if (!Number.isFinite(x)) return name;
  return null;
}
