/**
 * The campaign's power: each planted defect is found and made small. The quickest of them here; all of them, with what it
 * took, by `npm run fuzz:soundness -- --planted --seconds 60`.
 */
import { expect, test } from "vitest";
import { campaign } from "./campaign.ts";
import { defects, type Defect } from "./planted.ts";
import { replay } from "./witness.ts";

const { LIPSC_FUZZ_PLANTED: all, LIPSC_FUZZ_SEED: seed = "3" } = process.env;

const hunt = (defect: Defect, limit: { readonly models?: number; readonly seconds?: number }) =>
  campaign({
    seed: Number(seed),
    ...limit,
    hunts: 5,
    steps: 40,
    taps: true,
    rules: defect.rules,
    only: defect.only,
    first: true,
    ...(defect.phases ? { phases: defect.phases } : {}),
  });

const linesOf = (source: string): number => source.trimEnd().split("\n").length;

test.runIf(all === undefined).each(defects.filter((defect) => defect.quick))(
  "finds: $name",
  { timeout: 300_000 },
  (defect) => {
    const { counterexamples, models } = hunt(defect, { models: 150 });
    expect(counterexamples.length, `${models} models`).toBe(1);
    const [{ source, violation }] = counterexamples;
    expect(violation.attained).toBeGreaterThan(violation.bound);
    // An input, the policy, an output and a few lines; with the rules as they are the claim stands.
    expect(linesOf(source), source).toBeLessThan(12);
    const { bound, attained } = replay(violation.witness);
    expect(attained).toBeLessThanOrEqual(bound * (1 + 1e-7));
  },
);

test.runIf(all !== undefined)("finds every planted defect", { timeout: 86_400_000 }, () => {
  const missed: string[] = [];
  for (const defect of defects) {
    const { counterexamples, models, seconds } = hunt(defect, { seconds: Number(all) });
    const [found] = counterexamples;
    if (!found) missed.push(defect.name);
    const how = found
      ? `${found.violation.claim}: ${found.violation.attained.toPrecision(6)} > ${found.violation.bound.toPrecision(6)}\n${found.source}`
      : "";
    console.log(
      `${found ? "found" : "MISSED"} ${defect.name}: ${models} models, ${seconds.toFixed(1)} s${found ? `, ${linesOf(found.source)} lines` : ""}\n${how}`,
    );
  }
  expect(missed).toEqual([]);
});
