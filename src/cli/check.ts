/** `lipsc check FILE…`: shapes, costs, proven bounds and claims of every model, by proof alone: nothing is run. */
import { Diagnostics, diagnostic, type Diagnostic } from "../diagnostics/diagnostic.ts";
import { elaborateFile } from "../elaborate/elaborate.ts";
import type { Host } from "../host.ts";
import { isUnsolved } from "../model/model.ts";
import { solveModel } from "../solve/solve.ts";
import { filesOf, type SourceFile } from "../text/source.ts";
import { nodeHost } from "./host-node.ts";
import { printDiagnostics, wantsColor } from "./print.ts";
import { collect, type ModelReport } from "./report/collect.ts";
import { diagnose } from "./report/diagnose.ts";
import { painter, type Paint } from "./report/table.ts";

export interface CheckOptions {
  readonly format: "text" | "json" | "sarif" | "github";
  readonly explainBound: boolean;
  /** The bounds as formulas: after the report as text, in its place as LaTeX. */
  readonly formula?: "text" | "latex" | null;
  /** `tau=5`: bounds for other values of their symbols. */
  readonly at?: readonly string[];
  readonly set: Record<string, string>;
  /** Where the certificate goes; left out: none is written. */
  readonly certificate?: string;
  /** Which model the certificate is of, where there are several. */
  readonly model?: string;
}

export interface Checked {
  readonly reports: readonly ModelReport[];
  readonly diagnostics: readonly Diagnostic[];
  readonly sources: ReadonlyMap<string, SourceFile>;
  /** Files that were read and hold no model. */
  readonly withoutModels: readonly string[];
  /** 0: no errors, and every claim is proven or open; 1 otherwise. */
  readonly code: 0 | 1;
}

/** Checks files through any host. */
export function checkFiles(host: Host, files: readonly string[], set: Record<string, string> = {}): Checked {
  const diagnostics = new Diagnostics();
  const sources = new Map<string, SourceFile>();
  const reports: ModelReport[] = [];
  const withoutModels: string[] = [];
  for (const file of files) {
    const elaborated = elaborateFile(host, file, diagnostics, { set });
    for (const [name, source] of elaborated.sources) sources.set(name, source);
    if (elaborated.models.length === 0 && !diagnostics.hasErrors) withoutModels.push(file);
    for (const model of elaborated.models) {
      const solved = isUnsolved(model) ? solveModel(host, file, set, model) : null;
      const report = collect(solved?.kind === "found" ? solved.model : model, solved);
      diagnose(report, sources, diagnostics);
      reports.push(report);
    }
  }
  return {
    reports,
    diagnostics: diagnostics.all,
    sources,
    withoutModels,
    code: diagnostics.hasErrors ? 1 : 0,
  };
}

/** The command; gives the exit code. */
export async function runCheck(files: readonly string[], options: CheckOptions): Promise<number> {
  const checked = checkFiles(nodeHost, files, options.set);
  const usage = await print(checked, options);
  const certified =
    options.certificate === undefined || (await certificate(checked, options.certificate, options));
  if (!usage) return 2;
  return certified ? checked.code : 1;
}

/** Writes the certificate of the only model; says so in the text report. Whether it could be written. */
async function certificate(
  { reports, sources, withoutModels }: Checked,
  path: string,
  { set, format, model: name }: CheckOptions,
): Promise<boolean> {
  const fail = (problem: Diagnostic): false => {
    printDiagnostics([problem], sources);
    return false;
  };
  // Errors in the spec were told.
  if (reports.length === 0 && withoutModels.length === 0) return false;
  const wanted = reports.filter(({ model }) => name === undefined || model.name === name);
  if (wanted.length !== 1) {
    const names = reports.map(({ model }) => model.name).join(", ");
    const found = wanted.length === 0 ? "is none" : `are ${wanted.length}`;
    const problem = `a certificate is of one model, here ${found}${names === "" ? "" : `; --model names one of ${names}`}`;
    return fail(diagnostic("run-option", null, { option: "--certificate", problem }));
  }
  const { writeCertificateFile } = await import("./certificate.ts");
  const { weightFacts } = await import("../gain/weights.ts");
  const { sha256 } = await import("../certificate/verify/canonical.ts");
  const [{ model, analysisOf }] = wanted;
  const phases = (["init", "always"] as const).map((phase) => ({
    analysis: analysisOf(phase),
    facts: weightFacts,
  }));
  const specs = filesOf(sources).map(({ name, text }) => ({ path: name, sha256: sha256(text) }));
  const written = writeCertificateFile(path, model, phases, { specs, weights: null, set, writtenOut: false });
  if (written.problem) return fail(written.problem);
  if (format === "text") write(written.text);
  return true;
}

