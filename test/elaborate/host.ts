/** A host for tests: files from memory, the standard library from src/std, other files from the project. */
import { existsSync, readFileSync } from "node:fs";
import { posix, resolve } from "node:path";
import type { Host } from "../../src/host.ts";
import { Diagnostics } from "../../src/diagnostics/diagnostic.ts";
import { elaborateFile, type ElaborateOptions } from "../../src/elaborate/elaborate.ts";
import type { Model } from "../../src/model/model.ts";

const root = resolve(import.meta.dirname, "../..");

export function hostOf(files: Readonly<Record<string, string>> = {}): Host {
  const read = (path: string): string | undefined =>
    existsSync(path) ? readFileSync(path, "utf8") : undefined;
  return {
    readText: (path) => files[path] ?? read(resolve(root, path)),
    readStd: (name) => read(resolve(root, "src", `${name}.lips`)),
    resolve: (from, relative) => posix.normalize(posix.join(posix.dirname(from), relative)),
  };
}

export interface Result {
  readonly models: Model[];
  readonly diagnostics: Diagnostics;
  /** `LIPS0103 unknown-name` and so on, in order. */
  readonly names: string[];
  readonly messages: string[];
}

/** Elaborates a source that stands in `main.lips`, with other files beside it. */
export function elaborate(
  source: string,
  files: Record<string, string> = {},
  options: ElaborateOptions = {},
): Result {
  return run(hostOf({ "main.lips": source, ...files }), "main.lips", options);
}

/** Elaborates a file of the project. */
export function elaborateAt(path: string, options: ElaborateOptions = {}): Result {
  return run(hostOf(), path, options);
}

function run(host: Host, path: string, options: ElaborateOptions): Result {
  const diagnostics = new Diagnostics();
  const { models } = elaborateFile(host, path, diagnostics, options);
  return {
    models,
    diagnostics,
    names: diagnostics.all.map((d) => d.name),
    messages: diagnostics.all.map((d) => `${d.code} ${d.message}`),
  };
}

/** The only model of a source without errors. */
export function modelOf(
  source: string,
  files: Record<string, string> = {},
  options: ElaborateOptions = {},
): Model {
  const result = elaborate(source, files, options);
  const errors = result.diagnostics.all.filter((d) => d.severity === "error");
  if (errors.length > 0 || result.models.length !== 1) {
    throw new Error(`expected one model: ${result.messages.join("\n") || `${result.models.length} models`}`);
  }
  return result.models[0];
}

export function parametersOf(model: Model): number {
  const trained = model.weights.filter((w) => w.role !== "statistic");
  return trained.reduce((sum, w) => sum + w.shape.reduce((a, b) => a * b, 1), 0);
}

export function modelNamed(result: Result, name: string): Model {
  const model = result.models.find((m) => m.name === name);
  if (!model) throw new Error(`no model ${name}: ${result.messages.join("\n")}`);
  return model;
}
