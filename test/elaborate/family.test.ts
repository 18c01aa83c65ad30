/** The counts of the LipsFormer family: against the authors' numbers, and as docs/lipsformer.md tells them. */
import { readFileSync, writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { checkFiles } from "../../src/cli/check.ts";
import { countMacs, countParameters } from "../../src/cli/report/figures.ts";
import { showBound, showLimit } from "../../src/cli/report/numbers.ts";
import type { Model, Node } from "../../src/model/model.ts";
import { modelOf, testHost } from "../helpers/elaborated.ts";

const page = "docs/lipsformer.md";
const spaced = (n: number): string => String(n).replace(/\B(?=(\d{3})+$)/g, " ");
const giga = (n: number, digits: number): string => (n / 1e9).toFixed(digits);

function expectTable(name: string, rows: readonly (readonly string[])[]): void {
  const [head, ...body] = rows.map((row) => `| ${row.join(" | ")} |`);
  const table = [head, `|${"---|".repeat(rows[0].length)}`, ...body].join("\n");
  const text = readFileSync(page, "utf8");
  const begin = `<!-- ${name}: made from the specs -->\n`;
  const end = `<!-- end of ${name} -->`;
  const [from, to] = [text.indexOf(begin) + begin.length, text.indexOf(end)];
  expect(to).toBeGreaterThanOrEqual(from);
  if (process.env.UPDATE_DOCS) writeFileSync(page, `${text.slice(0, from)}${table}\n${text.slice(to)}`);
  else expect(text.slice(from, to)).toBe(`${table}\n`);
}

interface Member {
  readonly file: string;
  readonly model: string;
  /** Of the authors' code, or of the layers that their code and papers describe. */
  readonly parameters: number;
  /** As papers and read-mes quote them, where they do; for LipsFormer-Swin there is the code's own counter, below. */
  readonly quoted?: readonly [parameters: string, macs: string];
}

const member = (file: string, model: string, parameters: number, quoted?: Member["quoted"]): Member => ({
  file,
  model,
  parameters,
  quoted,
});

const members: readonly Member[] = [
  member("lipsformer-swin-tiny", "LipsFormerSwinTiny", 30_908_578),
  member("lipsformer-swin-tiny-released", "LipsFormerSwinTinyReleased", 30_908_578),
  member("lipsformer-swin-small", "LipsFormerSwinSmall", 54_479_794),
  member("lipsformer-swin-small-released", "LipsFormerSwinSmallReleased", 54_479_794),
  member("lipsformer-swin-base", "LipsFormerSwinBase", 96_011_168),
  member("lipsformer-swin-base-released", "LipsFormerSwinBaseReleased", 96_011_168),
  member("lipsformer-cswin-tiny", "LipsFormerCSwinTiny", 23_780_136, ["24 M", "4.7 G"]),
  member("swin-tiny", "SwinTiny", 28_288_354, ["28.29 M", "4.49 G"]),
  member("cswin-tiny", "CSwinTiny", 22_320_552, ["22.3 M", "4.3 G"]),
];

/** `12.3 M` of a number, to the digits of the quoted text. */
function asQuoted(n: number, quoted: string): string {
  const [digits, unit] = quoted.split(" ");
  const places = (digits.split(".")[1] ?? "").length;
  return `${(n / (unit === "M" ? 1e6 : 1e9)).toFixed(places)} ${unit}`;
}

const specOf = ({ file, model }: Member): Model => modelOf(`specs/${file}.lips`, model);

test.each(members)("$model has the authors' parameters and multiply-adds", (entry) => {
  const model = specOf(entry);
  expect(countParameters(model)).toBe(entry.parameters);
  if (!entry.quoted) return;
  const [parameters, macs] = entry.quoted;
  expect(asQuoted(countParameters(model), parameters)).toBe(parameters);
  expect(asQuoted(countMacs(model), macs)).toBe(macs);
});

test("the table of members: paper forms are proven, all others refused", () => {
  const rows = members.map(({ file }) => {
    const { reports, code } = checkFiles(testHost(), [`specs/${file}.lips`]);
    const [{ model, parameters, macs, verdicts }] = reports;
    const form = file.endsWith("released") ? "released" : file.startsWith("lips") ? "paper" : "as it is";
    expect(verdicts).toHaveLength(1);
    const [{ status, upper, claim }] = verdicts;
    expect([status, code]).toEqual(form === "paper" ? ["proven", 0] : ["refused", 1]);
    expect(claim.text.startsWith(`gain(${model.inputs[0].name} -> logits)`)).toBe(true);
    // An honest limit: not far above what is proven.
    if (status === "proven") expect(claim.limit).toBeLessThan(2 * upper);
    const found = Number.isFinite(upper) ? showBound(upper) : "∞";
    const limit = `${showLimit(claim.limit)}`;
    const said = status === "proven" ? `${found}, claimed ${limit}` : `${found}, refused at ${limit}`;
    return [`\`${file}.lips\``, form, spaced(parameters), spaced(macs), said];
  });
  expectTable("members", [["spec", "form", "parameters", "multiply-adds", "gain, l2, at init"], ...rows]);
});

/** What `flops()` of the authors' code gives (facts of the released code), by its terms. */
const counters = [
  { name: "Tiny", model: "LipsFormerSwinTiny", theirs: 4_984_223_232 },
  { name: "Small", model: "LipsFormerSwinSmall", theirs: 9_673_471_488 },
  { name: "Base", model: "LipsFormerSwinBase", theirs: 16_982_689_792 },
];

function termsOf(model: Model): readonly (readonly [string, number])[] {
  const entries = (nodes: readonly Node[]): number =>
    nodes.reduce((sum, n) => sum + model.values[n.outputs[0]].shape.reduce((a, b) => a * b, 1), 0);
  const norms = model.nodes.filter((n) => n.layer === "CenterNorm");
  const inBlocks = norms.filter((n) => n.path.startsWith("lips_block"));
  const inMerging = norms.filter((n) => n.path.startsWith("patch_merging"));
  const [first, last] = norms.filter((n) => !inBlocks.includes(n) && !inMerging.includes(n));
  const weights = model.nodes.filter((n) => n.layer === "Residual" && /weighted_[34]\./.test(n.path));
  return [
    ["multiply-adds, ours", countMacs(model)],
    ["norm after the patches", entries([first])],
    ["two norms in each block", entries(inBlocks)],
    ["residual weights of attention and perceptron", entries(weights)],
    ["norms of the mergings", entries(inMerging)],
    ["the last norm, counted four times", 4 * entries([last])],
  ];
}

test("the authors' counter is ours and what it adds, term by term", () => {
  const columns = counters.map(({ name, model, theirs }) => {
    const terms = termsOf(modelOf(`specs/lipsformer-swin-${name.toLowerCase()}.lips`, model));
    expect(terms.reduce((sum, [, n]) => sum + n, 0)).toBe(theirs);
    return { name, terms, theirs };
  });
  const rows = columns[0].terms.map(([term], i) => [term, ...columns.map((c) => spaced(c.terms[i][1]))]);
  expectTable("counters", [
    ["", ...columns.map((c) => c.name)],
    ...rows,
    ["the authors' counter", ...columns.map((c) => spaced(c.theirs))],
  ]);
});

test("Swin's own counter gives what is quoted as well", () => {
  const model = modelOf("specs/swin-tiny.lips", "SwinTiny");
  const norms = model.nodes.filter((n) => n.layer === "LayerNorm");
  const entries = norms.map((n) => model.values[n.outputs[0]].shape.reduce((a, b) => a * b, 1));
  const total = countMacs(model) + entries.reduce((a, b) => a + b, 0) + 3 * entries[entries.length - 1];
  expect(giga(total, 3)).toBe("4.494");
});

test("the chosen composition with smaller kernels doesn't fit", () => {
  const macs = (kernel: number): number =>
    countMacs(
      modelOf("test/fixtures/cswin-compositions.lips", "Composition", {
        stem: "4",
        merge: "2",
        kernel: String(kernel),
      }),
    );
  expect([7, 5, 3].map((kernel) => giga(macs(kernel), 2))).toEqual(["4.67", "4.60", "4.56"]);
});

test("compositions of CSwin-Tiny with LipsFormer's parts", () => {
  const rows: string[][] = [];
  for (const stem of [7, 4]) {
    for (const merge of [3, 0, 2]) {
      for (const branches of ["none", "second", "first", "both"]) {
        for (const lepe of [false, true]) {
          const model = modelOf("test/fixtures/cswin-compositions.lips", "Composition", {
            stem: String(stem),
            merge: String(merge),
            first: String(branches === "first" || branches === "both"),
            second: String(branches === "second" || branches === "both"),
            lepe: String(lepe),
          });
          const [parameters, macs] = [countParameters(model), countMacs(model)];
          const fits = asQuoted(parameters, "24 M") === "24 M" && asQuoted(macs, "4.7 G") === "4.7 G";
          rows.push([
            `${stem} × ${stem}`,
            merge === 0 ? "Swin's" : `${merge} × ${merge}`,
            branches,
            lepe ? "kept" : "dropped",
            spaced(parameters),
            giga(macs, 3),
            fits ? "✓" : "",
          ]);
        }
      }
    }
  }
  expect(rows.filter((row) => row.at(-1) === "✓")).toHaveLength(12);
  // The chosen one, which the spec has.
  expect(rows.at(-1)).toEqual(["4 × 4", "2 × 2", "both", "kept", "23 780 136", "4.674", "✓"]);
  expectTable("compositions", [
    ["stem", "merging", "branches", "LePE", "parameters", "G multiply-adds", ""],
    ...rows,
  ]);
});
