import { readdirSync, readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { keywords, punctuators } from "../../grammar/tokens.ts";
import { Diagnostics } from "../../src/diagnostics/diagnostic.ts";
import { renderTerminal } from "../../src/diagnostics/render-terminal.ts";
import { parseFile, sizeLimit } from "../../src/syntax/parse.ts";
import { shownLimit } from "../../src/syntax/problems.ts";

const folders = ["test/fixtures/examples", "src/std"];
const examples = folders.flatMap((folder) =>
  readdirSync(folder)
    .filter((name) => name.endsWith(".lips"))
    .map((name) => readFileSync(`${folder}/${name}`, "utf8")),
);

/** Milliseconds of this process's own work since `begin`: other work on the machine doesn't count. */
function cpuTime(begin: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(begin);
  return (user + system) / 1000;
}

/** Parses, and checks what must hold for any text: spans inside it, not too many messages, and a rendering. */
function survive(text: string): Diagnostics {
  const source = { name: "any.lips", text };
  const diagnostics = new Diagnostics();
  const begin = process.cpuUsage();
  const file = parseFile(source, diagnostics);
  const time = cpuTime(begin);
  for (const { span, fixes, related } of diagnostics.all) {
    const spans = [
      span,
      ...related.map((r) => r.span),
      ...fixes.flatMap((fix) => fix.edits.map((edit) => edit.span)),
    ];
    for (const one of spans) {
      expect(one).not.toBeNull();
      if (!one || !(one.start >= 0 && one.end >= one.start && one.end <= text.length))
        throw new Error(`span ${JSON.stringify(one)} lies outside the text of ${JSON.stringify(text)}`);
    }
  }
  expect(diagnostics.all.length).toBeLessThanOrEqual(shownLimit + 2);
  expect(file.items.length).toBeLessThanOrEqual(text.length);
  const shown = renderTerminal(diagnostics.all, () => source);
  // Nothing in a message may steer a terminal.
  expect(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/.test(shown)).toBe(false);
  expect(time).toBeLessThan(10_000);
  return diagnostics;
}

const image = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(...keywords.keys(), ...punctuators.keys()) },
  { weight: 2, arbitrary: fc.constantFrom("x", "y", "Linear", "d", "τ", "аlpha", "return", "const", "elif") },
  {
    weight: 1,
    arbitrary: fc.constantFrom("1", "2.5", "1e-3", "1.", ".5", "1__0", "0x1F", '"a"', '"open', "'q'", ";"),
  },
  {
    weight: 2,
    arbitrary: fc.constantFrom("\n", "\n\n", "\n  ", "// c\n", "/// d\n", "/* b */", "/*", "\r\n", "\t"),
  },
);

describe("any text gives diagnostics, never an exception", () => {
  test("random text", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 300 }), (text) => void survive(text)),
      { numRuns: 400 },
    );
  });
  test("random tokens", () => {
    const tokens = fc.array(fc.tuple(image, fc.constantFrom(" ", " ", "")), { maxLength: 150 });
    fc.assert(
      fc.property(tokens, (pieces) => void survive(pieces.map(([a, b]) => a + b).join(""))),
      { numRuns: 500 },
    );
  });
  test("mutated examples", () => {
    const mutation = fc.tuple(
      fc.constantFrom("delete", "insert", "swap", "double"),
      fc.nat(),
      fc.nat(20),
      image,
      fc.nat(),
    );
    fc.assert(
      fc.property(
        fc.constantFrom(...examples),
        fc.array(mutation, { minLength: 1, maxLength: 6 }),
        (text, mutations) => {
          for (const [kind, place, length, piece, other] of mutations) {
            const at = place % (text.length + 1);
            const to = other % (text.length + 1);
            if (kind === "delete") text = text.slice(0, at) + text.slice(at + length);
            else if (kind === "insert") text = text.slice(0, at) + piece + text.slice(at);
            else if (kind === "double") text = text.slice(0, at + length) + text.slice(at);
            else {
              const [low, high] = [Math.min(at, to), Math.max(at, to)];
              text =
                text.slice(0, low) +
                text.slice(high, high + length) +
                text.slice(low, high) +
                text.slice(high + length);
            }
          }
          survive(text);
        },
      ),
      { numRuns: 150 },
    );
  });
  test("every prefix of an example, at each token", () => {
    const text = examples[0];
    for (let end = 0; end <= text.length; end += 23) survive(text.slice(0, end));
  });
});

