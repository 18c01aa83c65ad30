/** Diagnostics as workflow commands of GitHub Actions: they show up beside the lines of a pull request. */
import type { Diagnostic } from "./diagnostic.ts";
import { rangeOf } from "./render-json.ts";
import type { SourceOf } from "./render-terminal.ts";

const commands = { error: "error", warning: "warning", hint: "notice" } as const;

export function renderGithub(diagnostics: readonly Diagnostic[], sourceOf: SourceOf): string {
  return diagnostics.map((one) => `${renderCommand(one, sourceOf)}\n`).join("");
}

function renderCommand(one: Diagnostic, sourceOf: SourceOf): string {
  const properties: [string, string | number][] = [];
  if (one.span) {
    properties.push(["file", one.span.file]);
    const range = rangeOf(one.span, sourceOf);
    if (range) {
      properties.push(["line", range.start.line], ["endLine", range.end.line]);
      // Columns are only understood for a place within one line.
      if (range.start.line === range.end.line)
        properties.push(["col", range.start.column], ["endColumn", range.end.column]);
    }
  }
  properties.push(["title", `${one.code} ${one.name}`]);
  const text = one.help === null ? one.message : `${one.message}\nhelp: ${one.help}`;
  const list = properties.map(([key, value]) => `${key}=${escapeProperty(String(value))}`).join(",");
  return `::${commands[one.severity]} ${list}::${escapeData(text)}`;
}

function escapeData(text: string): string {
  return text.replaceAll("%", "%25").replaceAll("\r", "%0D").replaceAll("\n", "%0A");
}

function escapeProperty(text: string): string {
  return escapeData(text).replaceAll(":", "%3A").replaceAll(",", "%2C");
}
