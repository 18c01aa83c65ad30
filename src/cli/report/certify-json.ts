/** `certify --format json`: one document, described by certify.schema.json. */
import type { Diagnostic } from "../../diagnostics/diagnostic.ts";
import type { Certified, Rounding } from "../certify.ts";
import { version } from "../version.ts";
import type { ModelReport, Sources } from "./collect.ts";
import { diagnosticsOf, modelOf } from "./json.ts";

export function certifyDocument(
  { report, subject, diagnostics }: Certified,
  rounding: Rounding | null,
  sources: Sources,
  formulas: ((report: ModelReport) => readonly object[]) | null = null,
): object {
  const { specs, set, weights, writtenOut, step, seconds } = subject;
  return {
    lipsc: version,
    spec: { files: specs, set },
    weights: { ...weights, step, writtenOut },
    seconds,
    rounding,
    model: { ...modelOf(report, sources), ...(formulas ? { formulas: formulas(report) } : {}) },
    diagnostics: diagnosticsOf(diagnostics, sources),
  };
}

/** Where there is nothing to certify: the reasons. */
export function refusedDocument(diagnostics: readonly Diagnostic[], sources: Sources): object {
  return {
    lipsc: version,
    spec: null,
    weights: null,
    seconds: 0,
    rounding: null,
    model: null,
    diagnostics: diagnosticsOf(diagnostics, sources),
  };
}
