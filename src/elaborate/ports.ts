/** Inputs with their domains, and outputs. */
import type { Domain, Norm, Shape } from "../model/model.ts";
import type { Expr, Input, Output } from "../syntax/ast.ts";
import { mayDeclare } from "./body.ts";
import { materialize, mostEntries } from "./apply.ts";
import { evaluate } from "./expression.ts";
import { report, textOf, type Frame } from "./frame.ts";
import { showNumber } from "./numbers.ts";
import { compare, numberDown, numberUp, toNumber } from "./rational.ts";
import { declare } from "./scope.ts";
import { sizesOfType } from "./shapes.ts";
import { coerce } from "./types.ts";
import { describe, showShape, unknown, type NumberVal, type OptionVal } from "./values.ts";

export function declareInput(frame: Frame, statement: Input): void {
  const { name, shape: type, span } = statement;
  const shape = type.kind === "shape" ? sizesOfType(frame, type, null, name.text, type.span) : null;
  if (type.kind !== "shape") {
    report(frame, "argument-type", type.span, {
      argument: name.text,
      expected: "a shape such as [28, 28, 1]",
      found: textOf(frame, type.span),
    });
  }
  const domain = statement.domain ? domainOf(frame, statement.domain) : ({ kind: "unbounded" } as const);
  if (!mayDeclare(frame, name)) return;
  const { model } = frame;
  const sensible = shape && isInputShape(frame, shape, domain, statement);
  if (!shape || !domain || !model || !sensible) {
    declare(frame.scope, name.text, unknown, name.span, "input");
    return;
  }
  const axes =
    type.kind === "shape"
      ? type.dims.map((d) => (d.kind === "dim" && d.value.kind === "name" ? d.value.text : null))
      : [];
  const value = model.addValue(shape, span, axes);
  model.inputs.push({ name: name.text, value, domain, span });
  const tokens = domain.kind === "tokens" ? { tokens: domain.count } : {};
  declare(frame.scope, name.text, { kind: "tensor", value, shape, ...tokens }, name.span, "input");
}

function isInputShape(frame: Frame, shape: Shape, domain: Domain | null, statement: Input): boolean {
  const most = domain?.kind === "tokens" ? 2 : 3;
  const good = shape.length >= 1 && shape.length <= most && shape.reduce((a, b) => a * b, 1) <= mostEntries;
  if (!good)
    report(frame, "bad-shape", statement.shape.span, { layer: statement.name.text, found: showShape(shape) });
  return good;
}

/** Ends are rounded outwards, so that the stored set holds the written one. null after a report. */
function domainOf(frame: Frame, e: Expr): Domain | null {
  const type = { name: "Domain", list: false };
  const given = coerce(frame, evaluate(frame, e, type), type, "in", e.span);
  if (given.kind === "list") {
    const value = coerce(frame, given, { name: "real", list: true }, "in", e.span);
    if (value.kind !== "list") return null;
    const ends = value.items.filter((v): v is NumberVal => v.kind === "number");
    if (ends.length !== 2) {
      report(frame, "argument-type", e.span, {
        argument: "in",
        expected: "an interval [low, high]",
        found: describe(value),
      });
      return null;
    }
    if (compare(ends[0].low, ends[1].high) > 0) {
      report(frame, "empty-range", e.span, { low: showNumber(ends[0]), high: showNumber(ends[1]) });
      return null;
    }
    return { kind: "box", low: numberDown(ends[0].low), high: numberUp(ends[1].high) };
  }
  if (given.kind !== "option") return null;
  return domainOfOption(frame, e, given);
}

function domainOfOption(frame: Frame, e: Expr, value: OptionVal): Domain | null {
  const number = (name: string): NumberVal | null => {
    const given = value.args.get(name)?.value;
    return given?.kind === "number" ? given : null;
  };
  const positive = (name: string, least: bigint): NumberVal | null => {
    const given = number(name);
    if (given && compare(given.low, { n: least, d: 1n }) >= 0 && toNumber(given.high) <= 2 ** 31)
      return given;
    const span = value.args.get(name)?.span ?? e.span;
    report(frame, "out-of-range", span, {
      argument: name,
      found: given ? showNumber(given) : "missing",
      allowed: `at least ${least}`,
    });
    return null;
  };
  if (value.name === "tokens") {
    const count = positive("count", 1n);
    return count && { kind: "tokens", count: toNumber(count.low) };
  }
  if (value.name !== "ball") return { kind: "unbounded" };
  const radius = positive("radius", 0n);
  const norm = value.args.get("norm")?.value;
  if (!radius || norm?.kind !== "option") return null;
  if (norm.name === "rms") {
    report(frame, "unknown-option", e.span, {
      found: "rms",
      type: "norm of a ball",
      options: ["l2", "token", "linf"],
    });
    return null;
  }
  return { kind: "ball", norm: norm.name as Norm, radius: numberUp(radius.high) };
}

export function declareOutput(frame: Frame, statement: Output): void {
  const { name, value: e, span } = statement;
  const value = evaluate(frame, e);
  if (!mayDeclare(frame, name)) return;
  const { model } = frame;
  if (value.kind === "layer") {
    const inputs = model?.inputs.map((i) => i.name) ?? [];
    const from = frame.scope.names.has("x") ? "x" : (inputs[0] ?? "x");
    report(
      frame,
      "layer-not-value",
      e.span,
      { layer: textOf(frame, e.span) },
      { help: `\`${from} |> ${textOf(frame, e.span)}\`` },
    );
  }
  const tensor =
    value.kind === "tensor" || value.kind === "learned" ? materialize(frame, value, e.span) : null;
  if (!tensor && value.kind !== "unknown" && value.kind !== "layer" && value.kind !== "learned") {
    report(frame, "argument-type", e.span, {
      argument: name.text,
      expected: "a tensor",
      found: describe(value),
    });
  }
  declare(frame.scope, name.text, tensor ?? unknown, name.span, "output");
  if (tensor && model) model.outputs.push({ name: name.text, value: tensor.value, span });
}
