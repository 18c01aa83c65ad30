/** What is said about mistakes: the code's name, and that nothing else is said beside it. */
import { describe, expect, test } from "vitest";
import { elaborate } from "./host.ts";

/** A model on 56 x 56 maps of 96 channels whose body begins with `let x = image`. */
function model(text: string, before = ""): string {
  const body = text.split(" ; ").join("\n  ");
  return `${before}\nmodel M(classes: int = 10) {\n  input image: [56, 56, 96] in [0, 1]\n  let x = image\n  ${body}\n}\n`;
}
const qkv = "let [q, k, v] = x |> Linear(288) |> Split(3)";

/** [what is wrong, the source, the names of all diagnostics, a part of the first message or its help] */
const mistakes: readonly (readonly [string, string, readonly string[], string])[] = [
  // language.md, section 6, in its order.
  [
    "2 a value in mid-body",
    model("x |> CenterNorm ; output y = x"),
    ["value-dropped"],
    "a tensor [56, 56, 96]",
  ],
  ["6 no let", model("z = x |> GELU ; output y = z"), ["not-declared"], "`z` does not exist here yet"],
  [
    "7 let in a loop",
    model("for i in range(3) { let x = x |> GELU } ; output y = x"),
    ["loop-let-unused"],
    "the outer `x` keeps",
  ],
  ["7 let twice", model("let x = x |> GELU ; output y = x"), ["declared-twice"], "`x` is declared twice"],
  [
    "8 a misspelt layer",
    model("output y = x |> Layernorm"),
    ["unknown-name"],
    "the nearest name is `LayerNorm`",
  ],
  [
    "8 a name of std",
    model("output y = x |> Attention(3, score: dot)"),
    ["unknown-name"],
    'import { Attention } from "std/attention"',
  ],
  [
    "9 a dimension of another name",
    model("output y = x |> B", "block B(x: [..., c]) -> [..., c] { x |> Linear(4 * d) |> Linear(c) }"),
    ["unknown-dimension"],
    "`d` is not a dimension of `B`: its signature has `c`",
  ],
  [
    "10 a built-in's name",
    model("output y = x", "block CenterNorm(x: [n]) -> [n] { x }"),
    ["built-in-name"],
    "readers must be able to trust",
  ],
  [
    "11 a branch that widens",
    model("output y = x |> Residual(Linear(384))"),
    ["residual-shape"],
    "[56, 56, 384]",
  ],
  [
    "12 a map for a sequence",
    model("output y = x |> S", "block S(x: [n, d]) -> [n, d] { x }"),
    ["wrong-rank"],
    "works on a sequence: expected [n, d], found [56, 56, 96]",
  ],
  [
    "13 not divisible",
    model("output y = x |> PatchEmbed(3, patch: 5)", 'import { PatchEmbed } from "std/vision"'),
    ["not-divisible"],
    "56 / 5 is not whole, but `PatchEmbed` needs `h / patch`",
  ],
  [
    "14 windows that don't tile",
    model(`${qkv} ; output y = Attend(q, k, v, heads: 3, score: dot, over: windows(9))`),
    ["does-not-tile"],
    "56 = 54 + 2",
  ],
  ["15 an even kernel", model("output y = x |> Conv(64, kernel: 4)"), ["even-kernel"], "1.5"],
  [
    "16 a recipe applied twice",
    model("let f = Linear(96) ; output y = x |> f |> f"),
    ["applied-twice"],
    "`f` is applied 2 times",
  ],
  [
    "17 a layer for a value",
    model("output y = Linear(10)"),
    ["layer-not-value"],
    "nothing flows into `Linear(10)`",
  ],
  [
    "18 a score that is none",
    model(`${qkv} ; output y = Attend(q, k, v, heads: 3, score: l2)`),
    ["unknown-option"],
    "expected dot, cosine, distance",
  ],
  [
    "18 an initialiser that is none",
    model("output y = x |> Linear(3, init: spectral_norm)"),
    ["unknown-option"],
    "is not an Init",
  ],
  [
    "19 a condition on data",
    model("if x > 0 { x = x |> GELU } ; output y = x"),
    ["condition-on-data"],
    "`x > 0` is known only when it runs",
  ],
  [
    "24 a claim about a rebound name",
    model("x = x |> GELU ; output y = x ; certify at init: gain(x -> y) <= 1"),
    ["rebound-name"],
    "`x` has 2 values",
  ],
  [
    "25 two unknowns",
    model("let a = solve(in: [0, 1]) ; let b = solve(in: [0, 1]) ; output y = x |> Scale(a) |> Scale(b)"),
    ["two-unknowns"],
    "at most one unknown",
  ],

  // Arguments.
  ["not whole", model("output y = x |> Linear(7 / 2)"), ["not-an-int"], "7 / 2 = 3.5"],
  ["missing", model("output y = x |> Linear"), ["missing-argument"], "`Linear` needs `width`"],
  ["unknown", model("output y = x |> Linear(3, biass: false)"), ["unknown-argument"], "no argument `biass`"],
  [
    "of another type",
    model("output y = x |> Linear(true)"),
    ["argument-type"],
    "must be a whole number, found true",
  ],
  ["too many", model("output y = x |> GELU(exact, 3)"), ["too-many-arguments"], "`GELU` takes at most 1"],
  ["a tensor too many", model("output y = x |> GELU(x)"), ["too-many-arguments"], "its tensors are x"],
  ["zero", model("output y = x |> Linear(0)"), ["out-of-range"], "must be at least 1"],
  ["negative", model("output y = x |> Linear(-3)"), ["out-of-range"], "`width` is -3"],
  ["past float32, times a tensor", model("output y = x * 1e300"), ["out-of-range"], "the range of float32"],
  [
    "past float32, learned",
    model("output y = x |> Scale(learned(1e300))"),
    ["out-of-range"],
    "the range of float32",
  ],
  ["past float32", model("output y = x |> Scale(1e400)"), ["out-of-range"], "the range of float32"],
  [
    "past float32, in a run",
    `${model("output y = x")}train M {\n  optimizer: adamw(lr: 1e99)\n}`,
    ["out-of-range"],
    "float32",
  ],
  [
    "twice",
    model("output y = x |> Linear(width: 3, width: 4)"),
    ["argument-twice"],
    "`width` is given twice",
  ],
  [
    "in an option",
    model(`${qkv} ; output y = Attend(q, k, v, heads: 3, score: cosine(tau: 1))`),
    ["missing-argument"],
    "`cosine` needs `eps`",
  ],
  [
    "a word",
    model("output y = x |> Concat(x, axis: chanels)"),
    ["unknown-option"],
    "expected channels, tokens",
  ],
  [
    "tensors without names",
    model("output y = Attend(x, heads: 3, score: dot)"),
    ["tensor-not-named"],
    "still lacks `k`, `v`",
  ],

  // Names and places.
  [
    "a constant's name",
    model("let a = 4 ; output y = x", "let a = 3"),
    ["shadows-file-name"],
    "already a name of this file",
  ],
  ["a function's name", model("let range = 4 ; output y = x"), ["built-in-name"], "built-in function"],
  [
    "an option without a type",
    model("let s = cosine(tau: 1, eps: 1) ; output y = x"),
    ["option-without-type"],
    "Score and Schedule",
  ],
  [
    "an option that hides a name",
    model(`let dot = 3 ; ${qkv} ; output y = Attend(q, k, v, heads: 3, score: dot)`),
    ["option-hides-name"],
    "the option of `Score`",
  ],
  [
    "a lower-case block",
    model("output y = x |> mlp", "block mlp(x: [..., d]) -> [..., d] { x }"),
    ["capital-name"],
    "`Mlp`, not `mlp`",
  ],
  [
    "a model as a layer",
    model("output y = x |> N", "model N { input a: [3]\n output b = a }"),
    ["model-not-layer"],
    "`N` is a model",
  ],
  [
    "a type that is none",
    model("output y = x |> A(3)", "block A(x: [..., d], n: Int) -> [..., d] { x }"),
    ["block-type"],
    "the nearest is `int`",
  ],
  ["a value's member", model("output y = x.z"), ["misplaced"], "values have no members"],
  [
    "input in a block",
    model("output y = x |> A", "block A(x: [..., d]) -> [..., d] { input y: [3]\n x }"),
    ["misplaced"],
    "inputs belong to the body of a model",
  ],
  [
    "output in a loop",
    model("for i in range(2) { output y = x } ; output z = x"),
    ["misplaced"],
    "outputs belong to the body of a model",
  ],
  [
    "a new value of a loop's name",
    model("for i in range(2) { i = 3 } ; output y = x"),
    ["misplaced"],
    "the name of a loop",
  ],
  [
    "a loop over a tensor",
    model("for i in x { } ; output y = x"),
    ["condition-on-data"],
    "`Scan` goes over positions",
  ],
  ["no such edition", `lips 7\n${model("output y = x")}`, ["unknown-edition"], "`lips 7`"],

  // Values and shapes.
  [
    "a block without a value",
    model("output y = x |> A", "block A(x: [..., d]) -> [..., d] { let y = x }"),
    ["nothing-comes-out"],
    "Block `A` has no value",
  ],
  [
    "a block whose value is a layer",
    model("output y = x |> A", "block A(x: [..., d]) -> [..., d] { Linear(d) }"),
    ["layer-not-value"],
    "`x |> Linear`",
  ],
  [
    "another result",
    model("output y = x |> A", "block A(x: [h, w, d]) -> [h, w, 2 * d] { x |> Linear(d) }"),
    ["result-shape"],
    "expected [56, 56, 192], found [56, 56, 96]",
  ],
  [
    "another annotated shape",
    model("let z: [28, 28, 96] = x ; output y = z"),
    ["result-shape"],
    "expected [28, 28, 96]",
  ],
  [
    "a dimension bound otherwise",
    model("output y = A(x, x |> Linear(3))", "block A(a: [..., d], b: [..., d]) -> [..., d] { a + b }"),
    ["shape-mismatch"],
    "d = 96",
  ],
  ["sums of two shapes", model("output y = x + (x |> Linear(3))"), ["different-shapes"], "[56, 56, 3]"],
  [
    "a pattern",
    model("let [a, b] = x |> Split(3) ; output y = a"),
    ["pattern-length"],
    "a list of 3 tensors",
  ],
  [
    "three values for one",
    model("output y = x |> Split(3) |> GELU"),
    ["not-one-shape"],
    "`Split(3)` gives 3 values",
  ],
  ["a list's end", model("let a = [1, 2] ; output y = x |> Linear(a[2])"), ["index-outside"], "0 to 1"],
  ["learned without a shape", model("output y = Concat(learned(0), x)"), ["learned-shape"], "no shape"],
  [
    "shared with two shapes",
    model("let f = shared(Linear(10)) ; output y = x |> f |> f"),
    ["shared-shape"],
    "one set of weights",
  ],
  [
    "an empty interval",
    "model M {\n  input x: [3] in [1, 0]\n  output y = x |> GELU\n}",
    ["empty-range"],
    "[1, 0]",
  ],
  [
    "too many axes",
    "model M {\n  input x: [3, 3, 3, 3]\n  output y = x |> GELU\n}",
    ["bad-shape"],
    "[3, 3, 3, 3]",
  ],
  [
    "weights after a layer",
    model("x = x |> Linear(3) ; weights { init: xavier } ; output y = x"),
    ["weights-late"],
    "before the first layer",
  ],
  [
    "an entry that is none",
    model("weights { inits: xavier } ; output y = x"),
    ["unknown-entry"],
    "init, constraint, bias",
  ],
  [
    "called, but no layer",
    model("let a = 3 ; output y = x |> a(2)"),
    ["not-callable"],
    "The number 3 can't be called",
  ],
  ["division by 0", model("let a = 1 / 0 ; output y = x |> Linear(a)"), ["no-number"], "the divisor is 0"],
  [
    "a tower of powers",
    model("let a = 2 ^ (2 ^ (2 ^ (2 ^ 2))) ; output y = x |> Linear(a)"),
    ["no-number"],
    "too many digits",
  ],
  [
    "an absurd size",
    model("output y = x |> Linear(2147483647) |> Linear(2147483647)"),
    ["bad-shape"],
    "2^45",
  ],

  // Models, variants, claims, imports.
  ["no input", "model M {\n  output y = learned(0, shape: [3])\n}", ["nothing-comes-in"], "no `input`"],
  ["no output", "model M {\n  input x: [3] in [0, 1]\n}", ["nothing-comes-out"], "no `output`"],
  ["a base that is none", `${model("output y = x")}model V = N()`, ["unknown-name"], "There is no model `N`"],
  [
    "a variant's parameter",
    `${model("output y = x")}model V = M(class: 3)`,
    ["unknown-argument"],
    "it takes classes",
  ],
  [
    "a variant with a let",
    `${model("output y = x")}model V = M() { let a = 3 }`,
    ["misplaced"],
    "a variant adds claims",
  ],
  [
    "variants in a circle",
    "model A = B()\nmodel B = A()",
    ["constant-cycle", "constant-cycle"],
    "depends on itself",
  ],
  [
    "constants in a circle",
    `let a = b\nlet b = a\n${model("output y = x")}`,
    ["constant-cycle"],
    "depends on itself",
  ],
  [
    "a phase",
    model("output y = x |> GELU ; certify at start: gain(image -> y) <= 1"),
    ["claim-phase"],
    "`start` is not a phase",
  ],
  [
    "a name in a claim",
    model("output y = x |> GELU ; certify always: gain(img -> y) <= 1"),
    ["no-name-to-claim"],
    "image, x, y",
  ],
  [
    "a claim with <",
    model("output y = x |> GELU ; certify always: gain(image -> y) < 1"),
    ["claim-form"],
    "`<=`",
  ],
  [
    "an absolute import",
    `import { A } from "/etc/passwd.lips"\n${model("output y = x |> A")}`,
    ["import-path"],
    "not relative",
  ],
  [
    "an address",
    `import { A } from "https://example.org/a.lips"\n${model("output y = x |> A")}`,
    ["import-path"],
    "no network",
  ],
  [
    "another kind of file",
    `import { A } from "../secrets.txt"\n${model("output y = x |> A")}`,
    ["import-path"],
    "`.lips`",
  ],
  [
    "a file that isn't there",
    `import { A } from "./gone.lips"\n${model("output y = x |> A")}`,
    ["import-missing"],
    "no file",
  ],
  [
    "a name that isn't there",
    `import { Atention } from "std/attention"\n${model("output y = x |> Atention(3)")}`,
    ["not-in-file"],
    "`Attention`",
  ],
  [
    "recursion",
    model(
      "output y = x |> A",
      "block A(x: [..., d]) -> [..., d] { x |> B }\nblock B(x: [..., d]) -> [..., d] { x |> A }",
    ),
    ["block-recursion"],
    "`A` → `B` → `A`",
  ],
  [
    "recursion through a parameter",
    model("output y = x |> W(W)", "block W(x: [..., d], f: Layer) -> [..., d] { x |> f(f: f) }"),
    ["nested-too-deep"],
    "128",
  ],

  // Runs.
  [
    "a key of train",
    `${model("output y = x")}train M {\n  epoch: 3\n}`,
    ["train-entry"],
    "the nearest is `epochs`",
  ],
  [
    "an optimiser's argument",
    `${model("output y = x")}train M {\n  optimizer: adamw(lr: 1e-3, beta: [0, 0])\n}`,
    ["unknown-argument"],
    "weight_decay",
  ],
  [
    "a learning rate of 0",
    `${model("output y = x")}train M {\n  optimizer: adamw(lr: 0)\n}`,
    ["out-of-range"],
    "above 0",
  ],
  [
    "a loss",
    `${model("output y = x")}train M {\n  loss: crossentropy\n}`,
    ["unknown-option"],
    "cross_entropy",
  ],
  ["a batch of 0", `${model("output y = x")}train M {\n  batch: 0\n}`, ["out-of-range"], "`batch` is 0"],
  [
    "two lengths",
    `${model("output y = x")}train M {\n  epochs: 3\n  steps: 3\n}`,
    ["train-length"],
    "both are given",
  ],
  ["a run of nothing", `${model("output y = x")}train N {\n  epochs: 3\n}`, ["train-model"], "no model `N`"],
];

