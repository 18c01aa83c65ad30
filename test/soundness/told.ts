/** The report of a campaign, for people. */
import { layers } from "../../src/layers/registry.ts";
import { unattacked, type Counterexample, type Report } from "./campaign.ts";
import { print } from "./witness.ts";

/** Two lines of a campaign that goes on, and what it found last. */
export function interim(report: Report, seed: string | number): string {
  return [...head(report, seed), ...report.counterexamples.slice(-1).flatMap(caseOf)].join("\n");
}

function head(report: Report, seed: string | number): string[] {
  const { models, searches, ranges, claims, doubtful, ratio, counterexamples } = report;
  return [
    `${models} models, ${searches} searches, ${claims} verdicts, ${ranges} ranges, ${report.seconds.toFixed(0)} s (${report.processorSeconds.toFixed(0)} s of processor time), seed ${seed}`,
    `${counterexamples.length} violations; ${doubtful} breaches that didn't outlast rounding; largest attained/bound ${ratio.toPrecision(10)}`,
  ];
}

function caseOf({ seed, violation }: Counterexample): string[] {
  return [
    "",
    `BROKEN (seed ${seed}): ${violation.claim}`,
    `  bound ${violation.bound}, attained ${violation.attained}; as a case for test/soundness/cases.ts:`,
    print(violation.witness),
  ];
}

export function told(report: Report, seed: string | number): string {
  const { counterexamples } = report;
  const rare = [...layers.keys()].filter((name) => !report.layers.has(name) && !unattacked.has(name));
  const rules = [...report.rules].sort(([, a], [, b]) => b.ratio - a.ratio);
  const width = Math.max(0, ...rules.map(([rule]) => rule.length));
  return [
    ...head(report, seed),
    `constraints: ${[...report.constraints].map(([name, n]) => `${name} ${n}`).join(", ")}`,
    ...(rare.length > 0 ? [`layers never met: ${rare.join(", ")}`] : []),
    ...[...unattacked].map(([name, reason]) => `not attacked: ${name}: ${reason}`),
    "",
    "attained/bound of searches through one layer alone (near 1: the search is strong and the rule tight)",
    ...rules.map(
      ([rule, { ratio: near, searches: n }]) =>
        `  ${rule.padEnd(width)}  ${near.toFixed(6)}  of ${n} searches`,
    ),
    ...counterexamples.flatMap(caseOf),
  ].join("\n");
}
