import { describe, expect, test } from "vitest";
import type { Diagnostic } from "../../src/diagnostics/diagnostic.ts";
import { Diagnostics } from "../../src/diagnostics/diagnostic.ts";
import { fold } from "../../src/diagnostics/display-width.ts";
import { renderGithub } from "../../src/diagnostics/render-github.ts";
import { renderJson } from "../../src/diagnostics/render-json.ts";
import { renderSarif } from "../../src/diagnostics/render-sarif.ts";
import { renderTerminal, summarize } from "../../src/diagnostics/render-terminal.ts";
import { parseFile } from "../../src/syntax/parse.ts";
import type { SourceFile } from "../../src/text/source.ts";

function read(
  text: string,
  name = "spec.lips",
): { all: readonly Diagnostic[]; sourceOf: (file: string) => SourceFile | undefined } {
  const source = { name, text };
  const diagnostics = new Diagnostics();
  parseFile(source, diagnostics);
  return { all: diagnostics.all, sourceOf: (file) => (file === name ? source : undefined) };
}
function terminal(text: string, options = {}): string {
  const { all, sourceOf } = read(text);
  return renderTerminal(all, sourceOf, options);
}

describe("terminal", () => {
  test("a frame, the underlined place, help and fixes", () => {
    expect(terminal("lips 1\n\nlet y = x + x |> F\n")).toBe(
      `error[LIPS0010]: \`+\` and \`|>\` stand in one expression without parentheses: it reads as \`x + (x |> F)\` or as \`(x + x) |> F\`.
 --> spec.lips:3:11
  |
3 | let y = x + x |> F
  |           ^
  |
  = help: both are real architectures (pre-norm and post-norm, often): put the parentheses that you mean
  = try: \`x + (x |> F)\` (changes the meaning)
  = try: \`(x + x) |> F\` (changes the meaning)
`,
    );
  });

  test("related places, with the gutter as wide as the largest line number", () => {
    expect(terminal(`${"\n".repeat(8)}let a = f(1\nlet b = 2\n`)).toBe(
      `error[LIPS0014]: \`(\` of line 9 is never closed: expected \`,\` or \`)\` before a new line that begins with \`let\`.
 --> spec.lips:9:12
  |
9 | let a = f(1
  |            ^
  |
9 | let a = f(1
  |          - \`(\` is opened here
  |
  = help: close it, or put the comma that is missing
  = try: put \`)\` here (changes the meaning)
`,
    );
  });

  test("tabs and wide characters keep the mark under its place", () => {
    const shown = terminal('\tlet a = f("漢字", 3@)\n').split("\n");
    const line = shown.find((l) => l.includes("let a")) ?? "";
    const mark = shown.find((l) => l.includes("^")) ?? "";
    // 漢 and 字 take two columns each.
    expect(mark.indexOf("^")).toBe(line.indexOf("@") + 2);
    expect(line).toContain("    let a");
  });

  test("a line of any length is cut around the mark", () => {
    const shown = terminal(`let a = [${"1, ".repeat(5000)}@, ${"2, ".repeat(5000)}3]`, { width: 80 }).split(
      "\n",
    );
    const at = shown.findIndex((line) => line.includes("^"));
    for (const line of shown.slice(1, at + 1)) expect(line.length).toBeLessThanOrEqual(80);
    expect(shown[at - 1]).toContain("…");
    expect(shown[at - 1][shown[at].indexOf("^")]).toBe("@");
  });

  test("several lines show the first and the last", () => {
    const one: Diagnostic = {
      code: "LIPS0001",
      name: "unexpected-token",
      severity: "warning",
      message: "m",
      help: null,
      span: { file: "a", start: 2, end: 12 },
      related: [],
      fixes: [],
    };
    const source = { name: "a", text: "12345\n67\n  901\n" };
    expect(renderTerminal([one], () => source)).toBe(
      "warning[LIPS0001]: m\n --> a:1:3\n  |\n1 | 12345\n  |   ^^^\n...\n3 |   901\n  |   ^\n",
    );
  });

  test("on a terminal sentences are broken at its width, points of a list below their text", () => {
    const one: Diagnostic = {
      code: "LIPS0001",
      name: "unexpected-token",
      severity: "error",
      message:
        "something is not as it should be, at length:\n  1. because of one thing and of another\n  2. short",
      help: "do another thing, or the same thing otherwise",
      span: { file: "a", start: 0, end: 1 },
      related: [],
      fixes: [],
    };
    const shown = renderTerminal([one], () => ({ name: "a", text: "x\n" }), { width: 40, folded: true });
    expect(shown).toBe(`error[LIPS0001]: something is not as it
  should be, at length:
  1. because of one thing and of another
  2. short
 --> a:1:1
  |
1 | x
  | ^
  |
  = help: do another thing, or the same
      thing otherwise
`);
    const narrow = renderTerminal([one], () => undefined, { width: 30, folded: true });
    expect(narrow).toContain("  1. because of one thing and\n     of another\n  2. short");
    expect(renderTerminal([one], () => undefined, { width: 30 })).toContain("and of another\n");
  });

  test("a word that is longer than the line stands alone, and nothing is lost", () => {
    const text = "a looooooooooong word  and `code`";
    const folded = fold(text, 11, 3, "  ");
    expect(folded).toBe("a\n  looooooooooong\n  word  and\n  `code`");
    expect(folded.replaceAll("\n ", "")).toBe(text);
    expect(fold(text, Infinity, 0, "")).toBe(text);
    expect(fold("set: 1 000 000 samples", 10, 0, "")).toBe("set:\n1 000 000\nsamples");
  });

  test("colours only where they are asked for, and nothing of the text can steer a terminal", () => {
    expect(terminal("let a = \u001b[31m1")).not.toContain("\u001b");
    expect(terminal("let a = 1 b", { color: true })).toContain("\u001b[1;31merror[LIPS0001]\u001b[0m");
  });

  test("without a place, or without the file's text", () => {
    const one = {
      code: "LIPS0001",
      name: "unexpected-token",
      severity: "error",
      message: "m",
      help: "h",
      related: [],
      fixes: [],
    } as const;
    expect(renderTerminal([{ ...one, span: null }], () => undefined)).toBe(
      "error[LIPS0001]: m\n  = help: h\n",
    );
    expect(renderTerminal([{ ...one, span: { file: "x", start: 0, end: 1 } }], () => undefined)).toContain(
      "--> x\n",
    );
  });

  test("the summary counts by severity", () => {
    expect(summarize(read("let = 1\n/// d\n").all)).toBe("1 error, 1 warning");
    expect(summarize([])).toBe("");
  });
});

