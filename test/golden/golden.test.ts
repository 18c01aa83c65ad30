import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { table } from "../../src/diagnostics/table.ts";
import { goldenCases, runAll } from "./run.ts";

const cases = goldenCases();
const folder = join(import.meta.dirname, "..");
const tests = readdirSync(folder, { recursive: true, encoding: "utf8" })
  .filter((path) => path.endsWith(".test.ts"))
  .map((path) => readFileSync(join(folder, path), "utf8"));
let results = new Map<string, string>();

beforeAll(async () => {
  results = await runAll(cases);
}, 600_000);

describe("the command line", () => {
  it.each(cases.map((c) => [c.name, c] as const))("%s", async (name, { expected }) => {
    await expect(results.get(name)).toMatchFileSnapshot(expected);
  });
});

describe("every diagnostic", () => {
  const rows = Object.entries(table).map(([name, { code, severity }]) => ({ name, code, severity }));

  it("has its own code", () => {
    expect(new Set(rows.map((row) => row.code)).size).toBe(rows.length);
  });

  it.each(rows.filter((row) => row.code < "LIPS0600"))("$code $name has a golden case that shows it", ({ code, name, severity }) => {
    const own = cases.filter((c) => c.name.startsWith(`diagnostics/${code}-${name}`));
    expect(own.map((c) => c.name)).not.toEqual([]);
    for (const { name: run } of own) {
      const output = results.get(run) ?? "";
      expect(output).toContain(`${severity}[${code}]`);
      // An error of the spec or the run is exit code 1; warnings and hints alone are none.
      if (severity === "error") expect(output).toMatch(/^exit 1\n/);
    }
  });

  // Files, data and engines: shown by the tests of the commands that run a model.
  it.each(rows.filter((row) => row.code >= "LIPS0600"))("$code $name is shown by a golden case or by a test of a run", ({ code, name }) => {
    const golden = cases.some((c) => c.name.startsWith(`diagnostics/${code}-${name}`));
    expect(golden || tests.some((text) => text.includes(code) || text.includes(`"${name}"`))).toBe(true);
  });

  it("has a golden case under a code that exists", () => {
    const known = new Set(rows.map((row) => `${row.code}-${row.name}`));
    const strays = cases.filter((c) => c.name.startsWith("diagnostics/") && ![...known].some((k) => c.name.startsWith(`diagnostics/${k}`)));
    expect(strays.map((c) => c.name)).toEqual([]);
  });
});
