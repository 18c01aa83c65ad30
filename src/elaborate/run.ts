/** What one elaboration shares: diagnostics, files and the budget that keeps a stranger's file from hanging the compiler. */
import type { Diagnostics, Extra } from "../diagnostics/diagnostic.ts";
import type { DiagnosticName, ParamsOf } from "../diagnostics/table.ts";
import type { Host } from "../host.ts";
import type { SourceFile, Span } from "../text/source.ts";
import type { LoadedFile } from "./files.ts";
import type { Rational } from "./rational.ts";
import type { Held } from "./values.ts";

/** Loop rounds and layer applications of one model; list entries and expressions are counted together, more generously. */
export const limits = {
  rounds: 100_000,
  layers: 100_000,
  work: 3_000_000,
  total: 20_000_000,
  list: 100_000,
  depth: 128,
  nesting: 400,
};

export class Run {
  readonly host: Host;
  readonly diagnostics: Diagnostics;
  /** The number that `solve(…)` stands for on trial; null: its lower end. */
  readonly unknown: Rational | null;
  readonly files = new Map<string, LoadedFile>();
  readonly sources = new Map<string, SourceFile>();
  /** The model that is being made has an error. */
  failed = false;
  /** The budget is used up: everything answers `unknown` from now on. */
  stopped = false;
  nesting = 0;
  /** Layers held by a `let`, for the hint about two applications. */
  readonly held: Held[] = [];
  private rounds = 0;
  private layers = 0;
  private work = 0;
  private total = 0;
  private readonly said = new Set<string>();

  constructor(host: Host, diagnostics: Diagnostics, unknown: Rational | null = null) {
    this.host = host;
    this.diagnostics = diagnostics;
    this.unknown = unknown;
  }

  /** Each model has the whole budget; a file that used one up is read no further. */
  startModel(): void {
    this.failed = this.stopped;
    this.rounds = 0;
    this.layers = 0;
    this.work = 0;
    this.nesting = 0;
    this.held.length = 0;
  }

  /** An error inside a block that is used many times is said once, with the first use that led there. */
  report<N extends DiagnosticName>(
    name: N,
    span: Span | null,
    params: ParamsOf<N>,
    extra: Extra = {},
    calls: readonly Span[] = [],
  ): void {
    const key = `${name}|${span?.file}|${span?.start}|${span?.end}`;
    if (this.said.has(key)) return;
    this.said.add(key);
    const uses = calls.slice(0, 3).map((call) => ({ span: call, message: "used here" }));
    this.diagnostics.report(name, span, params, { ...extra, related: [...(extra.related ?? []), ...uses] });
  }

  countRound(span: Span): boolean {
    return ++this.rounds <= limits.rounds || this.stop("loop rounds", limits.rounds, span);
  }

  countLayer(span: Span): boolean {
    return ++this.layers <= limits.layers || this.stop("layers", limits.layers, span);
  }

  countWork(amount: number, span: Span): boolean {
    this.work += amount;
    this.total += amount;
    if (this.total > limits.total) return this.stop("steps of elaboration in one file", limits.total, span);
    return this.work <= limits.work || this.stop("steps of elaboration", limits.work, span);
  }

  /** Says so once, and gives false. */
  stop(what: string, limit: number, span: Span): false {
    if (!this.stopped) this.report("over-budget", span, { what, limit });
    this.stopped = true;
    this.failed = true;
    return false;
  }
}
