/** Diagnostics as plain data, as `--format json` prints them. */
import { positionAt, type Position, type Span } from "../text/source.ts";
import type { Diagnostic, Severity } from "./diagnostic.ts";
import type { SourceOf } from "./render-terminal.ts";

export interface JsonRange {
  readonly start: Position;
  /** Just behind the last character. */
  readonly end: Position;
}

export interface JsonDiagnostic {
  readonly code: string;
  readonly severity: Severity;
  readonly message: string;
  readonly help: string | null;
  /** null: about the whole command. */
  readonly file: string | null;
  /** Lines and columns count from 1, columns in UTF-16 units; null where the file's text is not known. */
  readonly range: JsonRange | null;
}

export function renderJson(diagnostics: readonly Diagnostic[], sourceOf: SourceOf): JsonDiagnostic[] {
  return diagnostics.map(({ code, severity, message, help, span }) => ({
    code,
    severity,
    message,
    help,
    file: span?.file ?? null,
    range: span ? rangeOf(span, sourceOf) : null,
  }));
}

export function rangeOf(span: Span, sourceOf: SourceOf): JsonRange | null {
  const source = sourceOf(span.file);
  return source ? { start: positionAt(source, span.start), end: positionAt(source, span.end) } : null;
}