test.each(mistakes)("%s", (_, source, names, text) => {
  const result = elaborate(source);
  expect(result.names).toEqual(names);
  const [first] = result.diagnostics.all;
  expect(`${first.message} ${first.help ?? ""}`).toContain(text);
  expect(first.span === null || source.slice(first.span.start, first.span.end).length > 0).toBe(true);
});

describe("said once", () => {
  const block = "block Bad(x: [..., d]) -> [..., d] { x |> Linear(d / 7) |> Linear(d) }";

  test("an error in a block that is used twelve times, with the places of use", () => {
    const result = elaborate(model("for i in range(12) { x = x |> Bad } ; output y = x", block));
    expect(result.names).toEqual(["not-an-int"]);
    expect(result.diagnostics.all[0].related.map((r) => r.message)).toEqual(["used here"]);
    expect(result.models).toEqual([]);
  });

  test("what follows from an error is silent", () => {
    const result = elaborate(
      model(
        "let z = x |> Nothing ; let w = z |> Linear(3) ; output y = w + z ; certify always: gain(z -> y) <= 1",
      ),
    );
    expect(result.names).toEqual(["unknown-name"]);
  });

  test("independent mistakes are all said", () => {
    const result = elaborate(
      model("let z = x |> Linear(0) ; let w = x |> Linear(true) ; let [a, b] = x |> Split(3) ; output y = x"),
    );
    expect(result.names).toEqual(["out-of-range", "argument-type", "pattern-length"]);
  });

  test("fixes replace exactly what is wrong", () => {
    const source = model("output y = x |> Layernorm");
    const [fix] = elaborate(source).diagnostics.all[0].fixes;
    const [{ span, text }] = fix.edits;
    const mended = source.slice(0, span.start) + text + source.slice(span.end);
    expect(elaborate(mended).names).toEqual([]);
  });
});

