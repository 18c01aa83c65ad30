/** The formatter: a file in canonical form (two spaces, 110 columns). Comments and single blank lines stay. */
import { Diagnostics, type Diagnostic } from "../diagnostics/diagnostic.ts";
import type { SourceFile } from "../text/source.ts";
import type * as A from "./ast.ts";
import { parseFile } from "./parse.ts";
import { closeAfter, CommentQueue, plain } from "./print-comments.ts";
import { ExprPrinter, lineWidth } from "./print-expr.ts";

export { printExpr } from "./print-expr.ts";

/** The edition that is written where a file names none. */
export const edition = "1";

/** A source in canonical form; null, with the reasons, where it has mistakes: then nothing is moved about. */
export function formatSource(source: SourceFile): {
  text: string | null;
  diagnostics: readonly Diagnostic[];
} {
  const diagnostics = new Diagnostics();
  const file = parseFile(source, diagnostics);
  return { text: diagnostics.hasErrors ? null : printFile(file, source), diagnostics: diagnostics.all };
}

/** `file` as text; `source` is what it was read from (for blank lines and comments). The file must have no errors. */
export function printFile(file: A.File, source: SourceFile): string {
  return new Printer(file, source).print();
}

interface Piece {
  /** Where it stood, for blank lines: of sorted imports the first takes the first one's place. */
  readonly place: { readonly start: number; readonly end: number };
  readonly span: { readonly start: number; readonly end: number };
  readonly hasDoc: boolean;
  readonly print: () => string;
}

class Printer {
  private readonly file: A.File;
  private readonly source: SourceFile;
  private readonly comments: CommentQueue;
  private readonly exprs: ExprPrinter;

  constructor(file: A.File, source: SourceFile) {
    this.file = file;
    this.source = source;
    this.comments = new CommentQueue(file, source);
    this.exprs = new ExprPrinter(this.comments);
  }

  print(): string {
    const head: string[] = [];
    const first = this.file.edition;
    if (first) {
      for (const comment of this.comments.takeBefore(first.span.start)) head.push(plain(comment.text));
      const trailing = this.comments.takeTrailing(first.span.end);
      head.push(`lips ${first.number}${trailing ? ` ${trailing}` : ""}`);
    } else head.push(`lips ${edition}`);
    const sorted = sortImports(
      this.file.items,
      (start, end) => !this.comments.anyWithin(start, end),
      this.source.text,
    );
    const pieces = sorted.map((item, i) => ({
      ...this.piece(item, () => this.item(item)),
      place: this.file.items[i].span,
    }));
    const items = this.sequence(pieces, 0, 0, this.source.text.length);
    return [...head, ...(items.length > 0 ? ["", ...items] : [])].join("\n") + "\n";
  }

  private piece(node: A.Item | A.Statement, print: () => string): Piece {
    return { place: node.span, span: node.span, hasDoc: !("doc" in node) || node.doc !== null, print };
  }

  /** Pieces on lines of their own, with their comments, and one blank line where the source has any. */
  private sequence(pieces: readonly Piece[], indent: number, from: number, end: number): string[] {
    const pad = " ".repeat(indent);
    const lines: string[] = [];
    let lastLine: number | null = null;
    const push = (text: string, start: number, stop: number): void => {
      if (lastLine !== null && this.comments.lineOf(start) > lastLine + 1 && lines.at(-1) !== "")
        lines.push("");
      lines.push(text);
      lastLine = this.comments.lineOf(stop);
    };
    for (const { place, span, hasDoc, print } of pieces) {
      const leading = this.comments.takeBefore(span.start);
      const text = print();
      // Comments inside that have no place of their own go in front.
      const first = leading[0]?.span.start ?? place.start;
      for (const comment of this.comments.takeBefore(span.end)) {
        push(`${pad}${plain(comment.text)}`, first, first);
        lastLine = this.comments.lineOf(first) - 1;
      }
      for (const comment of leading) {
        const { start, end: stop } = comment.span;
        push(`${pad}${hasDoc && start >= from ? comment.text : plain(comment.text)}`, start, stop - 1);
      }
      const trailing = this.comments.takeTrailing(span.end);
      const line = `${pad}${text}${trailing ? ` ${trailing}` : ""}`;
      push(line, place.start, Math.max(place.start, place.end - 1));
    }
    for (const comment of this.comments.takeBefore(end)) {
      push(`${pad}${plain(comment.text)}`, comment.span.start, comment.span.end - 1);
    }
    return lines;
  }

