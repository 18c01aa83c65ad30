import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Diagnostics } from "../../src/diagnostics/diagnostic.ts";
import type { File } from "../../src/syntax/ast.ts";
import { parseFile } from "../../src/syntax/parse.ts";
import { formatSource, printExpr, printFile, sortImports } from "../../src/syntax/print.ts";
import { exampleSources } from "../helpers/examples.ts";

function parse(text: string): { file: File; errors: string[] } {
  const diagnostics = new Diagnostics();
  const file = parseFile({ name: "p.lips", text }, diagnostics);
  return { file, errors: diagnostics.all.filter((d) => d.severity === "error").map((d) => d.message) };
}

/** The tree without its places; the imports in their canonical order. */
function shape(file: File): unknown {
  const { items, edition } = file;
  const sorted = sortImports(items).map((item) =>
    item.kind === "import"
      ? { ...item, names: [...item.names].sort((a, b) => (a.name.text < b.name.text ? -1 : 1)) }
      : item,
  );
  return JSON.parse(
    JSON.stringify({ edition: edition?.number ?? "1", items: sorted }, (key, value: unknown) =>
      key === "span" ? undefined : value,
    ),
  );
}

function format(text: string): string {
  const { file, errors } = parse(text);
  expect(errors).toEqual([]);
  return printFile(file, { name: "p.lips", text });
}

/** Everything the formatter promises, for one text. */
function check(text: string): string {
  const before = parse(text);
  const once = format(text);
  const after = parse(once);
  expect(after.errors).toEqual([]);
  expect(shape(after.file)).toEqual(shape(before.file));
  expect(format(once)).toBe(once);
  const words = (file: File): string[] => file.comments.map((c) => c.text.replace(/^\/+\s*/, "")).sort();
  expect(words(after.file)).toEqual(words(before.file));
  return once;
}

