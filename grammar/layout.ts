/**
 * The layout filter between lexer and parser. It decides which line ends end a statement (`NL`), and it balances
 * brackets, so that one that is forgotten costs one message and not the rest of the file:
 * - a newline ends a statement, except inside ( ) [ ], after an operator or comma, or when the next line begins with
 *   `|>`, a binary operator, `)`, `]`, `}`, `{`, `.`, `else`;
 * - two operands with only a line end between them inside ( ) or [ ] close a bracket that nothing else closes, or
 *   else lack a comma; a statement that begins there, `{` and `}` close it too;
 * - `block`, `model`, `train` and `import` in column 1 close everything that is open.
 */
import {
  closers,
  cutDeep,
  isItemStart,
  isStatementStart,
  matchBrackets,
  openers,
  virtual,
  type Fate,
} from "./brackets.ts";
import { endsOperand } from "./lexer.ts";
import type { Problem } from "./problem.ts";
import * as T from "./tokens.ts";
import type { Token } from "./tokens.ts";

const continuing = new Set([
  ...T.binaryOperators, ...closers, T.LBrace, T.Dot, T.Else, T.Comma, T.Colon, T.Assign, T.Arrow,
]); // prettier-ignore
const cannotEnd = new Set([
  ...T.binaryOperators, ...openers.keys(), T.Not, T.Dot, T.Else, T.Comma, T.Colon, T.Assign, T.Arrow, T.Let, T.For,
  T.In, T.If, T.Input, T.Output, T.Block, T.Model, T.Train, T.Import, T.From, T.As, T.Certify, T.At, T.Weights, T.Inference, T.NL,
]); // prettier-ignore
const letWords = new Set(["const", "var", "val"]);

export function layOut(text: string, tokens: readonly Token[], problems: Problem[]): Token[] {
  return new Layout(text, cutDeep(tokens, problems), problems).run();
}

class Layout {
  private readonly out: Token[] = [];
  private readonly open: { token: Token; fate: Fate; broken: boolean; indent: number | null; at: number }[] =
    [];
  /** Braces closed early because of their indentation; never more than are missing. */
  private moved = 0;
  private readonly text: string;
  private readonly tokens: readonly Token[];
  private readonly problems: Problem[];
  private readonly fates: ReadonlyMap<Token, Fate>;

  constructor(text: string, tokens: readonly Token[], problems: Problem[]) {
    this.text = text;
    this.tokens = tokens;
    this.problems = problems;
    this.fates = matchBrackets(tokens);
  }

  run(): Token[] {
    for (let i = 0; i < this.tokens.length; i++) this.take(i);
    this.closeAll(null);
    return this.out;
  }

  private get previous(): Token | undefined {
    return this.out.at(-1);
  }

  private get inBracket(): boolean {
    const top = this.open.at(-1);
    return top !== undefined && top.token.tokenType !== T.LBrace;
  }

  private take(i: number): void {
    const token = this.tokens[i];
    const type = token.tokenType;
    const statement = isStatementStart(this.tokens, i);
    if (isItemStart(this.tokens, i)) this.closeAll(token);
    else if (statement || type === T.LBrace || type === T.RBrace || this.isAssignment(i))
      this.closeBrackets(token);
    else if (this.inBracket && token.breakBefore && beginsOperand(token) && endsOperand(this.previous))
      this.separate(token);

    if (closers.has(type)) return this.close(token);
    if (this.needsNewline(token, statement)) this.out.push(this.newline(token));
    if (this.atStatementStart() && this.foreignWord(i)) return;
    this.out.push(token);
    if (openers.has(type))
      this.open.push({
        token,
        fate: this.fates.get(token) ?? "unclosed",
        broken: false,
        indent: null,
        at: this.out.length - 1,
      });
    if (token.payload === "unterminated")
      for (const entry of this.open) if (entry.token.tokenType !== T.LBrace) entry.broken = true;
  }

  /** `name = …` on a new line, inside a bracket, and not after a comma: a statement, so the bracket was forgotten. */
  private isAssignment(i: number): boolean {
    const token = this.tokens[i];
    return (
      this.inBracket &&
      token.breakBefore &&
      token.tokenType === T.Name &&
      this.tokens[i + 1]?.tokenType === T.Assign &&
      endsOperand(this.previous)
    );
  }

  private needsNewline(token: Token, statement: boolean): boolean {
    if (!token.breakBefore || this.inBracket) return false;
    const previous = this.previous;
    if (!previous || previous.tokenType === T.LBrace || previous.tokenType === T.NL) return false;
    if (statement) return true;
    return !continuing.has(token.tokenType) && !cannotEnd.has(previous.tokenType);
  }

  /** It stands right behind the token before; its payload is where the next one begins. */
  private newline(next: Token): Token {
    const at = this.previous ? this.previous.endOffset + 1 : 0;
    const token = T.makeToken(T.NL, "\n", at, at);
    token.payload = next.startOffset;
    return token;
  }

  /** Ends the bracket that was opened at `open` in the output with `closer`. */
  private pushCloser(open: number, closer: Token): void {
    this.out[open].toCloser = this.out.length - open;
    this.out.push(closer);
  }

  private atStatementStart(): boolean {
    const type = this.previous?.tokenType;
    return !this.inBracket && (type === undefined || type === T.NL || type === T.LBrace || type === T.RBrace);
  }

