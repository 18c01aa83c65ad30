/** Operators on static numbers, on booleans, and on tensors, where they are layers. */
import type { BinaryOperator } from "../syntax/ast.ts";
import type { Span } from "../text/source.ts";
import { layers } from "../layers/registry.ts";
import { applyAll, materialize } from "./apply.ts";
import { layerVal } from "./expression.ts";
import { report, textOf, type Frame } from "./frame.ts";
import * as n from "./numbers.ts";
import type { Interval } from "./numbers.ts";
import {
  describe,
  numberVal,
  unknown,
  type LearnedVal,
  type NumberVal,
  type TensorVal,
  type Val,
} from "./values.ts";

export function unary(frame: Frame, operator: "-" | "not", operand: Val, span: Span): Val {
  if (operand.kind === "unknown") return unknown;
  if (operator === "not") {
    if (operand.kind === "boolean") return { kind: "boolean", value: !operand.value };
  } else if (operand.kind === "number") return numberVal(n.negate(operand));
  else if (operand.kind === "tensor")
    return scale(frame, operand, numberVal(n.exact({ n: -1n, d: 1n })), span);
  report(frame, "operator-types", span, { operator, left: describe(operand), right: null });
  return unknown;
}

export function binary(frame: Frame, operator: BinaryOperator, left: Val, right: Val, span: Span): Val {
  if (left.kind === "unknown" || right.kind === "unknown") return unknown;
  if (left.kind === "number" && right.kind === "number") return ofNumbers(frame, operator, left, right, span);
  if (left.kind === "boolean" && right.kind === "boolean") {
    if (operator === "and") return { kind: "boolean", value: left.value && right.value };
    if (operator === "or") return { kind: "boolean", value: left.value || right.value };
    if (operator === "==") return { kind: "boolean", value: left.value === right.value };
    if (operator === "!=") return { kind: "boolean", value: left.value !== right.value };
  }
  if ((operator === "==" || operator === "!=") && left.kind === "option" && right.kind === "option") {
    return { kind: "boolean", value: (left.name === right.name) === (operator === "==") };
  }
  return ofTensors(frame, operator, left, right, span);
}

function ofNumbers(
  frame: Frame,
  operator: BinaryOperator,
  left: NumberVal,
  right: NumberVal,
  span: Span,
): Val {
  if (operator === "and" || operator === "or") return wrongTypes(frame, operator, left, right, span);
  const arithmetic = {
    "+": n.add,
    "-": n.subtract,
    "*": n.multiply,
    "/": n.divide,
    "%": n.modulo,
    "^": n.power,
  };
  if (operator in arithmetic) {
    const value: Interval | null = arithmetic[operator as keyof typeof arithmetic](left, right);
    if (value) return numberVal(value);
    report(frame, "no-number", span, {
      text: `\`${textOf(frame, span).slice(0, 60)}\``,
      why: reasonFor(operator, right),
    });
    return unknown;
  }
  const order = n.compare(left, right);
  if (order === null) {
    const why = "the two numbers lie closer together than roots and exponentials are computed";
    report(frame, "no-number", span, { text: `\`${textOf(frame, span).slice(0, 60)}\``, why });
    return unknown;
  }
  const results: Record<string, boolean> = {
    "==": order === 0,
    "!=": order !== 0,
    "<": order < 0,
    "<=": order <= 0,
    ">": order > 0,
    ">=": order >= 0,
  };
  return { kind: "boolean", value: results[operator] };
}

function reasonFor(operator: BinaryOperator, right: NumberVal): string {
  const zero = right.low.n === 0n && right.high.n === 0n;
  if ((operator === "/" || operator === "%") && zero) return "the divisor is 0";
  if (operator === "^" && (right.low.d !== 1n || !n.isExact(right)))
    return "an exponent must be a whole number; roots are `sqrt`";
  if (operator === "^" && right.low.n < 0n)
    return "0 has no negative power, or the result has too many digits";
  return "the result has too many digits";
}

function wrongTypes(frame: Frame, operator: string, left: Val, right: Val, span: Span): Val {
  report(frame, "operator-types", span, { operator, left: describe(left), right: describe(right) });
  return unknown;
}

