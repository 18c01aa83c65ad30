/**
 * `lipsc certify RUN_OR_SPEC`: what trained weights guarantee. The same rules as `check`, with norms proven from the bytes
 * on disk: shapes, the gain matrix, claims `at checkpoint`, the largest causes, and SHA-256 of spec and weights.
 * trust: T15, T17
 */
import { createHash } from "node:crypto";
import { Diagnostics, type Diagnostic } from "../diagnostics/diagnostic.ts";
import { bad, good, type Result } from "../diagnostics/result.ts";
import { isConstrained, plain } from "../measure/effective.ts";
import { measure, type Tensors } from "../measure/measure.ts";
import type { MatrixOracle, WeightOracle } from "../gain/facts.ts";
import type { Model } from "../model/model.ts";
import { decodeCheckpoint } from "../runtime/checkpoint.ts";
import { domainError } from "../rounding/rounding.ts";
import { readBytes } from "../runtime/files.ts";
import { filesOf, type SourceFile } from "../text/source.ts";
import { printDiagnostics, wantsColor } from "./print.ts";
import { collectCheckpoint, type ModelReport } from "./report/collect.ts";
import { diagnose } from "./report/diagnose.ts";
import { painter } from "./report/table.ts";
import { loadPlace, locate, toldOf, weightsFrom, type Place } from "./trained.ts";

export interface CertifyOptions {
  /** A run's folder, or a spec (then `weights` says which weights). */
  readonly path: string;
  readonly weights: string | null;
  readonly model: string | null;
  readonly set: Record<string, string>;
  readonly format: "text" | "json";
  readonly explainBound: boolean;
  /** After the report as text, in its place as LaTeX. */
  readonly formula: "text" | "latex" | null;
  /** Where the certificate goes; left out: none is written. */
  readonly certificate?: string;
}

/** A file by what is in it. */
export interface HashedFile {
  readonly path: string;
  readonly sha256: string;
}

/** What was certified: a later reader can tell whether he has the same bytes. */
export interface Subject {
  /** The spec and what it imports; the standard library too. */
  readonly specs: readonly HashedFile[];
  readonly set: Readonly<Record<string, string>>;
  readonly weights: HashedFile;
  /** The weights are what the spec's constraints made of a run's, and the model has no constraint. */
  readonly writtenOut: boolean;
  /** Training steps that the file says it has behind it; null where it doesn't say. */
  readonly step: number | null;
  readonly seconds: number;
}

/** A model with the weights to certify. */
export interface Weighted {
  readonly model: Model;
  readonly place: Place;
  readonly tensors: Tensors;
  readonly weights: HashedFile;
  readonly step: number | null;
}

export interface OpenedWeights {
  readonly weighted: Weighted | null;
  readonly problems: readonly Diagnostic[];
  readonly sources: ReadonlyMap<string, SourceFile>;
}

/** Reads spec and weights; nothing is run. */
export function openWeights(
  options: Pick<CertifyOptions, "path" | "weights" | "model" | "set">,
): OpenedWeights {
  const where = locate(options);
  if (!where.ok) return { weighted: null, problems: [where.problem], sources: new Map() };
  const { model, diagnostics, sources } = loadPlace(where.value);
  if (!model) return { weighted: null, problems: diagnostics, sources };
  const read = readWeights(model, where.value);
  if (!read.ok) return { weighted: null, problems: [read.problem], sources };
  return { weighted: { model, place: where.value, ...read.value }, problems: toldOf(where.value), sources };
}

function readWeights(model: Model, place: Place): Result<Pick<Weighted, "tensors" | "weights" | "step">> {
  const { weights: path } = place;
  const bytes = readBytes(path, "weights file");
  if (!bytes.ok) return bytes;
  const shapes = new Map(model.weights.map((w) => [`param/${w.path}`, w.shape]));
  const checkpoint = decodeCheckpoint(bytes.value, path, model, shapes, weightsFrom(place));
  if (!checkpoint.ok) return bad(checkpoint.problem);
  const { state, step } = checkpoint.value;
  const tensors = new Map(model.weights.map((w) => [w.path, state.get(`param/${w.path}`)?.data ?? []]));
  return good({ tensors, weights: { path, sha256: sha256(bytes.value) }, step: step > 0 ? step : null });
}

export function sha256(bytes: Uint8Array | string): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** How far an engine's float32 arithmetic may take an entry of the output from the certified function, in the domain. */
export interface Rounding {
  readonly output: string;
  readonly bound: number;
  /** Of the network whose constrained weights were computed once, in float64: a graph that computes them errs by more. */
  readonly written: boolean;
}

