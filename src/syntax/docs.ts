/** Doc comments → the declarations and parameters they stand before. */
import type { Problem } from "../../grammar/problem.ts";
import type { TriviaComment } from "../../grammar/lexer.ts";
import type * as A from "./ast.ts";

/** The file with its docs attached; a doc with nothing to attach to is a problem (a warning). */
export function attachDocs(
  file: Omit<A.File, "comments">,
  comments: readonly TriviaComment[],
  text: string,
  problems: Problem[],
): Omit<A.File, "comments"> {
  const docs = groupDocs(comments, text);
  if (docs.length === 0) return file;
  const found = new Map<number, string>();
  const starts = new Set<number>();
  for (const item of file.items) collectStarts(item, starts);
  for (const doc of docs) {
    const next = nextToken(text, doc.end, comments);
    if (next !== null && starts.has(next)) found.set(next, doc.text);
    else problems.push({ kind: "orphan-doc", start: doc.start, end: doc.firstEnd });
  }
  if (found.size === 0) return file;
  return { ...file, items: file.items.map((item) => withDoc(item, found)) };
}

interface Doc {
  readonly text: string;
  readonly start: number;
  readonly end: number;
  readonly firstEnd: number;
}

/** Doc lines with nothing but white space between them are one doc. */
function groupDocs(comments: readonly TriviaComment[], text: string): Doc[] {
  const docs: { lines: string[]; start: number; end: number; firstEnd: number }[] = [];
  for (const comment of comments) {
    if (!comment.doc) continue;
    const line = comment.text.replace(/^\/\/\/ ?/, "");
    const last = docs.at(-1);
    if (last && text.slice(last.end, comment.start).trim() === "") {
      last.lines.push(line);
      last.end = comment.end;
    } else docs.push({ lines: [line], start: comment.start, end: comment.end, firstEnd: comment.end });
  }
  return docs.map((doc) => ({ ...doc, text: doc.lines.join("\n") }));
}

/** Where the next token begins, past white space and plain comments. */
function nextToken(text: string, from: number, comments: readonly TriviaComment[]): number | null {
  let at = from;
  let low = 0;
  let high = comments.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (comments[middle].start < from) low = middle + 1;
    else high = middle;
  }
  for (let i = low; ; i++) {
    const space = /[\s\ufeff]*/y;
    space.lastIndex = at;
    space.exec(text);
    at = space.lastIndex;
    if (at >= text.length) return null;
    if (comments[i]?.start !== at) return at;
    if (comments[i].doc) return null;
    at = comments[i].end;
  }
}

function collectStarts(node: A.Item | A.Statement, starts: Set<number>): void {
  starts.add(node.span.start);
  if (node.kind === "block" || node.kind === "model") {
    for (const param of node.params) starts.add(param.span.start);
    if (node.body) collectLets(node.body, starts);
  }
}

function collectLets(body: A.Body, starts: Set<number>): void {
  for (const statement of body.statements) {
    if (statement.kind === "let") starts.add(statement.span.start);
    for (const inner of bodiesOf(statement)) collectLets(inner, starts);
  }
}

function bodiesOf(statement: A.Statement): A.Body[] {
  if (statement.kind === "for") return [statement.body];
  if (statement.kind !== "if") return [];
  const bodies: A.Body[] = [];
  for (let branch: A.If | A.Body | null = statement; branch !== null;) {
    if (!("kind" in branch)) {
      bodies.push(branch);
      break;
    }
    bodies.push(branch.then);
    branch = branch.otherwise;
  }
  return bodies;
}

function withDoc(item: A.Item, found: ReadonlyMap<number, string>): A.Item {
  const doc = found.get(item.span.start) ?? null;
  switch (item.kind) {
    case "import":
      return item;
    case "let":
    case "train":
      return { ...item, doc };
    case "block":
      return {
        ...item,
        doc,
        params: item.params.map((p) => docParam(p, found)),
        body: docBody(item.body, found),
      };
    case "model":
      return {
        ...item,
        doc,
        params: item.params.map((p) => docParam(p, found)),
        body: item.body && docBody(item.body, found),
      };
  }
}

function docParam(param: A.Param, found: ReadonlyMap<number, string>): A.Param {
  return { ...param, doc: found.get(param.span.start) ?? null };
}

function docBody(body: A.Body, found: ReadonlyMap<number, string>): A.Body {
  return { ...body, statements: body.statements.map((statement) => docStatement(statement, found)) };
}

function docStatement(statement: A.Statement, found: ReadonlyMap<number, string>): A.Statement {
  switch (statement.kind) {
    case "let":
      return { ...statement, doc: found.get(statement.span.start) ?? null };
    case "for":
      return { ...statement, body: docBody(statement.body, found) };
    case "if":
      return docIf(statement, found);
    default:
      return statement;
  }
}

function docIf(branch: A.If, found: ReadonlyMap<number, string>): A.If {
  const { otherwise } = branch;
  const rest =
    otherwise === null ? null : "kind" in otherwise ? docIf(otherwise, found) : docBody(otherwise, found);
  return { ...branch, then: docBody(branch.then, found), otherwise: rest };
}
