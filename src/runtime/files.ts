/** Files of the runtime. What the operating system refuses is a diagnostic that says why, never an exception. */
import {
  appendFileSync,
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  rmdirSync,
  statSync,
  writeSync,
} from "node:fs";
import { dirname, isAbsolute, join, relative } from "node:path";
import { diagnostic } from "../diagnostics/diagnostic.ts";
import { bad, good, missing, type Result } from "./result.ts";

/** Codes of the operating system, in words that end the sentence "… can't be read: ". */
const reasons: Readonly<Record<string, string>> = {
  EACCES: "its permissions don't allow it",
  EPERM: "its permissions don't allow it",
  EISDIR: "it is a folder",
  ENOTDIR: "a part of its path is a file, not a folder",
  EEXIST: "a file of that name is there already",
  ENOENT: "a folder of its path isn't there",
  ENOSPC: "the disk is full",
  EDQUOT: "the quota of the disk is used up",
  EROFS: "the disk is read-only",
  ENAMETOOLONG: "the name is too long",
  EMFILE: "too many files are open",
  EIO: "the disk reports an error",
  ELOOP: "its links lead in a circle",
  ERR_FS_FILE_TOO_LARGE: "it is larger than 2 GiB",
};

/** Why the operating system refused; null where the error is not one of its. */
export function reasonOf(error: unknown): string | null {
  if (!(error instanceof Error) || !("code" in error) || typeof error.code !== "string") return null;
  if (error.code in reasons) return reasons[error.code];
  return "syscall" in error ? error.message : null;
}

function attempt<T>(path: string, doing: "read" | "written", action: () => T): Result<T> {
  try {
    return good(action());
  } catch (error) {
    const reason = reasonOf(error);
    if (reason === null) throw error;
    return bad(diagnostic("file-refused", null, { path, doing, reason }));
  }
}

/** `what` names the file in the message where it isn't there: "checkpoint". */
export function readBytes(path: string, what: string): Result<Uint8Array> {
  if (!existsSync(path)) return missing(path, what);
  return attempt(path, "read", () => readFileSync(path));
}

export function readText(path: string, what: string): Result<string> {
  if (!existsSync(path)) return missing(path, what);
  return attempt(path, "read", () => readFileSync(path, "utf8"));
}

/** Names of what a folder holds, sorted; those that begin with a dot are left out. */
export function readFolder(path: string): Result<string[]> {
  return attempt(path, "read", () =>
    readdirSync(path)
      .filter((name) => !name.startsWith("."))
      .sort(),
  );
}

/** Names of a folder's folders and of all else in it, sorted, without a look at what they are about; none with a dot first. */
export function listFolder(path: string): Result<{ folders: string[]; files: string[] }> {
  return attempt(path, "read", () => {
    const entries = readdirSync(path, { withFileTypes: true }).filter(({ name }) => !name.startsWith("."));
    // A link may lead to a folder: data sets are often put together of links.
    const leadsToFolder = (name: string): boolean => isFolder(join(path, name));
    const folders: string[] = [];
    const files: string[] = [];
    for (const entry of entries) {
      const folder = entry.isDirectory() || (entry.isSymbolicLink() && leadsToFolder(entry.name));
      (folder ? folders : files).push(entry.name);
    }
    return { folders: folders.sort(), files: files.sort() };
  });
}

/** A path as its user would type it: seen from the folder that the command runs in, where it lies in there. */
export function seen(path: string): string {
  const near = relative(process.cwd(), path);
  return near === "" || near.startsWith("..") || isAbsolute(near) ? path : near;
}

export function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

/** Makes a folder and those above it. (Node's own recursive mkdir never returns from some paths below /proc.) */
export function makeFolder(path: string): Result<void> {
  if (!existsSync(path) && dirname(path) !== path) {
    const above = makeFolder(dirname(path));
    if (!above.ok) return above;
  }
  return attempt(path, "written", () => {
    // On a folder that is there already this does nothing, on a file it fails.
    if (existsSync(path)) readdirSync(path);
    else mkdirSync(path);
  });
}

/** Whether files can be written in a folder, there already or to be made: found by doing it, and nothing of it stays. */
export function tryFolder(path: string): Result<void> {
  const made: string[] = [];
  for (let above = path; !existsSync(above) && dirname(above) !== above; above = dirname(above))
    made.push(above);
  const folder = makeFolder(path);
  const written = folder.ok
    ? attempt(path, "written", () => rmdirSync(mkdtempSync(join(path, ".lipsc-"))))
    : folder;
  for (const empty of made) attempt(empty, "written", () => rmdirSync(empty));
  return written;
}

/** Writes a file whole or not at all: under a temporary name first, so that a kill never leaves half a file. */
export function writeWhole(path: string, content: Uint8Array | string): Result<void> {
  const temporary = `${path}.partial`;
  const data = typeof content === "string" ? new TextEncoder().encode(content) : content;
  const written = attempt(path, "written", () => {
    const handle = openSync(temporary, "w");
    try {
      let at = 0;
      while (at < data.length) at += writeSync(handle, data, at);
      fsyncSync(handle);
    } finally {
      closeSync(handle);
    }
    renameSync(temporary, path);
  });
  if (!written.ok) attempt(temporary, "written", () => rmSync(temporary, { force: true }));
  return written;
}

export function append(path: string, content: string | Uint8Array): Result<void> {
  return attempt(path, "written", () => appendFileSync(path, content));
}