function flows(value: Val): value is TensorVal | LearnedVal {
  return value.kind === "tensor" || value.kind === "learned";
}

function ofTensors(frame: Frame, operator: BinaryOperator, left: Val, right: Val, span: Span): Val {
  const tensor = left.kind === "tensor" || right.kind === "tensor";
  if (tensor && ["<", "<=", ">", ">=", "==", "!=", "and", "or"].includes(operator)) {
    report(frame, "condition-on-data", span, { name: `\`${textOf(frame, span)}\`` });
    return unknown;
  }
  if (operator === "*") {
    if (left.kind === "tensor" && (right.kind === "number" || right.kind === "learned"))
      return scale(frame, left, right, span);
    if (right.kind === "tensor" && (left.kind === "number" || left.kind === "learned"))
      return scale(frame, right, left, span);
    if (left.kind === "tensor" && right.kind === "tensor")
      return joined(frame, "Multiply", left, right, span);
  }
  if (operator === "/" && left.kind === "tensor" && right.kind === "number") {
    const factor = n.divide(n.exact({ n: 1n, d: 1n }), right);
    if (factor) return scale(frame, left, numberVal(factor), span);
    report(frame, "no-number", span, {
      text: `\`${textOf(frame, span).slice(0, 60)}\``,
      why: "the divisor is 0",
    });
    return unknown;
  }
  if (operator === "+" || operator === "-") {
    if (left.kind === "tensor" && isOffset(right, left)) return offset(frame, left, right, operator, span);
    if (right.kind === "tensor" && isOffset(left, right)) {
      const turned =
        operator === "+" ? right : scale(frame, right, numberVal(n.exact({ n: -1n, d: 1n })), span);
      return turned.kind === "tensor" ? offset(frame, turned, left, "+", span) : unknown;
    }
  }
  if ((operator === "+" || operator === "-") && flows(left) && flows(right)) {
    return joined(frame, operator === "+" ? "Add" : "Subtract", left, right, span);
  }
  return wrongTypes(frame, operator, left, right, span);
}

/** A number, or one learned number per channel, for every token of the tensor. */
function isOffset(value: Val, tensor: TensorVal): value is NumberVal | LearnedVal {
  if (value.kind === "number") return true;
  return (
    value.kind === "learned" && (value.shape === null || value.shape.length < 2) && tensor.shape.length > 1
  );
}

function offset(
  frame: Frame,
  tensor: TensorVal,
  by: NumberVal | LearnedVal,
  operator: "+" | "-",
  span: Span,
): Val {
  const layer = layers.get("Offset");
  if (!layer) return missingLayer("Offset");
  if (operator === "-" && by.kind === "learned") return wrongTypes(frame, operator, tensor, by, span);
  const amount = operator === "-" && by.kind === "number" ? numberVal(n.negate(by)) : by;
  const args = new Map([["by", { value: amount, span }]]);
  return applyAll(frame, { ...layerVal({ kind: "layer", layer }, span), args }, [{ value: tensor, span }]);
}

/** Two tensors of one shape into a built-in layer. */
function joined(
  frame: Frame,
  name: string,
  left: TensorVal | LearnedVal,
  right: TensorVal | LearnedVal,
  span: Span,
): Val {
  const a = materialize(frame, left, span);
  const b = materialize(frame, right, span);
  const layer = layers.get(name);
  if (!a || !b) return unknown;
  if (!layer) return missingLayer(name);
  return applyAll(frame, layerVal({ kind: "layer", layer }, span), [
    { value: a, span },
    { value: b, span },
  ]);
}

function scale(frame: Frame, tensor: TensorVal, by: NumberVal | LearnedVal, span: Span): Val {
  const layer = layers.get("Scale");
  if (!layer) return missingLayer("Scale");
  const args = new Map([["by", { value: by, span }]]);
  return applyAll(frame, { ...layerVal({ kind: "layer", layer }, span), args }, [{ value: tensor, span }]);
}

/** A bug of ours: the operators need these layers. */
function missingLayer(name: string): never {
  throw new Error(`the layer ${name} is not registered`);
}
