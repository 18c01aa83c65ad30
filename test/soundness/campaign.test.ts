/**
 * No bound is too small: random models over all executable layers, attacked in float64. Seeded and short here; for hours
 * by `npm run fuzz:soundness -- --seconds 3600 --seed 7` (scripts/fuzz-soundness.mjs).
 */
import { expect, test } from "vitest";
import { attackSource, campaign } from "./campaign.ts";
import { nasty } from "./nasty.ts";
import { interim, told } from "./told.ts";

const { LIPSC_FUZZ_SECONDS: seconds, LIPSC_FUZZ_SEED: seed = "1", LIPSC_FUZZ_CHECKER: checker } = process.env;

test("no model breaks a bound or a range", { timeout: (Number(seconds ?? 0) + 600) * 1000 }, () => {
  const length = seconds === undefined ? { models: 40 } : { seconds: Number(seconds) };
  const report = campaign({
    seed: Number(seed),
    ...length,
    hunts: 3,
    steps: 40,
    taps: true,
    ...(checker === undefined ? {} : { rules: { checker: true } }),
    ...(seconds === undefined ? {} : { tell: (now) => console.log(interim(now, seed)) }),
  });
  if (seconds !== undefined) console.log(told(report, seed));
  expect(report.counterexamples.length, seconds === undefined ? told(report, seed) : "see above").toBe(0);
  expect(report.searches).toBeGreaterThan(seconds === undefined ? 100 : 0);
});

test("nor a bound that the checker of certificates derives; and it accepts what is written", () => {
  const report = campaign({
    seed: 4,
    models: 6,
    hunts: 3,
    steps: 30,
    taps: true,
    phases: ["init", "always"],
    rules: { checker: true },
  });
  expect(report.counterexamples.length, told(report, 4)).toBe(0);
  expect(report.searches).toBeGreaterThan(10);
});

test.each(Object.entries(nasty))("%s", (_, source) => {
  const attacked = attackSource(source, 7, { hunts: 3, steps: 40, taps: true });
  expect(attacked?.attacks.reduce((sum, { searches }) => sum + searches, 0)).toBeGreaterThan(0);
  expect(attacked?.attacks.flatMap(({ violations }) => violations)).toEqual([]);
});
