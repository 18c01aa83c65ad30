/** vitest's global set-up: compiles the sources as they are now, once, for all tests that run the real command. */
import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";

export default function buildCommand(): void {
  const root = join(import.meta.dirname, "..");
  const out = join(root, "node_modules", ".cache", "lipsc-test");
  mkdirSync(out, { recursive: true });
  const require = createRequire(import.meta.url);
  const tsc = join(dirname(require.resolve("typescript/package.json")), "bin", "tsc");
  const args = [
    tsc,
    "-p",
    join(root, "tsconfig.build.json"),
    "--outDir",
    join(out, "dist"),
    "--declaration",
    "false",
    "--sourceMap",
    "false",
  ];
  execFileSync(process.execPath, args, { stdio: "inherit" });
  cpSync(join(root, "src", "std"), join(out, "dist", "src", "std"), { recursive: true });
  const programs = join("src", "targets", "pytorch", "python");
  cpSync(join(root, programs), join(out, "dist", programs), { recursive: true });
  writeFileSync(join(out, "package.json"), JSON.stringify({ type: "module" }));
}
