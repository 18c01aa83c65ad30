// Parity on everything that is installed: `npm run test:parity`. Beside the engines of `npm test` it tries tfjs-node,
// tfjs-webgpu and PyTorch, and prints what it skipped and why.
import { spawnSync } from "node:child_process";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const vitest = join(dirname(createRequire(import.meta.url).resolve("vitest/package.json")), "vitest.mjs");
const args = [vitest, "run", "test/parity", "--disable-console-intercept", ...process.argv.slice(2)];
const env = { ...process.env, LIPSC_PARITY: "all" };
process.exit(spawnSync(process.execPath, args, { cwd: root, env, stdio: "inherit" }).status ?? 70);
