/** `train M { … }`: the description of a run. Anything that a run can't carry out yet is refused by the run, not here. */
import type { OptionValue, TrainConfig } from "../model/model.ts";
import type { Expr, Train } from "../syntax/ast.ts";
import type { Span } from "../text/source.ts";
import { evaluate } from "./expression.ts";
import { report, type Frame } from "./frame.ts";
import { showNumber, towardZero } from "./numbers.ts";
import { optionTypes } from "./option-tables.ts";
import { plainOption } from "./options.ts";
import { toNumber } from "./rational.ts";
import { mostInt } from "./reader.ts";
import { coerce, type TypeRef } from "./types.ts";
import { describe, type OptionVal, type Val } from "./values.ts";
import { nearest } from "./words.ts";
import { defaultEpochs, defaultRecipe } from "../model/recipe.ts";

/** The closed list of keys, with the type of each. */
export const trainKeys: Record<keyof Omit<TrainConfig, "span">, TypeRef> = {
  data: { name: "Data", list: false },
  augment: { name: "Augment", list: true },
  loss: { name: "Loss", list: false },
  optimizer: { name: "Optimizer", list: false },
  groups: { name: "Group", list: true },
  schedule: { name: "Schedule", list: false },
  epochs: { name: "int", list: false },
  steps: { name: "int", list: false },
  batch: { name: "int", list: false },
  clip: { name: "real", list: false },
  average: { name: "Average", list: false },
  precision: { name: "Precision", list: false },
  seed: { name: "int", list: false },
  report: { name: "Report", list: true },
};

type Key = keyof typeof trainKeys;

/** Seeds reach the graph as float32. */
export const mostSeed = 2 ** 24 - 1;

/** An entry of the command line: `--set train.epochs=5`. */
export interface Override {
  readonly value: Expr;
  readonly span: Span;
}

/** One `train` section, and where its names are looked up. */
export interface Recipe {
  readonly train: Train;
  readonly frame: Frame;
}

interface Entry {
  readonly value: Expr;
  readonly span: Span;
  readonly frame: Frame;
}

/** The recipe of a model: the sections of its bases, first to last, and its own; a later entry replaces an earlier one. */
export function elaborateTrain(
  recipes: readonly Recipe[],
  overrides: ReadonlyMap<string, Override>,
): TrainConfig {
  const config: { -readonly [K in Key]: TrainConfig[K] } = { ...defaultRecipe };
  const given = new Map<string, Entry>();
  for (const recipe of recipes) replace(given, entriesOf(recipe));
  const { train, frame } = recipes[recipes.length - 1];
  replace(given, new Map([...overrides].map(([key, override]) => [key, { ...override, frame }])));
  for (const [key, { value, frame: home }] of given) readEntry(home, key as Key, value, config);
  if (!given.has("steps") && !given.has("epochs")) config.epochs = defaultEpochs;
  return { ...config, span: train.span };
}

/** The length of a run is one of two entries: a later one replaces either. */
function replace(given: Map<string, Entry>, later: ReadonlyMap<string, Entry>): void {
  const steps = later.get("steps");
  if (steps && later.has("epochs")) report(steps.frame, "train-length", steps.span, {});
  if (later.has("steps")) given.delete("epochs");
  if (later.has("epochs")) given.delete("steps");
  for (const [key, entry] of later) given.set(key, entry);
}

/** The entries of one section; unknown and repeated keys are reported. */
function entriesOf({ train, frame }: Recipe): ReadonlyMap<string, Entry> {
  const given = new Map<string, Entry>();
  for (const { key, value } of train.entries) {
    if (key.text === "") frame.run.failed = true;
    else if (!Object.hasOwn(trainKeys, key.text)) {
      const near = nearest(key.text, Object.keys(trainKeys));
      const fixes =
        near === null
          ? []
          : [
              {
                title: `write \`${near}\``,
                edits: [{ span: key.span, text: near }],
                meaning: "keeps" as const,
              },
            ];
      report(frame, "train-entry", key.span, { key: key.text, nearest: near }, { fixes });
    } else if (given.has(key.text)) report(frame, "train-twice", key.span, { key: key.text });
    else given.set(key.text, { value, span: key.span, frame });
  }
  return given;
}

type Draft = { -readonly [K in Key]: TrainConfig[K] };

function readEntry(frame: Frame, key: Key, e: Expr, config: Draft): void {
  if (key === "loss") {
    const terms = lossOf(frame, e, 1);
    if (terms) config.loss = terms;
    return;
  }
  const type = trainKeys[key];
  const value = coerce(frame, evaluate(frame, e, type), type, key, e.span);
  if (value.kind === "unknown") return;
  switch (key) {
    case "data":
    case "average":
      config[key] = optionOf(frame, value);
      return;
    case "optimizer":
    case "schedule":
      config[key] = optionOf(frame, value) ?? config[key];
      return;
    case "augment":
    case "groups":
    case "report":
      config[key] = value.kind === "list" ? value.items.flatMap((v) => optionOf(frame, v) ?? []) : [];
      return;
    case "precision":
      config.precision = value.kind === "option" ? value.name : config.precision;
      return;
    case "clip":
      config.clip = numberIn(frame, key, value, e, "above 0", (x) => x > 0);
      return;
    case "seed":
      config.seed =
        numberIn(frame, key, value, e, `from 0 to ${mostSeed}`, (x) => x >= 0 && x <= mostSeed) ?? 0;
      return;
    default:
      config[key] =
        numberIn(frame, key, value, e, `from 1 to ${mostInt}`, (x) => x >= 1 && x <= mostInt) ?? config.batch;
  }
}

