/** Helpers for tests that run the real command line in a process of its own. */
import { spawn, type ChildProcess } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

const root = join(import.meta.dirname, "..", "..");

/** Built once for all tests by test/build-command.ts. */
export const command = join(root, "node_modules", ".cache", "lipsc-test", "dist", "src", "cli", "main.js");

export interface Finished {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Starts `lipsc ARGS` in the project's folder. */
export function start(
  args: readonly string[],
  node: readonly string[] = [],
  env: Readonly<Record<string, string>> = {},
): { child: ChildProcess; finished: Promise<Finished> } {
  const child = spawn(process.execPath, [...node, command, ...args], {
    cwd: root,
    env: { ...process.env, NO_COLOR: "1", COLUMNS: "100", ...env },
  });
  let stdout = "";
  let stderr = "";
  child.stdout.on("data", (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
  const finished = new Promise<Finished>((resolve) =>
    child.on("close", (code) => resolve({ code, stdout, stderr })),
  );
  return { child, finished };
}

export function lipsc(...args: readonly string[]): Promise<Finished> {
  return start(args).finished;
}

/** The same with more in the environment. */
export function lipscIn(
  env: Readonly<Record<string, string>>,
  ...args: readonly string[]
): Promise<Finished> {
  return start(args, [], env).finished;
}

/** Waits until a condition on the disk holds; fails when the process ends before. */
export async function until(child: ChildProcess, condition: () => boolean): Promise<void> {
  while (!condition()) {
    if (child.exitCode !== null) throw new Error(`the command ended too early, with ${child.exitCode}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** The step that a run folder's metrics have reached. */
export function stepReached(folder: string): number {
  const path = join(folder, "metrics.jsonl");
  if (!existsSync(path)) return 0;
  const steps = readFileSync(path, "utf8").matchAll(/"step":(\d+)/g);
  return Math.max(0, ...[...steps].map((m) => Number(m[1])));
}

/** Metrics without what depends on the clock. */
export function metricsOf(folder: string): unknown[] {
  return readFileSync(join(folder, "metrics.jsonl"), "utf8")
    .trim()
    .split("\n")
    .map((line) => ({ ...(JSON.parse(line) as object), seconds: 0 }));
}

/** The same with options for node itself. */
export function lipscWith(node: readonly string[], ...args: readonly string[]): Promise<Finished> {
  return start(args, node).finished;
}
