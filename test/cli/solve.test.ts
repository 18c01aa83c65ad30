import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { runBuild } from "../../src/cli/build.ts";
import { runCheck, checkFiles } from "../../src/cli/check.ts";
import { nodeHost } from "../../src/cli/host-node.ts";
import { loadModel } from "../../src/cli/load.ts";
import { runSolve, solveFile } from "../../src/cli/solve.ts";
import { modelHash } from "../../src/runtime/checkpoint.ts";

const folder = mkdtempSync(join(tmpdir(), "lipsc-solve-"));

function file(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

/** Runs a command with its standard output put away. */
async function quiet(run: () => Promise<number>): Promise<number> {
  const write = process.stdout.write;
  process.stdout.write = () => true;
  try {
    return await run();
  } finally {
    process.stdout.write = write;
  }
}

const spec = `lips 1

// A comment, and odd   spacing, both kept.
model M(width: int = 8) {
  input x: [4, 8]
  weights { constraint: spectral(1) }
  let alpha =   solve( in: [0, 1] )   // a budget
  output y = x |> Residual(Linear(width), alpha: alpha) |> Scale(1 + alpha)
  certify always: gain(x -> y) <= 2
}
`;

describe("lipsc solve --write", () => {
  it("replaces the call and nothing else, and the model stays the one that was proven", async () => {
    const path = file("written.lips", spec);
    const before = loadModel(nodeHost, path, null, {}).model;
    expect(await quiet(() => runSolve({ file: path, write: true, set: {} }))).toBe(0);
    expect(readFileSync(path, "utf8")).toBe(spec.replace("solve( in: [0, 1] )", "0.414"));
    const after = loadModel(nodeHost, path, null, {}).model;
    if (!before || !after) throw new Error("no model");
    expect(modelHash(after)).toBe(modelHash(before));
    expect(await quiet(() => runCheck([path], { format: "text", explainBound: false, set: {} }))).toBe(0);
  });

  it("puts fractions and signs into parentheses inside of an expression", async () => {
    const text = spec
      .replace("alpha: alpha", "alpha: 1/2")
      .replace("let alpha =   solve( in: [0, 1] )   // a budget\n", "")
      .replace("1 + alpha", "1 + 2 * solve(in: [-1/3, 0])");
    const path = file("inside.lips", text);
    // The bound falls towards −1/3, where all claims hold, and every value meets them: the largest bound is at 0.
    expect(await quiet(() => runSolve({ file: path, write: true, set: {} }))).toBe(0);
    expect(readFileSync(path, "utf8")).toContain("Scale(1 + 2 * 0)");
    const negative = file("negative.lips", text.replace("[-1/3, 0]", "[-1/3, -1/4]").replace("<= 2", "<= 1"));
    expect(await quiet(() => runSolve({ file: negative, write: true, set: {} }))).toBe(0);
    expect(readFileSync(negative, "utf8")).toContain("1 + 2 * (-0.25)");
  });

  it("writes nothing where there is no number", async () => {
    const text = spec.replace("<= 2", "<= 0.9");
    const path = file("none.lips", text);
    const { solutions, diagnostics } = solveFile(nodeHost, path, {});
    expect([solutions.length, diagnostics.all.map((d) => d.code)]).toEqual([0, ["LIPS0502"]]);
    const write = process.stderr.write;
    process.stderr.write = () => true;
    expect(await quiet(() => runSolve({ file: path, write: true, set: {} }))).toBe(1);
    process.stderr.write = write;
    expect(readFileSync(path, "utf8")).toBe(text);
  });
});

describe("a model with a solved number", () => {
  it("is checked, and loaded to be built, with the same number", () => {
    const path = file("loaded.lips", spec);
    const { reports, code } = checkFiles(nodeHost, [path]);
    expect(code).toBe(0);
    const { model } = loadModel(nodeHost, path, null, {});
    expect([reports[0].model.solve?.value, model?.solve?.value]).toEqual(["0.414", "0.414"]);
    expect(reports[0].verdicts.map((v) => v.status)).toEqual(["proven"]);
  });

  it("is built with that number, rounded to what is stored", async () => {
    const path = file("built.lips", spec.replace("|> Scale(1 + alpha)", "|> MeanPool |> Linear(3)"));
    const out = join(folder, "built");
    const options = {
      file: path,
      out,
      target: "pytorch",
      model: null,
      set: {},
      batch: null,
      seed: null,
    } as const;
    expect(await quiet(() => runBuild(options))).toBe(0);
    const { model } = loadModel(nodeHost, path, null, {});
    const source = readFileSync(join(out, "model.py"), "utf8");
    expect(model?.solve?.value).toBe("1");
    const tight = file("tight.lips", readFileSync(path, "utf8").replace("<= 2", "<= 0.777"));
    expect(await quiet(() => runBuild({ ...options, file: tight, out: join(folder, "tight") }))).toBe(0);
    const other = readFileSync(join(folder, "tight", "model.py"), "utf8");
    const { value } = loadModel(nodeHost, tight, null, {}).model?.solve ?? {};
    expect(Number(value)).toBeGreaterThan(0);
    expect(Number(value)).toBeLessThan(1);
    const numbers = (text: string): number[] =>
      [...text.matchAll(/\d+\.\d+(?:e-?\d+)?/g)].map(([n]) => Math.fround(Number(n)));
    // α is stored rounded towards zero.
    const stored = [Math.fround(Number(value)), Math.fround(Number(value) - 2 ** -25)];
    expect(numbers(other).some((x) => stored.includes(x))).toBe(true);
    expect(numbers(source).some((x) => stored.includes(x))).toBe(false);
  });

  it("follows what --set changes", () => {
    const path = file(
      "set.lips",
      spec.replace("(width: int = 8)", "(width: int = 8, limit: real = 2)").replace("<= 2", "<= limit"),
    );
    const value = (limit: string) => loadModel(nodeHost, path, null, { limit }).model?.solve?.value;
    expect([value("2"), value("9/4"), value("4")]).toEqual(["0.414", "0.5", "1"]);
  });
});
