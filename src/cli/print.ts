/** Diagnostics on the terminal: to standard error, in colour where it is one. */
import type { Diagnostic } from "../diagnostics/diagnostic.ts";
import { renderTerminal, summarize } from "../diagnostics/render-terminal.ts";
import { isLive } from "../runtime/progress.ts";
import type { SourceFile } from "../text/source.ts";

/** Prints errors and warnings with their places, and counts them. */
export function printDiagnostics(
  diagnostics: readonly Diagnostic[],
  sources: ReadonlyMap<string, SourceFile>,
): void {
  if (diagnostics.length === 0) return;
  const text = renderTerminal(diagnostics, (file) => sources.get(file), {
    color: wantsColor(process.stderr),
    width: columns(process.stderr),
    folded: isLive(process.stderr),
  });
  process.stderr.write(`${text}\n${summarize(diagnostics)}\n`);
}

/** Colours only on a terminal that knows them, and never where NO_COLOR is set (no-color.org; `--no-color` sets it). */
export function wantsColor(stream: { readonly isTTY?: boolean }): boolean {
  return isLive(stream) && !process.env.NO_COLOR;
}

/** Columns of the terminal, at most 120 and at least 60; without one what COLUMNS says, or 100. */
export function columns(stream: { readonly columns?: number }): number {
  return Math.min(120, Math.max(60, stream.columns ?? (Number(process.env.COLUMNS) || 100)));
}
