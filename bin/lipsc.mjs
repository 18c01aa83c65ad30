#!/usr/bin/env node
// The command line. A fresh checkout is compiled first: `npm ci` runs no scripts here, the project's own included (.npmrc).
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

const main = new URL("../dist/src/cli/main.js", import.meta.url);
if (!existsSync(main)) {
  process.stderr.write("compiling lipsc, once …\n");
  execFileSync(process.execPath, [fileURLToPath(new URL("../scripts/build.mjs", import.meta.url))], {
    stdio: ["ignore", "ignore", "inherit"],
  });
}
await import(main.href);
