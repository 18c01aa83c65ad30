/** 00: the text itself. */
export const textRows = {
  "unexpected-token": {
    code: "LIPS0001",
    severity: "error",
    message: (p: { found: string; expected: string }) => `Expected ${p.expected}, found ${p.found}.`,
  },
  "mixed-pipe": {
    code: "LIPS0010",
    severity: "error",
    message: (p: { operator: string; loose: string; tight: string }) =>
      `\`${p.operator}\` and \`|>\` stand in one expression without parentheses: it reads as \`${p.tight}\` or as \`${p.loose}\`.`,
    help: () => "both are real architectures (post-norm and pre-norm, often): put the parentheses that you mean",
  },
} as const;