test("json: one item each, with positions counted from 1", () => {
  const { all, sourceOf } = read("lips 1\nlet a = f(heads=3)\n");
  expect(renderJson(all, sourceOf)).toEqual([
    {
      code: "LIPS0012",
      severity: "error",
      message: "Named arguments are written with a colon: expected `heads: …`, found `heads=3`.",
      help: "write `heads:`",
      file: "spec.lips",
      range: { start: { line: 2, column: 11 }, end: { line: 2, column: 18 } },
    },
  ]);
});

test("github: commands, with everything escaped that would end them", () => {
  const { all } = read("let = 100%\n", "a,b:c.lips");
  const sourceOf = (): SourceFile => ({ name: "a,b:c.lips", text: "let = 100%\n" });
  expect(renderGithub(all.slice(0, 1), sourceOf)).toBe(
    "::error file=a%2Cb%3Ac.lips,line=1,endLine=1,col=5,endColumn=6,title=LIPS0001 unexpected-token::Expected a name (`let name = …`) or a list of names (`let [a, b] = …`), found `=`.\n",
  );
});

test("sarif: rules, results, regions, related places and fixes", () => {
  const { all, sourceOf } = read("let a = f(1\nlet b = g(x=1)\n", "my specs/a.lips");
  const log = renderSarif(all, sourceOf, "0.1.0");
  const [run] = log.runs;
  expect(run.tool.driver.rules.map((r) => r.id)).toEqual(["LIPS0014", "LIPS0012"]);
  expect(run.results.map((r) => [r.ruleId, r.ruleIndex, r.level])).toEqual([
    ["LIPS0014", 0, "error"],
    ["LIPS0012", 1, "error"],
  ]);
  const [open, equals] = run.results;
  expect(open.relatedLocations).toHaveLength(1);
  expect(equals.locations[0].physicalLocation).toEqual({
    artifactLocation: { uri: "my%20specs/a.lips" },
    region: { startLine: 2, startColumn: 11, endLine: 2, endColumn: 14 },
  });
  expect(equals.fixes?.[0].artifactChanges[0].replacements).toEqual([
    {
      deletedRegion: { startLine: 2, startColumn: 12, endLine: 2, endColumn: 13 },
      insertedContent: { text: ": " },
    },
  ]);
  expect(JSON.parse(JSON.stringify(log))).toEqual(log);
});
