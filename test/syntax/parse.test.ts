import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { LipsParser } from "../../grammar/parser.ts";
import { Diagnostics, type Diagnostic } from "../../src/diagnostics/diagnostic.ts";
import type { Expr, File } from "../../src/syntax/ast.ts";
import { parseFile } from "../../src/syntax/parse.ts";
import { applyEdits } from "../../src/syntax/problems.ts";
import { exampleSources } from "../helpers/examples.ts";
import { marked, showSpan } from "../helpers/marked.ts";

function parse(text: string): { file: File; all: readonly Diagnostic[] } {
  const diagnostics = new Diagnostics();
  const file = parseFile({ name: "test.lips", text }, diagnostics);
  return { file, all: diagnostics.all };
}

/** The tree of an expression, fully in parentheses. */
function tree(expr: Expr): string {
  switch (expr.kind) {
    case "pipe":
      return `(${tree(expr.left)} |> ${tree(expr.right)})`;
    case "binary":
      return `(${tree(expr.left)} ${expr.operator} ${tree(expr.right)})`;
    case "unary":
      return `(${expr.operator} ${tree(expr.operand)})`;
    case "call":
      return `${tree(expr.callee)}(${expr.args.map((a) => (a.name ? `${a.name.text}: ` : "") + tree(a.value) + (a.to ? ` -> ${tree(a.to)}` : "")).join(", ")})`;
    case "index":
      return `${tree(expr.list)}[${tree(expr.index)}]`;
    case "member":
      return `${tree(expr.object)}.${expr.name.text}`;
    case "list":
      return `[${expr.items.map(tree).join(", ")}]`;
    case "boolean":
      return String(expr.value);
    case "error":
      return "?";
    default:
      return expr.text;
  }
}

function treeOf(text: string): string {
  const item = parse(`let e = ${text}`).file.items[0];
  return item.kind === "let" ? tree(item.value) : "";
}

test("the grammar has no ambiguity", () => {
  expect(() => new LipsParser(true)).not.toThrow();
});

describe("the examples and the standard library", () => {
  test.each(exampleSources.map((s) => [s.name, s.text]))("%s is read without a message", (_, text) => {
    const { all, file } = parse(text);
    expect(all).toEqual([]);
    expect(file.items.length).toBe(text.match(/^(import|let|block|model|train)\b/gm)?.length);
  });
});

describe("precedence", () => {
  test.each([
    ["a + b * c ^ d ^ e", "(a + (b * (c ^ (d ^ e))))"],
    ["-x ^ 2 * y", "((- (x ^ 2)) * y)"],
    ["2 ^ -1", "(2 ^ (- 1))"],
    ["not a == b and c or d < e", "(((not (a == b)) and c) or (d < e))"],
    ["a - b - c / d % e", "((a - b) - ((c / d) % e))"],
    ["x |> F(1, b: c) |> g.h[0](2)", "((x |> F(1, b: c)) |> g.h[0](2))"],
    ["gain(a -> b, linf -> l2) <= 1e3", "(gain(a -> b, linf -> l2) <= 1e3)"],
    ["x + (x |> F |> G)", "(x + ((x |> F) |> G))"],
    ["f(in: [0, 1], output: true,)", "f(in: [0, 1], output: true)"],
    ["[1, 2,]", "[1, 2]"],
  ])("%s", (text, expected) => expect(treeOf(text)).toBe(expected));
});

describe("line ends", () => {
  test.each([
    ["a pipe goes on", "let a = x\n  |> F\n  |> G", ["(let)"]],
    ["an operator at the end goes on", "let a = x +\n y", ["(let)"]],
    [
      "a parenthesis on its own line is no call",
      "block B() -> [d] {\n y = f\n (x)\n}",
      ["(block) assign value"],
    ],
    ["else on a new line", "block B() -> [d] {\n if a { x }\n else { y }\n}", ["(block) if"]],
    ["windows lines", "let a = 1\r\nlet b = 2\r\n", ["(let)", "(let)"]],
    ["a brace on its own line", "model M\n{\n input x: [1]\n}", ["(model) input"]],
    ["a result on its own line", "block B(x: [d])\n  -> [d]\n{ x }", ["(block) value"]],
  ])("%s", (_, text, expected) => {
    const { all, file } = parse(text);
    expect(all.map((d) => d.message)).toEqual([]);
    const kinds = file.items.map((item) => {
      const statements = item.kind === "block" || item.kind === "model" ? (item.body?.statements ?? []) : [];
      return [`(${item.kind})`, ...statements.map((s) => s.kind)].join(" ");
    });
    expect(kinds).toEqual(expected);
  });
});

