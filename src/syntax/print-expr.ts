/** Expressions, arguments and types in canonical form: on one line where they fit, else broken. */
import type { Arg, Expr, Param, Type } from "./ast.ts";
import { plain, type CommentQueue } from "./print-comments.ts";
import { isComparison, powerOf } from "./tree.ts";

export const lineWidth = 110;

/** An expression on one line. Parentheses are those of the source, and those without which it would read otherwise. */
export function printExpr(expr: Expr): string {
  return new ExprPrinter(null).flat(expr);
}

interface Part {
  readonly start: number;
  readonly end: number;
  readonly flat: () => string;
  readonly broken: (indent: number, tail: number) => string;
  /** Only a parameter or a declaration keeps a `///` before it. */
  readonly doc: boolean;
}

export class ExprPrinter {
  private readonly comments: CommentQueue | null;
  private readonly flats = new WeakMap<object, string>();

  constructor(comments: CommentQueue | null) {
    this.comments = comments;
  }

  flat(expr: Expr): string {
    let text = this.flats.get(expr);
    if (text === undefined) {
      const inner = this.bare(expr);
      text = expr.grouped ? `(${inner})` : inner;
      this.flats.set(expr, text);
    }
    return text;
  }

  /** `text` from column `column`, with `tail` columns kept free on its last line; broken lines are indented from `indent`. */
  fit(expr: Expr, indent: number, column: number, tail: number): string {
    if (this.isQuiet(expr.span)) {
      const flat = this.flat(expr);
      if (column + flat.length + tail <= lineWidth) return flat;
    }
    if (expr.grouped) return `(${this.fitBare(expr, indent, column + 1, tail + 1)})`;
    return this.fitBare(expr, indent, column, tail);
  }

  private isQuiet(span: { start: number; end: number }): boolean {
    return this.comments === null || !this.comments.housedWithin(span.start, span.end);
  }

  private bare(expr: Expr): string {
    switch (expr.kind) {
      case "number":
      case "name":
        return expr.text;
      case "string":
        return `"${expr.text}"`;
      case "boolean":
        return String(expr.value);
      case "list":
        return `[${expr.items.map((item) => this.flat(item)).join(", ")}]`;
      case "call":
        return `${this.postfixed(expr.callee)}(${expr.args.map((arg) => this.flatArg(arg)).join(", ")})`;
      case "index":
        return `${this.postfixed(expr.list)}[${this.flat(expr.index)}]`;
      case "member":
        return `${this.postfixed(expr.object)}.${expr.name.text}`;
      case "unary":
        return `${signOf(expr.operator)}${this.guarded(expr.operand, needsGroup(expr, expr.operand, "right"))}`;
      case "binary":
      case "pipe":
        return this.flatChain(expr);
      case "error":
        return "";
    }
  }

  /** Left spines are walked in a loop: a chain may be long. */
  private flatChain(expr: Expr): string {
    const { head, links } = chainOf(expr);
    let text = this.guarded(head, needsGroup(links[0].parent, head, "left"));
    // A fraction of two numbers is one number to a reader: `1/12`.
    const fraction =
      links.length === 1 && links[0].operator === "/" && isNumber(head) && isNumber(links[0].right);
    for (const { operator, right, parent } of links) {
      const operand = this.guarded(right, needsGroup(parent, right, "right"));
      text += operator === "^" || fraction ? `${operator}${operand}` : ` ${operator} ${operand}`;
    }
    return text;
  }

  private guarded(expr: Expr, needed: boolean): string {
    return needed && !expr.grouped ? `(${this.bare(expr)})` : this.flat(expr);
  }

  private postfixed(expr: Expr): string {
    return this.guarded(expr, isOperation(expr));
  }

  private flatArg(arg: Arg): string {
    const name = arg.name ? `${arg.name.text}: ` : "";
    return `${name}${this.flat(arg.value)}${arg.to ? ` -> ${this.flat(arg.to)}` : ""}`;
  }

