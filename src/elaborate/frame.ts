/** Where an expression is evaluated: scope, instance, file, and the way there. */
import type { Extra } from "../diagnostics/diagnostic.ts";
import type { DiagnosticName, ParamsOf } from "../diagnostics/table.ts";
import type { Span } from "../text/source.ts";
import type { ModelBuilder, Sharing } from "./build.ts";
import type { LoadedFile } from "./files.ts";
import type { Instance } from "./instance.ts";
import type { Run } from "./run.ts";
import type { Scope } from "./scope.ts";

export interface Frame {
  readonly run: Run;
  readonly file: LoadedFile;
  readonly scope: Scope;
  /** null at file level, where nothing flows. */
  readonly model: ModelBuilder | null;
  readonly instance: Instance;
  /** Name of the block or model whose body this is, for messages. */
  readonly owner: string;
  /** The names of a block's axes; null outside of blocks. */
  readonly dimensions: readonly string[] | null;
  /** The calls that led here, innermost first. */
  readonly calls: readonly Span[];
  readonly sharing: Sharing | null;
  /** Applications around this one. */
  readonly depth: number;
  /** Loops around, in this body. */
  readonly loops: number;
}

/** Reports a mistake of the model that is being made. */
export function report<N extends DiagnosticName>(
  frame: Frame,
  name: N,
  span: Span,
  params: ParamsOf<N>,
  extra?: Extra,
): void {
  frame.run.failed = true;
  frame.run.report(name, span, params, extra, frame.calls);
}

/** Reports a warning or hint: the model stands. */
export function remark<N extends DiagnosticName>(
  frame: Frame,
  name: N,
  span: Span,
  params: ParamsOf<N>,
  extra?: Extra,
): void {
  frame.run.report(name, span, params, extra);
}

/** The text that a span covers. */
export function textOf(frame: Frame, span: Span): string {
  const source = frame.run.sources.get(span.file);
  return source ? source.text.slice(span.start, span.end).replace(/\s+/g, " ") : "";
}