/** false where an option asks for what there isn't. */
async function print(checked: Checked, options: CheckOptions): Promise<boolean> {
  const { reports, diagnostics, sources } = checked;
  const sourceOf = (file: string): SourceFile | undefined => sources.get(file);
  switch (options.format) {
    case "json": {
      const { checkDocument } = await import("./report/json.ts");
      const formulas = options.formula ? (await import("./report/formula.ts")).formulasData : null;
      write(JSON.stringify(checkDocument(reports, diagnostics, sources, formulas), null, 2) + "\n");
      return true;
    }
    case "sarif": {
      const { renderSarif } = await import("../diagnostics/render-sarif.ts");
      const { version } = await import("./version.ts");
      write(JSON.stringify(renderSarif(diagnostics, sourceOf, version), null, 2) + "\n");
      return true;
    }
    case "github": {
      const { renderGithub } = await import("../diagnostics/render-github.ts");
      write(renderGithub(diagnostics, sourceOf));
      return true;
    }
    case "text": {
      let usage = true;
      const { textReport } = await import("./report/text.ts");
      const paint = painter(wantsColor(process.stdout));
      const explain = options.explainBound ? (await import("./report/explain.ts")).explainBound : null;
      const formula = options.formula ? await import("./report/formula.ts") : null;
      for (const report of reports) {
        if (formula && options.formula === "latex") {
          write(formula.formulasLatex(report));
          continue;
        }
        write(textReport(report, sources, paint) + "\n");
        const explained = explain?.(report, sources, paint) ?? "";
        if (explained !== "") write(explained + "\n");
        if (formula) write(formula.formulasText(report, sources, paint) + "\n");
        if (options.at?.length && !(await writeEvaluated(report, options.at, paint))) usage = false;
      }
      for (const file of checked.withoutModels) write(`${file}: no model here, so no shapes and no bounds\n`);
      printDiagnostics(diagnostics, sources);
      return usage;
    }
  }
}

/** Bounds for other values of their symbols; a value that fits no symbol is an error of the command line. */
async function writeEvaluated(report: ModelReport, at: readonly string[], paint: Paint): Promise<boolean> {
  const { evaluatedText, readSetting } = await import("./report/formula-at.ts");
  const settings = at.flatMap((text) => readSetting(text) ?? []);
  const { text, problems } = evaluatedText(report, settings, paint);
  if (text !== "") write(text + "\n");
  printDiagnostics(problems, new Map());
  return problems.length === 0;
}

function write(text: string): void {
  process.stdout.write(text);
}

/** Whether the options fit together; the problem, where they don't. */
export function refuseOptions(options: CheckOptions): Diagnostic | null {
  const refused = (option: string, problem: string): Diagnostic =>
    diagnostic("run-option", null, { option, problem });
  if (options.model !== undefined && options.certificate === undefined)
    return refused("--model", "it says which model --certificate is of; `check` reports all of them");
  if (options.format !== "text") {
    const option = options.explainBound ? "--explain-bound" : options.at?.length ? "--at" : null;
    if (option) return refused(option, "it is part of the text report only");
    if (options.formula === "latex") return refused("--formula latex", "JSON has both, text and LaTeX");
    if (options.formula && options.format !== "json")
      return refused("--formula", "it is part of text and JSON");
  }
  return null;
}