  private fitBare(expr: Expr, indent: number, column: number, tail: number): string {
    switch (expr.kind) {
      case "list":
        return `[${this.fitParts(
          expr.items.map((item) => this.exprPart(item)),
          expr.span,
          indent,
        )}]`;
      case "call": {
        const callee = isOperation(expr.callee)
          ? this.postfixed(expr.callee)
          : this.fit(expr.callee, indent, column, 1);
        const inside = { start: expr.callee.span.end, end: expr.span.end };
        return `${callee}(${this.fitArgs(expr.args, inside, indent)})`;
      }
      case "index": {
        const list = this.fit(expr.list, indent, column, 1);
        return `${list}[${this.fit(expr.index, indent + 2, indent + 2, tail + 1)}]`;
      }
      case "member":
        return `${this.fit(expr.object, indent, column, 1)}.${expr.name.text}`;
      case "unary":
        return `${signOf(expr.operator)}${this.fitGuarded(expr, expr.operand, "right", indent, column + 4, tail)}`;
      case "binary":
      case "pipe":
        return this.fitChain(expr, indent, column, tail);
      default:
        return this.bare(expr);
    }
  }

  private fitGuarded(
    parent: Expr,
    expr: Expr,
    side: Side,
    indent: number,
    column: number,
    tail: number,
  ): string {
    if (!expr.grouped && needsGroup(parent, expr, side))
      return `(${this.fitBare(expr, indent, column + 1, tail + 1)})`;
    return this.fit(expr, indent, column, tail);
  }

  /** A pipeline keeps its first stage on the head's line; a sum breaks before its operators. */
  private fitChain(expr: Expr, indent: number, column: number, tail: number): string {
    const { head, links } = chainOf(expr);
    const pipe = expr.kind === "pipe";
    const inner = indent + (pipe ? 2 : 4);
    const pad = `\n${" ".repeat(inner)}`;
    let text = this.fitGuarded(links[0].parent, head, "left", indent, column, 0);
    let first = pipe && !text.includes("\n");
    let before = head.span.end;
    for (const [i, { operator, right, parent }] of links.entries()) {
      const rest = i === links.length - 1 ? tail : 0;
      const leading = pipe ? (this.comments?.takeIn(before, right.span.start) ?? []) : [];
      before = right.span.end;
      const sign = `${operator} `;
      const here = column + text.length + 1 + sign.length;
      const stays =
        first &&
        leading.length === 0 &&
        this.staysOnLine(parent, right, here, i === links.length - 1 ? tail : 0);
      for (const comment of leading) text += `${pad}${plain(comment.text)}`;
      text += stays ? ` ${sign}` : `${pad}${sign}`;
      text += this.fitGuarded(parent, right, "right", inner, stays ? here : inner + sign.length, rest);
      // The last stage's comment belongs to whatever ends with it.
      const trailing = pipe && i < links.length - 1 ? this.comments?.takeTrailing(right.span.end) : null;
      if (trailing) text += ` ${trailing}`;
      first = false;
    }
    return text;
  }

  private staysOnLine(parent: Expr, stage: Expr, column: number, tail: number): boolean {
    const flat = this.guarded(stage, needsGroup(parent, stage, "right"));
    return this.isQuiet(stage.span) && column + flat.length + tail <= lineWidth;
  }

  /** The inside of `( )`, broken; also for the parameters of a block. */
  fitArgs(args: readonly Arg[], span: { start: number; end: number }, indent: number): string {
    return this.fitParts(
      args.map((arg) => ({
        start: arg.span.start,
        end: arg.span.end,
        doc: false,
        flat: () => this.flatArg(arg),
        broken: (inner, tail) => {
          const name = arg.name ? `${arg.name.text}: ` : "";
          const value = this.fit(arg.value, inner, inner + name.length, tail);
          return `${name}${value}${arg.to ? ` -> ${this.fit(arg.to, inner, inner, tail)}` : ""}`;
        },
      })),
      span,
      indent,
    );
  }

  private exprPart(expr: Expr): Part {
    return {
      start: expr.span.start,
      end: expr.span.end,
      doc: false,
      flat: () => this.flat(expr),
      broken: (inner, tail) => this.fit(expr, inner, inner, tail),
    };
  }

  fitParams(params: readonly Param[], span: { start: number; end: number }, indent: number): string {
    return this.fitParts(
      params.map((param) => ({
        start: param.span.start,
        end: param.span.end,
        doc: param.doc !== null,
        flat: () => this.flatParam(param),
        broken: (inner, tail) => {
          const head = `${param.name.text}: ${this.flatType(param.type)}`;
          if (!param.default) return head;
          return `${head} = ${this.fit(param.default, inner, inner + head.length + 3, tail)}`;
        },
      })),
      span,
      indent,
    );
  }

