/** Options: words and calls of an option type, with their defaults filled in, and as plain data. */
import type { Constraint, Init, Json, OptionValue } from "../model/model.ts";
import type { Arg, Expr } from "../syntax/ast.ts";
import { parseFile } from "../syntax/parse.ts";
import { Diagnostics } from "../diagnostics/diagnostic.ts";
import type { Span } from "../text/source.ts";
import { storedTowardZero } from "../gain/up.ts";
import { evaluate } from "./expression.ts";
import { report, type Frame } from "./frame.ts";
import { towardZero } from "./numbers.ts";
import { optionTypes, type OptionParam } from "./option-tables.ts";
import { numberDown, toNumber } from "./rational.ts";
import { coerce, showType, typeOfParam, type TypeRef } from "./types.ts";
import { unknown, type Given, type OptionVal, type Val } from "./values.ts";
import { nearest } from "./words.ts";

const parsed = new Map<string, Expr>();

/** Parses the source text of a default. A mistake in one is a bug of ours. */
export function parseDefault(text: string): Expr {
  let expression = parsed.get(text);
  if (!expression) {
    const diagnostics = new Diagnostics();
    const file = parseFile({ name: "a default", text: `let value = ${text}\n` }, diagnostics);
    const item = file.items[0];
    if (diagnostics.hasErrors || item?.kind !== "let") throw new Error(`a default doesn't parse: ${text}`);
    expression = item.value;
    parsed.set(text, expression);
  }
  return expression;
}

/** `cosine(tau: 10)` where `type` is expected; `name` is one of its words. */
export function makeOption(
  frame: Frame,
  type: TypeRef,
  name: string,
  written: readonly Arg[],
  span: Span,
): Val {
  if (type.words) {
    if (written.length > 0) {
      report(frame, "too-many-arguments", span, { layer: name, most: 0 });
      return unknown;
    }
    return { kind: "option", type: "Word", name, args: new Map(), span };
  }
  const params = optionTypes.get(type.name)?.[name] ?? [];
  const args = new Map<string, Given>();
  let good = true;
  for (const arg of written) {
    const param = arg.name
      ? params.find((p) => p.name === arg.name?.text)
      : params.find((p) => !args.has(p.name));
    if (!param || arg.to !== null) {
      evaluate(frame, arg.value, undefined, true);
      reportStray(frame, name, arg, params);
      good = false;
      continue;
    }
    if (args.has(param.name)) {
      report(frame, "argument-twice", arg.span, { argument: param.name });
      good = false;
      continue;
    }
    const expected = typeOfParam(param);
    const value = coerce(
      frame,
      evaluate(frame, arg.value, expected),
      expected,
      param.name,
      arg.value.span,
      false,
    );
    if (value.kind === "unknown") good = false;
    args.set(param.name, { value, span: arg.value.span });
  }
  for (const param of params) {
    if (args.has(param.name) || param.optional) continue;
    if (param.default === undefined) {
      // A missing argument isn't said beside another mistake of the same call: it may be the misspelt one.
      if (good)
        report(frame, "missing-argument", span, {
          layer: name,
          argument: param.name,
          type: showType(typeOfParam(param)),
        });
      good = false;
      continue;
    }
    args.set(param.name, { value: evaluate(frame, parseDefault(param.default), typeOfParam(param)), span });
  }
  return good ? { kind: "option", type: type.name, name, args, span } : unknown;
}

function reportStray(frame: Frame, option: string, arg: Arg, params: readonly OptionParam[]): void {
  const known = params.map((p) => p.name);
  if (!arg.name) {
    report(frame, "too-many-arguments", arg.span, { layer: option, most: params.length });
    return;
  }
  const near = nearest(arg.name.text, known);
  const edits = near === null ? [] : [{ span: arg.name.span, text: near }];
  const fixes = near === null ? [] : [{ title: `write \`${near}\``, edits, meaning: "changes" as const }];
  report(
    frame,
    "unknown-argument",
    arg.name.span,
    { layer: option, argument: arg.name.text, known },
    { fixes },
  );
}

/** As plain data. Numbers become the nearest float64; an option without arguments its name. */
export function plain(value: Val): Json {
  switch (value.kind) {
    case "number":
      return toNumber(towardZero(value));
    case "boolean":
      return value.value;
    case "string":
      return value.text;
    case "list":
      return value.items.map(plain);
    case "option":
      return value.args.size === 0 ? value.name : { name: value.name, args: plainOption(value).args };
    default:
      return null;
  }
}

export function plainOption(option: OptionVal): OptionValue {
  const args: Record<string, Json> = {};
  for (const [name, { value }] of option.args) args[name] = plain(value);
  return { name: option.name, args };
}

function argument(option: OptionVal, name: string): number {
  const given = option.args.get(name);
  return given?.value.kind === "number" ? toNumber(towardZero(given.value)) : 0;
}

/** null after a report: a deviation must not be negative. */
export function initOf(frame: Frame, option: OptionVal): Init | null {
  if (option.name !== "trunc_normal" && option.name !== "normal") return { kind: option.name } as Init;
  const std = argument(option, "std");
  if (std >= 0 && Number.isFinite(std)) return { kind: option.name, std };
  report(frame, "out-of-range", option.args.get("std")?.span ?? option.span, {
    argument: "std",
    found: `${std}`,
    allowed: "≥ 0",
  });
  return null;
}

/** Bounds are stored numbers not above what is written. */
export function constraintOf(frame: Frame, option: OptionVal): Constraint | null {
  const given = option.args.get("bound");
  if (given?.value.kind !== "number") return { kind: option.name } as Constraint;
  const bound = storedTowardZero(numberDown(given.value.low));
  if (bound > 0 && Number.isFinite(bound)) return { kind: option.name, bound } as Constraint;
  report(frame, "out-of-range", given.span, {
    argument: "bound",
    found: `${toNumber(given.value.low)}`,
    allowed: "> 0",
  });
  return null;
}
