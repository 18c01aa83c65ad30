import { beforeAll, describe, expect, it } from "vitest";
import { table } from "../../src/diagnostics/table.ts";
import { buildCommand, goldenCases, runAll } from "./run.ts";

const cases = goldenCases();
let results = new Map<string, string>();

beforeAll(async () => {
  results = await runAll(buildCommand(), cases);
}, 240_000);

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

  it.each(rows)("$code $name has a golden case that shows it", ({ code, name, severity }) => {
    const own = cases.filter((c) => c.name.startsWith(`diagnostics/${code}-${name}`));
    expect(own.map((c) => c.name)).not.toEqual([]);
    for (const { name: run } of own) {
      const output = results.get(run) ?? "";
      expect(output).toContain(`${severity}[${code}]`);
      // An error of the spec or the run is exit code 1; warnings and hints alone are none.
      if (severity === "error") expect(output).toMatch(/^exit 1\n/);
    }
  });

  it("has a golden case under a code that exists", () => {
    const known = new Set(rows.map((row) => `${row.code}-${row.name}`));
    const strays = cases.filter((c) => c.name.startsWith("diagnostics/") && ![...known].some((k) => c.name.startsWith(`diagnostics/${k}`)));
    expect(strays.map((c) => c.name)).toEqual([]);
  });
});
