/** Mutated specs: tokens and lines dropped, doubled, moved and exchanged, and numbers driven to extremes. */
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";

const root = join(import.meta.dirname, "..", "..");

/** A file of the corpus, named as a spec beside it would import it. */
export interface Source {
  readonly name: string;
  readonly text: string;
}

function sourcesIn(folder: string): Source[] {
  return readdirSync(join(root, folder))
    .filter((name) => name.endsWith(".lips"))
    .map((name) => ({ name: `${folder}/${name}`, text: readFileSync(join(root, folder, name), "utf8") }));
}

export const specs = sourcesIn("specs");
export const corpus = [
  ...specs,
  ...sourcesIn("test/fixtures/examples"),
  ...sourcesIn("test/golden/diagnostics").filter(({ text }) => text.length < 4000),
];

const tokenOf =
  /[\p{L}_][\p{L}\d_]*|\d[\d_]*(?:\.\d+)?(?:[eE][+-]?\d+)?|"[^"\n]*"|\/\/[^\n]*|\|>|->|[<>=!]=|\s+|./gsu;

export function tokensOf(text: string): string[] {
  return text.match(tokenOf) ?? [];
}

const isName = (token: string): boolean => /^[\p{L}_]/u.test(token);
const isNumber = (token: string): boolean => /^\d/.test(token);

/** Every name that the corpus and the standard library use. */
const names = [
  ...new Set([...corpus, ...sourcesIn("src/std")].flatMap(({ text }) => tokensOf(text).filter(isName))),
];

const extremes = [
  ...[
    "0",
    "1",
    "2",
    "3",
    "7",
    "64",
    "(-1)",
    "(-7)",
    "0.5",
    "1/3",
    "(-1/3)",
    "1e-9",
    "1e-45",
    "1e-46",
    "1e-400",
  ],
  ...[
    "1e9",
    "1e15",
    "1e18",
    "1e38",
    "3.5e38",
    "1e308",
    "1e400",
    "2^31",
    "2^45",
    "2^(2^20)",
    "1/0",
    "0/0",
    "7 % 0",
  ],
  ...[
    "9".repeat(400),
    "sqrt(2)",
    "sqrt(-1)",
    "exp(99)",
    "exp(1e6)",
    "log(1e-300)",
    "range(7)",
    "range(99999)",
  ],
  ...["true", '"a"', '"**.weight"', "[1, 2]", "[]", "x", "ReLU", "Linear(3)", "learned(0.5, in: [0, 1])"],
  ...[
    "solve(in: [0, 1])",
    "shared(Linear(4))",
    "tokens(5)",
    "ball(token, 1)",
    "unbounded",
    "[0, 1]",
    "max",
    "l2",
  ],
];

const mutation = fc.record({
  kind: fc.constantFrom(
    ...([
      "number",
      "number",
      "number",
      "name",
      "name",
      "name",
      "delete",
      "insert",
      "double",
      "swap",
    ] as const),
    ...(["drop-line", "double-line", "move-line"] as const),
  ),
  at: fc.nat(),
  to: fc.nat(),
  extreme: fc.constantFrom(...extremes),
  name: fc.constantFrom(...names),
});
type Mutation = typeof mutation extends fc.Arbitrary<infer M> ? M : never;

function mutate(text: string, { kind, at, to, extreme, name }: Mutation): string {
  if (kind.endsWith("line")) {
    const lines = text.split("\n");
    const [line] = lines.splice(at % lines.length, kind === "double-line" ? 0 : 1);
    if (kind === "move-line") lines.splice(to % (lines.length + 1), 0, line ?? "");
    if (kind === "double-line") lines.splice(to % lines.length, 0, lines[at % lines.length]);
    return lines.join("\n");
  }
  const tokens = tokensOf(text);
  const solid = [...tokens.keys()].filter((i) => /\S/.test(tokens[i]) && !tokens[i].startsWith("//"));
  const fitting = solid.filter((i) =>
    (kind === "number" ? isNumber : kind === "name" ? isName : Boolean)(tokens[i]),
  );
  if (fitting.length === 0) return text;
  const i = fitting[at % fitting.length];
  const j = solid[to % solid.length];
  if (kind === "number") tokens[i] = extreme;
  else if (kind === "name") tokens[i] = name;
  else if (kind === "delete") tokens[i] = "";
  else if (kind === "insert") tokens[i] += ` ${to % 2 === 0 ? extreme : tokens[j]} `;
  else if (kind === "double") tokens[i] += tokens[i];
  else [tokens[i], tokens[j]] = [tokens[j], tokens[i]];
  return tokens.join("");
}

/** A spec of `from` after one to four mutations. */
export function mutated(from: readonly Source[]): fc.Arbitrary<Source> {
  return fc
    .tuple(fc.constantFrom(...from), fc.array(mutation, { minLength: 1, maxLength: 4 }))
    .map(([{ name, text }, mutations]) => ({ name, text: mutations.reduce(mutate, text) }));
}

/** Names, numbers and signs in a model's body, at random. */
export const scrambled: fc.Arbitrary<Source> = fc
  .array(
    fc.oneof(
      { weight: 4, arbitrary: fc.constantFrom(...names) },
      { weight: 2, arbitrary: fc.constantFrom(...extremes) },
      {
        weight: 5,
        arbitrary: fc.constantFrom(
          "(",
          ")",
          "[",
          "]",
          "{",
          "}",
          ",",
          ":",
          "=",
          "|>",
          "+",
          "*",
          "-",
          "->",
          ".",
          "\n",
        ),
      },
      {
        weight: 2,
        arbitrary: fc.constantFrom("let y =", "output z =", "x |>", "for i in range(3) {", "weights {"),
      },
    ),
    { maxLength: 40 },
  )
  .map((pieces) => ({
    name: "specs/any.lips",
    text: `lips 1\nmodel A {\n  input x: [8, 8, 4] in [0, 1]\n  ${pieces.join(" ")}\n}\n`,
  }));
