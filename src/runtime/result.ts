/** What the runtime's readers give: a value, or the diagnostic about the file that has none. */
import { diagnostic } from "../diagnostics/diagnostic.ts";
import { bad, type Result } from "../diagnostics/result.ts";

export { bad, good, type Result } from "../diagnostics/result.ts";

/** `help`: in place of the advice to check the path, or to fetch the file again. */
export function damaged(path: string, problem: string, help?: string): Result<never> {
  return bad(diagnostic("damaged-file", null, { path, problem }, { help }));
}

export function missing(path: string, what: string, help?: string): Result<never> {
  return bad(diagnostic("file-not-found", null, { path, what }, { help }));
}
