/** `lipsc solve FILE [--write]`: finds the number that a model leaves to its claims, and puts it into the file. */
import { Diagnostics, diagnostic, type Diagnostic } from "../diagnostics/diagnostic.ts";
import { elaborateFile } from "../elaborate/elaborate.ts";
import type { Host } from "../host.ts";
import { isUnsolved, type Model } from "../model/model.ts";
import { writeWhole } from "../runtime/files.ts";
import { solveModel, type Solution } from "../solve/solve.ts";
import type { SourceFile, Span } from "../text/source.ts";
import { checkFiles } from "./check.ts";
import { nodeHost } from "./host-node.ts";
import { printDiagnostics, wantsColor } from "./print.ts";
import { collect } from "./report/collect.ts";
import { heading, page } from "./report/text.ts";
import { solutionLines, tellUnsolved } from "./report/solved.ts";
import { painter } from "./report/table.ts";

export interface SolveOptions {
  readonly file: string;
  readonly write: boolean;
  readonly set: Record<string, string>;
}

export interface Solved {
  readonly solutions: readonly Solution[];
  readonly diagnostics: Diagnostics;
  readonly sources: ReadonlyMap<string, SourceFile>;
}

/** Every model of the file that holds a `solve`, solved; what has none goes to the diagnostics. */
export function solveFile(host: Host, file: string, set: Readonly<Record<string, string>>): Solved {
  const diagnostics = new Diagnostics();
  const { models, sources } = elaborateFile(host, file, diagnostics, { set });
  const open = models.filter(isUnsolved);
  if (open.length === 0 && !diagnostics.hasErrors) diagnostics.report("nothing-to-solve", null, { file });
  const solutions: Solution[] = [];
  for (const model of open) {
    const outcome = solveModel(host, file, set, model);
    if (outcome.kind === "found") solutions.push(outcome);
    else tellUnsolved(outcome, model, sources, diagnostics);
  }
  return { solutions, diagnostics, sources };
}

/** The command; exit code 1 where a model has no number, or the file can't be written. */
export async function runSolve(options: SolveOptions): Promise<number> {
  const { file, write, set } = options;
  const { solutions, diagnostics, sources } = solveFile(nodeHost, file, set);
  const paint = painter(wantsColor(process.stdout));
  for (const solved of solutions) {
    const report = collect(solved.model, solved);
    process.stdout.write(
      page([heading(report, sources, paint), solutionLines(report, sources, paint)]) + "\n",
    );
  }
  if (write && !diagnostics.hasErrors) {
    const problem = writeSolutions(nodeHost, file, set, solutions, sources);
    if (problem) diagnostics.add(problem);
    else process.stdout.write(`${file}: ${solutions.map(({ solve }) => solve.value).join(", ")} written\n`);
  }
  printDiagnostics(diagnostics.all, sources);
  return diagnostics.hasErrors ? 1 : 0;
}

function writeSolutions(
  host: Host,
  file: string,
  set: Readonly<Record<string, string>>,
  solutions: readonly Solution[],
  sources: ReadonlyMap<string, SourceFile>,
): Diagnostic | null {
  const refused = (problem: string): Diagnostic =>
    diagnostic("run-option", null, { option: "--write", problem });
  const source = sources.get(file);
  const edits = new Map<number, { span: Span; text: string; model: Model }>();
  for (const { solve, model } of solutions) {
    const text = literal(solve.value ?? "", solve.name !== null);
    if (!source || solve.span.file !== file)
      return refused(
        `the \`solve\` of \`${model.name}\` stands in ${solve.span.file}; write the number there`,
      );
    const other = edits.get(solve.span.start);
    if (other && other.text !== text)
      return refused(
        `\`${other.model.name}\` and \`${model.name}\` share one \`solve\`, and their claims choose ${other.text} and ${text}`,
      );
    edits.set(solve.span.start, { span: solve.span, text, model });
  }
  if (!source) return null;
  const text = replaced(source.text, [...edits.values()]);
  // What is written must be what was proven: the new text is checked before it takes the old one's place.
  const written: Host = {
    ...host,
    readText: (path) => (path === file ? text : host.readText(path)),
    readStd: (name) => host.readStd(name),
    resolve: (from, relative) => host.resolve(from, relative),
  };
  const { reports } = checkFiles(written, [file], set);
  for (const { model } of solutions) {
    const report = reports.find((r) => r.model.name === model.name);
    if (!report || report.verdicts.some((v) => v.status === "refused"))
      throw new Error(`${model.name}: its claims don't hold in the text with the number`);
  }
  const result = writeWhole(file, text);
  return result.ok ? null : result.problem;
}

/** As an expression: where the call was a part of a larger one, signs and fractions stand in parentheses. */
function literal(value: string, alone: boolean): string {
  return !alone && /[-/]/.test(value) ? `(${value})` : value;
}

function replaced(text: string, edits: readonly { span: Span; text: string }[]): string {
  return [...edits]
    .sort((a, b) => b.span.start - a.span.start)
    .reduce((all, { span, text: put }) => all.slice(0, span.start) + put + all.slice(span.end), text);
}
