// Changes true certificates for as long as one likes; false ones must be refused:
// `npm run fuzz:certificate -- --seconds 600 --seed 7`.
import { spawnSync } from "node:child_process";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "60" },
    seed: { type: "string", default: String(Date.now() % 1_000_000) },
  },
});
for (const [name, value] of Object.entries(values)) {
  if (/^\d+$/.test(value)) continue;
  console.error(`--${name} needs a whole number, not ${value}`);
  process.exit(2);
}
const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const vitest = join(dirname(createRequire(import.meta.url).resolve("vitest/package.json")), "vitest.mjs");
const file = "test/certificate/mutations.test.ts";
const args = [vitest, "run", file, "-t", "are refused", "--disable-console-intercept"];
const env = { ...process.env, LIPSC_FUZZ_SECONDS: values.seconds, LIPSC_FUZZ_SEED: values.seed };
process.exit(spawnSync(process.execPath, args, { cwd: root, env, stdio: "inherit" }).status ?? 70);
