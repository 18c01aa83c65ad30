/** Comments for the printer: handed out each exactly once. */
import { positionAt, type SourceFile } from "../text/source.ts";
import type * as A from "./ast.ts";

export class CommentQueue {
  private readonly comments: readonly A.Comment[];
  private readonly source: SourceFile;
  private readonly taken: boolean[];
  /** It stands between arguments, elements, parameters or stages, and can stay there; all others move out in front. */
  private readonly housed: boolean[];
  private next = 0;

  constructor(file: A.File, source: SourceFile) {
    this.comments = file.comments;
    this.source = source;
    this.taken = file.comments.map(() => false);
    this.housed = file.comments.map(() => false);
    if (file.comments.length > 0) for (const item of file.items) houseStatement(item, this);
  }

  /** Says that comments in [start, end) can stay where they are. */
  house(start: number, end: number): void {
    for (let i = this.search(start); i < this.comments.length && this.comments[i].span.start < end; i++)
      this.housed[i] = true;
  }

  /** Whether a comment that will be printed in its place stands in [start, end). */
  housedWithin(start: number, end: number): boolean {
    for (let i = this.search(start); i < this.comments.length && this.comments[i].span.start < end; i++)
      if (this.housed[i]) return true;
    return false;
  }

  anyWithin(start: number, end: number): boolean {
    const i = this.search(start);
    return i < this.comments.length && this.comments[i].span.start < end;
  }

  /** Those before `offset` that are still to be printed. */
  takeBefore(offset: number): A.Comment[] {
    const found = this.takeIn(this.comments[this.next]?.span.start ?? offset, offset);
    while (this.next < this.comments.length && this.taken[this.next]) this.next++;
    return found;
  }

  takeIn(start: number, end: number): A.Comment[] {
    const found: A.Comment[] = [];
    for (let i = this.search(start); i < this.comments.length && this.comments[i].span.start < end; i++) {
      if (this.taken[i]) continue;
      this.taken[i] = true;
      found.push(this.comments[i]);
    }
    return found;
  }

  /** The comment on the line where something ended at `end`, with nothing but a comma between. */
  takeTrailing(end: number): string | null {
    const i = this.search(end);
    const comment = this.comments[i];
    // A doc at the end of a line describes what follows.
    if (!comment || comment.doc || this.taken[i]) return null;
    if (!/^[ \t\r]*,?[ \t\r]*$/.test(this.source.text.slice(end, comment.span.start))) return null;
    this.taken[i] = true;
    return comment.text;
  }

  lineOf(offset: number): number {
    return positionAt(this.source, offset).line;
  }

  get text(): string {
    return this.source.text;
  }

  /** Index of the first comment at or behind `offset`. */
  private search(offset: number): number {
    let low = 0;
    let high = this.comments.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.comments[middle].span.start < offset) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** A doc that describes nothing becomes a plain comment where it is moved, lest it describe something else. */
export function plain(text: string): string {
  return text.replace(/^\/\/\/(?!\/)/, "//");
}

/** Where the bracket ends whose last part ended at `from`: past a comma, white space and comments. */
export function closeAfter(text: string, from: number): number {
  const between = /(?:[\s,]|\/\/[^\n]*)*/y;
  between.lastIndex = from;
  between.exec(text);
  return between.lastIndex;
}

function houseStatement(node: A.Item | A.Statement | A.Body, queue: CommentQueue): void {
  if (!("kind" in node)) {
    for (const statement of node.statements) houseStatement(statement, queue);
    return;
  }
  switch (node.kind) {
    case "import":
      return;
    case "block":
    case "model":
      houseParts(node.params, node.name.span.end, null, queue);
      for (const param of node.params) if (param.default) houseExpr(param.default, queue);
      if (node.kind === "model" && node.base) houseExpr(node.base, queue);
      if (node.body) houseStatement(node.body, queue);
      return;
    case "train":
      houseArgs(node.args, node.model.span.end, null, queue);
      for (const entry of node.entries) houseExpr(entry.value, queue);
      return;
    case "weights":
    case "inference":
      for (const entry of node.entries) houseExpr(entry.value, queue);
      return;
    case "for":
      houseExpr(node.over, queue);
      return houseStatement(node.body, queue);
    case "if":
      for (let branch: A.If | A.Body | null = node; branch !== null;) {
        if (!("kind" in branch)) return houseStatement(branch, queue);
        houseExpr(branch.condition, queue);
        houseStatement(branch.then, queue);
        branch = branch.otherwise;
      }
      return;
    case "certify":
      return houseExpr(node.claim, queue);
    case "input":
      if (node.domain) houseExpr(node.domain, queue);
      return;
    default:
      houseExpr(node.value, queue);
  }
}

function houseExpr(expr: A.Expr, queue: CommentQueue): void {
  switch (expr.kind) {
    case "list":
      houseParts(expr.items, expr.span.start, expr.span.end, queue);
      for (const item of expr.items) houseExpr(item, queue);
      return;
    case "call":
      houseExpr(expr.callee, queue);
      return houseArgs(expr.args, expr.callee.span.end, expr.span.end, queue);
    case "index":
      houseExpr(expr.list, queue);
      return houseExpr(expr.index, queue);
    case "member":
      return houseExpr(expr.object, queue);
    case "unary":
      return houseExpr(expr.operand, queue);
    case "pipe":
      queue.house(expr.left.span.end, expr.right.span.start);
      houseExpr(expr.left, queue);
      return houseExpr(expr.right, queue);
    case "binary":
      houseExpr(expr.left, queue);
      return houseExpr(expr.right, queue);
  }
}

function houseArgs(args: readonly A.Arg[], start: number, end: number | null, queue: CommentQueue): void {
  houseParts(args, start, end, queue);
  for (const arg of args) {
    houseExpr(arg.value, queue);
    if (arg.to) houseExpr(arg.to, queue);
  }
}

function houseParts(
  parts: readonly { readonly span: { readonly start: number; readonly end: number } }[],
  start: number,
  end: number | null,
  queue: CommentQueue,
): void {
  if (parts.length === 0) return;
  let from = start;
  for (const { span } of parts) {
    queue.house(from, span.start);
    from = span.end;
  }
  queue.house(from, end ?? closeAfter(queue.text, from));
}
