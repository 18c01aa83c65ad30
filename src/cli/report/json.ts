/** `check --format json`: one document, described by check.schema.json. */
import { exactText } from "../../elaborate/rational.ts";
import type { Trial } from "../../solve/search.ts";
import type { Solution, Tried } from "../../solve/solve.ts";
import type { Diagnostic } from "../../diagnostics/diagnostic.ts";
import { linksOf } from "../../gain/reasons.ts";
import { norms, type Reason } from "../../gain/gain.ts";
import { positionAt, type Span } from "../../text/source.ts";
import { version } from "../version.ts";
import { causesOf, lineOf, placeIn, placesOf, spansOf, type ModelReport, type Sources } from "./collect.ts";

type Upper = number | "Infinity";

export function checkDocument(
  reports: readonly ModelReport[],
  diagnostics: readonly Diagnostic[],
  sources: Sources,
  formulasOf: ((report: ModelReport) => readonly object[]) | null = null,
): object {
  return {
    lipsc: version,
    models: reports.map((report) => ({
      ...modelOf(report, sources),
      ...(formulasOf ? { formulas: formulasOf(report) } : {}),
    })),
    diagnostics: diagnosticsOf(diagnostics, sources),
  };
}

export function diagnosticsOf(diagnostics: readonly Diagnostic[], sources: Sources): readonly object[] {
  return diagnostics.map(({ code, severity, message, help, span }) => ({
    code,
    severity,
    message,
    help,
    file: span?.file ?? null,
    range: span ? rangeOf(span, sources) : null,
  }));
}

export function modelOf(report: ModelReport, sources: Sources): object {
  const { model, parameters, macs } = report;
  const value = (name: string, id: number) => ({
    name,
    shape: model.values[id].shape,
    axes: model.values[id].axes,
  });
  return {
    name: model.name,
    parameters,
    macs,
    flops: 2 * macs,
    inputs: model.inputs.map((input) => ({ ...value(input.name, input.value), domain: input.domain })),
    outputs: model.outputs.map((output) => value(output.name, output.value)),
    bounds: report.matrices.flatMap((matrix) =>
      norms.flatMap((normIn, i) =>
        norms.map((normOut, j) => {
          const upper = matrix.upper[3 * i + j];
          const causes = causesOf(report.analysisOf(matrix.phase), matrix, normIn, normOut);
          return {
            phase: matrix.phase,
            from: matrix.from,
            to: matrix.to,
            normIn,
            normOut,
            upper: number(upper),
            log10: upper > 0 && Number.isFinite(upper) ? Math.log10(upper) : null,
            causes: causes.map(({ path, rule, factor, node }) => ({
              path,
              rule,
              factor: number(factor),
              line: node ? lineOf(placeIn(node, model), sources) : null,
            })),
          };
        }),
      ),
    ),
    solved: report.solved?.kind === "found" ? solutionOf(report.solved) : null,
    claims: report.verdicts.map(({ claim, status, upper, why }) => ({
      text: claim.text,
      phase: claim.phase,
      target: claim.limit,
      upper: number(upper),
      proven: status === "proven",
      reason: why ? reasonText(why, report, sources) : null,
    })),
  };
}

function solutionOf({ solve, side, at, beyond, tried }: Solution): object {
  const bound = ({ value, made, excess }: Trial<Tried>) => ({
    value: exactText(value),
    upper: made.verdict && Number.isFinite(excess) ? number(made.verdict.upper) : null,
    claim: made.verdict?.claim.text ?? null,
  });
  const { name, value, low, high } = solve;
  return { name, value, low, high, side, tried, at: bound(at), beyond: beyond && bound(beyond) };
}

/** JSON has no infinity; NaN is no bound, either. */
function number(x: number): Upper {
  return Number.isFinite(x) ? x : "Infinity";
}

function reasonText(why: Reason, report: ModelReport, sources: Sources): string {
  const spans = spansOf(report.model);
  return linksOf(why)
    .map((link) => {
      const places = placesOf(link.paths, report.model, spans, sources);
      return places === "" ? link.text : `${link.text} (${places})`;
    })
    .join("; ");
}

function rangeOf(span: Span, sources: Sources): object | null {
  const source = sources.get(span.file);
  return source ? { start: positionAt(source, span.start), end: positionAt(source, span.end) } : null;
}
