/** The compiler's door to files, on Node. */
import { existsSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve, sep } from "node:path";
import { fileURLToPath } from "node:url";
import type { Host } from "../host.ts";
import { reasonOf } from "../runtime/files.ts";

/** The standard library stands beside the code, in src/ and in dist/ alike. */
const std = join(dirname(fileURLToPath(import.meta.url)), "..", "std");

export const nodeHost: Host = {
  readText(path) {
    try {
      return readFileSync(path, "utf8");
    } catch {
      return undefined;
    }
  },

  whyUnreadable(path) {
    if (!existsSync(path)) return null;
    try {
      readFileSync(path);
      return null;
    } catch (error) {
      return reasonOf(error);
    }
  },

  readStd(name) {
    const found = /^std\/([a-z][a-z-]*)$/.exec(name);
    return found ? nodeHost.readText(join(std, `${found[1]}.lips`)) : undefined;
  },

  resolve(fromFile, path) {
    const full = resolve(dirname(fromFile), path);
    const seen = relative(process.cwd(), full);
    // Names shown to people stay as short as they wrote them.
    return seen === "" || seen.startsWith(".." + sep + "..") ? full : seen;
  },
};
