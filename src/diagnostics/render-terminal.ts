/** Diagnostics for people: a sentence, the place with the line underlined, what belongs to it, help and fixes. */
import { lineText, positionAt, type SourceFile, type Span } from "../text/source.ts";
import type { Diagnostic, Severity } from "./diagnostic.ts";
import { fold, harmless, showLine } from "./display-width.ts";

/** The text of a file that spans point into; undefined where it is not known (then no line is shown). */
export type SourceOf = (file: string) => SourceFile | undefined;

export interface TerminalOptions {
  /** ANSI colours; off by default. */
  color?: boolean;
  /** Columns of the terminal; 110 by default. */
  width?: number;
  /** Whether sentences are broken at `width`, for eyes: elsewhere a sentence is a line, for tools. */
  folded?: boolean;
}

const relatedLimit = 8;
const styles = {
  error: "1;31",
  warning: "1;33",
  hint: "1;36",
  bold: "1",
  frame: "34",
  related: "36",
} as const;
type Style = keyof typeof styles;

export function renderTerminal(
  diagnostics: readonly Diagnostic[],
  sourceOf: SourceOf,
  options: TerminalOptions = {},
): string {
  return diagnostics.map((one) => `${renderOne(one, sourceOf, options)}\n`).join("\n");
}

/** `2 errors, 1 warning`; empty where there is nothing to count. */
export function summarize(diagnostics: readonly Diagnostic[]): string {
  const count = (severity: Severity): number => diagnostics.filter((d) => d.severity === severity).length;
  const parts: string[] = [];
  for (const severity of ["error", "warning", "hint"] as const) {
    const n = count(severity);
    if (n > 0) parts.push(`${n} ${severity}${n === 1 ? "" : "s"}`);
  }
  return parts.join(", ");
}

function renderOne(one: Diagnostic, sourceOf: SourceOf, options: TerminalOptions): string {
  const paint = (style: Style, text: string): string =>
    options.color ? `\u001b[${styles[style]}m${text}\u001b[0m` : text;
  const related = one.related.slice(0, relatedLimit);
  const spans = [...(one.span ? [one.span] : []), ...related.map((r) => r.span)];
  const gutter = Math.max(1, ...spans.map((span) => String(lastLine(span, sourceOf)).length));
  const margin = " ".repeat(gutter);
  const limit = Math.max(20, (options.width ?? 110) - gutter - 3);
  /** Lines of a sentence whose first begins after `used` columns; the points of a list hang from their numbers. */
  const sentences = (text: string, used: number, indent: string): string[] =>
    text.split("\n").map((line, i) => {
      if (!options.folded) return line;
      const hanging = /^ *(\d+\. )?/.exec(line)?.[0].length ?? 0;
      return fold(
        line,
        options.width ?? 110,
        i === 0 ? used : indent.length,
        indent + " ".repeat(hanging || 2),
      );
    });
  const code = `${one.severity}[${one.code}]`;
  const message = sentences(harmless(one.message), code.length + 2, "").join("\n");
  const lines = [`${paint(one.severity, code)}${paint("bold", `: ${message}`)}`];

  const frame = (span: Span, first: boolean, message: string, style: Style): void => {
    const source = sourceOf(span.file);
    const arrow = first ? "-->" : ":::";
    const place = source ? positionAt(source, span.start) : null;
    const name = harmless(span.file) + (place ? `:${place.line}:${place.column}` : "");
    if (first || span.file !== one.span?.file) lines.push(`${margin}${paint("frame", arrow)} ${name}`);
    if (!source || !place) {
      if (message !== "") lines.push(`${margin} ${paint("frame", "=")} ${message}`);
      return;
    }
    const last = positionAt(source, Math.max(span.start, span.end - 1)).line;
    lines.push(`${margin} ${paint("frame", "|")}`);
    const sign = first ? "^" : "-";
    const underline = (line: number, start: number, end: number, note: string): void => {
      const shown = showLine(lineText(source, line), start, end, limit);
      const number = String(line).padStart(gutter);
      lines.push(`${paint("frame", `${number} |`)} ${shown.text}`.trimEnd());
      const mark = sign.repeat(shown.width) + (note === "" ? "" : ` ${note}`);
      lines.push(`${margin} ${paint("frame", "|")} ${" ".repeat(shown.from)}${paint(style, mark)}`);
    };
    if (last === place.line) {
      underline(place.line, place.column - 1, place.column - 1 + Math.max(0, span.end - span.start), message);
      return;
    }
    underline(place.line, place.column - 1, lineText(source, place.line).length, "");
    if (last > place.line + 1) lines.push(paint("frame", "..."));
    const text = lineText(source, last);
    const indent = text.length - text.trimStart().length;
    underline(last, indent, positionAt(source, span.end - 1).column, message);
  };

  if (one.span) frame(one.span, true, "", one.severity);
  for (const place of related) frame(place.span, false, harmless(place.message), "related");
  const notes: string[] = [];
  if (one.related.length > related.length) notes.push(`${one.related.length - related.length} more places`);
  if (one.help !== null) notes.push(`help: ${harmless(one.help)}`);
  for (const fix of one.fixes) {
    notes.push(`try: ${harmless(fix.title)}${fix.meaning === "changes" ? " (changes the meaning)" : ""}`);
  }
  if (one.span && notes.length > 0) lines.push(`${margin} ${paint("frame", "|")}`);
  for (const note of notes) {
    const [head, ...rest] = sentences(note, gutter + 3, `${margin}   `);
    lines.push(`${margin} ${paint("frame", "=")} ${head}`);
    for (const line of rest) lines.push(`${margin}   ${line}`);
  }
  return lines.join("\n");
}

function lastLine(span: Span, sourceOf: SourceOf): number {
  const source = sourceOf(span.file);
  return source ? positionAt(source, Math.max(span.start, span.end - 1)).line : 1;
}
