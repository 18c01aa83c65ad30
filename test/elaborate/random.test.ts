/** No text makes the elaborator throw or hang: mutated examples give diagnostics, and what elaborates is legal. */
import { readFileSync } from "node:fs";
import fc from "fast-check";
import { expect, test } from "vitest";
import { violations } from "../../src/model/legality.ts";
import { elaborate } from "./host.ts";

const sources = ["lipsformer", "baselines", "dynamics", "lipshift", "others"].map((name) =>
  readFileSync(`test/fixtures/examples/${name}.lips`, "utf8"),
);
/** Small sources reach more: a whole model of each example in a few lines. */
const small = [
  `block B(x: [h, w, d], f: Layer = GELU, n: int = d, s: Score = dot) -> [h, w, n] {
  let [q, k, v] = x |> Linear(3 * d) |> Split(3)
  let y = Attend(q, k, v, heads: 2, score: s, values: unit(nu: learned(1), eps: 1e-2), over: windows(2))
  (y + x) |> Residual(f, alpha: learned(1/3, shape: [d], in: [0, 1/2])) |> Linear(n)
  certify at init: gain(x -> result, token) <= 3
}
model M(c: int = 3, list: int[] = [1, 2]) {
  input image: [4, 4, 6] in [0, 1]
  weights { init: spectral, constraint: spectral(1), bias: false }
  let x = image
  for i in range(2) { if i % 2 == 0 and len(list) > 1 { x = x |> B(LayerNorm |> Linear(6)) } else { x = shared(B(n: 6)) } }
  let features = x |> MeanPool
  output logits = features |> Linear(c)
  certify always: margin(image -> logits) <= sqrt(2)
}
model V = M(c: 5) { certify at checkpoint: radius(features, linf) <= 1 }
train M { data: fashion_mnist
  loss: cross_entropy(smoothing: 0.1) + 2 * mse
  optimizer: adamw(lr: 1e-3)
  epochs: 3 }
`,
  `block Step(s: [n], u: [m], n: int) -> [n] { (s |> Linear(n) |> Scale(solve(in: [0, 1]))) + (u |> Linear(n)) }
model R { input u: [5, 2] in ball(token, 1)
  let s = u |> Scan(Step(n: 4), start: zeros)
  let f = s |> Fixpoint(T, iterations: 3)
  output y = Concat(s, f) |> Linear(exp(1) - exp(1) + 2) }
block T(y: [t, d], x: [t, d]) -> [t, d] { x + 0.1 * (y |> Tanh) }
`,
];

/** Numbers, words, strings, operators, brackets, line ends. */
function tokensOf(source: string): string[] {
  return (
    source.match(/\s+|\d[\w.]*|[\p{L}_][\p{L}\p{N}_]*|"[^"\n]*"|\/\/[^\n]*|\|>|->|<=|>=|==|!=|\.\.\.|./gsu) ??
    []
  );
}

const words = [
  ...[
    "0",
    "1",
    "-1",
    "2",
    "1e9",
    "1e400",
    "1/3",
    "x",
    "image",
    "Linear",
    "Linear(3)",
    "GELU",
    "Residual",
    "Attend",
    "Concat",
    "Split(2)",
  ],
  ...[
    "shared",
    "learned(1)",
    "learned(0, shape: [3])",
    "solve(in: [0, 1])",
    "range(3)",
    "range(1000000)",
    "sqrt",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    ",",
  ],
  ...[
    "|>",
    "+",
    "*",
    "-",
    "^",
    "%",
    "<=",
    "->",
    "...",
    "=",
    ":",
    "let",
    "for",
    "if",
    "in",
    "not",
    "certify",
    "input",
    "output",
    "weights",
    "\n",
  ],
  ...[
    "dot",
    "cosine(tau: 1, eps: 1)",
    "spectral",
    "true",
    '"a"',
    "result",
    "[]",
    "[[1]]",
    "M",
    "B",
    "B(B)",
    "V",
    "Step",
    "Scan",
  ],
];

const edit = fc.record({
  at: fc.nat(),
  kind: fc.constantFrom("drop", "double", "swap", "replace", "insert", "copy"),
  word: fc.constantFrom(...words),
  other: fc.nat(),
});

function mutate(
  source: string,
  edits: readonly { at: number; kind: string; word: string; other: number }[],
): string {
  const tokens = tokensOf(source);
  for (const { at, kind, word, other } of edits) {
    const i = at % tokens.length;
    const j = other % tokens.length;
    if (kind === "drop") tokens.splice(i, 1);
    else if (kind === "double") tokens.splice(i, 0, tokens[i]);
    else if (kind === "swap") [tokens[i], tokens[j]] = [tokens[j], tokens[i]];
    else if (kind === "replace") tokens[i] = word;
    else if (kind === "insert") tokens.splice(i, 0, ` ${word} `);
    else tokens[i] = tokens[j];
    if (tokens.length === 0) tokens.push(" ");
  }
  return tokens.join("");
}

function check(source: string): void {
  const start = performance.now();
  const { models, diagnostics } = elaborate(source);
  // A hang, not a benchmark: the budget ends the worst text within seconds.
  expect(performance.now() - start).toBeLessThan(20_000);
  for (const model of models) expect(violations(model)).toEqual([]);
  for (const { span, message } of diagnostics.all) {
    expect(message).not.toMatch(/undefined|NaN|\[object/);
    if (span?.file !== "main.lips") continue;
    expect([message, span.start >= 0 && span.start <= span.end && span.end <= source.length]).toEqual([
      message,
      true,
    ]);
  }
}

test("small sources, mutated", () => {
  const property = fc.property(
    fc.constantFrom(...small),
    fc.array(edit, { minLength: 1, maxLength: 4 }),
    (source, edits) => check(mutate(source, edits)),
  );
  fc.assert(property, { numRuns: Number(process.env.RANDOM_RUNS ?? 1500) });
}, 600_000);

test("whole examples, mutated", () => {
  const property = fc.property(
    fc.constantFrom(...sources),
    fc.array(edit, { minLength: 1, maxLength: 6 }),
    (source, edits) => check(mutate(source, edits)),
  );
  fc.assert(property, { numRuns: Number(process.env.RANDOM_RUNS ?? 60) });
}, 600_000);
