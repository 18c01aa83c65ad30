/** A bound as lines that a person reads: a layer each, loops folded, symbols named. */
import type { WeightOracle } from "../gain/facts.ts";
import { norms } from "../gain/gain.ts";
import { weightFacts } from "../gain/weights.ts";
import type { Model, Node, Norm, Phase, ValueId } from "../model/model.ts";
import { type Atom, type Product } from "./algebra.ts";
import { symbolicBound, type NoFormula, type SymbolicBound } from "./bound.ts";
import type { Expression, Symbol } from "./expression.ts";
import { stagesOf, type Stage } from "./factors.ts";
import { textOf } from "./print-text.ts";

export interface Formula {
  readonly bound: SymbolicBound;
  /** The whole bound: evaluate it for any values of the symbols. */
  readonly expression: Expression;
  readonly rows: readonly Row[];
  /** In the order in which they are first met. */
  readonly slots: readonly Slot[];
  /** The name's number of a symbol that a row shows; null for gains, which have no number. */
  slotOf(symbol: Symbol): Slot | null;
}

/** One layer, or one layer of a loop's body, in all rounds. */
export interface Row {
  /** One for each round; the shown one first. */
  readonly nodes: readonly Node[];
  readonly updates: Stage["updates"];
  /** `┌`, `│`, `└` beside the layers of a loop. */
  readonly mark: string;
  /** The gain to the first update's norm after the last round, with the model's own values. */
  readonly gain: number;
}

/** A symbol as it is named: in a loop one for all rounds. */
export interface Slot {
  readonly letter: string;
  /** 1 for the first of its letter, 2 for the next. */
  readonly number: number;
  /** Whether others have its letter. */
  numbered: boolean;
  /** `lips_block.i.weighted.alpha` */
  readonly path: string;
  /** The symbols of all rounds. */
  readonly symbols: readonly Symbol[];
}

/** The bound from one value to another between these norms, however long it is. */
export function expressionOf(
  model: Model,
  phase: Phase,
  source: ValueId,
  target: ValueId,
  from: Norm,
  to: Norm,
  oracle: WeightOracle = weightFacts,
): Pick<Formula, "bound" | "expression"> | NoFormula {
  const bound = symbolicBound(model, phase, source, (weight) => oracle(weight, phase));
  if ("none" in bound) return bound;
  return { bound, expression: bound.gain(target)[3 * norms.indexOf(from) + norms.indexOf(to)] };
}

/** The same as lines for people. */
export function formulaOf(
  model: Model,
  phase: Phase,
  source: ValueId,
  target: ValueId,
  from: Norm,
  to: Norm,
  oracle: WeightOracle = weightFacts,
): Formula | NoFormula {
  const found = expressionOf(model, phase, source, target, from, to, oracle);
  if ("none" in found) return found;
  const stages = stagesOf(model, found.bound, source, target, from, to, readable);
  return { ...found, ...named(fold(stages.map(draftOf))) };
}

interface Draft {
  readonly stage: Stage;
  /** Layer and formulas without the numbers of loops. */
  readonly kind: string;
  readonly texts: ReadonlyMap<Norm, string>;
  readonly symbols: readonly Symbol[];
}

/** Characters of a line that a person would read. */
const longest = 800;

const short = ({ letter, path }: Symbol): string => `${letter}(${path.split(".").slice(-2).join(".")})`;

function readable(formula: Product): boolean {
  return textOf(formula, short).length <= longest;
}

function draftOf(stage: Stage): Draft {
  const texts = new Map(stage.updates.map(({ to, formula }) => [to, textOf(formula, short)]));
  const symbols = new Map<string, Symbol>();
  for (const { formula } of stage.updates) collect(formula, symbols);
  return { stage, kind: stage.node.layer, texts, symbols: [...symbols.values()] };
}

function collect(p: Product, found: Map<string, Symbol>): void {
  const visit = (atom: Atom): void => {
    if (atom.kind === "symbol") found.set(atom.key, atom.symbol);
    else if (atom.kind === "sum") atom.terms.forEach((term) => collect(term, found));
    else if (atom.kind === "call") atom.args.forEach((arg) => collect(arg, found));
  };
  for (const { atom } of p.powers.values()) visit(atom);
}

