/**
 * Checkpoints: one safetensors file with weights under their own paths, optimiser state under `optimizer/…`, and the
 * place in the run as metadata.
 */
import { createHash } from "node:crypto";
import { diagnostic } from "../diagnostics/diagnostic.ts";
import type { Model } from "../model/model.ts";
import type { HostTensor } from "./engine.ts";
import { readBytes } from "./files.ts";
import { bad, good, type Result } from "./result.ts";
import { readSafetensors, writeSafetensors, type StoredTensor } from "./safetensors.ts";

/** Everything that the rest of a run depends on. */
export interface Checkpoint {
  /** Steps done. */
  readonly step: number;
  /** Sums over the current epoch, for its averages. */
  readonly epochLoss: number;
  readonly epochCorrect: number;
  /** By graph input name: `param/…`, `m/…`, `v/…`. */
  readonly state: ReadonlyMap<string, HostTensor>;
}

/** What of a Model is about its text, its training or its claims, and not about the network. */
const aboutIt = ["span", "calls", "file", "train", "instances", "claims", "taps", "solve"];

/** Identity of a network: SHA-256 of its document. A claim that is added after training leaves the weights its own. */
export function modelHash(model: Model): string {
  const text = JSON.stringify(model, (key, value: unknown) => (aboutIt.includes(key) ? undefined : value));
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
  });
}

/** Reads a checkpoint and checks that every tensor of this model is there, with its shape, and nothing else. */
export function readCheckpoint(
  path: string,
  model: Model,
  expected: ReadonlyMap<string, readonly number[]>,
  from: "model" | "any" = "model",
): Result<Checkpoint> {
  const bytes = readBytes(path, "checkpoint");
  return bytes.ok ? decodeCheckpoint(bytes.value, path, model, expected, from) : bytes;
}

/**
 * The same from the file's bytes; `path` is what errors call it. `from`: "any" also takes weights that were trained in
 * another model, as long as they fit.
 */
export function decodeCheckpoint(
  bytes: Uint8Array,
  path: string,
  model: Model,
  expected: ReadonlyMap<string, readonly number[]>,
  from: "model" | "any" = "model",
): Result<Checkpoint> {
  const file = readSafetensors(bytes, path);
  if (!file.ok) return file;
  const { tensors, metadata } = file.value;
  const misfit = (problem: string) => bad(diagnostic("checkpoint-mismatch", null, { path, problem }));
  if (from === "model" && metadata.modelHash !== undefined && metadata.modelHash !== modelHash(model))
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
  const escaped = model.weights.find(({ path: name, range }) => {
    const data = state.get(`param/${name}`)?.data;
    // NaN is in no range.
    return range && data?.some((x) => !(x >= range[0] && x <= range[1]));
  });
  if (escaped) {
    const [low, high] = escaped.range ?? [];
    return misfit(`\`${escaped.path}\` holds a number outside of its declared range [${low}, ${high}]`);
  }
  const broken = findNotFinite(state);
  if (broken !== null) return misfit(`\`${fileName(broken)}\` holds a number that is not finite`);
  const [step, epochLoss, epochCorrect] = ["step", "epochLoss", "epochCorrect"].map((key) =>
    Number(metadata[key] ?? "0"),
  );
  if (!Number.isSafeInteger(step) || step < 0) return misfit(`its step is ${metadata.step}`);
  if (!Number.isFinite(epochLoss) || !Number.isFinite(epochCorrect))
    return misfit("its averages over the epoch are not numbers");
  return good({ step, epochLoss, epochCorrect, state });
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

/** The first tensor with an entry that isn't a finite number, or null. */
export function findNotFinite(state: ReadonlyMap<string, HostTensor>): string | null {
  for (const [name, t] of state) for (const x of t.data) if (!Number.isFinite(x)) return name;
  return null;
}
