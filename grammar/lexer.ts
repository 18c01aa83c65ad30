/** Text → tokens and comments. Never fails: what is no token is a problem, and the best guess goes on. */
import { inspectName, lookAlike } from "./letters.ts";
import type { Edit, Problem } from "./problem.ts";
import * as T from "./tokens.ts";
import type { Token } from "./tokens.ts";

export interface TriviaComment {
  /** As written, `//` or `///` included. */
  readonly text: string;
  readonly start: number;
  readonly end: number;
  readonly doc: boolean;
}

export interface Lexed {
  readonly tokens: Token[];
  readonly comments: TriviaComment[];
  readonly problems: Problem[];
}

const word = /[\p{L}\p{Nl}_][\p{L}\p{M}\p{N}_]*/uy;
const spaces = /[ \t\r\f\v\u00a0\ufeff]+/y;
const number =
  /(?:\d|\.\d)[\d_]*(?:\.(?![.])[\d_]*)*(?:(?<=[eE])[+-]?|[\p{L}\p{M}\p{N}_](?:(?<=[\d_.][eE])[+-](?=\d))?)*/uy;
const goodNumber = /^\d+(?:_\d+)*(?:\.\d+(?:_\d+)*)?(?:[eE][+-]?\d+)?$/;
const closingQuotes = new Map([["\"", "\""], ["'", "'"], ["“", "”"], ["”", "”"], ["„", "“"], ["‘", "’"], ["’", "’"]]); // prettier-ignore

/** Signs of other languages that have a lips word for the same thing. */
const foreign: readonly (readonly [string, string, string])[] = [
  ["**", "^", "powers are written `^`"],
  ["&&", "and", "the word is `and`"],
  ["||", "or", "the word is `or`"],
  ["=>", "->", "the arrow is `->`"],
  [":=", "=", "a name is bound with `let name = …`"],
];

export function lex(text: string): Lexed {
  const tokens: Token[] = [];
  const comments: TriviaComment[] = [];
  const problems: Problem[] = [];
  let at = 0;
  let breakBefore = false;

  function push(type: T.Token["tokenType"], image: string, start: number, end: number): void {
    const token = T.makeToken(type, image, start, end);
    token.breakBefore = breakBefore;
    token.columnOne = start === 0 || text.charCodeAt(start - 1) === 10;
    breakBefore = false;
    tokens.push(token);
  }
  function match(pattern: RegExp): string | null {
    pattern.lastIndex = at;
    return pattern.exec(text)?.[0] ?? null;
  }
  /** Pushes what a look-alike or a foreign sign stands for, over the text it was written with. */
  function pushMeant(meant: string, start: number, end: number): void {
    const type = T.punctuators.get(meant) ?? T.keywords.get(meant);
    if (type) push(type, meant, start, end);
  }

  while (at < text.length) {
    const code = text.charCodeAt(at);
    const start = at;
    if (code === 10) {
      breakBefore = true;
      at++;
    } else if (match(spaces) !== null) {
      at = spaces.lastIndex;
    } else if (text.startsWith("//", at) || code === 35) {
      at = endOfLine(text, at);
      const written = text.slice(start, at).trimEnd();
      const hash = code === 35;
      if (hash)
        problems.push({
          kind: "other-language",
          start,
          end: start + 1,
          found: "#",
          why: "comments begin with `//`",
          edits: [{ start, end: start + 1, text: "//" }],
        });
      const doc = /^\/\/\/(?!\/)/.test(written);
      comments.push({
        text: hash ? `//${written.slice(1)}` : written,
        start,
        end: start + written.length,
        doc,
      });
    } else if (text.startsWith("/*", at)) {
      const close = text.indexOf("*/", at + 2);
      at = close < 0 ? text.length : close + 2;
      const written = text.slice(start, at);
      if (written.includes("\n")) breakBefore = true;
      const edits = rewriteBlockComment(text, start, at);
      problems.push({
        kind: "other-language",
        start,
        end: start + 2,
        found: "/* */",
        why: "comments begin with `//` and end with the line",
        edits,
      });
    } else if (
      isDigit(code) ||
      (code === 46 && isDigit(text.charCodeAt(at + 1)) && !endsOperand(tokens.at(-1)))
    ) {
      const image = match(number) ?? text[at];
      at += image.length;
      if (goodNumber.test(image)) push(T.Number, image, start, at);
      else {
        const { why, instead } = mendNumber(image);
        problems.push({ kind: "bad-number", start, end: at, found: image, why, instead });
        push(T.Number, instead ?? /^\d+/.exec(image)?.[0] ?? "0", start, at);
      }
    } else if (closingQuotes.has(text[at])) {
      lexString();
    } else {
      const image = match(word);
      if (image !== null) lexWord(image);
      else lexSign();
    }
  }
  return { tokens, comments, problems };

  function lexWord(image: string): void {
    const start = at;
    at += image.length;
    const keyword = T.keywords.get(image);
    if (keyword) return push(keyword, image, start, at);
    const bad = inspectName(image);
    if (bad === null) return push(T.Name, image, start, at);
    const from = start + bad.at;
    const edit = bad.instead;
    problems.push({
      kind: "bad-character",
      start: from,
      end: from + bad.found.length,
      found: bad.found,
      instead: edit,
    });
    const meant = bad.instead ?? image;
    push(T.keywords.get(meant) ?? T.Name, meant, start, at);
  }

  function lexString(): void {
    const start = at;
    const quote = text[at];
    const lineEnd = endOfLine(text, at);
    let end = at + 1;
    const close = closingQuotes.get(quote);
    while (end < lineEnd && text[end] !== close && !(quote !== "'" && text[end] === '"')) end++;
    const content = text.slice(start + 1, end);
    if (end >= lineEnd) {
      at = lineEnd;
      problems.push({ kind: "unterminated-string", start, end: lineEnd });
      push(T.String, content.trimEnd(), start, lineEnd);
      tokens[tokens.length - 1].payload = "unterminated";
      return;
    }
    at = end + 1;
    if (quote !== '"')
      problems.push({
        kind: "other-language",
        start,
        end: at,
        found: quote,
        why: 'strings stand in straight double quotes `"`',
        edits: [{ start, end: at, text: `"${content}"` }],
      });
    push(T.String, content, start, at);
  }

  function lexSign(): void {
    const start = at;
    for (const [found, meant, why] of foreign) {
      if (!text.startsWith(found, at)) continue;
      at += found.length;
      const edits = [{ start, end: at, text: spaced(text, start, at, meant) }];
      problems.push({ kind: "other-language", start, end: at, found, why, edits });
      return pushMeant(meant, start, at);
    }
    if (/^\.\.(?!\.)/.test(text.slice(at, at + 3))) {
      at += text[at + 2] === "=" || text[at + 2] === "<" ? 3 : 2;
      return push(T.RangeOp, text.slice(start, at), start, at);
    }
    for (let length = 3; length > 0; length--) {
      const image = text.slice(at, at + length);
      const type = T.punctuators.get(image);
      if (!type) continue;
      at += image.length;
      return push(type, image, start, at);
    }
    if (text[at] === ";" || text[at] === "!") {
      at++;
      const semicolon = text[start] === ";";
      problems.push({
        kind: "other-language",
        start,
        end: at,
        found: text[start],
        why: semicolon ? "a statement ends with its line" : "the word is `not`",
        edits: [{ start, end: at, text: semicolon ? separator(text, at) : spaced(text, start, at, "not") }],
      });
      if (semicolon) breakBefore = true;
      else pushMeant("not", start, at);
      return;
    }
    const character = String.fromCodePoint(text.codePointAt(at) ?? 0);
    const meant = lookAlike(character);
    at += character.length;
    if (meant === undefined) while (at < text.length && isStrange(text, at)) at++;
    const found = text.slice(start, at);
    problems.push({ kind: "bad-character", start, end: at, found, instead: meant ?? null });
    if (meant !== undefined) pushMeant(meant, start, at);
  }
}

