#!/usr/bin/env node
/**
 * The checker as a program of its own: `node main.js CERTIFICATE [--weights FILE] [--spec FILE]…`. Needs this folder and
 * Node 20 or later, nothing else. Exit code 0: every step follows; 1: refused; 2: wrong usage.
 */
import { realpathSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { checkBytes } from "./bytes.ts";
import { sha256 } from "./canonical.ts";
import { Refusal } from "./refusal.ts";
import { accepted, refused } from "./report.ts";
import { verify } from "./verify.ts";

export interface Files {
  readonly certificate: string;
  readonly weights: string | null;
  readonly specs: readonly string[];
}

/** Checks the files and says what came out. */
export function check({ certificate, weights, specs }: Files): {
  readonly code: 0 | 1;
  readonly text: string;
} {
  const began = performance.now();
  try {
    const checked = verify(read(certificate).toString("utf8"), {
      ...(weights === null
        ? {}
        : { weights: (document, matrices) => checkBytes(document, matrices, read(weights)) }),
      specs: specs.map((spec) => sha256(read(spec))),
    });
    const seconds = (performance.now() - began) / 1000;
    const files = { weights: weights !== null, specs: specs.length > 0 };
    return { code: 0, text: accepted({ certificate: checked, seconds, ...files }) };
  } catch (error) {
    if (error instanceof Refusal) return { code: 1, text: refused(error) };
    throw error;
  }
}

const reasons: Readonly<Record<string, string>> = { ENOENT: "there is none", EISDIR: "it is a folder" };

function read(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw new Refusal(path, `the file can't be read: ${reasons[code ?? ""] ?? message}`);
  }
}

function run(args: readonly string[]): number {
  const usage = "usage: verify CERTIFICATE [--weights FILE] [--spec FILE]…\n";
  const options = { weights: { type: "string" }, spec: { type: "string", multiple: true } } as const;
  let parsed;
  try {
    parsed = parseArgs({ args: [...args], options, allowPositionals: true });
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n${usage}`);
    return 2;
  }
  const { positionals, values } = parsed;
  if (positionals.length !== 1) {
    process.stderr.write(usage);
    return 2;
  }
  const { code, text } = check({
    certificate: positionals[0],
    weights: values.weights ?? null,
    specs: values.spec ?? [],
  });
  process.stdout.write(text);
  return code;
}

if (process.argv[1] !== undefined && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url))
  process.exitCode = run(process.argv.slice(2));
