/** The parser's concrete tree → AST. Where recovery left a hole, an `error` expression or an empty name stands. */
import type { CstNode } from "../../grammar/chevrotain.ts";
import type { Problem } from "../../grammar/problem.ts";
import type { Token } from "../../grammar/tokens.ts";
import type { Span } from "../text/source.ts";
import type * as A from "./ast.ts";
import { child, isNode, nodes, operatorOf, token, tokens } from "./cst.ts";
import { buildTree, parenthesize, startOf, treeLimit, type Operand, type Operator } from "./tree.ts";

export class AstBuilder {
  private readonly file: string;
  private readonly text: string;
  private readonly problems: Problem[];
  private readonly depths = new WeakMap<object, number>();
  private tooDeep = false;
  /** Behind the last token that was read: where something missing is said to be. */
  private cursor = 0;

  constructor(file: string, text: string, problems: Problem[]) {
    this.file = file;
    this.text = text;
    this.problems = problems;
  }

  buildFile(cst: CstNode): Omit<A.File, "comments"> {
    const number = token(cst, "Number");
    const lips = token(cst, "Lips");
    const edition =
      lips && number && !number.virtual && number.image !== ""
        ? { number: number.image, span: this.span(lips.startOffset, number.endOffset + 1) }
        : null;
    const items: A.Item[] = [];
    for (const node of nodes(cst, "item")) {
      const item = this.item(node);
      if (item) items.push(item);
    }
    return { edition, items, span: this.span(0, this.text.length) };
  }

  private item(node: CstNode): A.Item | null {
    const [[rule, [child]] = ["", [undefined]]] = Object.entries(node.children);
    if (!isNode(child)) return null;
    switch (rule) {
      case "importItem":
        return this.import(child);
      case "let":
        return this.let(child);
      case "block":
        return this.block(child);
      case "model":
        return this.model(child);
      default:
        return this.train(child);
    }
  }

  private import(node: CstNode): A.Import {
    const names = nodes(node, "importName").map((one) => {
      const as = token(one, "as");
      return { name: this.name(token(one, "Name")), as: as ? this.name(as) : null };
    });
    const path = token(node, "String");
    const span = path ? this.tokenSpan(path) : this.here();
    return {
      kind: "import",
      names: names.filter((one) => one.name.text !== ""),
      from: { text: path?.image ?? "", span },
      span: this.nodeSpan(node),
    };
  }

  private block(node: CstNode): A.Block {
    const name = this.name(token(node, "Name"));
    return {
      kind: "block",
      doc: null,
      name,
      params: this.params(child(node, "params")),
      result: this.type(child(node, "type")),
      body: this.body(child(node, "body")),
      span: this.nodeSpan(node),
    };
  }

  private model(node: CstNode): A.ModelItem {
    const body = child(node, "body");
    const isVariant = token(node, "Assign") !== undefined;
    return {
      kind: "model",
      doc: null,
      name: this.name(token(node, "Name")),
      params: this.params(child(node, "params")),
      base: isVariant ? this.expr(child(node, "expr")) : null,
      body: body ? this.body(body) : isVariant ? null : this.body(undefined),
      span: this.nodeSpan(node),
    };
  }

  private train(node: CstNode): A.Train {
    return {
      kind: "train",
      doc: null,
      model: this.name(token(node, "Name")),
      args: this.args(child(node, "args")),
      entries: this.entries(child(node, "entries")),
      span: this.nodeSpan(node),
    };
  }

  private params(node: CstNode | undefined): A.Param[] {
    if (!node) return [];
    return nodes(node, "param").map((param) => {
      const value = child(param, "expr");
      return {
        doc: null,
        name: this.name(token(param, "Name")),
        type: this.type(child(param, "type")),
        default: value || token(param, "Assign") ? this.expr(value) : null,
        span: this.nodeSpan(param),
      };
    });
  }

