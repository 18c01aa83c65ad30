/** Types of static parameters, and whether a value fits one. */
import type { ParamSignature } from "../layers/layer.ts";
import type { Type } from "../syntax/ast.ts";
import type { Span } from "../text/source.ts";
import { report, textOf, type Frame } from "./frame.ts";
import { isExact, showNumber } from "./numbers.ts";
import { isInt, toNumber } from "./rational.ts";
import type { OptionParam } from "./option-tables.ts";
import { optionTypes, writableOptionTypes } from "./option-tables.ts";
import { describe, unknown, type NumberVal, type Val } from "./values.ts";
import { nearest } from "./words.ts";

export interface TypeRef {
  /** int, real, bool, string, Layer, Coefficient, Word, tensor, or an option type. */
  readonly name: string;
  readonly list: boolean;
  readonly words?: readonly string[];
}

const refs = new Map<string, TypeRef>();

function refOf(text: string): TypeRef {
  let ref = refs.get(text);
  if (!ref) {
    ref = text.endsWith("[]") ? { name: text.slice(0, -2), list: true } : { name: text, list: false };
    refs.set(text, ref);
  }
  return ref;
}

export function typeOfParam(param: ParamSignature | OptionParam): TypeRef {
  return param.words ? { name: "Word", list: false, words: param.words } : refOf(param.type);
}

const plainTypes = ["int", "real", "bool", "string", "Layer"];

/** The type that a spec writes, or null after a report. */
export function typeWritten(frame: Frame, type: Type): TypeRef | null {
  if (type.kind === "shape") return null;
  const name = type.name.text;
  if (name === "") return null;
  if (plainTypes.includes(name) || writableOptionTypes.includes(name)) return { name, list: type.list };
  const near = nearest(name, [...plainTypes, ...writableOptionTypes]);
  const fixes =
    near === null
      ? []
      : [
          {
            title: `write \`${near}\``,
            edits: [{ span: type.name.span, text: near }],
            meaning: "keeps" as const,
          },
        ];
  report(frame, "block-type", type.name.span, { found: name, nearest: near }, { fixes });
  return null;
}

export function showType(type: TypeRef): string {
  if (type.words) return type.words.join(" or ");
  const one: Record<string, string> = {
    int: "a whole number",
    real: "a number",
    bool: "true or false",
    string: "text in quotes",
    Layer: "a layer",
    Coefficient: "a number or learned(…)",
    Scale: "a number or whole_input(…)",
    Selector: "a glob over weight paths in quotes, vectors or matrices",
    tensor: "a tensor",
  };
  const many: Record<string, string> = {
    int: "whole numbers",
    real: "numbers",
    bool: "truth values",
    Layer: "layers",
  };
  if (type.list) return `a list of ${many[type.name] ?? type.name}`;
  return one[type.name] ?? `${/^[AEIOU]/.test(type.name) ? "an" : "a"} ${type.name}`;
}

function fits(value: Val, type: TypeRef, learns: boolean): boolean {
  switch (type.name) {
    case "int":
      return value.kind === "number";
    case "real":
      return value.kind === "number" || (learns && value.kind === "learned");
    case "Coefficient":
      return value.kind === "number" || value.kind === "learned";
    case "Scale":
      return (
        value.kind === "number" ||
        value.kind === "learned" ||
        (value.kind === "option" && value.type === "Scale")
      );
    case "bool":
      return value.kind === "boolean";
    case "string":
      return value.kind === "string";
    case "Selector":
      return value.kind === "string" || (value.kind === "option" && value.type === "Selector");
    case "Layer":
      return value.kind === "layer";
    case "Domain":
      // An interval is written as a list; what is in it is checked where it is used.
      return value.kind === "list" || (value.kind === "option" && value.type === "Domain");
    case "tensor":
      return value.kind === "tensor" || value.kind === "learned";
    default:
      return value.kind === "option" && value.type === type.name;
  }
}

/** The value, or unknown after a report. `learns`: a `real` of a block may be learned, it is only passed on. */
export function coerce(
  frame: Frame,
  value: Val,
  type: TypeRef,
  argument: string,
  span: Span,
  learns = false,
): Val {
  if (value.kind === "unknown") return value;
  if (type.list) {
    if (value.kind !== "list") return wrong(frame, value, type, argument, span);
    const items = value.items.map((v) => coerce(frame, v, { ...type, list: false }, argument, span, learns));
    return items.some((v) => v.kind === "unknown") ? unknown : value;
  }
  if (!fits(value, type, learns)) return wrong(frame, value, type, argument, span);
  if (type.name === "int" && value.kind === "number" && !(isExact(value) && isInt(value.low))) {
    report(frame, "not-an-int", span, { argument, text: textOf(frame, span), value: showNumber(value) });
    return unknown;
  }
  if (value.kind === "number" && !isStorable(value)) {
    const allowed = "at most 3.4e38 in size, the range of float32";
    report(frame, "out-of-range", span, { argument, found: showNumber(value), allowed });
    return unknown;
  }
  return value;
}

/** Largest number that a float32 holds. */
export const mostStored = 3.4028234663852886e38;

function isStorable({ low, high }: NumberVal): boolean {
  return Math.abs(toNumber(low)) <= mostStored && Math.abs(toNumber(high)) <= mostStored;
}

function wrong(frame: Frame, value: Val, type: TypeRef, argument: string, span: Span): Val {
  const table = optionTypes.get(type.name);
  const help = table && !type.words ? `one of ${Object.keys(table).join(", ")}` : undefined;
  report(
    frame,
    "argument-type",
    span,
    { argument, expected: showType(type), found: describe(value) },
    help ? { help } : {},
  );
  return unknown;
}
