/** 00: the text itself. */
export const textRows = {
  "unexpected-token": {
    code: "LIPS0001",
    severity: "error",
    message: (p: { found: string; expected: string }) => `Expected ${p.expected}, found ${p.found}.`,
    help: (p: { found: string; expected: string }) =>
      p.expected.startsWith("the end of the line") ? "one statement stands on one line" : null,
  },
  "bad-character": {
    code: "LIPS0002",
    severity: "error",
    message: (p: { found: string; unicode: string; instead: string | null }) =>
      p.instead === null
        ? `${p.found} (${p.unicode}) has no place in lips.`
        : `${p.found} (${p.unicode}) is not the character it looks like.`,
    help: (p: { instead: string | null }) =>
      p.instead === null
        ? "names are the letters a to z and α to ω, small or capital, digits and `_`"
        : `write \`${p.instead}\`: two names that look the same must be the same`,
  },
  "unterminated-string": {
    code: "LIPS0003",
    severity: "error",
    message: () => "This string has no closing quote on its line.",
    help: () => 'a string ends with `"` on the line where it begins',
  },
  "bad-number": {
    code: "LIPS0004",
    severity: "error",
    message: (p: { found: string; why: string }) => `\`${p.found}\` is not a number: ${p.why}.`,
    help: () => "numbers look like `7`, `1_000`, `0.05`, `5e-4`; fractions like `1/12` are exact",
  },
  "unexpected-end": {
    code: "LIPS0005",
    severity: "error",
    message: (p: { expected: string }) => `The file ends too early: expected ${p.expected}.`,
    help: () => "is the file whole? write what is missing",
  },
  "too-deep": {
    code: "LIPS0006",
    severity: "error",
    message: (p: { what: string; limit: number }) =>
      `More than ${p.limit} ${p.what} stand within one another here, and that is the most lips reads.`,
    help: () => "give the inner parts names with `let`, or use a block or a loop",
  },
  "too-large": {
    code: "LIPS0007",
    severity: "error",
    message: (p: { size: number; limit: number }) =>
      `The file has ${p.size} characters; at most ${p.limit} are read.`,
    help: () => "a spec is a few hundred lines: is this the right file? use loops and imports",
  },
  "orphan-doc": {
    code: "LIPS0008",
    severity: "warning",
    message: () => "This `///` has nothing to describe: no declaration or parameter follows it.",
    help: () => "write `//` for a plain comment, or move it before a declaration",
  },
  "too-many-mistakes": {
    code: "LIPS0009",
    severity: "error",
    message: (p: { shown: number }) =>
      `The text has more than ${p.shown} mistakes; the rest of them are not shown.`,
    help: () => "mend the first ones and check again: is this a .lips file?",
  },
  "mixed-pipe": {
    code: "LIPS0010",
    severity: "error",
    message: (p: { operator: string; loose: string; tight: string }) =>
      `\`${p.operator}\` and \`|>\` stand in one expression without parentheses: it reads as \`${p.tight}\` or as \`${p.loose}\`.`,
    help: () =>
      "both are real architectures (pre-norm and post-norm, often): put the parentheses that you mean",
  },
  "value-dropped": {
    code: "LIPS0011",
    severity: "error",
    message: (p: { found: string }) => `The value of this line (${p.found}) is not used.`,
    help: () => "bind it (`x = …` or `let y = …`), or let it be the block's last expression",
  },
  "equals-in-argument": {
    code: "LIPS0012",
    severity: "error",
    message: (p: { name: string; found: string }) =>
      `Named arguments are written with a colon: expected \`${p.name}: …\`, found \`${p.found}\`.`,
    help: (p: { name: string }) => `write \`${p.name}:\``,
  },
  "other-language": {
    code: "LIPS0013",
    severity: "error",
    message: (p: { found: string; why: string }) => `\`${p.found}\` is not part of lips: ${p.why}.`,
  },
  "not-closed": {
    code: "LIPS0014",
    severity: "error",
    message: (p: { open: string; line: number; expected: string; found: string }) =>
      `\`${p.open}\` of line ${p.line} is never closed: expected ${p.expected} before ${p.found}.`,
    help: (p: { open: string }) =>
      p.open === "{"
        ? "close it where its body ends; reading goes on"
        : "close it, or put the comma that is missing",
  },
  "chained-comparison": {
    code: "LIPS0015",
    severity: "error",
    message: (p: { first: string; second: string }) =>
      `Comparisons can't be chained: \`${p.second}\` follows \`${p.first}\` in one expression.`,
    help: () => "write two comparisons with `and` between them: `0 < i and i < 3`",
  },
  "closes-nothing": {
    code: "LIPS0016",
    severity: "error",
    message: (p: { found: string }) => `\`${p.found}\` closes nothing: no bracket of its kind is open here.`,
    help: () => "remove it, or write the bracket that it should close",
  },
  "wrong-closer": {
    code: "LIPS0017",
    severity: "error",
    message: (p: { open: string; close: string; found: string; line: number }) =>
      `\`${p.open}\` of line ${p.line} is closed by \`${p.found}\`: expected \`${p.close}\`.`,
    help: (p: { close: string }) => `write \`${p.close}\``,
  },
  "comma-missing": {
    code: "LIPS0018",
    severity: "error",
    message: (p: { open: string; line: number }) =>
      `Two values follow one another inside the \`${p.open}\` of line ${p.line}: a comma is missing between them.`,
    help: () => "put a comma at the end of the line",
  },
  "phase-missing": {
    code: "LIPS0019",
    severity: "error",
    message: () => "This claim doesn't say when it holds.",
    help: () => "write `certify at init: …`, `certify always: …` or `certify at checkpoint: …`",
  },
} as const;