function optionOf(frame: Frame, value: Val): OptionValue | null {
  if (value.kind !== "option") return null;
  checkNumbers(frame, value);
  return plainOption(value);
}

function numberIn(
  frame: Frame,
  argument: string,
  value: Val,
  e: Expr,
  allowed: string,
  good: (x: number) => boolean,
): number | null {
  if (value.kind !== "number") return null;
  const x = toNumber(towardZero(value));
  if (Number.isFinite(x) && good(x)) return x;
  report(frame, "out-of-range", e.span, { argument, found: showNumber(value), allowed });
  return null;
}

type Bound = readonly [allowed: string, holds: (x: number) => boolean];
const positive: Bound = ["above 0", (x) => x > 0];
const notNegative: Bound = ["at least 0", (x) => x >= 0];
const count: Bound = ["at least 1", (x) => x >= 1];
const belowOne: Bound = ["from 0 to below 1", (x) => x >= 0 && x < 1];

/** Arguments of a run's options; one name means the same in all of them. */
const bounds: ReadonlyMap<string, Bound> = new Map([
  ...["lr", "adamw_lr", "eps", "alpha", "temperature"].map((name) => [name, positive] as const),
  ...["weight_decay", "warmup", "min_lr", "end", "padding", "std", "strength", "offset"].map(
    (name) => [name, notNegative] as const,
  ),
  ...["size", "context", "count", "heads", "steps"].map((name) => [name, count] as const),
  ...["momentum", "smoothing", "decay"].map((name) => [name, belowOne] as const),
  ["ns_steps", ["from 1 to 20", (x) => x >= 1 && x <= 20]],
  ["magnitude", ["from 0 to 10", (x) => x >= 0 && x <= 10]],
  ["probability", ["from 0 to 1", (x) => x >= 0 && x <= 1]],
]);

/** Numbers of an option that no run could use. */
function checkNumbers(frame: Frame, option: OptionVal): void {
  for (const [name, { value: v, span }] of option.args) {
    const bound = bounds.get(name);
    if (bound && v.kind === "number" && !bound[1](toNumber(towardZero(v)))) {
      report(frame, "out-of-range", span, { argument: name, found: showNumber(v), allowed: bound[0] });
    }
    if (name === "betas" && !areBetas(v)) {
      report(frame, "out-of-range", span, {
        argument: name,
        found: showList(v),
        allowed: "two numbers from 0 to below 1",
      });
    }
  }
}

function showList(value: Val): string {
  if (value.kind !== "list" || !value.items.every((v) => v.kind === "number")) return describe(value);
  return `[${value.items.map((v) => (v.kind === "number" ? showNumber(v) : "")).join(", ")}]`;
}

function areBetas(value: Val): boolean {
  if (value.kind !== "list" || value.items.length !== 2) return false;
  return value.items.every((v) => v.kind === "number" && toNumber(v.low) >= 0 && toNumber(v.low) < 1);
}

/** A weighted sum of terms; the names of losses reach through `+` and `*`. */
function lossOf(frame: Frame, e: Expr, weight: number): TrainConfig["loss"] | null {
  if (e.kind === "binary" && e.operator === "+") {
    // Walked, not descended: a sum leans to the left.
    const terms: Expr[] = [];
    let first: Expr = e;
    while (first.kind === "binary" && first.operator === "+") {
      terms.push(first.right);
      first = first.left;
    }
    const parts = [first, ...terms.reverse()].map((term) => lossOf(frame, term, weight));
    return parts.every((p) => p !== null) ? parts.flat() : null;
  }
  if (e.kind === "binary" && e.operator === "*") {
    const [factor, term] = isTerm(e.left) ? [e.right, e.left] : [e.left, e.right];
    const value = coerce(
      frame,
      evaluate(frame, factor),
      { name: "real", list: false },
      "the weight of a loss",
      factor.span,
    );
    return value.kind === "number" ? lossOf(frame, term, weight * toNumber(towardZero(value))) : null;
  }
  const value = evaluate(frame, e, { name: "Loss", list: false });
  const term = value.kind === "option" && value.type === "Loss" ? optionOf(frame, value) : null;
  if (term) return [{ weight, term }];
  if (value.kind !== "unknown") report(frame, "loss-form", e.span, { found: describe(value) });
  return null;
}

function isTerm(e: Expr): boolean {
  const name =
    e.kind === "call" && e.callee.kind === "name" ? e.callee.text : e.kind === "name" ? e.text : "";
  return (
    Object.hasOwn(optionTypes.get("Loss") ?? {}, name) ||
    (e.kind === "binary" && (isTerm(e.left) || isTerm(e.right)))
  );
}
