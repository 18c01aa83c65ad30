/** Elaborates a spec file of the project for tests. */
import { existsSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { Diagnostics } from "../../src/diagnostics/diagnostic.ts";
import { elaborateFile } from "../../src/elaborate/elaborate.ts";
import type { Host } from "../../src/host.ts";
import { isUnsolved, type Model } from "../../src/model/model.ts";
import { solveModel } from "../../src/solve/solve.ts";

const read = (path: string): string | undefined =>
  existsSync(path) ? readFileSync(path, "utf8") : undefined;

/** The project's files and standard library; `extra` holds files that exist in the test only. */
export function testHost(extra: Readonly<Record<string, string>> = {}): Host {
  return {
    readText: (path) => extra[path] ?? read(path),
    readStd: (name) => read(`src/${name}.lips`),
    resolve: (from, relative) => normalize(join(dirname(from), relative)),
  };
}

/** The models of a file, solved where a number is left to their claims; mistakes in it fail the test. */
export function modelsOf(
  path: string,
  set: Readonly<Record<string, string>> = {},
  extra: Readonly<Record<string, string>> = {},
): Model[] {
  const diagnostics = new Diagnostics();
  const { models } = elaborateFile(testHost(extra), path, diagnostics, { set });
  const errors = diagnostics.all.filter((d) => d.severity === "error");
  if (errors.length > 0) throw new Error(errors.map((d) => `${d.code} ${d.message}`).join("\n"));
  return models.map((model) => (isUnsolved(model) ? solvedModel(path, set, extra, model) : model));
}

function solvedModel(
  path: string,
  set: Readonly<Record<string, string>>,
  extra: Readonly<Record<string, string>>,
  model: Model,
): Model {
  const outcome = solveModel(testHost(extra), path, set, model);
  if (outcome.kind !== "found") throw new Error(`${model.name}: ${outcome.kind}`);
  return outcome.model;
}

export function modelOf(
  path: string,
  name: string,
  set: Readonly<Record<string, string>> = {},
  extra: Readonly<Record<string, string>> = {},
): Model {
  const model = modelsOf(path, set, extra).find((m) => m.name === name);
  if (!model) throw new Error(`${path} has no model ${name}`);
  return model;
}
