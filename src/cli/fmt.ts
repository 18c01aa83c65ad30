/** `lipsc fmt`: specs in canonical form, in place; with `--check` only which ones aren't. */
import { lstatSync } from "node:fs";
import { join } from "node:path";
import type { Diagnostic } from "../diagnostics/diagnostic.ts";
import { isFolder, listFolder, readText, writeWhole } from "../runtime/files.ts";
import { formatSource } from "../syntax/print.ts";
import type { SourceFile } from "../text/source.ts";
import { printDiagnostics } from "./print.ts";

/** The command; gives the exit code: 1 where a file can't be formatted or, with `check`, isn't. */
export function runFormat(paths: readonly string[], { check }: { readonly check: boolean }): number {
  const sources = new Map<string, SourceFile>();
  const problems: Diagnostic[] = [];
  const different: string[] = [];
  for (const name of paths.flatMap((path) => specsOf(path, problems))) {
    const read = readText(name, "spec");
    if (!read.ok) {
      problems.push(read.problem);
      continue;
    }
    const source = { name, text: read.value };
    sources.set(name, source);
    const { text, diagnostics } = formatSource(source);
    problems.push(...diagnostics);
    if (text === null || text === source.text) continue;
    different.push(name);
    const written = check ? null : writeWhole(name, text);
    if (written && !written.ok) problems.push(written.problem);
    else process.stdout.write(check ? `${name} is not in canonical form\n` : `${name}\n`);
  }
  printDiagnostics(problems, sources);
  if (check && different.length > 0)
    process.stdout.write(`write it with: lipsc fmt ${different.join(" ")}\n`);
  return problems.some(({ severity }) => severity === "error") || (check && different.length > 0) ? 1 : 0;
}

/** A file itself; of a folder all `.lips` files in it and below, but for what npm has installed. */
function specsOf(path: string, problems: Diagnostic[]): string[] {
  if (!isFolder(path)) return [path];
  const listed = listFolder(path);
  if (!listed.ok) {
    problems.push(listed.problem);
    return [];
  }
  const specs = listed.value.files.filter((name) => name.endsWith(".lips"));
  const folders = listed.value.folders.filter((name) => name !== "node_modules");
  // A link may lead back up.
  const below = folders
    .map((name) => join(path, name))
    .filter((folder) => !lstatSync(folder).isSymbolicLink());
  return [...specs.map((name) => join(path, name)), ...below.flatMap((folder) => specsOf(folder, problems))];
}