  private type(node: CstNode | undefined): A.Type {
    const shape = node && child(node, "shape");
    if (shape) return this.shape(shape);
    const name = this.name(node && token(node, "Name"));
    const list = node !== undefined && token(node, "LBracket") !== undefined;
    return { kind: "named", name, list, span: node ? this.nodeSpan(node) : this.here() };
  }

  private shape(node: CstNode | undefined): A.Type {
    const dims = node ? nodes(node, "dim") : [];
    return {
      kind: "shape",
      dims: dims.map((dim): A.Dim => {
        const rest = token(dim, "Ellipsis");
        if (rest) return { kind: "rest", span: this.tokenSpan(rest) };
        const value = this.expr(child(dim, "expr"));
        return { kind: "dim", value, span: value.span };
      }),
      span: node ? this.nodeSpan(node) : this.here(),
    };
  }

  private body(node: CstNode | undefined): A.Body {
    const statements: A.Statement[] = [];
    for (const one of node ? nodes(node, "statement") : []) {
      const statement = this.statement(one);
      if (statement) statements.push(statement);
    }
    return { statements, span: node ? this.nodeSpan(node) : this.here() };
  }

  private statement(node: CstNode): A.Statement | null {
    const [[rule, [inner]] = ["", [undefined]]] = Object.entries(node.children);
    if (!isNode(inner)) return null;
    const span = this.nodeSpan(inner);
    switch (rule) {
      case "let":
        return this.let(inner);
      case "for": {
        const name = this.name(token(inner, "Name"));
        return {
          kind: "for",
          name,
          over: this.expr(child(inner, "expr")),
          body: this.body(child(inner, "body")),
          span,
        };
      }
      case "if":
        return this.if(inner);
      case "weights":
        return { kind: "weights", entries: this.entries(child(inner, "entries")), span };
      case "inference":
        return { kind: "inference", entries: this.entries(child(inner, "entries")), span };
      case "certify":
        return this.certify(inner);
      case "inputLine": {
        const name = this.name(token(inner, "Name"));
        const shape = this.shape(child(inner, "shape"));
        const domain = token(inner, "In") ? this.expr(child(inner, "expr")) : null;
        return { kind: "input", name, shape, domain, span };
      }
      case "output":
        return {
          kind: "output",
          name: this.name(token(inner, "Name")),
          value: this.expr(child(inner, "expr")),
          span,
        };
      case "assign":
        return {
          kind: "assign",
          name: this.name(token(inner, "Name")),
          value: this.expr(child(inner, "expr")),
          span,
        };
      default:
        return { kind: "value", value: this.expr(inner), span };
    }
  }

  private let(node: CstNode): A.Let | null {
    const elements = tokens(node, "element");
    const single = token(node, "Name");
    if (!single && elements.length === 0) return null;
    const pattern: A.Let["pattern"] = single
      ? { kind: "name", name: this.name(single) }
      : {
          kind: "list",
          names: elements.map((element) => this.name(element)),
          span: this.span(elements[0].startOffset, (elements.at(-1) as Token).endOffset + 1),
        };
    const type = child(node, "type");
    return {
      kind: "let",
      doc: null,
      pattern,
      type: type ? this.type(type) : null,
      value: this.expr(child(node, "expr")),
      span: this.nodeSpan(node),
    };
  }

  /** The flat list of `else if` becomes a chain, from the last to the first. */
  private if(node: CstNode): A.If {
    const conditions = nodes(node, "expr");
    const bodies = nodes(node, "body");
    const last = child(node, "otherwise");
    const words = tokens(node, "If");
    let count = Math.max(conditions.length, bodies.length, 1);
    if (count > treeLimit) {
      this.reportTooDeep(this.nodeSpan(node), "branches of one `if`");
      count = treeLimit;
    }
    const end = this.nodeSpan(node).end;
    let rest: A.If | A.Body | null = last ? this.body(last) : null;
    for (let i = count - 1; i >= 0; i--) {
      const start = words[i]?.startOffset ?? this.nodeSpan(node).start;
      const condition = this.expr(conditions[i]);
      const then = this.body(bodies[i]);
      rest = { kind: "if", condition, then, otherwise: rest, span: this.span(start, end) };
    }
    return rest as A.If;
  }

