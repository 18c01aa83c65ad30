// The soundness campaign for as long as one likes: `npm run fuzz:soundness -- --seconds 3600 --seed 7`.
// With --checker the bounds attacked are those that the independent checker of certificates derives.
// With --rounding it is the bounds of float32's errors that are attacked.
// With --planted it looks for defects that are planted on purpose, each for at most that long: what the campaign can find.
import { spawnSync } from "node:child_process";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "600" },
    checker: { type: "boolean", default: false },
    rounding: { type: "boolean", default: false },
    planted: { type: "boolean", default: false },
    seed: { type: "string", default: String(Date.now() % 1_000_000) },
  },
});
for (const [name, value] of Object.entries(values)) {
  if (typeof value === "boolean" || /^\d+$/.test(value)) continue;
  console.error(`--${name} needs a whole number, not ${value}`);
  process.exit(2);
}
const kind = values.planted ? "planted" : values.rounding ? "rounding" : "campaign";
const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const vitest = join(dirname(createRequire(import.meta.url).resolve("vitest/package.json")), "vitest.mjs");
const args = [
  vitest,
  "run",
  `test/soundness/${kind}.test.ts`,
  "-t",
  { planted: "finds every planted defect", campaign: "no model breaks", rounding: "no engine" }[kind],
  "--disable-console-intercept",
];
const env = {
  ...process.env,
  [values.planted ? "LIPSC_FUZZ_PLANTED" : "LIPSC_FUZZ_SECONDS"]: values.seconds,
  LIPSC_FUZZ_SEED: values.seed,
  ...(values.checker ? { LIPSC_FUZZ_CHECKER: "1" } : {}),
};
process.exit(spawnSync(process.execPath, args, { cwd: root, env, stdio: "inherit" }).status ?? 70);
