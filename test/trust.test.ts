/** TRUST.md and the code list the same assumptions, and none stands in the code without an entry. */
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";

const page = readFileSync("TRUST.md", "utf8");
const entries = new Set([...page.matchAll(/^### (T\d+)$/gm)].map(([, id]) => id));
const rows = new Set([...page.matchAll(/^\|\s*\[(T\d+)\]\(#t\d+\)\s*\|/gm)].map(([, id]) => id));

const files = readdirSync("src", { recursive: true, encoding: "utf8" })
  .filter((path) => path.endsWith(".ts"))
  .map((path) => join("src", path));

/** Rooms whose numbers end up in a proof. */
const proving = ["gain", "measure", "rounding", "certificate", "layers"].map(
  (room) => join("src", room) + "/",
);

const marker = /trust: (T\d+(?:, T\d+)*)/g;

function markersOf(text: string): string[] {
  return [...text.matchAll(marker)].flatMap(([, ids]) => ids.split(", "));
}

/** How many lines above a construct its marker may stand. */
const near = 14;

const functions =
  /Math\.(?:exp|expm1|log|log1p|log2|log10|sin|cos|tan|asin|acos|atan|atan2|sinh|cosh|tanh|pow|cbrt|hypot|fround)\b/;
const smallDecimal = /(?<![\w.])\d+(?:\.\d+)?e-\d+/;

/** Lines that hold such a construct, and no marker near. */
function unmarked(text: string, constructs: readonly RegExp[]): string[] {
  const lines = text.split("\n");
  let inComment = false;
  return lines.filter((line, i) => {
    const opens = line.includes("/*");
    const comment = inComment || opens || /^\s*(?:\/\/|\*)/.test(line);
    if (opens) inComment = true;
    if (line.includes("*/")) inComment = false;
    if (comment) return false;
    const code = line.replace(/\/\/.*$/, "").replace(/"[^"]*"|'[^']*'/g, '""');
    if (!constructs.some((pattern) => pattern.test(code))) return false;
    return markersOf(lines.slice(Math.max(0, i - near), i + 1).join("\n")).length === 0;
  });
}

describe("TRUST.md", () => {
  it("has a section for every row of its table", () => {
    expect([...entries].sort()).toEqual([...rows].sort());
    expect(entries.size).toBeGreaterThan(10);
  });

  it("every marker in the code names an entry, and every entry has a marker", () => {
    const used = new Set(files.flatMap((file) => markersOf(readFileSync(file, "utf8"))));
    expect([...used].filter((id) => !entries.has(id))).toEqual([]);
    expect([...entries].filter((id) => !used.has(id))).toEqual([]);
  });

  it("what can hide an assumption stands beside a marker", () => {
    const found = files
      .filter((file) => proving.some((room) => file.startsWith(room)))
      .flatMap((file) => {
        // Layers hold defaults of their parameters as decimals; their functions count all the same.
        const constructs = file.startsWith("src/layers/") ? [functions] : [functions, smallDecimal];
        return unmarked(readFileSync(file, "utf8"), constructs).map((line) => `${file}: ${line.trim()}`);
      });
    expect(found).toEqual([]);
  });

  it("would notice one", () => {
    const planted = "const a = 1;\nconst b = bound * (1 - 1e-9);\n";
    expect(unmarked(planted, [smallDecimal])).toHaveLength(1);
    expect(unmarked(`// trust: T3\n${planted}`, [smallDecimal])).toEqual([]);
    expect(unmarked("return Math.exp(x);", [functions])).toHaveLength(1);
    expect(unmarked('const text = "1e-9";\n// 1e-9\n/** Math.exp */', [functions, smallDecimal])).toEqual([]);
  });

  it("is named where people look for it", () => {
    expect(readFileSync("README.md", "utf8")).toContain("(TRUST.md)");
    expect(readFileSync("docs/gains.md", "utf8")).toContain("(../TRUST.md)");
  });
});
