/** Typed reading of arguments: of a layer, or of an option. Every mistake is reported once and gives a harmless stand-in. */
import type { Coefficient, Shape } from "../model/model.ts";
import type { OptionArgs } from "../layers/layer.ts";
import type { OptionValue } from "../model/model.ts";
import type { Span } from "../text/source.ts";
import { report, textOf, type Frame } from "./frame.ts";
import { coefficientOf } from "./learned.ts";
import { isExact, showNumber, towardZero } from "./numbers.ts";
import { plainOption } from "./options.ts";
import { isInt, toNumber, zero, type Rational } from "./rational.ts";
import { describe, type Given, type OptionVal } from "./values.ts";

export const mostInt = 2 ** 31 - 1;

export abstract class Reader {
  failed = false;
  protected readonly frame: Frame;
  protected readonly at: Span;

  constructor(frame: Frame, at: Span) {
    this.frame = frame;
    this.at = at;
  }

  /** The argument, or its default; undefined where there is neither. */
  protected abstract find(name: string): Given | undefined;

  has(name: string): boolean {
    return this.find(name) !== undefined;
  }

  int(name: string, least = 1): number {
    const given = this.find(name);
    if (given?.value.kind !== "number") return this.standIn(name, given, "a whole number", least);
    const { low } = given.value;
    if (!isExact(given.value) || !isInt(low)) {
      const text = textOf(this.frame, given.span);
      report(this.frame, "not-an-int", given.span, { argument: name, text, value: showNumber(given.value) });
      return this.failWith(least);
    }
    const value = toNumber(low);
    if (value >= least && value <= mostInt) return value;
    const allowed = value < least ? `at least ${least}` : `at most ${mostInt}`;
    report(this.frame, "out-of-range", given.span, {
      argument: name,
      found: showNumber(given.value),
      allowed,
    });
    return this.failWith(least);
  }

  ints(name: string): readonly number[] {
    return this.reals(name).map(toNumber);
  }

  real(name: string): Rational {
    const given = this.find(name);
    if (given?.value.kind === "number") return towardZero(given.value);
    return this.standIn(name, given, "a number", zero);
  }

  reals(name: string): readonly Rational[] {
    const given = this.find(name);
    if (given?.value.kind !== "list") return this.standIn(name, given, "a list of numbers", []);
    return given.value.items.map((item) => (item.kind === "number" ? towardZero(item) : zero));
  }

  bool(name: string): boolean {
    const given = this.find(name);
    if (given?.value.kind === "boolean") return given.value.value;
    return this.standIn(name, given, "true or false", false);
  }

  text(name: string): string {
    const given = this.find(name);
    if (given?.value.kind === "string") return given.value.text;
    return this.standIn(name, given, "text in quotes", "");
  }

  /** A word; of an argument that is an option, the option's name. "" for a number. */
  word(name: string): string {
    const given = this.find(name);
    if (given?.value.kind === "option") return given.value.name;
    if (given?.value.kind === "number" || given?.value.kind === "learned") return "";
    return this.standIn(name, given, "a word", "");
  }

  protected readCoefficient(
    name: string,
    path: string,
    shapes: readonly Shape[],
    rounding: "nearest" | "toward-zero",
  ): Coefficient {
    const given = this.find(name);
    const found = given && coefficientOf(this.frame, given.value, given.span, path, shapes, rounding);
    if (found) return found;
    if (found === null && given?.value.kind === "learned") this.failed = true;
    return this.standIn(name, given, "a number or learned(…)", { kind: "constant", value: 0 });
  }

  /** Reports a missing or wrong argument, unless the call has failed already. */
  protected standIn<T>(name: string, given: Given | undefined, expected: string, value: T): T {
    if (!this.failed && given?.value.kind !== "unknown") {
      if (given)
        report(this.frame, "argument-type", given.span, {
          argument: name,
          expected,
          found: describe(given.value),
        });
      else
        report(this.frame, "missing-argument", this.at, {
          layer: this.title,
          argument: name,
          type: expected,
        });
    }
    return this.failWith(value);
  }

  protected failWith<T>(value: T): T {
    this.failed = true;
    this.frame.run.failed = true;
    return value;
  }

  protected abstract get title(): string;
}

/** An option's arguments; a mistake in one fails the layer's call. */
export class OptionReader extends Reader implements OptionArgs {
  private readonly option: OptionVal;
  private readonly path: string;
  private readonly owner: Reader;

  constructor(frame: Frame, option: OptionVal, path: string, owner: Reader) {
    super(frame, option.span);
    this.option = option;
    this.path = path;
    this.owner = owner;
  }

  get name(): string {
    return this.option.name;
  }
  protected get title(): string {
    return this.option.name;
  }

  protected find(name: string): Given | undefined {
    return this.option.args.get(name);
  }

  coefficient(name: string, shapes: readonly Shape[]): Coefficient {
    return this.readCoefficient(name, `${this.path}.${name}`, shapes, "nearest");
  }

  plain(): OptionValue {
    return plainOption(this.option);
  }

  protected override failWith<T>(value: T): T {
    this.owner.failed = true;
    return super.failWith(value);
  }
}
