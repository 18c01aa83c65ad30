/** The tables of layers and options in docs/language.md are made from the source: `UPDATE_DOCS=1` writes them. */
import { readFileSync, writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { functionNames } from "../../src/elaborate/words.ts";
import { optionTypes } from "../../src/elaborate/option-tables.ts";
import { trainKeys } from "../../src/elaborate/train.ts";
import { layers } from "../../src/layers/registry.ts";
import { nameRows } from "../../src/diagnostics/rows/names.ts";
import { layerRows } from "../../src/diagnostics/rows/layers.ts";
import { trainRows } from "../../src/diagnostics/rows/train.ts";

const path = "docs/language.md";
const escape = (text: string): string => text.replaceAll("|", "\\|");

function layerTable(): string {
  const rows = [...layers.values()].map(({ name, signature, summary }) => {
    const params = signature.params.map((p) => {
      const type = p.words ? p.words.join(" | ") : p.type;
      return `${p.name}${p.optional ? "?" : ""}: ${type}${p.default === undefined ? "" : ` = ${p.default}`}`;
    });
    return `| \`${name}\` | \`${escape(signature.shape)}\` | ${params.length > 0 ? `\`${escape(params.join(", "))}\`` : ""} | ${escape(summary)} |`;
  });
  return ["| layer | shapes | static parameters | |", "|---|---|---|---|", ...rows].join("\n");
}

function optionTable(): string {
  const rows = [...optionTypes].map(([type, options]) => {
    const shown = Object.entries(options).map(([name, params]) => {
      const args = params.map(
        (p) => `${p.name}${p.optional ? "?" : ""}${p.default === undefined ? "" : ` = ${p.default}`}`,
      );
      return args.length === 0 ? `\`${name}\`` : `\`${name}(${args.join(", ")})\``;
    });
    return `| \`${type}\` | ${shown.join(", ")} |`;
  });
  return ["| type | options |", "|---|---|", ...rows].join("\n");
}

test.each([
  ["layers", layerTable()],
  ["options", optionTable()],
])("the table of %s is the one in the source", (name, table) => {
  const text = readFileSync(path, "utf8");
  const begin = `<!-- ${name}: made from the source -->\n`;
  const end = `\n<!-- end of ${name} -->`;
  const from = text.indexOf(begin) + begin.length;
  const to = text.indexOf(end);
  expect(from).toBeGreaterThanOrEqual(begin.length);
  if (process.env.UPDATE_DOCS) writeFileSync(path, text.slice(0, from) + table + text.slice(to));
  else expect(text.slice(from, to)).toBe(table);
});

test("functions and entries of train are named", () => {
  const text = readFileSync(path, "utf8");
  for (const name of [...functionNames, ...Object.keys(trainKeys)]) expect(text).toContain(name);
});

test("codes are never given twice", () => {
  const codes = Object.values({ ...nameRows, ...layerRows, ...trainRows }).map((row) => row.code);
  expect(new Set(codes).size).toBe(codes.length);
});
