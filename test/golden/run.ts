/**
 * Golden cases: the real command line, run on files of this folder.
 *
 * A case is `NAME.lips` (checked; a first line `// args: check --format json` says otherwise), or `NAME.cmd`, whose one
 * line holds all arguments. It runs in the folder where it stands. `NAME.out` beside it holds what is expected: exit
 * code, standard output, standard error. `npm test -- -u` writes it anew. A file named `_NAME.lips` is no case: others
 * import it.
 */
import { execFile } from "node:child_process";
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { basename, dirname, join, sep } from "node:path";
import { sizeLimit } from "../../src/syntax/parse.ts";
import { command } from "../cli/run.ts";

/** The project's folder, as it begins the paths below it. */
const root = join(import.meta.dirname, "..", "..") + sep;

/** A file that is too large to be read, not kept in the repository; a case names it. */
const largeFile = join(import.meta.dirname, "..", "..", "node_modules", ".cache", "lipsc-test", "large.lips");

export interface GoldenCase {
  /** Path below test/golden, without the ending. */
  readonly name: string;
  readonly folder: string;
  readonly args: readonly string[];
  readonly expected: string;
}

export function goldenCases(): GoldenCase[] {
  return readdirSync(import.meta.dirname, { recursive: true, encoding: "utf8" })
    .filter((path) => /\.(lips|cmd)$/.test(path) && !basename(path).startsWith("_"))
    .sort()
    .map((path) => {
      const full = join(import.meta.dirname, path);
      const [first] = readFileSync(full, "utf8").split("\n");
      const told = /^\/\/ args: (.+)$/.exec(first)?.[1];
      const args = path.endsWith(".cmd") ? words(first) : [...words(told ?? "check"), basename(path)];
      const name = path.replace(/\.(lips|cmd)$/, "");
      return { name, folder: dirname(full), args, expected: full.replace(/\.(lips|cmd)$/, ".out") };
    });
}

function words(line: string): string[] {
  return line.trim().split(/\s+/);
}

/** What a run printed, as the `.out` files hold it. */
export function runCase({ args, folder }: GoldenCase): Promise<string> {
  const env = { ...process.env, NO_COLOR: "1", COLUMNS: "100" };
  return new Promise((resolve) => {
    execFile(process.execPath, [command, ...args], { cwd: folder, env, maxBuffer: 64 * 2 ** 20 }, (error, stdout, stderr) => {
      const code = error ? (error.code ?? "killed") : 0;
      // Where the project lies on this machine is no part of what is expected.
      const part = (name: string, told: string): string => partOf(name, told.replaceAll(root, ""));
      const partOf = (name: string, text: string): string => (text === "" ? "" : `── ${name}\n${text.endsWith("\n") ? text : text + "\n"}`);
      resolve(`exit ${code}\n${part("stdout", stdout)}${part("stderr", stderr)}`);
    });
  });
}

/** Runs all cases, a few at a time. */
export async function runAll(cases: readonly GoldenCase[]): Promise<Map<string, string>> {
  writeFileSync(largeFile, `lips 1\n${"// nothing\n".repeat(sizeLimit / 10)}`);
  const results = new Map<string, string>();
  const waiting = [...cases];
  const work = async (): Promise<void> => {
    for (let next = waiting.pop(); next; next = waiting.pop()) results.set(next.name, await runCase(next));
  };
  await Promise.all([work(), work(), work()]);
  return results;
}