describe("a stranger's file ends soon", () => {
  const deep = [...Array(60).keys()].map(
    (i) => `block A${i}(x: [..., d]) -> [..., d] { x |> A${i + 1} |> A${i + 1} }`,
  );
  const hogs: readonly (readonly [string, string, string])[] = [
    ["a range of 1e9", model("for i in range(1000000000) { x = x |> GELU } ; output y = x"), "over-budget"],
    [
      "loops in loops",
      model("for i in range(1000) { for j in range(1000) { let a = i } } ; output y = x"),
      "over-budget",
    ],
    [
      "empty rounds",
      model("for i in range(100000) { for j in range(100000) { } } ; output y = x"),
      "over-budget",
    ],
    [
      "doubling blocks",
      model("output y = x |> A0", `${deep.join("\n")}\nblock A60(x: [..., d]) -> [..., d] { x }`),
      "over-budget",
    ],
    [
      "sums of long lists",
      model("for i in range(90000) { let s = sum(range(90000)) } ; output y = x"),
      "over-budget",
    ],
    [
      "a layer in itself 5000 times",
      model("let f = GELU ; for i in range(5000) { f = Residual(f) } ; output y = x |> f"),
      "nested-too-deep",
    ],
    [
      "a long composition",
      model("let f = GELU |> GELU ; for i in range(5000) { f = f |> GELU } ; output y = x |> f"),
      "nested-too-deep",
    ],
    [
      "a number that grows",
      model("let a = 3 ; for i in range(90000) { a = a * a } ; output y = x"),
      "no-number",
    ],
  ];
  test.each(hogs)(
    "%s",
    (_, source, name) => {
      const result = elaborate(source);
      expect(result.names).toEqual([name]);
      expect(result.models).toEqual([]);
    },
    20_000,
  );
});

