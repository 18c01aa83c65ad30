import { readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { checkFiles } from "../../src/cli/check.ts";
import { nodeHost } from "../../src/cli/host-node.ts";
import { explainBound } from "../../src/cli/report/explain.ts";
import { countMacs, countParameters } from "../../src/cli/report/figures.ts";
import { stagesOf } from "../../src/cli/report/stages.ts";
import { pageWidth, painter, tabulate, wrap } from "../../src/cli/report/table.ts";
import { textReport } from "../../src/cli/report/text.ts";
import { widthOf } from "../../src/diagnostics/display-width.ts";
import { modelOf } from "../elaborate/host.ts";
import { lipscIn } from "./run.ts";

const specs = readdirSync("specs")
  .filter((name) => name.endsWith(".lips"))
  .map((name) => join("specs", name));

describe("the report", () => {
  it.each(specs)("of %s fits the page", (file) => {
    const { reports, sources } = checkFiles(nodeHost, [file]);
    const plain = painter(false);
    for (const report of reports) {
      const text = textReport(report, sources, plain) + explainBound(report, sources, plain);
      expect(text.split("\n").filter((line) => [...line].length > pageWidth)).toEqual([]);
      expect(text).not.toMatch(/\n\n\n/);
    }
  });
});

describe("a terminal of 80 columns", () => {
  it.each(["quick-start", "lipsformer-swin-tiny", "swin-tiny"])("holds the page of %s", async (name) => {
    const { stdout } = await lipscIn({ COLUMNS: "80" }, "check", `specs/${name}.lips`, "--explain-bound");
    expect(stdout).toContain("largest causes");
    expect(stdout.split("\n").filter((line) => widthOf(line) > 80)).toEqual([]);
  });
});

describe("stages", () => {
  const model = (body: string) =>
    modelOf(`lips 1\nmodel M {\n  input x: [8, 4]\n  let z = x\n  ${body}\n  output y = z |> MeanPool\n}\n`);
  const rows = (body: string): string[] =>
    stagesOf(model(body)).map(({ name, count, mark }) => `${name} ${count}${mark}`);

  it("that come again together are shown once", () => {
    expect(rows("for i in range(5) { z = z |> Linear(4) |> ReLU |> CenterNorm }")).toEqual([
      "linear 5┌",
      "re_lu 5│",
      "center_norm 5└",
      "mean_pool 1",
    ]);
    expect(rows("z = z |> Linear(4) |> ReLU |> Linear(6) |> ReLU |> Linear(6) |> ReLU")).toEqual([
      "linear 1",
      "re_lu 1",
      "linear 2┌",
      "re_lu 2└",
      "mean_pool 1",
    ]);
    expect(rows("z = z |> Linear(4) |> ReLU")).toEqual(["linear 1", "re_lu 1", "mean_pool 1"]);
  });

  it.each(specs)("of %s hold every parameter and every multiply-add", (file) => {
    for (const { model: of } of checkFiles(nodeHost, [file]).reports) {
      const stages = stagesOf(of);
      const sum = (pick: (stage: (typeof stages)[number]) => number): number =>
        stages.reduce((total, stage) => total + pick(stage), 0);
      expect(sum((stage) => stage.macs)).toBe(countMacs(of));
      // Weights of values without inputs (`learned`) belong to no stage.
      expect(sum((stage) => stage.parameters)).toBeLessThanOrEqual(countParameters(of));
    }
  });
});

describe("tables", () => {
  it("are cut where they are too wide, the last column that may be cut first", () => {
    const [line] = tabulate(
      [["a".repeat(40), "b".repeat(40), "c".repeat(40)]],
      [{ align: "left", most: 40 }, { align: "left" }, { align: "left", most: 40 }],
    );
    expect(line).toHaveLength(pageWidth);
    expect(line).toMatch(/^ {2}a{40} {2}b{40} {2}c+…c+$/);
  });

  it("count columns as they are shown: colours take none, wide letters two", () => {
    const paint = painter(true);
    const rows = [
      [paint("good", "✓"), "a"],
      [paint("bad", "✗"), "模型"],
      ["", "b"],
    ].map((cells) => [...cells, "|"]);
    const column = { align: "left" } as const;
    const shown = tabulate(rows, [column, column, column]).map((line) => widthOf(line));
    expect(shown).toEqual([12, 12, 12]);
  });

  it("wrap loses no word", () => {
    const text = "word ".repeat(60).trim();
    const lines = wrap(text);
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(pageWidth);
    expect(lines.map((line) => line.trim()).join(" ")).toBe(text);
  });
});
