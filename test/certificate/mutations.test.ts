import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Certificate } from "../../src/certificate/verify/document.ts";
import { Refusal } from "../../src/certificate/verify/refusal.ts";
import { verify } from "../../src/certificate/verify/verify.ts";
import { certificateOf, modelOf, sealed } from "./certificates.ts";
import { falsehoods, mutate } from "./mutations.ts";

const small = ["certified-mlp", "contracting", "lbdn-digits", "anie", "deep-ssm"];
const more = ["quick-start", "two-lipschitz", "fast", "lipshift", "vit-fashion", "lipsformer-fashion"];

const known = new Map<string, string>();
function certificateText(spec: string): string {
  let text = known.get(spec);
  if (text === undefined)
    known.set(spec, (text = JSON.stringify(certificateOf(modelOf(`specs/${spec}.lips`)))));
  return text;
}

/** Whether the checker accepts; anything but a Refusal is a bug of it. */
function accepts(certificate: Certificate): boolean {
  try {
    verify(JSON.stringify(certificate));
    return true;
  } catch (error) {
    if (error instanceof Refusal) return false;
    throw error;
  }
}

interface Outcome {
  mutated: number;
  accepted: number;
}

/** One change, told again with the right hashes: false ones must be refused. */
function attack(spec: string, seed: number, outcome: Outcome): void {
  const certificate = JSON.parse(certificateText(spec)) as Certificate;
  const what = mutate(certificate, seed);
  if (what === null || JSON.stringify(certificate) === certificateText(spec)) return;
  outcome.mutated++;
  // As it is the seal breaks, whatever was changed.
  expect(accepts(certificate), `${spec} ${seed}: ${what}, unsealed`).toBe(false);
  let forged: Certificate;
  try {
    forged = sealed(certificate);
  } catch {
    // What has no model can't be sealed.
    return;
  }
  if (!accepts(forged)) return;
  outcome.accepted++;
  expect(falsehoods(forged), `${spec} ${seed}: ${what}`).toEqual([]);
}

describe("changed certificates", () => {
  it("are refused where they are false (LIPSC_FUZZ_SECONDS and LIPSC_FUZZ_SEED for longer)", () => {
    const seconds = Number(process.env.LIPSC_FUZZ_SECONDS ?? 0);
    const seed = Number(process.env.LIPSC_FUZZ_SEED ?? 1);
    const outcome: Outcome = { mutated: 0, accepted: 0 };
    const specs = seconds > 0 ? [...small, ...more] : small;
    fc.assert(
      fc.property(fc.constantFrom(...specs), fc.nat(), (spec, n) => attack(spec, n, outcome)),
      seconds > 0
        ? { seed, numRuns: 1e9, interruptAfterTimeLimit: seconds * 1000, markInterruptAsFailure: false }
        : { seed, numRuns: 300 },
    );
    if (seconds > 0)
      console.log(
        `${outcome.mutated} changed certificates of ${specs.length} specs (seed ${seed}): ${outcome.mutated - outcome.accepted} refused, ` +
          `${outcome.accepted} accepted, all of them true`,
      );
    expect(outcome.mutated).toBeGreaterThan(100);
  }, 86_400_000);

  it("that are looser are still accepted", () => {
    const certificate = JSON.parse(certificateText("certified-mlp")) as Certificate;
    const [{ derivations, claims }] = certificate.proofs;
    for (const { gain } of derivations[0].steps as unknown as { gain: number[] }[])
      gain.forEach((x, i) => (gain[i] = x * 2));
    expect(claims).toEqual([]);
    expect(accepts(sealed(certificate))).toBe(true);
  });
});