describe("the examples", () => {
  test.each(exampleSources.map((s) => [s.name, s.text]))(
    "%s keeps its tree and comments, and stays",
    (_, text) => {
      const once = check(text);
      for (const line of once.split("\n"))
        if (!/^\s*\/\//.test(line)) expect(line.length).toBeLessThanOrEqual(110);
    },
  );

  test("with comments and line ends anywhere", () => {
    const insertion = fc.tuple(fc.nat(), fc.constantFrom("\n", "// note\n", "/// doc\n", "  ", "\n\n\n"));
    fc.assert(
      fc.property(
        fc.constantFrom(...exampleSources),
        fc.array(insertion, { minLength: 1, maxLength: 8 }),
        (source, insertions) => {
          let { text } = source;
          for (const [place, piece] of insertions) {
            const spaces = [...text.matchAll(/(?<=[\s,([{])(?=\S)/g)].map((m) => m.index);
            const at = spaces[place % spaces.length];
            const line = text.slice(text.lastIndexOf("\n", at - 1) + 1, at);
            if (!line.includes("//")) text = text.slice(0, at) + piece + text.slice(at);
          }
          if (parse(text).errors.length === 0) check(text);
        },
      ),
      { numRuns: 300 },
    );
  });
});

describe("canonical form", () => {
  test("a long pipeline keeps its first stage on the head's line", () => {
    const long =
      "  x |> Weighted(DepthwiseConv(7) |> GELU |> Linear(d) |> GELU, alpha, drop) |> Weighted(attention, alpha, drop) |> CenterNorm";
    expect(check(`block A(x: [d]) -> [d] {\n${long}\n}`)).toBe(
      `lips 1

block A(x: [d]) -> [d] {
  x |> Weighted(DepthwiseConv(7) |> GELU |> Linear(d) |> GELU, alpha, drop)
    |> Weighted(attention, alpha, drop)
    |> CenterNorm
}
`,
    );
  });

  test("long lists and parameters are filled, with a trailing comma", () => {
    const names = Array.from({ length: 12 }, (_, i) => `parameter${i}: int = ${i}`).join(", ");
    expect(check(`model M(${names}) { }`)).toMatchInlineSnapshot(`
      "lips 1

      model M(
        parameter0: int = 0, parameter1: int = 1, parameter2: int = 2, parameter3: int = 3, parameter4: int = 4,
        parameter5: int = 5, parameter6: int = 6, parameter7: int = 7, parameter8: int = 8, parameter9: int = 9,
        parameter10: int = 10, parameter11: int = 11,
      ) {}
      "
    `);
  });

  test("spaces, quotes, blank lines, imports, bodies", () => {
    const text = `lips 1
import { b,a  as c } from "./z"
import {Mlp} from "std/vision"



let k=[1,2 , 3,]
model  M ( n:int=2 ){
  input image :[4,n] in [ 0,1 ]
  weights{init:spectral,bias:false}

  let x=image|>Linear( 2*n )   // wide


  if n==2{x=x|>GELU}else{ x = x |> ReLU }
  for i in range( 3 ) { x = x |> Linear(-n^2 + ((n)) % 3)
  }
  output y = x
  certify at init:gain(image->y,l2)<=1e3
}
train M{data:mnist,epochs:3}
`;
    expect(check(text)).toMatchInlineSnapshot(`
      "lips 1

      import { Mlp } from "std/vision"
      import { a as c, b } from "./z"

      let k = [1, 2, 3]
      model M(n: int = 2) {
        input image: [4, n] in [0, 1]
        weights { init: spectral, bias: false }

        let x = image |> Linear(2 * n) // wide

        if n == 2 { x = x |> GELU } else { x = x |> ReLU }
        for i in range(3) {
          x = x |> Linear(-n^2 + (n) % 3)
        }
        output y = x
        certify at init: gain(image -> y, l2) <= 1e3
      }
      train M {
        data: mnist
        epochs: 3
      }
      "
    `);
  });

  test("comments keep their places inside pipelines, arguments and entries", () => {
    const text = `// top
lips 1
/// doc of M
model M(
  /// doc of n
  n: int = 2, // the size
  m: int = 3
  // last
) {
  input x: [4] // in
  let y = x |> F(a, // first
    b) // second
    // before GELU
    |> GELU // after GELU
    |> H // end
  output z = y
  // closing
}
// end
`;
    expect(check(text)).toMatchInlineSnapshot(`
      "// top
      lips 1

      /// doc of M
      model M(
        /// doc of n
        n: int = 2, // the size
        m: int = 3,
        // last
      ) {
        input x: [4] // in
        let y = x
          |> F(
            a, // first
            b,
          ) // second
          // before GELU
          |> GELU // after GELU
          |> H // end
        output z = y
        // closing
      }
      // end
      "
    `);
  });

  test("a file with mistakes is left alone", () => {
    const { text, diagnostics } = formatSource({ name: "p.lips", text: "let = 3" });
    expect(text).toBe(null);
    expect(diagnostics).toHaveLength(1);
  });
});

describe("printExpr", () => {
  test.each([
    "a + b * c",
    "(a + b) * c",
    "-x^2",
    "(-x)^2",
    "2^3^4",
    "(2^3)^4",
    "a - (b - c)",
    "not a == b and c or d",
    "x + (x |> F |> G)",
    "(x + x) |> F",
    "(a |> b).c[0](d, e: 1)",
    "a |> (b |> c)",
    "2^-1",
    "(a < b) == c",
  ])("%s", (text) => {
    const { file, errors } = parse(`let e = ${text}`);
    expect(errors).toEqual([]);
    const item = file.items[0];
    expect(item.kind === "let" && printExpr(item.value)).toBe(text);
  });

  test("puts the parentheses that a tree made by hand needs", () => {
    const span = { file: "", start: 0, end: 0 };
    const name = (text: string) => ({ kind: "name", text, span }) as const;
    const sum = { kind: "binary", operator: "+", left: name("a"), right: name("b"), span } as const;
    expect(printExpr({ kind: "binary", operator: "*", left: sum, right: sum, span })).toBe(
      "(a + b) * (a + b)",
    );
    expect(printExpr({ kind: "pipe", left: sum, right: name("F"), span })).toBe("(a + b) |> F");
    expect(printExpr({ kind: "binary", operator: "-", left: sum, right: sum, span })).toBe("a + b - (a + b)");
    expect(
      printExpr({
        kind: "binary",
        operator: "^",
        left: { kind: "unary", operator: "-", operand: name("a"), span },
        right: name("b"),
        span,
      }),
    ).toBe("(-a)^b");
  });
});

describe("specs and the standard library", () => {
  const files = ["specs", join("src", "std")].flatMap((folder) =>
    readdirSync(folder)
      .filter((name) => name.endsWith(".lips"))
      .map((name) => join(folder, name)),
  );
  test.each(files)("%s is in canonical form: lipsc fmt writes it", (name) => {
    const text = readFileSync(name, "utf8");
    expect(formatSource({ name, text }).text).toBe(text);
  });
});
