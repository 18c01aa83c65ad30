/**
 * Golden cases: the real command line, run on files of this folder.
 *
 * A case is `NAME.lips` (checked; a first line `// args: check --format json` says otherwise), or `NAME.cmd`, whose one
 * line holds all arguments. It runs in the folder where it stands. `NAME.out` beside it holds what is expected: exit
 * code, standard output, standard error. `npm test -- -u` writes it anew. A file named `_NAME.lips` is no case: others
 * import it.
 */
import { execFile, execFileSync } from "node:child_process";
import { cpSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, dirname, join } from "node:path";

import { sizeLimit } from "../../src/syntax/parse.ts";

const root = join(import.meta.dirname, "..", "..");

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

/** Compiles the sources as they are now, and gives the path of the command. */
export function buildCommand(): string {
  const out = join(root, "node_modules", ".cache", "lipsc-golden");
  mkdirSync(out, { recursive: true });
  const require = createRequire(import.meta.url);
  const tsc = join(dirname(require.resolve("typescript/package.json")), "bin", "tsc");
  execFileSync(process.execPath, [tsc, "-p", join(root, "tsconfig.build.json"), "--outDir", join(out, "dist")], { stdio: "inherit" });
  cpSync(join(root, "src", "std"), join(out, "dist", "src", "std"), { recursive: true });
  // A file that is too large to be read; cases name it.
  writeFileSync(join(out, "large.lips"), `lips 1\n${"// nothing\n".repeat(sizeLimit / 10)}`);
  writeFileSync(join(out, "package.json"), JSON.stringify({ type: "module" }));
  return join(out, "dist", "src", "cli", "main.js");
}

/** What a run printed, as the `.out` files hold it. */
export function runCase(command: string, { args, folder }: GoldenCase): Promise<string> {
  const env = { ...process.env, NO_COLOR: "1", COLUMNS: "100" };
  return new Promise((resolve) => {
    execFile(process.execPath, [command, ...args], { cwd: folder, env, maxBuffer: 64 * 2 ** 20 }, (error, stdout, stderr) => {
      const code = error ? (error.code ?? "killed") : 0;
      const part = (name: string, text: string): string => (text === "" ? "" : `── ${name}\n${text.endsWith("\n") ? text : text + "\n"}`);
      resolve(`exit ${code}\n${part("stdout", stdout)}${part("stderr", stderr)}`);
    });
  });
}

/** Runs all cases, a few at a time. */
export async function runAll(command: string, cases: readonly GoldenCase[]): Promise<Map<string, string>> {
  const results = new Map<string, string>();
  const waiting = [...cases];
  const work = async (): Promise<void> => {
    for (let next = waiting.pop(); next; next = waiting.pop()) results.set(next.name, await runCase(command, next));
  };
  await Promise.all([work(), work(), work()]);
  return results;
}
