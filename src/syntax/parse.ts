/** Source text → AST. Never throws on any text: every mistake is a diagnostic, and reading goes on after it. */
import { EOF, type IRecognitionException } from "../../grammar/chevrotain.ts";
import { layOut } from "../../grammar/layout.ts";
import { lex } from "../../grammar/lexer.ts";
import { sharedParser } from "../../grammar/parser.ts";
import type { Problem } from "../../grammar/problem.ts";
import { NL, type Token } from "../../grammar/tokens.ts";
import type { Diagnostics } from "../diagnostics/diagnostic.ts";
import type { SourceFile } from "../text/source.ts";
import type { File } from "./ast.ts";
import { AstBuilder } from "./build.ts";
import { attachDocs } from "./docs.ts";
import { reportProblems, shorten } from "./problems.ts";

/** Longer texts (in UTF-16 units) are refused unread. */
export const sizeLimit = 4 * 1024 * 1024;

/**
 * The abstract syntax tree of a file. Mistakes go to `diagnostics`; the tree then has `error` expressions and empty
 * names where something was missing, and every declaration that could be recognised.
 */
export function parseFile(source: SourceFile, diagnostics: Diagnostics): File {
  const { name, text } = source;
  const span = { file: name, start: 0, end: text.length };
  if (text.length > sizeLimit) {
    diagnostics.report(
      "too-large",
      { file: name, start: 0, end: 0 },
      { size: text.length, limit: sizeLimit },
    );
    return { edition: null, items: [], comments: [], span };
  }
  const { tokens, comments, problems } = lex(text);
  const laidOut = layOut(text, tokens, problems);
  const parser = sharedParser();
  const cst = parser.parse(laidOut);
  problems.push(...readErrors(text, laidOut, parser.errors, problems));
  const built = cst
    ? new AstBuilder(name, text, problems).buildFile(cst)
    : { edition: null, items: [], span };
  const file = attachDocs(built, comments, text, problems);
  reportProblems(source, problems, diagnostics);
  return {
    ...file,
    comments: comments.map((c) => ({
      text: c.text,
      doc: c.doc,
      span: { file: name, start: c.start, end: c.end },
    })),
  };
}

/** The parser's errors, without those that only follow from a mistake already known: one per line, none at a mended place. */
function readErrors(
  text: string,
  tokens: readonly Token[],
  errors: readonly IRecognitionException[],
  known: readonly Problem[],
): Problem[] {
  const places = known.map((problem) => problem.start).sort((a, b) => a - b);
  const found: Problem[] = [];
  let last = -1;
  for (const error of errors) {
    const token = error.token as Token;
    const previous = (error as { previousToken?: Token }).previousToken;
    const atEnd = token.tokenType === EOF;
    const before = atEnd ? tokens.at(-1) : previous;
    const from = before && !Number.isNaN(before.endOffset) ? before.endOffset + 1 : 0;
    const start = atEnd ? from : token.startOffset;
    const end = atEnd || token.tokenType === NL ? start : token.endOffset + 1;
    const until = atEnd ? text.length : token.tokenType === NL ? (token.payload as number) : end;
    if (token.virtual || before?.virtual || hasBetween(places, from, until)) {
      last = Math.max(last, start);
      continue;
    }
    if (last >= 0 && !text.slice(Math.min(last, start), Math.max(last, start)).includes("\n")) continue;
    last = start;
    found.push({
      kind: "unexpected-token",
      start,
      end,
      found: describe(token),
      expected: error.message,
      atEnd,
    });
  }
  return found;
}

function hasBetween(sorted: readonly number[], from: number, to: number): boolean {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle] < from) low = middle + 1;
    else high = middle;
  }
  return low < sorted.length && sorted[low] <= to;
}

function describe(token: Token): string {
  if (token.tokenType === NL) return "the end of the line";
  if (token.tokenType === EOF) return "the end of the file";
  return token.tokenType.name === "String"
    ? `the string "${shorten(token.image)}"`
    : `\`${shorten(token.image)}\``;
}
