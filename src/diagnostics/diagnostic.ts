import type { Span } from "../text/source.ts";
import { table, type DiagnosticName, type ParamsOf, type Row } from "./table.ts";

export type Severity = "error" | "warning" | "hint";

/** A replacement of text that would mend the mistake. `meaning: "changes"` is never applied without being asked for. */
export interface Fix {
  readonly title: string;
  readonly edits: readonly { readonly span: Span; readonly text: string }[];
  readonly meaning: "keeps" | "changes";
}

export interface Related {
  readonly span: Span;
  readonly message: string;
}

export interface Diagnostic {
  /** `LIPS0103`: stable, never used again for something else. */
  readonly code: string;
  readonly name: DiagnosticName;
  readonly severity: Severity;
  readonly message: string;
  readonly help: string | null;
  /** null: about the whole command (a missing file, say). */
  readonly span: Span | null;
  readonly related: readonly Related[];
  readonly fixes: readonly Fix[];
}

export interface Extra {
  related?: Related[];
  fixes?: Fix[];
  /** In place of the table's help text, where the place knows better. */
  help?: string;
}

interface TypedRow<P> extends Omit<Row, "message" | "help"> {
  readonly message: (params: P) => string;
  readonly help?: (params: P) => string | null;
}

/** Makes one diagnostic. A name or a parameter that is not in the table does not type-check. */
export function diagnostic<N extends DiagnosticName>(
  name: N,
  span: Span | null,
  params: ParamsOf<N>,
  extra: Extra = {},
): Diagnostic {
  // The table types each row's parameters by itself; here they are those of this one row.
  const row = table[name] as Row as TypedRow<ParamsOf<N>>;
  const help = extra.help ?? row.help?.(params) ?? null;
  return {
    code: row.code,
    name,
    severity: row.severity,
    message: row.message(params),
    help,
    span,
    related: extra.related ?? [],
    fixes: extra.fixes ?? [],
  };
}

/** Where diagnostics are raised: as values, in order, the same one (code, place, message) once. */
export class Diagnostics {
  readonly all: Diagnostic[] = [];
  private readonly seen = new Set<string>();

  report<N extends DiagnosticName>(name: N, span: Span | null, params: ParamsOf<N>, extra?: Extra): void {
    this.add(diagnostic(name, span, params, extra));
  }

  add(one: Diagnostic): void {
    const key = `${one.code}|${one.span?.file}|${one.span?.start}|${one.span?.end}|${one.message}`;
    if (this.seen.has(key)) return;
    this.seen.add(key);
    this.all.push(one);
  }

  get hasErrors(): boolean {
    return this.all.some((d) => d.severity === "error");
  }
}
