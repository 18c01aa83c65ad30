/** The report of a campaign, for people. */
import { layers } from "../../src/layers/registry.ts";
import { unattacked, type Report } from "./campaign.ts";
import { print } from "./witness.ts";

export function told(report: Report, seed: string | number): string {
  const { models, searches, ranges, claims, doubtful, ratio, counterexamples } = report;
  const rare = [...layers.keys()].filter((name) => !report.layers.has(name) && !unattacked.has(name));
  const rules = [...report.rules].sort(([, a], [, b]) => b.ratio - a.ratio);
  const width = Math.max(0, ...rules.map(([rule]) => rule.length));
  return [
    `${models} models, ${searches} searches, ${claims} verdicts, ${ranges} ranges, ${report.seconds.toFixed(0)} s, seed ${seed}`,
    `${counterexamples.length} violations; ${doubtful} breaches that didn't outlast rounding; largest attained/bound ${ratio.toPrecision(10)}`,
    `constraints: ${[...report.constraints].map(([name, n]) => `${name} ${n}`).join(", ")}`,
    ...(report.facts.size > 0
      ? [`attacked by their facts alone (no lowering): ${[...report.facts].join(", ")}`]
      : []),
    ...(rare.length > 0 ? [`layers never met: ${rare.join(", ")}`] : []),
    ...[...unattacked].map(([name, reason]) => `not attacked: ${name}: ${reason}`),
    "",
    "attained/bound of searches through one layer alone (near 1: the search is strong and the rule tight)",
    ...rules.map(
      ([rule, { ratio: near, searches: n }]) =>
        `  ${rule.padEnd(width)}  ${near.toFixed(6)}  of ${n} searches`,
    ),
    ...counterexamples.flatMap((c) => [
      "",
      `BROKEN (seed ${c.seed}): ${c.violation.claim}`,
      `  bound ${c.violation.bound}, attained ${c.violation.attained}; as a case for test/soundness/cases.ts:`,
      print(c.violation.witness),
    ]),
  ].join("\n");
}