  private certify(node: CstNode): A.Certify | null {
    const phase = token(node, "Name");
    const word = token(node, "Certify");
    const claim = this.expr(child(node, "expr"));
    if (!phase) {
      if (word && claim.kind !== "error")
        this.problems.push({ kind: "phase-missing", start: word.startOffset, end: word.endOffset + 1 });
      return null;
    }
    return {
      kind: "certify",
      phase: this.name(phase),
      at: token(node, "At") !== undefined,
      claim,
      span: this.nodeSpan(node),
    };
  }

  private entries(node: CstNode | undefined): A.Entry[] {
    if (!node) return [];
    const entries: A.Entry[] = [];
    for (const entry of nodes(node, "entry")) {
      const word = token(entry, "Word");
      const value = this.expr(child(entry, "expr"));
      if (!word) continue;
      this.refuseEquals(entry, word, value);
      entries.push({ key: this.name(word), value, span: this.nodeSpan(entry) });
    }
    return entries;
  }

  private args(node: CstNode | undefined): A.Arg[] {
    if (!node) return [];
    return nodes(node, "arg").map((arg) => {
      const word = token(arg, "Word");
      const [first, second] = nodes(arg, "expr");
      const value = this.expr(first);
      if (word) this.refuseEquals(arg, word, value);
      return {
        name: word ? this.name(word) : null,
        value,
        to: token(arg, "Arrow") ? this.expr(second) : null,
        span: this.nodeSpan(arg),
      };
    });
  }

  private refuseEquals(node: CstNode, word: Token, value: A.Expr): void {
    const sign = token(node, "Assign");
    if (!sign || sign.virtual) return;
    const place = value.kind === "error" ? null : { start: value.span.start, end: value.span.end };
    const { startOffset: start, endOffset } = sign;
    this.problems.push({
      kind: "equals-in-argument",
      start,
      end: endOffset + 1,
      name: word.image,
      nameStart: word.startOffset,
      value: place,
    });
  }

  private expr(node: CstNode | undefined): A.Expr {
    if (!node) return { kind: "error", span: this.here() };
    const operators = tokens(node, "operator").map(operatorOf);
    const operands = nodes(node, "operand").map((operand, i) => {
      if (i > 0 && operators[i - 1]) this.cursor = operators[i - 1].end;
      return this.operand(operand);
    });
    if (operands.length === 0)
      operands.push({ prefixes: [], value: { kind: "error", span: this.nodeSpan(node) } });
    return buildTree(operands, operators, {
      file: this.file,
      report: (problem) => void this.problems.push(problem),
      make: (expr, parts) => this.make(expr, parts),
      reportMixed: (all, signs, other) => this.reportMixed(all, signs, other),
    });
  }

  private operand(node: CstNode): Operand {
    const prefixes = tokens(node, "prefix").map(operatorOf);
    let value = this.primary(node);
    for (const suffix of nodes(node, "suffix")) {
      const span = this.span(value.span.start, Math.max(value.span.end, this.nodeSpan(suffix).end));
      if (suffix.name === "args") {
        const args = this.args(suffix);
        const parts = args.flatMap((arg) => (arg.to ? [arg.value, arg.to] : [arg.value]));
        value = this.make({ kind: "call", callee: value, args, span }, [value, ...parts]);
      } else if (suffix.name === "index") {
        const index = this.expr(child(suffix, "expr"));
        value = this.make({ kind: "index", list: value, index, span }, [value, index]);
      } else {
        const name = this.name(token(suffix, "Word"));
        value = this.make({ kind: "member", object: value, name, span }, [value]);
      }
    }
    return { prefixes, value };
  }