/** Multiply-adds of a model whose rounding is bounded along the way: seconds. */
const mostMacs = 2e7;

/** null where nothing of use is proven, or it would take long. */
function roundingOf({ model, tensors }: Weighted, { macs }: ModelReport): Rounding | null {
  if (macs > mostMacs || model.outputs.length === 0) return null;
  const written = isConstrained(model);
  const made = written ? plain(model, tensors) : { model, tensors };
  if (!made) return null;
  const bound = domainError({ ...made, oracle: measure(made.tensors).oracle });
  return bound < 1 ? { output: model.outputs[0].name, bound, written } : null;
}

export interface Certified {
  readonly report: ModelReport;
  /** What the bounds rest on. */
  readonly measured: { readonly oracle: WeightOracle; readonly matrices: MatrixOracle };
  readonly subject: Subject;
  readonly diagnostics: readonly Diagnostic[];
}

/** Proves what can be proven of these weights. */
export function certify(weighted: Weighted, sources: ReadonlyMap<string, SourceFile>): Certified {
  const began = performance.now();
  const { model, place, tensors, weights, step } = weighted;
  const measured = measure(tensors);
  const report = collectCheckpoint(model, measured);
  const diagnostics = new Diagnostics();
  diagnose(report, sources, diagnostics);
  const specs = filesOf(sources).map(({ name, text }) => ({ path: name, sha256: sha256(text) }));
  const seconds = (performance.now() - began) / 1000;
  return {
    report,
    measured,
    subject: { specs, set: place.set, weights, writtenOut: place.writtenOut, step, seconds },
    diagnostics: [...toldOf(place), ...diagnostics.all],
  };
}

/** The command; gives the exit code: 1 where a claim `at checkpoint` is not proven. */
export async function runCertify(options: CertifyOptions): Promise<number> {
  const { weighted, problems, sources } = openWeights(options);
  if (!weighted) {
    if (options.format === "json") {
      const { refusedDocument } = await import("./report/certify-json.ts");
      process.stdout.write(JSON.stringify(refusedDocument(problems, sources), null, 2) + "\n");
    } else printDiagnostics(problems, sources);
    return 1;
  }
  const certified = certify(weighted, sources);
  const { report, subject, diagnostics } = certified;
  const rounding = roundingOf(weighted, report);
  if (options.format === "json") {
    const { certifyDocument } = await import("./report/certify-json.ts");
    const formulas = options.formula ? (await import("./report/formula.ts")).formulasData : null;
    const document = certifyDocument(certified, rounding, sources, formulas);
    process.stdout.write(JSON.stringify(document, null, 2) + "\n");
  } else if (options.formula === "latex") {
    const { formulasLatex } = await import("./report/formula.ts");
    process.stdout.write(formulasLatex(report));
    printDiagnostics(diagnostics, sources);
  } else {
    const { certifyText } = await import("./report/certify-text.ts");
    const paint = painter(wantsColor(process.stdout));
    process.stdout.write(certifyText(report, subject, rounding, sources, paint));
    if (options.explainBound) {
      const { explainBound } = await import("./report/explain.ts");
      const explained = explainBound(report, sources, paint);
      if (explained !== "") process.stdout.write("\n" + explained);
    }
    if (options.formula === "text") {
      const { formulasText } = await import("./report/formula.ts");
      process.stdout.write("\n" + formulasText(report, sources, paint));
    }
    printDiagnostics(diagnostics, sources);
  }
  if (
    options.certificate !== undefined &&
    !(await certificate(certified, options.certificate, options, sources))
  )
    return 1;
  return diagnostics.some((d) => d.severity === "error") ? 1 : 0;
}

/** Writes the certificate; whether it could be written. */
async function certificate(
  { report, subject, measured }: Certified,
  path: string,
  { format }: CertifyOptions,
  sources: ReadonlyMap<string, SourceFile>,
): Promise<boolean> {
  const { writeCertificateFile } = await import("./certificate.ts");
  const { specs, set, weights, writtenOut } = subject;
  const { oracle: facts, matrices } = measured;
  const phases = [{ analysis: report.analysisOf("checkpoint"), facts, matrices }];
  const written = writeCertificateFile(path, report.model, phases, { specs, set, weights, writtenOut });
  if (written.problem) {
    printDiagnostics([written.problem], sources);
    return false;
  }
  if (format === "text") process.stdout.write(written.text);
  return true;
}
