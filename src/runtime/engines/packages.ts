/** Packages that a user installs by choice: they need a compiler or a GPU, or are large. */
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

/**
 * Imports a package from the folder that `LIPSC_PACKAGES` names or, where it isn't there, from the project's own
 * node_modules (which has the GPU package, but without its library). Throws what Node throws when neither has it, or when
 * it doesn't load.
 */
export async function importPackage(name: string): Promise<Record<string, unknown>> {
  const own = createRequire(import.meta.url);
  const folder = process.env.LIPSC_PACKAGES;
  const path =
    (folder ? resolved(createRequire(join(folder, "package.json")), name) : null) ?? own.resolve(name);
  const module = (await import(pathToFileURL(path).href)) as Record<string, unknown>;
  // A CommonJS package is one object under `default`, whatever names Node found in it.
  return typeof module.default === "object" && module.default !== null
    ? (module.default as Record<string, unknown>)
    : module;
}

function resolved(require: NodeJS.Require, name: string): string | null {
  try {
    return require.resolve(name);
  } catch {
    return null;
  }
}