describe("imports", () => {
  test("a cycle is refused", () => {
    const result = elaborate('import { A } from "./a.lips"\n' + model("output y = x |> A"), {
      "a.lips": 'import { M } from "./main.lips"\nblock A(x: [..., d]) -> [..., d] { x }',
    });
    expect(result.names).toEqual(["cyclic-import"]);
    expect(result.messages[0]).toContain("main.lips → a.lips → main.lips");
  });

  test("a folder up is allowed, for .lips files", () => {
    const parts = "block A(x: [..., d]) -> [..., d] { x |> Linear(d) }";
    expect(
      elaborate('import { A as B } from "../parts/a.lips"\n' + model("output y = x |> B"), {
        "../parts/a.lips": parts,
      }).names,
    ).toEqual([]);
  });

  test("a mistake in an imported file is told with its name", () => {
    const result = elaborate('import { A } from "./a.lips"\n' + model("output y = x |> A"), {
      "a.lips": "block A(x: [..., d]) -> [..., d] { x |> Linea(d) }",
    });
    expect(result.names).toEqual(["unknown-name"]);
    expect(result.diagnostics.all[0].span?.file).toBe("a.lips");
  });
});

describe("a fix mends its mistake", () => {
  const fixable: readonly (readonly [string, string])[] = [
    ["a value in mid-body", model("x |> CenterNorm ; output y = x")],
    ["no let", model("z = x |> GELU ; output y = z")],
    ["let in a loop", model("for i in range(3) { let x = x |> GELU } ; output y = x")],
    ["let twice", model("let x = x |> GELU ; output y = x")],
    ["a name of std", model("output y = x |> Mlp(4)")],
    ["a map for a sequence", model("output y = x |> S", "block S(x: [n, d]) -> [n, d] { x }")],
    ["an argument's name", model("output y = x |> Linear(3, biass: false)")],
    ["a train key", `${model("output y = x")}train M {\n  epoch: 3\n}`],
  ];
  test.each(fixable)("%s", (_, source) => {
    const [fix] = elaborate(source).diagnostics.all[0].fixes;
    const edits = [...fix.edits].sort((a, b) => b.span.start - a.span.start);
    const mended = edits.reduce(
      (text, { span, text: by }) => text.slice(0, span.start) + by + text.slice(span.end),
      source,
    );
    const result = elaborate(mended);
    expect(result.messages).toEqual([]);
    expect(result.models).toHaveLength(1);
  });
});
