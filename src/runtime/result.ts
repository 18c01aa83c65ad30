/** What the runtime's readers give: a value, or the diagnostic about the file that has none. */
import { diagnostic } from "../diagnostics/diagnostic.ts";
import { bad, type Result } from "../diagnostics/result.ts";

export { bad, good, type Result } from "../diagnostics/result.ts";

/** A file of the right kind that is broken. `help`: in place of the advice to fetch it again. */
export function damaged(path: string, problem: string, help?: string): Result<never> {
  return bad(diagnostic("damaged-file", null, { path, problem }, { help }));
}

/** A file or folder that may be whole, but of another kind or with other contents than are needed; `instead`: what to do. */
export function unexpected(path: string, problem: string, instead: string): Result<never> {
  return bad(diagnostic("unexpected-file", null, { path, problem, instead }));
}

/** What `--data` takes, where nothing of it was found. */
export const layouts =
  "data are a folder of IDX files (train-images-idx3-ubyte and so on, or .gz), of x.npy and y.npy (or train_x, train_y, test_x, test_y), of images (train/<class>/*.png), or a .safetensors file with such tensors";

/** `help`: in place of the advice to check the path. */
export function missing(path: string, what: string, help?: string): Result<never> {
  return bad(diagnostic("file-not-found", null, { path, what }, { help }));
}