function isDigit(code: number): boolean {
  return code >= 48 && code <= 57;
}

/** Neither white space nor the beginning of any token or of another problem: runs of these are one mistake. */
function isStrange(text: string, at: number): boolean {
  const character = String.fromCodePoint(text.codePointAt(at) ?? 0);
  if (/[\s\p{L}\p{N}_\u00a0\ufeff"'#;!&|:=*.“”„‘’]/u.test(character)) return false;
  return !T.punctuators.has(character) && lookAlike(character) === undefined;
}

export function endsOperand(token: Token | undefined): boolean {
  if (!token) return false;
  const type = token.tokenType;
  return (
    type === T.Name ||
    type === T.Number ||
    type === T.String ||
    type === T.RParen ||
    type === T.RBracket ||
    type === T.True ||
    type === T.False
  );
}

function endOfLine(text: string, from: number): number {
  const end = text.indexOf("\n", from);
  return end < 0 ? text.length : end;
}

/** `a&&b` must become `a and b`, not `aandb`. */
function spaced(text: string, start: number, end: number, word: string): string {
  if (!/^[a-z]/.test(word)) return word;
  const before = start > 0 && /[\p{L}\p{N}_]/u.test(text[start - 1]) ? " " : "";
  const after = end < text.length && /\S/.test(text[end]) ? " " : "";
  return before + word + after;
}

/** What a `;` becomes: nothing at the end of a line, else a new line. */
function separator(text: string, at: number): string {
  const rest = text.slice(at, endOfLine(text, at)).trim();
  return rest === "" || rest.startsWith("//") || rest.startsWith("}") || rest.startsWith(";") ? "" : "\n";
}

function mendNumber(image: string): { why: string; instead: string | null } {
  const mended = image
    .replace(/^\./, "0.")
    .replace(/\.$/, "")
    .replace(/\.(?=[eE])/, "")
    .replace(/_+(?=_|$|\.|[eE])/g, "")
    .replace(/(\.|[eE][+-]?)_+/g, "$1");
  const instead = goodNumber.test(mended) ? mended : null;
  if (image.startsWith(".")) return { why: "a number begins with a digit", instead };
  if (/\.(?:$|[eE])/.test(image)) return { why: "digits must follow the point", instead };
  if (/^0[xXbBoO]/.test(image)) return { why: "numbers are decimal", instead: null };
  if (/\..*\./.test(image)) return { why: "a number has one decimal point", instead: null };
  if (/^[\d_.]+[eE][+-]?$/.test(image)) return { why: "digits must follow the `e`", instead: null };
  if (instead !== null) return { why: "an underscore stands between two digits", instead };
  return {
    why: "letters can't follow a number directly, and a name can't begin with a digit",
    instead: null,
  };
}

/** A block comment that ends its line becomes line comments; one in mid-line is taken out. */
function rewriteBlockComment(text: string, start: number, end: number): Edit[] {
  const last = text.slice(end, endOfLine(text, end)).trim() === "";
  if (!last) return [{ start, end, text: " " }];
  const inner = text.slice(start + 2, text.startsWith("*/", end - 2) && end - start >= 4 ? end - 2 : end);
  const lines = inner.split("\n").map((line) => line.replace(/^\s*\*?\s?/, "").trimEnd());
  const kept = lines.filter((line, i) => line !== "" || (i > 0 && i < lines.length - 1));
  return [{ start, end, text: kept.map((line) => `// ${line}`.trimEnd()).join("\n") || "//" }];
}
