/** Certificates by the real command line, and the checker without it. */
import { execFile } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import type { Certificate } from "../../src/certificate/verify/document.ts";
import { sealed } from "../certificate/certificates.ts";
import { command, lipsc } from "./run.ts";

const folder = mkdtempSync(join(tmpdir(), "lipsc-verify-"));
const spec = "specs/certified-mlp.lips";
const file = join(folder, "cert.json");
const written = lipsc("check", spec, "--certificate", file);

/** What depends on the clock and on the text of a spec. */
const told = (text: string): string =>
  text.replace(/\d+\.\d\d s/, "0.00 s").replace(/[0-9a-f]{64}/g, "<sha256>");

describe("lipsc verify", () => {
  it("says what is certified, by which hashes, and what is believed", async () => {
    const check = await written;
    expect(check.code).toBe(0);
    expect(check.stdout).toContain(
      `  certificate  ${file}  (checked; others check it with \`lipsc verify cert.json\`)`,
    );
    const { code, stdout } = await lipsc("verify", file, "--spec", spec);
    expect(code).toBe(0);
    await expect(told(stdout)).toMatchFileSnapshot("verify-accepted.out");
  });

  it("tells the first step that doesn't follow, with what is stated and what was derived", async () => {
    await written;
    const certificate = JSON.parse(readFileSync(file, "utf8")) as Certificate;
    const [proof] = certificate.proofs;
    const step = proof.derivations[0].steps.at(-1) as unknown as { gain: number[] };
    step.gain[0] *= 0.999;
    const forged = join(folder, "forged.json");
    writeFileSync(forged, JSON.stringify(sealed(certificate)));
    const { code, stdout } = await lipsc("verify", forged);
    expect(code).toBe(1);
    await expect(told(stdout)).toMatchFileSnapshot("verify-refused.out");
  });

  it("refuses another spec, a file that isn't there, one that is no certificate", async () => {
    await written;
    const other = await lipsc("verify", file, "--spec", "specs/quick-start.lips");
    expect([other.code, other.stdout]).toEqual([1, expect.stringContaining("hashes.specs")]);
    const absent = await lipsc("verify", join(folder, "absent.json"));
    expect([absent.code, absent.stdout]).toEqual([1, expect.stringContaining("can't be read")]);
    const noJson = await lipsc("verify", spec);
    expect([noJson.code, noJson.stdout]).toEqual([1, expect.stringContaining("it is no JSON")]);
    const notOne = await lipsc("verify", "package.json");
    expect([notOne.code, notOne.stdout]).toEqual([1, expect.stringContaining("unknown key")]);
  });

  it("runs alone: the folder of the checker and Node are enough", async () => {
    await written;
    const alone = join(folder, "alone");
    cpSync(join(dirname(command), "..", "certificate", "verify"), alone, { recursive: true });
    writeFileSync(join(alone, "package.json"), '{ "type": "module" }');
    const run = promisify(execFile);
    const { stdout } = await run(process.execPath, [join(alone, "main.js"), file], { cwd: folder });
    expect(stdout).toMatch(/^✓ CertifiedMlp: all \d+ steps follow/);
  });

  it("there is no certificate of a layer without a rule, or of two models at once", async () => {
    const path = join(folder, "none.json");
    const layer = await lipsc("check", "specs/r2dn.lips", "--certificate", path);
    expect(layer.code).toBe(1);
    expect(layer.stderr).toContain("there is no rule for the layer R2DN");
    const two = await lipsc("check", spec, "specs/quick-start.lips", "--certificate", path);
    expect(two.code).toBe(1);
    expect(two.stderr).toContain(
      "a certificate is of one model, here are 2; --model names one of CertifiedMlp, QuickStart",
    );
    const one = await lipsc(
      "check",
      "specs/certified-recall.lips",
      "--certificate",
      path,
      "--model",
      "RecallMlp",
    );
    expect(one.stdout).toContain(`certificate  ${path}`);
    expect((await lipsc("verify", path)).stdout).toMatch(/^✓ RecallMlp/);
  });
});
