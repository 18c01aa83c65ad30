/** `lipsc fmt`: specs in canonical form, in place; with `--check` only which ones aren't. */
import type { Diagnostic } from "../diagnostics/diagnostic.ts";
import { readText, writeWhole } from "../runtime/files.ts";
import { formatSource } from "../syntax/print.ts";
import type { SourceFile } from "../text/source.ts";
import { printDiagnostics } from "./print.ts";

/** The command; gives the exit code: 1 where a file can't be formatted or, with `check`, isn't. */
export function runFormat(files: readonly string[], { check }: { readonly check: boolean }): number {
  const sources = new Map<string, SourceFile>();
  const problems: Diagnostic[] = [];
  const different: string[] = [];
  for (const name of files) {
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
