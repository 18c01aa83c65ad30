/** What the runtime's readers give: a value, or the diagnostic about the file that has none. */
import { diagnostic } from "../diagnostics/diagnostic.ts";
import { bad, type Result } from "../diagnostics/result.ts";

export { bad, good, type Result } from "../diagnostics/result.ts";

/** `help`: in place of the advice to check the path, or to fetch the file again. */
export function damaged(path: string, problem: string, help?: string): Result<never> {
  return bad(diagnostic("damaged-file", null, { path, problem }, { help }));
}

/** What `--data` takes, where nothing of it was found. */
export const layouts =
  "data are a folder of IDX files (train-images-idx3-ubyte and so on, or .gz), of x.npy and y.npy (or train_x, train_y, test_x, test_y), of images (train/<class>/*.png), or a .safetensors file with such tensors";

export function missing(path: string, what: string, help?: string): Result<never> {
  return bad(diagnostic("file-not-found", null, { path, what }, { help }));
}