describe("depth", () => {
  const deep = 100_000;
  const nestings: [string, string][] = [
    ["parentheses", `let x = ${"(".repeat(deep)}1${")".repeat(deep)}`],
    ["unclosed parentheses", `let x = ${"(".repeat(deep)}`],
    ["lists", `let x = ${"[".repeat(deep)}1${"]".repeat(deep)}`],
    ["calls", `let x = ${"f(".repeat(deep)}1${")".repeat(deep)}`],
    ["named arguments", `let x = ${"f(a: ".repeat(deep)}1${")".repeat(deep)}`],
    ["indices", `let x = ${"a[".repeat(deep)}1${"]".repeat(deep)}`],
    ["bodies", `block A() -> [d] ${"{ for i in x ".repeat(deep)}{}${"}".repeat(deep)}`],
    ["loops", `block A() -> [d] {\n${"for i in x {\n".repeat(deep)}`],
    ["minus signs", `let x = ${"-".repeat(deep)}1`],
    ["nots", `let x = ${"not ".repeat(deep)}a`],
    ["sums", `let x = 1${" + 1".repeat(deep)}`],
    ["powers", `let x = 2${" ^ 2".repeat(deep)}`],
    ["pipes", `let x = a${" |> F".repeat(deep)}`],
    ["call chains", `let x = f${"()".repeat(deep)}`],
    ["members", `let x = f${".a".repeat(deep)}`],
    ["else if", `block A() -> [d] { if a {}${" else if a {}".repeat(deep)} }`],
  ];
  test.each(nestings)("100 000 nested %s are a diagnostic", (_, text) => {
    const { all } = survive(text);
    expect(all.map((d) => d.name)).toContain("too-deep");
  });
  test.each([
    ["parentheses", `let x = ${"(".repeat(199)}1${")".repeat(199)}`],
    ["calls", `let x = ${"f(a: [".repeat(99)}1${"])".repeat(99)}`],
    ["loops", `block A() -> [d] {\n${"for i in x {\n".repeat(198)}y = 1\n${"}\n".repeat(199)}`],
    ["pipes", `let x = a${" |> F".repeat(499)}`],
  ])("just below the limit %s are read", (_, text) => {
    expect(survive(text).all.map((d) => d.message)).toEqual([]);
  });
});

describe("size", () => {
  const line =
    "  x = x |> Linear(4 * d, bias: false) |> Residual(f, alpha: learned(1/12, shape: [d])) |> GELU\n";
  test("a source of 2 MB is read in time that grows with its size", () => {
    const make = (bytes: number): string =>
      `block A(x: [d]) -> [d] {\n${line.repeat(bytes / line.length)}  x\n}\n`;
    survive(make(50_000));
    const time = (text: string): number => {
      const begin = process.cpuUsage();
      const diagnostics = new Diagnostics();
      parseFile({ name: "large.lips", text }, diagnostics);
      expect(diagnostics.all).toEqual([]);
      return cpuTime(begin);
    };
    const small = time(make(250_000));
    const large = time(make(2_000_000));
    expect(large).toBeLessThan(30 * small + 500);
  });
  test.each([
    ["operators", "|> "],
    ["opening brackets", "("],
    ["closing brackets", ")]}"],
    ["unfinished lets", "let =\n"],
    ["words", "a b c "],
    ["values in a bracket", "f(a\n b\n "],
    ["strange characters", "@ $ "],
    ["one run of strange characters", "@"],
    ["unfinished strings", '"a\n'],
    ["docs", "/// d\n"],
    ["comment openings", "/*"],
    ["block heads", "block A {\n"],
    ["entries", "train A { a = 1,"],
    ["if", "if "],
    ["commas", "let x = f(,"],
    ["not closed", "  let y = f(a\n"],
    ["braces", "{\n"],
    ["braces and ends", "{{\n}\n"],
  ])("1 MB of %s ends in diagnostics, soon", (_, piece) => {
    expect(survive(piece.repeat(1_000_000 / piece.length)).hasErrors || piece === "/// d\n").toBe(true);
  });
  test("more than the limit is refused unread", () => {
    expect(survive(" ".repeat(sizeLimit + 1)).all.map((d) => d.name)).toEqual(["too-large"]);
  });
});