  private item(item: A.Item): string {
    switch (item.kind) {
      case "import":
        return this.import(item);
      case "let":
        return this.let(item, 0);
      case "block": {
        const result = ` -> ${this.exprs.flatType(item.result)} `;
        const head = `block ${item.name.text}`;
        return `${head}${this.params(item, head.length + result.length + 1)}${result}${this.body(item.body, 0)}`;
      }
      case "model": {
        const head = `model ${item.name.text}`;
        const params = item.params.length > 0 ? this.params(item, head.length + 2) : "";
        const body = item.body ? ` ${this.body(item.body, 0)}` : "";
        if (!item.base) return `${head}${params}${body}`;
        const column = params.includes("\n") ? 4 : head.length + params.length + 3;
        return `${head}${params} = ${this.exprs.fit(item.base, 0, column, item.body ? 2 : 0)}${body}`;
      }
      case "train": {
        const head = `train ${item.model.text}`;
        const flat = item.args.map((arg) => this.printArg(arg)).join(", ");
        const span = this.argsSpan(item);
        const fits =
          !this.comments.housedWithin(span.start, span.end) && head.length + flat.length + 4 <= lineWidth;
        const args =
          item.args.length === 0 ? "" : `(${fits ? flat : this.exprs.fitArgs(item.args, span, 0)})`;
        return `${head}${args} ${this.entries(item.entries, item.span, 0, false)}`;
      }
    }
  }

  private argsSpan(item: A.Train): { start: number; end: number } {
    const last = item.args.at(-1);
    const start = item.model.span.end;
    return { start, end: last ? closeAfter(this.source.text, last.span.end) : start };
  }

  private printArg(arg: A.Arg): string {
    const name = arg.name ? `${arg.name.text}: ` : "";
    return `${name}${this.exprs.flat(arg.value)}${arg.to ? ` -> ${this.exprs.flat(arg.to)}` : ""}`;
  }

  private import(item: A.Import): string {
    const names = [...item.names]
      .sort((a, b) => compare(a.name.text, b.name.text))
      .map(({ name, as }) => (as ? `${name.text} as ${as.text}` : name.text));
    const from = ` from "${item.from.text}"`;
    const flat = `import { ${names.join(", ")} }${from}`;
    if (flat.length <= lineWidth) return flat;
    return `import {\n${names.map((name) => `  ${name},\n`).join("")}}${from}`;
  }

  private params(item: A.Block | A.ModelItem, around: number): string {
    const last = item.params.at(-1);
    if (!last) return "()";
    const span = { start: item.name.span.end, end: closeAfter(this.source.text, last.span.end) };
    const flat = item.params.map((param) => this.exprs.flatParam(param)).join(", ");
    if (!this.comments.housedWithin(span.start, span.end) && around + flat.length + 2 <= lineWidth)
      return `(${flat})`;
    return `(${this.exprs.fitParams(item.params, span, 0)})`;
  }

  private body(body: A.Body, indent: number): string {
    const statements = body.statements.map((one) => this.piece(one, () => this.statement(one, indent + 2)));
    const lines = this.sequence(statements, indent + 2, body.span.start, body.span.end);
    return lines.length === 0 ? "{}" : `{\n${lines.join("\n")}\n${" ".repeat(indent)}}`;
  }

  private statement(statement: A.Statement, indent: number): string {
    switch (statement.kind) {
      case "let":
        return this.let(statement, indent);
      case "for": {
        const head = `for ${statement.name.text} in `;
        const over = this.exprs.fit(statement.over, indent, indent + head.length, 2);
        return `${head}${over} ${this.shortOr(statement.body, indent, indent + head.length + over.length + 1)}`;
      }
      case "if":
        return this.if(statement, indent);
      case "weights":
      case "inference":
        return `${statement.kind} ${this.entries(statement.entries, statement.span, indent, true)}`;
      case "certify":
        return this.after(
          `certify ${statement.at ? "at " : ""}${statement.phase.text}: `,
          statement.claim,
          indent,
        );
      case "input": {
        const head = `input ${statement.name.text}: ${this.exprs.flatType(statement.shape)}`;
        return statement.domain ? this.after(`${head} in `, statement.domain, indent) : head;
      }
      case "output":
        return this.after(`output ${statement.name.text} = `, statement.value, indent);
      case "assign":
        return this.after(`${statement.name.text} = `, statement.value, indent);
      case "value":
        return this.after("", statement.value, indent);
    }
  }

  private after(head: string, expr: A.Expr, indent: number): string {
    return head + this.exprs.fit(expr, indent, indent + head.length, 0);
  }

