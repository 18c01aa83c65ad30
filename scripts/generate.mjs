// Remakes generated/: what the compiler makes of chosen specs, committed so that a reader and a diff can see it.
// With --check it writes nothing and fails where something differs (test/generated.test.ts does the same).
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import "../bin/compiled.mjs";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
process.chdir(root);
const { generate } = await import("../dist/src/cli/generate.js");
let differences = 0;
for (const [path, text] of await generate()) {
  if (process.argv.includes("--check")) {
    if (readFileSync(path, "utf8") === text) continue;
    console.error(`${path} is not what the compiler makes now; run: npm run generate`);
    differences++;
  } else {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  }
}
process.exitCode = differences === 0 ? 0 : 1;
