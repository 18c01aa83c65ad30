/** What the layout filter knows of brackets: which belong together, which are too deep, and what must end them. */
import { endsOperand } from "./lexer.ts";
import type { Problem } from "./problem.ts";
import * as T from "./tokens.ts";
import type { Token } from "./tokens.ts";

/** Brackets and braces within one another, at most. */
export const nestingLimit = 200;

const statementWords = new Set([
  T.Let, T.For, T.If, T.Input, T.Output, T.Weights, T.Inference, T.Certify, T.Block, T.Model, T.Train, T.Import,
]); // prettier-ignore
const itemWords = new Set([T.Block, T.Model, T.Train]);
export const openers = new Map([
  [T.LParen, T.RParen],
  [T.LBracket, T.RBracket],
  [T.LBrace, T.RBrace],
]);
export const closers = new Set([T.RParen, T.RBracket, T.RBrace]);
/** For each bracket: closed by its own closer, by a wrong one, by nothing; or, for a closer, closing nothing. */
export type Fate = "closed" | "unclosed" | "stray" | "wrong";

/** Replaces what is nested deeper than the limit by one unknown operand, so that no later part needs a deep stack. */
export function cutDeep(tokens: readonly Token[], problems: Problem[]): readonly Token[] {
  let depth = 0;
  let deepest = 0;
  for (const token of tokens) {
    if (openers.has(token.tokenType)) deepest = Math.max(deepest, ++depth);
    else if (closers.has(token.tokenType)) depth = Math.max(0, depth - 1);
  }
  if (deepest <= nestingLimit) return tokens;
  const kept: Token[] = [];
  let reported = false;
  depth = 0;
  for (let i = 0; i < tokens.length; i++) {
    const token = tokens[i];
    if (isItemStart(tokens, i)) depth = 0;
    if (closers.has(token.tokenType)) depth = Math.max(0, depth - 1);
    if (depth < nestingLimit) kept.push(token);
    if (!openers.has(token.tokenType)) continue;
    depth++;
    if (depth !== nestingLimit) continue;
    if (!reported)
      problems.push({
        kind: "too-deep",
        start: token.startOffset,
        end: token.endOffset + 1,
        what: "brackets",
        limit: nestingLimit,
      });
    reported = true;
    if (token.tokenType !== T.LBrace) kept.push(virtual(T.Name, token.endOffset + 1));
  }
  return kept;
}

export function virtual(type: Token["tokenType"], at: number): Token {
  const token = T.makeToken(type, "", at, at);
  token.virtual = true;
  return token;
}

export function isItemStart(tokens: readonly Token[], i: number): boolean {
  const token = tokens[i];
  const next = tokens[i + 1]?.tokenType;
  if (!token.columnOne) return false;
  return itemWords.has(token.tokenType) ? next === T.Name : token.tokenType === T.Import && next === T.LBrace;
}

/** A word that only a statement begins with, first on its line, and not an argument's or an entry's name. */
export function isStatementStart(tokens: readonly Token[], i: number): boolean {
  const next = tokens[i + 1]?.tokenType;
  return (
    tokens[i].breakBefore && statementWords.has(tokens[i].tokenType) && next !== T.Colon && next !== T.Assign
  );
}

/** Which bracket is closed by what, by counting, within the limits that statements and declarations set. */
export function matchBrackets(tokens: readonly Token[]): ReadonlyMap<Token, Fate> {
  const fates = new Map<Token, Fate>();
  let level = { parens: 0, brackets: 0 };
  const stack: { token: Token; outer: typeof level }[] = [];
  const pop = (fate: Fate): void => {
    const top = stack.pop();
    if (!top) return;
    fates.set(top.token, fate);
    if (top.token.tokenType === T.LBrace) level = top.outer;
    else if (top.token.tokenType === T.LParen) level.parens--;
    else level.brackets--;
  };
  const popBrackets = (): void => {
    while (stack.length > 0 && stack[stack.length - 1].token.tokenType !== T.LBrace) pop("unclosed");
  };
  for (let i = 0; i < tokens.length; i++) {
    const token = tokens[i];
    const type = token.tokenType;
    if (isItemStart(tokens, i)) while (stack.length > 0) pop("unclosed");
    const assignment =
      token.breakBefore &&
      type === T.Name &&
      tokens[i + 1]?.tokenType === T.Assign &&
      endsOperand(tokens[i - 1]);
    if (isStatementStart(tokens, i) || assignment || type === T.LBrace) popBrackets();
    if (openers.has(type)) {
      stack.push({ token, outer: level });
      if (type === T.LBrace) level = { parens: 0, brackets: 0 };
      else if (type === T.LParen) level.parens++;
      else level.brackets++;
    } else if (type === T.RBrace) {
      popBrackets();
      fates.set(token, stack.length > 0 ? "closed" : "stray");
      pop("closed");
    } else if (type === T.RParen || type === T.RBracket) {
      const own = type === T.RParen ? level.parens : level.brackets;
      const other = level.parens + level.brackets - own;
      if (own > 0) {
        const opener = type === T.RParen ? T.LParen : T.LBracket;
        while (stack[stack.length - 1].token.tokenType !== opener) pop("unclosed");
        fates.set(token, "closed");
        pop("closed");
      } else if (other > 0) {
        fates.set(token, "wrong");
        pop("wrong");
      } else fates.set(token, "stray");
    }
  }
  while (stack.length > 0) pop("unclosed");
  return fates;
}