describe("spans", () => {
  const text = "block B(x: [n, d]) -> [n] {\n  let [a, b] = (x |> F(p: 1))\n  a\n}\n";
  const { file } = parse(text);
  const block = file.items[0];
  if (block.kind !== "block") throw new Error("not a block");
  const binding = block.body.statements[0];
  if (binding.kind !== "let") throw new Error("not a let");

  test.each([
    ["the block", block.span, text.trimEnd()],
    ["its name", block.name.span, "B"],
    ["a parameter", block.params[0].span, "x: [n, d]"],
    ["its type", block.params[0].type.span, "[n, d]"],
    ["the body", block.body.span, text.slice(text.indexOf("{"), -1)],
    ["a pattern", binding.pattern.kind === "list" ? binding.pattern.span : null, "a, b"],
    ["a group, with its parentheses", binding.value.span, "(x |> F(p: 1))"],
    ["a stage", binding.value.kind === "pipe" ? binding.value.right.span : null, "F(p: 1)"],
  ])("of %s", (_, span, expected) => expect(span && text.slice(span.start, span.end)).toBe(expected));
});

describe("docs", () => {
  test("belong to the next declaration, parameter or let", () => {
    const { file, all } = parse(
      "/// one\n/// two\nblock B(\n  /// px\n  x: [d], // no\n  y: int) -> [d] {\n  /// a let\n  let z = x\n  z\n}\n/// t\ntrain B {}",
    );
    expect(all).toEqual([]);
    const [block, train] = file.items;
    if (block.kind !== "block" || train.kind !== "train") throw new Error("not what was written");
    expect(block.doc).toBe("one\ntwo");
    expect(block.params.map((p) => p.doc)).toEqual(["px", null]);
    expect(block.body.statements.map((s) => s.kind === "let" && s.doc)).toEqual(["a let", false]);
    expect(train.doc).toBe("t");
  });
  test("with nothing to describe are a warning", () => {
    const { all } = parse("let a = 1\n/// lost\n");
    expect(all.map((d) => [d.name, d.severity])).toEqual([["orphan-doc", "warning"]]);
  });
});

test("bad.lips: five mistakes, five messages, and all declarations survive", () => {
  const text = readFileSync("test/fixtures/bad.lips", "utf8");
  const { file, all } = parse(text);
  expect(all.map((d) => d.name)).toEqual([
    "not-closed",
    "not-closed",
    "unexpected-token",
    "unexpected-token",
    "mixed-pipe",
  ]);
  expect(file.items.map((i) => "name" in i && i.name.text)).toEqual(["Open", "Brace", "Names", "Mixed"]);
  // The forgotten brace is the loop's, as the indentation shows; the block's own last line is still its value.
  expect(all[1].span && text.slice(0, all[1].span.start).split("\n").at(-1)).toBe("  for i in range(3) ");
  const brace = file.items[1];
  expect(brace.kind === "block" && brace.body.statements.map((s) => s.kind)).toEqual(["let", "for"]);
});

