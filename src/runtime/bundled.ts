/** Files that come with the project, found from the code, be it in src/ or in dist/. */
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { seen } from "./files.ts";

/** The path of a bundled file or folder such as `specs/quick-start.lips`, as the user would type it where that is shorter. */
export function bundled(path: string): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, path)) && dirname(folder) !== folder) folder = dirname(folder);
  return seen(join(folder, path));
}

/** The text of a file of this project that stands beside the code. */
export function ownText(path: string): string {
  return readFileSync(bundled(path), "utf8");
}