/** The same layer in another round: the same formulas, as far as both have them. */
function alike(a: Draft, b: Draft): boolean {
  if (a.kind !== b.kind) return false;
  const [few, many] = a.texts.size <= b.texts.size ? [a, b] : [b, a];
  return [...few.texts].every(([norm, text]) => many.texts.get(norm) === text);
}

const longestRun = 24;

interface Folded {
  readonly rounds: readonly Draft[];
  readonly mark: string;
}

function fold(drafts: readonly Draft[]): Folded[] {
  const folded: Folded[] = [];
  for (let at = 0; at < drafts.length;) {
    const { length, times } = repeatAt(drafts, at);
    for (let i = 0; i < length; i++) {
      const rounds = Array.from({ length: times }, (_, round) => drafts[at + round * length + i]);
      const mark = times === 1 ? "" : length === 1 ? "─" : i === 0 ? "┌" : i === length - 1 ? "└" : "│";
      folded.push({ rounds, mark });
    }
    at += length * times;
  }
  return folded;
}

function repeatAt(drafts: readonly Draft[], at: number): { length: number; times: number } {
  let best = { length: 1, times: 1 };
  for (let length = 1; length <= longestRun; length++) {
    let end = at + length;
    // Against all rounds before: of three, the last may lack what the first has and the second not.
    while (end < drafts.length && roundsBefore(drafts, at, end, length).every((d) => alike(d, drafts[end])))
      end++;
    const times = Math.floor((end - at) / length);
    if (times > 1 && times * length > best.times * best.length) best = { length, times };
  }
  return best;
}

function roundsBefore(drafts: readonly Draft[], at: number, end: number, length: number): Draft[] {
  const found: Draft[] = [];
  for (let i = end - length; i >= at; i -= length) found.push(drafts[i]);
  return found;
}

function named(folded: readonly Folded[]): Pick<Formula, "rows" | "slots" | "slotOf"> {
  const slots = new Map<string, Mutable<Slot>>();
  const bySymbol = new Map<string, Slot>();
  const counts = new Map<string, number>();
  const keyOf = ({ letter, path }: Symbol): string => `${letter} ${path}`;
  const rows = folded.map(({ rounds, mark }): Row => {
    const shown = rounds.reduce((a, b) => (b.texts.size > a.texts.size ? b : a));
    const paths = rounds.map((draft) => draft.stage.node.path);
    for (const draft of rounds) {
      for (const symbol of draft.symbols) {
        if (symbol.path === "") continue;
        const path = common(symbol.path, paths);
        const known = slots.get(`${symbol.letter} ${path}`);
        if (known) {
          if (!known.symbols.some((s) => keyOf(s) === keyOf(symbol))) known.symbols.push(symbol);
          bySymbol.set(keyOf(symbol), known);
          continue;
        }
        const number = (counts.get(symbol.letter) ?? 0) + 1;
        counts.set(symbol.letter, number);
        const slot = { letter: symbol.letter, number, numbered: false, path, symbols: [symbol] };
        slots.set(`${symbol.letter} ${path}`, slot);
        bySymbol.set(keyOf(symbol), slot);
      }
    }
    const last = rounds[rounds.length - 1].stage.updates[0];
    const others = rounds.filter((draft) => draft !== shown);
    return {
      nodes: [shown, ...others].map((draft) => draft.stage.node),
      updates: shown.stage.updates,
      mark,
      gain: last.gain,
    };
  });
  for (const slot of slots.values()) slot.numbered = (counts.get(slot.letter) ?? 0) > 1;
  return { rows, slots: [...slots.values()], slotOf: (symbol) => bySymbol.get(keyOf(symbol)) ?? null };
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] extends readonly (infer U)[] ? U[] : T[K] };

/** A path with `i` where the paths of a loop's rounds differ. */
export function common(path: string, rounds: readonly string[]): string {
  const parts = rounds.map((round) => round.split("."));
  return path
    .split(".")
    .map((part, i) => {
      const different = parts.some((other) => other[i] !== parts[0][i]);
      return different && parts.some((other) => other[i] === part) ? "i" : part;
    })
    .join(".");
}