/** Each: the text with the place of the message marked, the message, and the text after its first fix. */
const mistakes: [string, string, string, string | null][] = [
  ["mixed-pipe", "let y = x ⟦+⟧ x |> F |> G", "LIPS0010", "let y = x + (x |> F |> G)"],
  ["mixed-pipe", "let y = a |> F ⟦*⟧ b |> G", "LIPS0010", "let y = (a |> F) * (b |> G)"],
  ["mixed-pipe", "let y = ⟦-⟧x |> F", "LIPS0010", "let y = -(x |> F)"],
  ["equals-in-argument", "let y = Attention(⟦heads=3⟧)", "LIPS0012", "let y = Attention(heads: 3)"],
  ["equals-in-argument", "train M {\n  ⟦lr = 3⟧\n}", "LIPS0012", "train M {\n  lr: 3\n}"],
  [
    "other-language",
    "block B(x: [d]) -> [d] {\n  ⟦return⟧ x\n}",
    "LIPS0013",
    "block B(x: [d]) -> [d] {\n  x\n}",
  ],
  ["other-language", "let a = 2⟦;⟧", "LIPS0013", "let a = 2"],
  ["other-language", "let a = 2⟦;⟧ let b = 3", "LIPS0013", "let a = 2\n let b = 3"],
  ["other-language", "let a = 2 ⟦**⟧ 3", "LIPS0013", "let a = 2 ^ 3"],
  ["other-language", "let a = f(0 ⟦..<⟧ 4)", "LIPS0013", "let a = f(range(4))"],
  ["other-language", "let a = f(2⟦..⟧n)", "LIPS0013", "let a = f(range(2, n))"],
  ["other-language", "let a = 1 ⟦/*⟧ one */", "LIPS0013", "let a = 1 // one"],
  ["other-language", "⟦#⟧ note\nlet a = 1", "LIPS0013", "// note\nlet a = 1"],
  ["other-language", "let a = b ⟦&&⟧ c", "LIPS0013", "let a = b and c"],
  ["other-language", "let a = ⟦!⟧b", "LIPS0013", "let a = not b"],
  ["other-language", "⟦'a'⟧", "LIPS0013", '"a"'],
  ["other-language", "model M {\n  ⟦const⟧ a = 1\n}", "LIPS0013", "model M {\n  let a = 1\n}"],
  [
    "other-language",
    "block B() -> [d] { if a { x } ⟦elif⟧ b { y } }",
    "LIPS0013",
    "block B() -> [d] { if a { x } else if b { y } }",
  ],
  ["bad-character", "let ⟦х⟧ = 1", "LIPS0002", "let x = 1"],
  ["bad-character", "let a = 3 ⟦×⟧ 4", "LIPS0002", "let a = 3 * 4"],
  ["bad-character", "let a = 3 ⟦@⟧", "LIPS0002", "let a = 3 "],
  ["bad-number", "let a = ⟦.5⟧", "LIPS0004", "let a = 0.5"],
  ["bad-number", "let a = ⟦5.⟧", "LIPS0004", "let a = 5"],
  ["bad-number", "let a = ⟦1__000⟧", "LIPS0004", "let a = 1_000"],
  ["bad-number", "let a = ⟦0x1F⟧", "LIPS0004", null],
  ["bad-number", "let a = ⟦1e⟧", "LIPS0004", null],
  ["bad-number", "let a = ⟦3d⟧", "LIPS0004", null],
  ["unterminated-string", 'import { A } from ⟦"std/x⟧', "LIPS0003", 'import { A } from "std/x"'],
  ["not-closed", "let a = f(1⟦⟧\nlet b = 2", "LIPS0014", "let a = f(1)\nlet b = 2"],
  [
    "not-closed",
    "block A() -> [d] {\n  y = f(g(1)⟦⟧\n  z\n}",
    "LIPS0014",
    "block A() -> [d] {\n  y = f(g(1))\n  z\n}",
  ],
  ["not-closed", "let a = [1, 2⟦⟧", "LIPS0014", "let a = [1, 2]"],
  ["wrong-closer", "let a = f(1⟦]⟧", "LIPS0017", "let a = f(1)"],
  ["closes-nothing", "let a = f(1)⟦)⟧", "LIPS0016", "let a = f(1)"],
  ["closes-nothing", "model M {\n}\n⟦}⟧\nlet a = 1", "LIPS0016", "model M {\n}\n\nlet a = 1"],
  ["comma-missing", "let a = f(1⟦⟧\n  2)", "LIPS0018", "let a = f(1,\n  2)"],
  ["chained-comparison", "let a = 0 < i ⟦<⟧ 3", "LIPS0015", null],
  ["phase-missing", "model M {\n  ⟦certify⟧ gain(a -> b) <= 1\n}", "LIPS0019", null],
  ["unexpected-token", "let a = 1 ⟦b⟧", "LIPS0001", null],
  ["unexpected-token", "block ⟦(⟧x: [d]) -> [d] { x }", "LIPS0001", null],
  ["unexpected-token", "let ⟦=⟧ x", "LIPS0001", null],
  ["unexpected-token", "let a = b |> ⟦|>⟧ c", "LIPS0001", null],
  ["unexpected-token", "let a: ⟦3⟧ = 1", "LIPS0001", null],
  ["unexpected-token", "⟦hello⟧ world", "LIPS0001", null],
  ["unexpected-token", "model M {\n  for ⟦3⟧ in x {}\n}", "LIPS0001", null],
  ["unexpected-token", "train M {\n  lr ⟦⟧\n  epochs: 3\n}", "LIPS0001", null],
  ["unexpected-end", "let a =⟦⟧", "LIPS0005", null],
  ["unexpected-end", "model M⟦⟧", "LIPS0005", null],
];

