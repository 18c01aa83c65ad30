/** A certified sample that an attack broke, as the error that it is. */
import { diagnostic, type Diagnostic } from "../../diagnostics/diagnostic.ts";
import type { Violation } from "./evaluate.ts";

/** `file`: where both points are. */
export function violationOf(
  { sample, label, predicted, radius, distance }: Violation,
  file: string,
): Diagnostic {
  const numbers = { radius: String(radius), distance: String(distance) };
  return diagnostic("certificate-broken", null, { sample, label, predicted, ...numbers, file });
}
