/** Diagnostics as a SARIF 2.1.0 log (OASIS, 2020): plain data, to be printed as JSON. */
import type { Span } from "../text/source.ts";
import type { Diagnostic, Fix, Severity } from "./diagnostic.ts";
import { rangeOf } from "./render-json.ts";
import type { SourceOf } from "./render-terminal.ts";

const levels: Record<Severity, "error" | "warning" | "note"> = {
  error: "error",
  warning: "warning",
  hint: "note",
};

interface SarifRegion {
  readonly startLine: number;
  readonly startColumn: number;
  readonly endLine: number;
  readonly endColumn: number;
}
interface SarifLocation {
  readonly physicalLocation: {
    readonly artifactLocation: { readonly uri: string };
    readonly region?: SarifRegion;
  };
  readonly message?: { readonly text: string };
}
interface SarifFix {
  readonly description: { readonly text: string };
  readonly artifactChanges: readonly {
    readonly artifactLocation: { readonly uri: string };
    readonly replacements: readonly {
      readonly deletedRegion: SarifRegion;
      readonly insertedContent: { readonly text: string };
    }[];
  }[];
}
interface SarifResult {
  readonly ruleId: string;
  readonly ruleIndex: number;
  readonly level: "error" | "warning" | "note";
  readonly message: { readonly text: string };
  readonly locations: readonly SarifLocation[];
  readonly relatedLocations?: readonly SarifLocation[];
  readonly fixes?: readonly SarifFix[];
}
export interface SarifLog {
  readonly $schema: string;
  readonly version: "2.1.0";
  readonly runs: readonly {
    readonly tool: {
      readonly driver: {
        readonly name: "lipsc";
        readonly version: string;
        readonly rules: readonly { readonly id: string; readonly name: string }[];
      };
    };
    readonly columnKind: "utf16CodeUnits";
    readonly results: readonly SarifResult[];
  }[];
}

export function renderSarif(
  diagnostics: readonly Diagnostic[],
  sourceOf: SourceOf,
  version: string,
): SarifLog {
  const rules = new Map<string, { index: number; name: string }>();
  const results = diagnostics.map((one): SarifResult => {
    const rule = rules.get(one.code) ?? { index: rules.size, name: one.name };
    rules.set(one.code, rule);
    const fixes = one.fixes.flatMap((fix) => renderFix(fix, sourceOf) ?? []);
    return {
      ruleId: one.code,
      ruleIndex: rule.index,
      level: levels[one.severity],
      message: { text: one.help === null ? one.message : `${one.message}\n${one.help}` },
      locations: one.span ? [locate(one.span, sourceOf)] : [],
      ...(one.related.length > 0 && {
        relatedLocations: one.related.map((r) => ({
          ...locate(r.span, sourceOf),
          message: { text: r.message },
        })),
      }),
      ...(fixes.length > 0 && { fixes }),
    };
  });
  return {
    $schema: "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json",
    version: "2.1.0",
    runs: [
      {
        tool: {
          driver: { name: "lipsc", version, rules: [...rules].map(([id, { name }]) => ({ id, name })) },
        },
        columnKind: "utf16CodeUnits",
        results,
      },
    ],
  };
}

function locate(span: Span, sourceOf: SourceOf): SarifLocation {
  const region = regionOf(span, sourceOf);
  return { physicalLocation: { artifactLocation: { uri: uriOf(span.file) }, ...(region && { region }) } };
}

function regionOf(span: Span, sourceOf: SourceOf): SarifRegion | null {
  const range = rangeOf(span, sourceOf);
  return (
    range && {
      startLine: range.start.line,
      startColumn: range.start.column,
      endLine: range.end.line,
      endColumn: range.end.column,
    }
  );
}

/** A path as a relative reference, or as a file: URI where it is absolute. */
function uriOf(file: string): string {
  const path = file.replaceAll("\\", "/").split("/").map(encodeURIComponent).join("/");
  return path.startsWith("/") ? `file://${path}` : path;
}

/** null where an edited file's text is not known: half a fix is none. */
function renderFix(fix: Fix, sourceOf: SourceOf): SarifFix | null {
  const files = new Map<string, { deletedRegion: SarifRegion; insertedContent: { text: string } }[]>();
  for (const { span, text } of fix.edits) {
    const deletedRegion = regionOf(span, sourceOf);
    if (!deletedRegion) return null;
    const replacements = files.get(span.file) ?? [];
    files.set(span.file, [...replacements, { deletedRegion, insertedContent: { text } }]);
  }
  const description = fix.meaning === "changes" ? `${fix.title} (changes the meaning)` : fix.title;
  const artifactChanges = [...files].map(([file, replacements]) => ({
    artifactLocation: { uri: uriOf(file) },
    replacements,
  }));
  return { description: { text: description }, artifactChanges };
}
