/** Cases for PyTorch: the generated files with weights and batches in a folder, run by pytorch.py beside this file. */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findPython } from "../../bench/pytorch.ts";
import type { HostTensor } from "../../src/graph/graph.ts";
import type { Model, TrainConfig } from "../../src/model/model.ts";
import { readSafetensors, writeSafetensors, type StoredTensor } from "../../src/runtime/safetensors.ts";
import { contractOf } from "../../src/targets/pytorch/contract.ts";
import { modelSource } from "../../src/targets/pytorch/module.ts";
import type { SourceFile } from "../../src/text/source.ts";
import { testHost } from "../helpers/elaborated.ts";
import { valueOf } from "../onnx/support.ts";

export const python = findPython();
export const programs = join(import.meta.dirname, "../../src/targets/pytorch/python");

export type Tensors = Readonly<Record<string, HostTensor>>;

/** A folder that is gone when the tests are. */
export function scratch(): { readonly path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), "lipsc-pytorch-"));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

/** The sources of a model's files, read again by name; `extra` holds files that exist in the test only. */
export function sourcesOf(
  model: Model,
  extra: Readonly<Record<string, string>> = {},
): ReadonlyMap<string, SourceFile> {
  const host = testHost(extra);
  const names = new Set([model.span.file, ...model.instances.map((i) => i.span.file)]);
  for (const node of model.nodes) for (const span of [node.span, ...node.calls]) names.add(span.file);
  return new Map(
    [...names].map((name) => {
      const text = name.startsWith("std/") ? host.readStd(name.replace(/\.lips$/, "")) : host.readText(name);
      return [name, { name, text: text ?? "" }];
    }),
  );
}

export function writeCase(
  folder: string,
  model: Model,
  recipe: TrainConfig,
  weights: Tensors,
  feeds: readonly Tensors[],
  sources: ReadonlyMap<string, SourceFile> = sourcesOf(model),
): string {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "model.py"), valueOf(modelSource(model, sources)));
  writeFileSync(join(folder, "recipe.json"), contractOf(model, recipe));
  writeTensors(join(folder, "weights.safetensors"), weights, "param/");
  feeds.forEach((feed, i) => writeTensors(join(folder, `feeds-${i}.safetensors`), feed));
  return folder;
}

export function writeTensors(path: string, tensors: Tensors, prefix = ""): void {
  const stored = Object.entries(tensors).map(([name, { dtype, dims, data }]) => {
    const tensor = { dtype: dtype === "f32" ? "F32" : "I32", shape: dims, data } as StoredTensor;
    return [name.startsWith(prefix) ? name.slice(prefix.length) : name, tensor] as const;
  });
  writeFileSync(path, writeSafetensors(new Map(stored)));
}

/** What a case has found, by name. */
export function outcomeOf(folder: string): ReadonlyMap<string, HostTensor> {
  const path = join(folder, "outcome.safetensors");
  const { tensors } = valueOf(readSafetensors(new Uint8Array(readFileSync(path)), path));
  return new Map(
    [...tensors].map(([name, { shape, data }]) => [
      name,
      { dtype: "f32", dims: shape, data: data as unknown as Float32Array } as const,
    ]),
  );
}

/** Output of a Python program; what it says on failure is the failure. */
export function runPython(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
  cwd?: string,
): string {
  if (python === null) throw new Error("no Python with torch");
  const threads = { OMP_NUM_THREADS: "1", OPENBLAS_NUM_THREADS: "1", PYTHONDONTWRITEBYTECODE: "1" };
  const run = spawnSync(python, args, {
    encoding: "utf8",
    env: { ...process.env, ...threads, ...env },
    ...(cwd === undefined ? {} : { cwd }),
    maxBuffer: 2 ** 26,
  });
  if (run.status !== 0) throw new Error(`${args.join(" ")}\n${run.stdout}\n${run.stderr}`);
  return run.stdout;
}

export function runCases(dtype: "float32" | "float64", mode: string, cases: readonly string[]): string {
  return runPython([join(import.meta.dirname, "pytorch.py"), programs, dtype, mode, ...cases]);
}