describe("mistakes: one message each, at its place, with its fix", () => {
  test.each(mistakes)("%s: %s", (name, text, code, fixed) => {
    const { source, spans } = marked(text);
    const { all } = parse(source.text);
    expect(all.map((d) => d.name)).toEqual([name]);
    const [one] = all;
    expect(one.code).toBe(code);
    if (name !== "unexpected-token" || !text.includes("lr"))
      expect(one.span && showSpan(source.text, one.span)).toBe(showSpan(source.text, spans[0]));
    if (fixed === null) expect(one.fixes).toEqual([]);
    else {
      const edits = one.fixes[0].edits.map((e) => ({ start: e.span.start, end: e.span.end, text: e.text }));
      const mended = applyEdits(source.text, { start: 0, end: source.text.length }, edits);
      expect(mended).toBe(fixed);
      expect(parse(mended).all.filter((d) => d.name === name)).toEqual([]);
    }
  });

  test("a mixed pipe goes on with the tight reading, and offers both", () => {
    const { all } = parse("let y = x + x |> Attn |> CenterNorm");
    expect(all[0].message).toBe(
      "`+` and `|>` stand in one expression without parentheses: it reads as `x + (x |> Attn |> CenterNorm)` or as `(x + x) |> Attn |> CenterNorm`.",
    );
    expect(all[0].fixes.map((f) => [f.title, f.meaning])).toEqual([
      ["`x + (x |> Attn |> CenterNorm)`", "changes"],
      ["`(x + x) |> Attn |> CenterNorm`", "changes"],
    ]);
    expect(treeOf("x + x |> Attn |> CenterNorm")).toBe("(x + ((x |> Attn) |> CenterNorm))");
  });

  test("look-alikes are read as what was meant", () => {
    expect(treeOf("аlpha × 2")).toBe("(alpha * 2)");
    expect(treeOf("τ_0 + ε")).toBe("(τ_0 + ε)");
    expect(parse("let τ = ε").all).toEqual([]);
  });

  test("many mistakes are cut off", () => {
    const { all } = parse("let =\n".repeat(150));
    expect(all).toHaveLength(101);
    expect(all[100].name).toBe("too-many-mistakes");
  });

  test("what is around a mistake survives it", () => {
    const { file, all } = parse(
      "model A {\n  let a = 1 +\n  let b = )\n  output y = f(a, , b)\n  let c = 3\n}\ntrain A { lr: 1 }",
    );
    expect(all.map((d) => d.name)).toEqual(["unexpected-token", "closes-nothing", "unexpected-token"]);
    const [model, train] = file.items;
    expect(model.kind === "model" && model.body?.statements.map((s) => s.kind)).toEqual([
      "let",
      "let",
      "output",
      "let",
    ]);
    expect(train.kind === "train" && train.entries.map((e) => e.key.text)).toEqual(["lr"]);
  });
});