  private let(statement: A.Let, indent: number): string {
    const { pattern, type } = statement;
    const name =
      pattern.kind === "name" ? pattern.name.text : `[${pattern.names.map((n) => n.text).join(", ")}]`;
    return this.after(
      `let ${name}${type ? `: ${this.exprs.flatType(type)}` : ""} = `,
      statement.value,
      indent,
    );
  }

  private if(statement: A.If, indent: number): string {
    const short = this.shortIf(statement, indent);
    if (short !== null) return short;
    let text = "";
    for (let branch: A.If | A.Body | null = statement; branch !== null;) {
      if (!("kind" in branch)) return `${text} else ${this.body(branch, indent)}`;
      const head = text === "" ? "if " : " else if ";
      const condition = this.exprs.fit(branch.condition, indent, indent + head.length + 2, 2);
      text += `${head}${condition} ${this.body(branch.then, indent)}`;
      branch = branch.otherwise;
    }
    return text;
  }

  /** `if stage < 3 { x = … }` stays on one line where it stood on one, and fits. */
  private shortIf(statement: A.If, indent: number): string | null {
    const { span } = statement;
    if (this.comments.anyWithin(span.start, span.end) || this.isBroken(span)) return null;
    let text = "";
    for (let branch: A.If | A.Body | null = statement; branch !== null;) {
      const body: A.Body = "kind" in branch ? branch.then : branch;
      const inside = this.oneLine(body);
      if (inside === null) return null;
      if (!("kind" in branch)) {
        text += ` else ${inside}`;
        break;
      }
      text += `${text === "" ? "if" : " else if"} ${this.exprs.flat(branch.condition)} ${inside}`;
      branch = branch.otherwise;
    }
    return indent + text.length <= lineWidth ? text : null;
  }

  private shortOr(body: A.Body, indent: number, column: number): string {
    const quiet = !this.comments.anyWithin(body.span.start, body.span.end) && !this.isBroken(body.span);
    const short = quiet ? this.oneLine(body) : null;
    return short !== null && column + short.length <= lineWidth ? short : this.body(body, indent);
  }

  private oneLine(body: A.Body): string | null {
    if (body.statements.length === 0) return "{}";
    const [only] = body.statements;
    if (
      body.statements.length > 1 ||
      (only.kind !== "let" && only.kind !== "assign" && only.kind !== "value")
    )
      return null;
    const text = this.statement(only, 0);
    return text.includes("\n") ? null : `{ ${text} }`;
  }

  private isBroken(span: { start: number; end: number }): boolean {
    return this.source.text.slice(span.start, span.end).includes("\n");
  }

  private entries(
    entries: readonly A.Entry[],
    span: { start: number; end: number },
    indent: number,
    short: boolean,
  ): string {
    if (short && !this.comments.anyWithin(span.start, span.end) && !this.isBroken(span)) {
      const flat = entries.map(({ key, value }) => `${key.text}: ${this.exprs.flat(value)}`).join(", ");
      if (indent + flat.length + 12 <= lineWidth) return entries.length === 0 ? "{}" : `{ ${flat} }`;
    }
    const pieces = entries.map((entry): Piece => ({
      place: entry.span,
      span: entry.span,
      hasDoc: true,
      print: () => this.after(`${entry.key.text}: `, entry.value, indent + 2),
    }));
    const lines = this.sequence(pieces, indent + 2, span.start, span.end);
    return lines.length === 0 ? "{}" : `{\n${lines.join("\n")}\n${" ".repeat(indent)}}`;
  }
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/**
 * Imports that follow one another stand in the order of their paths, the standard library's first. Where comments
 * stand among them, before or beside them (`isQuiet` says no), their order may mean something and stays.
 */
export function sortImports(
  items: readonly A.Item[],
  isQuiet: (start: number, end: number) => boolean = () => true,
  text = "",
): A.Item[] {
  const sorted: A.Item[] = [];
  let run: A.Import[] = [];
  let before = 0;
  const key = (item: A.Import): string => (item.from.text.startsWith("std/") ? "0" : "1") + item.from.text;
  const flush = (): void => {
    const last = run.at(-1);
    if (last) {
      const lineEnd = text.indexOf("\n", last.span.end);
      const quiet = isQuiet(before, lineEnd < 0 ? Math.max(text.length, last.span.end) : lineEnd);
      sorted.push(...(quiet ? run.sort((a, b) => compare(key(a), key(b))) : run));
    }
    run = [];
  };
  for (const item of items) {
    if (item.kind === "import") run.push(item);
    else {
      flush();
      before = item.span.end;
      sorted.push(item);
    }
  }
  flush();
  return sorted;
}