  /** `return x`, `const x = 3`, `elif`: said once, with the fix, and read as what they mean. */
  private foreignWord(i: number): boolean {
    const token = this.tokens[i];
    const next = this.tokens[i + 1];
    if (token.tokenType !== T.Name || !next || next.breakBefore) return false;
    const place = { start: token.startOffset, end: token.endOffset + 1 };
    if (
      token.image === "return" &&
      (beginsOperand(next) || next.tokenType === T.Minus) &&
      next.tokenType !== T.LBracket
    ) {
      const edits = [{ start: place.start, end: next.startOffset, text: "" }];
      const why = "the value of a block is its one bare expression";
      this.problems.push({ kind: "other-language", ...place, found: "return", why, edits });
      return true;
    }
    if (letWords.has(token.image) && next.tokenType === T.Name) {
      const why = "a name is made with `let`";
      this.problems.push({
        kind: "other-language",
        ...place,
        found: token.image,
        why,
        edits: [{ ...place, text: "let" }],
      });
      this.out.push(T.makeToken(T.Let, "let", place.start, place.end));
      return true;
    }
    if (token.image === "elif" && beginsOperand(next) && this.previous?.tokenType !== undefined) {
      const why = "it is written `else if`";
      this.problems.push({
        kind: "other-language",
        ...place,
        found: "elif",
        why,
        edits: [{ ...place, text: "else if" }],
      });
      if (this.previous?.tokenType === T.NL) this.out.pop();
      this.out.push(
        T.makeToken(T.Else, "else", place.start, place.start),
        T.makeToken(T.If, "if", place.start, place.end),
      );
      return true;
    }
    return false;
  }

  /** Two operands on two lines inside a bracket: the bracket was meant to end, or a comma is missing. */
  private separate(token: Token): void {
    const top = this.open[this.open.length - 1];
    if (top.fate === "closed" || top.fate === "wrong") {
      const at = this.previous ? this.previous.endOffset + 1 : token.startOffset;
      this.problems.push({
        kind: "comma-missing",
        start: at,
        end: at,
        open: top.token.image,
        at: top.token.startOffset,
      });
      this.out.push(virtual(T.Comma, at));
    } else while (this.inBracket && this.open.at(-1)?.fate === "unclosed") this.forget(token);
  }

  private close(token: Token): void {
    const fate = this.fates.get(token);
    const end = token.endOffset + 1;
    if (fate === "stray" || this.open.length === 0) {
      this.problems.push({ kind: "closes-nothing", start: token.startOffset, end, found: token.image });
      return;
    }
    if (token.tokenType === T.RBrace && token.breakBefore) this.closeByIndentation(token);
    const wanted = (): Token["tokenType"] | undefined =>
      openers.get(this.open[this.open.length - 1]?.token.tokenType);
    while (fate !== "wrong" && this.open.length > 1 && wanted() !== token.tokenType) this.forget(token);
    const top = this.open.pop();
    if (top?.fate === "unclosed") this.moved = Math.max(0, this.moved - 1);
    const closer = top && openers.get(top.token.tokenType);
    if (!top || !closer) return;
    if (closer === token.tokenType) {
      this.pushCloser(top.at, token);
      return;
    }
    const close = imageOf(closer);
    const at = top.token.startOffset;
    this.problems.push({
      kind: "wrong-closer",
      start: token.startOffset,
      end,
      open: top.token.image,
      close,
      found: token.image,
      at,
    });
    this.pushCloser(top.at, T.makeToken(closer, close, token.startOffset, end));
  }

  /** Where braces are missing, a `}` that stands under an outer opening line shows which inner one was forgotten. */
  private closeByIndentation(closer: Token): void {
    const missing = this.open.filter((entry) => entry.fate === "unclosed").length - this.moved;
    if (missing <= 0) return;
    const column = indentAt(this.text, closer.startOffset);
    let target = this.open.length - 1;
    while (target >= 0 && this.indentOf(target) !== column) target--;
    const inner = this.open.length - 1 - target;
    if (target < 0 || inner > missing) return;
    for (let i = 0; i < inner; i++) this.forget(closer);
    this.moved += inner;
  }

  private indentOf(i: number): number {
    const entry = this.open[i];
    return (entry.indent ??= indentAt(this.text, entry.token.startOffset));
  }

  private closeBrackets(before: Token): void {
    while (this.inBracket) this.forget(before);
  }

  private closeAll(before: Token | null): void {
    while (this.open.length > 0) this.forget(before);
    this.moved = 0;
  }

  /** Closes the innermost bracket, which the text leaves open, in front of `before`. */
  private forget(before: Token | null): void {
    const top = this.open.pop();
    const closer = top && openers.get(top.token.tokenType);
    if (!top || !closer) return;
    const { token } = top;
    const at = this.previous ? this.previous.endOffset + 1 : token.endOffset + 1;
    if (!top.broken)
      this.problems.push({
        kind: "not-closed",
        start: token.startOffset,
        end: token.endOffset + 1,
        open: token.image,
        close: imageOf(closer),
        at,
        found: before === null ? "the end of the file" : describeLine(this.text, before),
      });
    this.pushCloser(top.at, virtual(closer, at));
  }
}

/** Columns of white space at the beginning of the line that holds `offset`. */
function indentAt(text: string, offset: number): number {
  const start = text.lastIndexOf("\n", offset - 1) + 1;
  let end = start;
  while (text[end] === " " || text[end] === "\t") end++;
  return end - start;
}

function imageOf(type: Token["tokenType"]): string {
  return type === T.RParen ? ")" : type === T.RBracket ? "]" : "}";
}

function describeLine(text: string, token: Token): string {
  const image = text.slice(token.startOffset, token.endOffset + 1);
  return token.breakBefore ? `a new line that begins with \`${image}\`` : `\`${image}\``;
}

export function beginsOperand(token: Token): boolean {
  const type = token.tokenType;
  return (
    type === T.LParen ||
    type === T.LBracket ||
    type === T.Not ||
    (type !== T.RParen && type !== T.RBracket && endsOperand(token))
  );
}
