// Parity on everything that is installed: `npm run test:parity`. Beside the engines of `npm test` it tries tfjs-node,
// tfjs-webgpu and PyTorch, and prints what it skipped and why. `npm run test:parity -- pytorch-parts` runs files of that name.
import { spawnSync } from "node:child_process";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const vitest = join(dirname(createRequire(import.meta.url).resolve("vitest/package.json")), "vitest.mjs");
const asked = process.argv.slice(2);
const names = asked.filter((word) => !word.startsWith("-")).map((name) => `test/parity/${name}`);
const flags = asked.filter((word) => word.startsWith("-"));
const files = names.length > 0 ? names : ["test/parity"];
const args = [vitest, "run", ...files, "--disable-console-intercept", ...flags];
const env = { ...process.env, LIPSC_PARITY: "all" };
process.exit(spawnSync(process.execPath, args, { cwd: root, env, stdio: "inherit" }).status ?? 70);