  private primary(node: CstNode): A.Expr {
    const list = child(node, "list");
    if (list) {
      const items = nodes(list, "expr").map((item) => this.expr(item));
      return this.make({ kind: "list", items, span: this.nodeSpan(list) }, items);
    }
    const open = token(node, "LParen");
    if (open) {
      const inner = this.expr(child(node, "group"));
      const close = token(node, "RParen");
      const end = close && !Number.isNaN(close.endOffset) ? close.endOffset + 1 : inner.span.end;
      const grouped: A.Expr = {
        ...inner,
        grouped: true,
        span: this.span(open.startOffset, Math.max(end, inner.span.end)),
      };
      this.depths.set(grouped, this.depthOf(inner));
      return grouped;
    }
    for (const [name, [found]] of Object.entries(node.children)) {
      if (isNode(found) || found === undefined) continue;
      const leaf = found as Token;
      if (name === "prefix" || Number.isNaN(leaf.startOffset)) continue;
      const span = this.tokenSpan(leaf);
      if (name === "Number") return { kind: "number", text: leaf.image, span };
      if (name === "String") return { kind: "string", text: leaf.image, span };
      if (name === "True" || name === "False") return { kind: "boolean", value: name === "True", span };
      if (name === "Name" && !leaf.virtual) return { kind: "name", text: leaf.image, span };
    }
    return {
      kind: "error",
      span: Number.isNaN(node.location?.startOffset ?? NaN) ? this.here() : this.nodeSpan(node),
    };
  }

  private make(node: A.Expr, parts: readonly A.Expr[]): A.Expr {
    let depth = 0;
    for (const part of parts) depth = Math.max(depth, this.depthOf(part));
    if (depth + 1 > treeLimit) {
      this.reportTooDeep(node.span, "operators and calls");
      return { kind: "error", span: node.span };
    }
    this.depths.set(node, depth + 1);
    return node;
  }

  private depthOf(expr: A.Expr): number {
    return this.depths.get(expr) ?? 1;
  }

  private reportTooDeep(span: Span, what: string): void {
    if (this.tooDeep) return;
    this.tooDeep = true;
    this.problems.push({ kind: "too-deep", start: span.start, end: span.end, what, limit: treeLimit });
  }

  /** Parentheses for both readings, as insertions into the text. */
  private reportMixed(operands: readonly Operand[], operators: readonly Operator[], other: Operator): void {
    this.problems.push({
      kind: "mixed-pipe",
      start: other.start,
      end: other.end,
      operator: other.image,
      tight: parenthesize(operands, operators, true),
      loose: parenthesize(operands, operators, false),
      whole: {
        start: startOf(operands[0]),
        end: operands[Math.min(operands.length - 1, operators.length)].value.span.end,
      },
    });
  }

  private name(found: Token | undefined): A.Name {
    if (!found || found.virtual || Number.isNaN(found.startOffset)) return { text: "", span: this.here() };
    return { text: found.image, span: this.tokenSpan(found) };
  }

  private here(): Span {
    return this.span(this.cursor, this.cursor);
  }

  private tokenSpan(found: Token): Span {
    if (Number.isNaN(found.startOffset)) return this.here();
    this.cursor = found.endOffset + 1;
    return this.span(found.startOffset, this.cursor);
  }

  private nodeSpan(node: CstNode): Span {
    const start = node.location?.startOffset ?? NaN;
    const end = (node.location?.endOffset ?? NaN) + 1;
    if (Number.isNaN(start) || Number.isNaN(end)) return this.here();
    return this.span(start, Math.max(start, end));
  }

  private span(start: number, end: number): Span {
    // Tokens that recovery put in have no place of their own.
    if (Number.isNaN(start)) return this.here();
    return { file: this.file, start, end: Number.isNaN(end) ? start : Math.max(start, end) };
  }
}
