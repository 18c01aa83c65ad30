import { textRows } from "./rows/text.ts";
import { nameRows } from "./rows/names.ts";
import { shapeRows } from "./rows/shapes.ts";
import { layerRows } from "./rows/layers.ts";
import { claimRows } from "./rows/claims.ts";
import { trainRows } from "./rows/train.ts";
import { runRows } from "./rows/run.ts";

/**
 * The one table of diagnostics: code, severity, message with typed parameters, help.
 * Codes: 00 text, 01 names, 02 shapes, 03 layers and options, 04 gains and claims, 05 solve and train,
 * 06 files and data, 07 build and run. A code is never given twice, and never reused.
 * Every row has a golden test under test/golden/diagnostics that runs the real command; a test fails for a row without one.
 */
export interface Row {
  readonly code: string;
  readonly severity: "error" | "warning" | "hint";
  // Typed by each row; `ParamsOf` reads the parameter back.
  readonly message: (params: never) => string;
  readonly help?: (params: never) => string | null;
}

export const table = {
  ...textRows,
  ...nameRows,
  ...shapeRows,
  ...layerRows,
  ...claimRows,
  ...trainRows,
  ...runRows,
} as const satisfies Record<string, Row>;

export type DiagnosticName = keyof typeof table;
export type ParamsOf<N extends DiagnosticName> = (typeof table)[N]["message"] extends (
  params: infer P,
) => string
  ? P
  : never;
