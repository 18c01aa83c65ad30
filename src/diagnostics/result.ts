/** A value, or the diagnostic that says why there is none. */
import type { Diagnostic } from "./diagnostic.ts";

export type Result<T> =
  { readonly ok: true; readonly value: T } | { readonly ok: false; readonly problem: Diagnostic };

export function good<T>(value: T): Result<T> {
  return { ok: true, value };
}

export function bad(problem: Diagnostic): Result<never> {
  return { ok: false, problem };
}