  flatParam(param: Param): string {
    const head = `${param.name.text}: ${this.flatType(param.type)}`;
    return param.default ? `${head} = ${this.flat(param.default)}` : head;
  }

  flatType(type: Type): string {
    if (type.kind === "named") return `${type.name.text}${type.list ? "[]" : ""}`;
    return `[${type.dims.map((dim) => (dim.kind === "rest" ? "..." : this.flat(dim.value))).join(", ")}]`;
  }

  /** Filled lines, a comma behind each part; one part on a line where comments stand among them. */
  private fitParts(parts: readonly Part[], span: { start: number; end: number }, indent: number): string {
    if (parts.length === 0) return "";
    const inner = indent + 2;
    const pad = " ".repeat(inner);
    const quiet = this.isQuiet(span);
    const lines: string[] = [];
    let open = false;
    let before = span.start;
    for (const part of parts) {
      if (!quiet)
        for (const comment of this.comments?.takeIn(before, part.start) ?? []) {
          lines.push(`${pad}${part.doc ? comment.text : plain(comment.text)}`);
          open = false;
        }
      before = part.end;
      const flat = this.isQuiet(part) ? part.flat() : null;
      const last = lines.length - 1;
      if (flat !== null && quiet && open && lines[last].length + 1 + flat.length + 1 <= lineWidth) {
        lines[last] += ` ${flat},`;
        continue;
      }
      const fits = flat !== null && inner + flat.length + 1 <= lineWidth;
      const trailing = (): string => {
        const found = quiet ? null : this.comments?.takeTrailing(part.end);
        return found ? ` ${found}` : "";
      };
      lines.push(`${pad}${fits ? flat : part.broken(inner, 1)},${trailing()}`);
      open = quiet && fits;
    }
    if (!quiet)
      for (const comment of this.comments?.takeIn(before, span.end) ?? [])
        lines.push(`${pad}${plain(comment.text)}`);
    return `\n${lines.join("\n")}\n${" ".repeat(indent)}`;
  }
}

type Side = "left" | "right";

interface Link {
  readonly operator: string;
  readonly right: Expr;
  readonly parent: Expr;
}

/** The left spine of operators of one kind: `a |> b |> c`, `a + b - c`. */
function chainOf(expr: Expr): { head: Expr; links: Link[] } {
  const links: Link[] = [];
  let head = expr;
  const own = powerOf(expr);
  do {
    if (head.kind === "pipe") links.push({ operator: "|>", right: head.right, parent: head });
    else if (head.kind === "binary") links.push({ operator: head.operator, right: head.right, parent: head });
    else break;
    head = head.left;
  } while (!head.grouped && powerOf(head) === own && isLeftAssociative(expr));
  return { head, links: links.reverse() };
}

function isLeftAssociative(expr: Expr): boolean {
  return (
    expr.kind === "pipe" || (expr.kind === "binary" && expr.operator !== "^" && !isComparison(expr.operator))
  );
}

function isNumber(expr: Expr): boolean {
  return expr.kind === "number" && !expr.grouped;
}

function isOperation(expr: Expr): boolean {
  return expr.kind === "binary" || expr.kind === "pipe" || expr.kind === "unary";
}

function signOf(operator: "-" | "not"): string {
  return operator === "-" ? "-" : "not ";
}

/** Whether `child` would be read otherwise without parentheses of its own. */
function needsGroup(parent: Expr, child: Expr, side: Side): boolean {
  if (!isOperation(child)) return false;
  // `|>` never stands bare beside another operator.
  if (parent.kind === "pipe" || child.kind === "pipe")
    return !(parent.kind === "pipe" && child.kind === "pipe" && side === "left");
  const [outer, inner] = [powerOf(parent), powerOf(child)];
  if (parent.kind === "unary") return child.kind !== "unary" && inner < outer;
  if (child.kind === "unary") return side === "left" && inner < outer;
  if (inner !== outer) return inner < outer;
  if (parent.kind === "binary" && isComparison(parent.operator)) return true;
  const rightAssociative = parent.kind === "binary" && parent.operator === "^";
  return rightAssociative ? side === "left" : side === "right";
}
