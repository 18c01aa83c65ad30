/** The precedence table: the parser's flat list of operands and operators → a tree. */
import type { Edit, Problem } from "../../grammar/problem.ts";
import type { BinaryOperator, Expr } from "./ast.ts";

/** Operators and calls within one another, at most: later parts walk the tree with a stack. */
export const treeLimit = 500;

export interface Operator {
  readonly image: string;
  readonly start: number;
  readonly end: number;
}
export interface Operand {
  readonly prefixes: readonly Operator[];
  readonly value: Expr;
}

/** Binding power; higher binds tighter. `|>` is the loosest of all. */
const power: Record<string, number> = {
  "|>": 1, or: 2, and: 3, not: 4, "..<": 5, "==": 6, "!=": 6, "<": 6, "<=": 6, ">": 6, ">=": 6,
  "+": 7, "-": 7, "*": 8, "/": 8, "%": 8, negate: 9, "^": 10,
}; // prettier-ignore
const comparisons = new Set(["==", "!=", "<", "<=", ">", ">="]);
const tightPipe = 11;

export function isComparison(operator: string): boolean {
  return comparisons.has(operator);
}

/** How tightly an expression's own operator binds; operands that need no parentheses bind at least as tightly. */
export function powerOf(expr: Expr): number {
  switch (expr.kind) {
    case "pipe":
      return power["|>"];
    case "binary":
      return power[expr.operator];
    case "unary":
      return expr.operator === "-" ? power.negate : power.not;
    default:
      return tightPipe + 1;
  }
}

interface Pending {
  readonly operator: Operator;
  readonly name: string;
  readonly power: number;
  readonly prefix: boolean;
}

/** What the tree builder needs from its surroundings: node limits, and a place for problems. */
export interface TreeContext {
  report(problem: Problem): void;
  /** Makes a node, or an unknown where the tree would become too deep. */
  make(node: Expr, parts: readonly Expr[]): Expr;
  /** Says that `|>` stands beside another operator, with both readings. */
  reportMixed(operands: readonly Operand[], operators: readonly Operator[], other: Operator): void;
  file: string;
}

/** Shunting-yard, with explicit stacks: a chain of any length needs no deep recursion here. */
export function buildTree(
  operands: readonly Operand[],
  operators: readonly Operator[],
  context: TreeContext,
): Expr {
  const pipes = operators.some((o) => o.image === "|>");
  const other =
    operators.find((o) => o.image !== "|>") ?? operands.find((o) => o.prefixes.length > 0)?.prefixes[0];
  const mixed = pipes && other !== undefined;
  if (mixed) context.reportMixed(operands, operators, other);

  const values: Expr[] = [];
  const pending: Pending[] = [];
  const pushPrefixes = (operand: Operand): void => {
    for (const operator of operand.prefixes) {
      const name = operator.image === "-" ? "negate" : "not";
      pending.push({ operator, name, power: power[name], prefix: true });
    }
    values.push(operand.value);
  };
  const reduce = (): void => {
    const { operator, name, prefix } = pending.pop() as Pending;
    const right = values.pop() as Expr;
    if (prefix) {
      const span = { file: context.file, start: operator.start, end: right.span.end };
      values.push(
        context.make({ kind: "unary", operator: name === "not" ? "not" : "-", operand: right, span }, [
          right,
        ]),
      );
      return;
    }
    const left = values.pop() as Expr;
    values.push(join(left, operator, right, context));
  };
  if (operands.length > 0) pushPrefixes(operands[0]);
  for (let i = 0; i < operators.length && i + 1 < operands.length; i++) {
    const operator = operators[i];
    const name = operator.image.startsWith("..") ? "..<" : operator.image;
    const own = name === "|>" && mixed ? tightPipe : power[name];
    const right = name === "^";
    while (pending.length > 0) {
      const top = pending[pending.length - 1];
      if (top.power < own || (top.power === own && right)) break;
      if (comparisons.has(name) && comparisons.has(top.name)) {
        const { start, end } = operator;
        context.report({
          kind: "chained-comparison",
          start,
          end,
          first: top.name,
          second: name,
          at: top.operator.start,
        });
      }
      reduce();
    }
    pending.push({ operator, name, power: own, prefix: false });
    pushPrefixes(operands[i + 1]);
  }
  while (pending.length > 0) reduce();
  return values[0];
}

function join(left: Expr, operator: Operator, right: Expr, context: TreeContext): Expr {
  const span = { file: context.file, start: left.span.start, end: right.span.end };
  if (operator.image === "|>") return context.make({ kind: "pipe", left, right, span }, [left, right]);
  if (operator.image.startsWith("..")) return rangeCall(left, operator, right, context);
  return context.make({ kind: "binary", operator: operator.image as BinaryOperator, left, right, span }, [
    left,
    right,
  ]);
}

/** `0 ..< 4` is refused and read as `range(4)`. */
function rangeCall(left: Expr, operator: Operator, right: Expr, context: TreeContext): Expr {
  const span = { file: context.file, start: left.span.start, end: right.span.end };
  const closed = operator.image === "..=";
  const fromZero = left.kind === "number" && /^0+$/.test(left.text);
  const edits = [
    { start: left.span.start, end: fromZero ? right.span.start : left.span.start, text: "range(" },
    ...(fromZero ? [] : [{ start: left.span.end, end: right.span.start, text: ", " }]),
    { start: right.span.end, end: right.span.end, text: closed ? " + 1)" : ")" },
  ];
  const why = "a range is a call, `range(4)` or `range(2, 5)`; its end is left out";
  context.report({
    kind: "other-language",
    start: operator.start,
    end: operator.end,
    found: operator.image,
    why,
    edits,
  });
  const arg = (value: Expr) => ({ name: null, value, to: null, span: value.span });
  const one: Expr = { kind: "number", text: "1", span: right.span };
  const last: Expr = closed
    ? { kind: "binary", operator: "+", left: right, right: one, span: right.span }
    : right;
  const callee: Expr = {
    kind: "name",
    text: "range",
    span: { file: context.file, start: operator.start, end: operator.end },
  };
  const args = fromZero ? [arg(last)] : [arg(left), arg(last)];
  return context.make({ kind: "call", callee, args, span }, [left, last]);
}

export function startOf(operand: Operand): number {
  return operand.prefixes[0]?.start ?? operand.value.span.start;
}

/** The parentheses of one reading of a mixed chain, as insertions: around the pipes (tight), or around the rest. */
export function parenthesize(
  operands: readonly Operand[],
  operators: readonly Operator[],
  tight: boolean,
): Edit[] {
  const edits: Edit[] = [];
  const count = Math.min(operands.length, operators.length + 1);
  for (let i = 0; i < count;) {
    let last = i;
    while (last + 1 < count && (operators[last].image === "|>") === tight) last++;
    const start = tight ? operands[i].value.span.start : startOf(operands[i]);
    const { end } = operands[last].value.span;
    const needed = last > i || (!tight && operands[i].prefixes.length > 0);
    const whole = i === 0 && last === count - 1 && start === startOf(operands[0]);
    if (needed && !whole) edits.push({ start, end: start, text: "(" }, { start: end, end, text: ")" });
    i = last + 1;
  }
  return edits;
}
