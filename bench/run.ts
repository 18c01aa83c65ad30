/**
 * npm run bench [-- --json] [-- NAME…]: medians of one run; NAME chooses by the beginning of a row's name.
 * `--json` prints one array of { name, ours, reference, ratio, unit, note }; progress goes to standard error.
 */
import type { Bench, Row } from "./row.ts";
import { checkBench } from "./rows/check.ts";
import { constraintsBench } from "./rows/constraints.ts";
import { dataBenches } from "./rows/data.ts";
import { muonBench } from "./rows/muon.ts";
import { stateBench } from "./rows/state.ts";
import { swinTinyBenches } from "./rows/swin-tiny.ts";
import { tfjsBench } from "./rows/tfjs.ts";
import { trainStepBench } from "./rows/train-step.ts";

const benches: readonly Bench[] = [
  trainStepBench,
  muonBench,
  constraintsBench,
  ...swinTinyBenches,
  tfjsBench,
  stateBench,
  checkBench,
  ...dataBenches,
];

function format(value: number | null): string {
  return value === null ? "–" : value.toPrecision(4);
}

const args = process.argv.slice(2);
const json = args.includes("--json");
const wanted = args.filter((a) => !a.startsWith("-"));
const chosen = benches.filter(
  (b) => wanted.length === 0 || wanted.some((w) => w.startsWith(b.name) || b.name.startsWith(w)),
);
if (chosen.length === 0) {
  process.stderr.write(
    `no benchmark begins with ${wanted.join(", ")}; there are ${benches.map((b) => b.name).join(", ")}\n`,
  );
  process.exit(2);
}
const rows: Row[] = [];
for (const bench of chosen) {
  const made = await bench.run((line) => process.stderr.write(`${line}\n`));
  rows.push(...made.filter((r) => wanted.length === 0 || wanted.some((w) => r.name.startsWith(w))));
}
if (json) process.stdout.write(JSON.stringify(rows, null, 2) + "\n");
else {
  for (const r of rows) {
    const numbers = `ours ${format(r.ours)}  reference ${format(r.reference)}  ratio ${format(r.ratio)}  ${r.unit}`;
    process.stdout.write(`${r.name.padEnd(30)}  ${numbers}  (${r.note})\n`);
  }
}
