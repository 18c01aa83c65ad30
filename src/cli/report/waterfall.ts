/**
 * The waterfall of a bound as data: each layer of the spine with its factor, the symbol of it that the bound depends on
 * most, and the bound at half and twice its value: the whole analysis, run again.
 */
import type { Analysis } from "../../gain/analyze.ts";
import { spineOf, type Cause } from "../../gain/causes.ts";
import { entry } from "../../gain/gain.ts";
import { placeKey, symbolsOf, writtenValue, type Symbol } from "../../gain/symbols.ts";
import { WhatIf } from "../../gain/what-if.ts";
import type { Model, Node } from "../../model/model.ts";
import { homeOf, type Matrix, type ModelReport, type Sources } from "./collect.ts";
import { placeText } from "./diagnose.ts";

/** What would be if a symbol had another value, wherever it stands in these layers. */
export interface Change {
  /** `α`, `ε(values)`, `σ(query)` */
  readonly name: string;
  /** The value, where the spec says one number and all places have it. */
  readonly value: number | null;
  /** How many places have it. */
  readonly count: number;
  readonly half: number;
  readonly twice: number;
}

export interface WaterfallRow {
  readonly cause: Cause;
  /** How many layers of this kind the row stands for; neighbours, or rounds of a loop. */
  readonly times: number;
  /** `┌`, `│` and `└` beside rows that come again together, in this order; else empty. */
  readonly mark: string;
  /** Their factors lie between these. */
  readonly factors: readonly [least: number, most: number];
  /** The bound after the last of these layers. */
  readonly sofar: number;
  readonly line: string;
  /** null where no symbol of these layers changes the bound. */
  readonly change: Change | null;
}

export interface Waterfall {
  readonly bound: number;
  readonly rows: readonly WaterfallRow[];
  /** Each symbol of the spec at all its places at once, those that matter most first. */
  readonly whole: readonly (Change & { readonly line: string })[];
}

/** From the source to the target, l2 to l2. */
export function waterfallOf(report: ModelReport, matrix: Matrix, sources: Sources): Waterfall {
  const analysis = report.analysisOf(matrix.phase);
  const { causes, bound } = spineOf(analysis, matrix.source, matrix.target, "l2", "l2");
  const question = new Question(report, matrix, bound);
  const lineOf = (node: Node): string => lineText(node, report.model, sources);
  const rows = fold(causes, lineOf).map(({ nodes, ...row }) => {
    return { ...row, change: question.largest(kindOf(row), nodes, row.cause) };
  });
  return { bound, rows, whole: question.whole(report.model, lineOf) };
}

function lineText(node: Node, model: Model, sources: Sources): string {
  return placeText(node, model, sources, homeOf(model))
    .replace(/line (?=\d)/, "")
    .replace("called in ", "by ");
}

/** Symbols of one name, in any number of layers. */
interface Group {
  readonly name: string;
  readonly symbols: readonly Symbol[];
}

class Question {
  private readonly model: Model;
  private readonly matrix: Matrix;
  private readonly bound: number;
  private readonly whatIf: WhatIf;
  /** Rows of one kind depend on the same symbol most. */
  private readonly chosen = new Map<string, string | null>();

  constructor(report: ModelReport, matrix: Matrix, bound: number) {
    this.model = report.model;
    this.matrix = matrix;
    this.bound = bound;
    const options = matrix.phase === "checkpoint" ? report.measured : {};
    this.whatIf = new WhatIf(report.analysisOf(matrix.phase), options);
  }

  /**
   * The symbol of some layers that the bound depends on most; `kind` tells rows alike. The factors of a branch, and the
   * α that weighs it, all do the same: then it is that of the layer that is largest in the branch.
   */
  largest(kind: string, nodes: readonly Node[], { node, inside }: Cause): Change | null {
    const groups = groupsOf(nodes, this.model);
    const known = this.chosen.get(kind);
    if (known === null) return null;
    const again = groups.find(({ name }) => name === known);
    if (again) return this.change(again);
    const namesOf = (of: Node | null | undefined): Set<string> =>
      new Set(of ? groupsOf([of], this.model).map((group) => group.name) : []);
    const [own, largest] = [namesOf(node), namesOf(inside[0]?.node)];
    const sorted = groups.map((group) => this.change(group)).sort(bySwing);
    const same = sorted.filter((change) => swing(change) > swing(sorted[0]) * (1 - 1e-6));
    const best =
      same.find(({ name }) => largest.has(name)) ?? same.find(({ name }) => !own.has(name)) ?? sorted[0];
    const change = best && swing(best) > 1 ? best : null;
    this.chosen.set(kind, change?.name ?? null);
    return change;
  }

  whole(model: Model, lineOf: (node: Node) => string): (Change & { line: string })[] {
    const byLine = new Map<string, Node[]>();
    for (const node of model.nodes) {
      const line = lineOf(node);
      byLine.set(line, [...(byLine.get(line) ?? []), node]);
    }
    return [...byLine]
      .flatMap(([line, nodes]) => groupsOf(nodes, model).map((group) => ({ ...this.change(group), line })))
      .filter((change) => swing(change) > 1)
      .sort(bySwing);
  }

  private change({ name, symbols }: Group): Change {
    const values = symbols.map((symbol) => writtenValue(symbol, this.model));
    const value = values.every((x) => x === values[0]) ? values[0] : null;
    return { name, value, count: symbols.length, half: this.at(symbols, 0.5), twice: this.at(symbols, 2) };
  }

  private at(symbols: readonly Symbol[], factor: number): number {
    const analysis: Analysis = this.whatIf.times(symbols, factor);
    const { source, target } = this.matrix;
    const found = entry(analysis.from(source).gain(target), "l2", "l2");
    return Math.abs(found / this.bound - 1) < 1e-12 ? this.bound : found;
  }
}

/** How far apart the two bounds are, as a ratio: 1 where nothing changes. */
function swing({ half, twice }: Change): number {
  if (half === twice) return 1;
  return half > twice ? half / twice : twice / half;
}

function bySwing(a: Change, b: Change): number {
  const [x, y] = [swing(a), swing(b)];
  return x === y ? 0 : x > y ? -1 : 1;
}

function groupsOf(nodes: readonly Node[], model: Model): Group[] {
  const groups = new Map<string, Map<string, Symbol>>();
  for (const symbol of nodes.flatMap((node) => symbolsOf(node, model))) {
    const name = symbol.of === "" ? symbol.letter : `${symbol.letter}(${symbol.of})`;
    const group = groups.get(name) ?? new Map<string, Symbol>();
    group.set(placeKey(symbol), symbol);
    groups.set(name, group);
  }
  return [...groups].map(([name, symbols]) => ({ name, symbols: [...symbols.values()] }));
}

interface Draft {
  readonly cause: Cause;
  readonly line: string;
  readonly times: number;
  readonly mark: string;
  readonly factors: readonly [least: number, most: number];
  readonly sofar: number;
  readonly nodes: readonly Node[];
}

/** Rows that come again and again, together and in order, are shown once: what loops have unrolled. */
function fold(causes: readonly Cause[], lineOf: (node: Node) => string): Draft[] {
  const rows: Draft[] = [];
  let sofar = 1;
  for (const cause of causes) {
    sofar *= cause.factor;
    if (cause.factor === 1) continue;
    const { node, factor, branch } = cause;
    const nodes = node ? [node, ...branch] : [];
    const line = node ? lineOf(node) : "";
    rows.push({ cause, line, times: 1, mark: "", factors: [factor, factor], sofar, nodes });
  }
  const folded: Draft[] = [];
  for (let at = 0; at < rows.length;) {
    const { length, times } = repeatAt(rows, at);
    for (let i = 0; i < length; i++) {
      const all = Array.from({ length: times }, (_, round) => rows[at + round * length + i]);
      const factors = all.map((row) => row.cause.factor);
      folded.push({
        ...all[0],
        times,
        mark: times === 1 || length === 1 ? "" : i === 0 ? "┌" : i === length - 1 ? "└" : "│",
        factors: [Math.min(...factors), Math.max(...factors)],
        sofar: all[times - 1].sofar,
        nodes: all.flatMap((row) => row.nodes),
      });
    }
    at += length * times;
  }
  return folded;
}

/** Longest run of rows that is looked for a second time. */
const longestRun = 16;

/** The run of rows from `at` that covers most by coming again; one row once where none does. */
function repeatAt(rows: readonly Draft[], at: number): { length: number; times: number } {
  let best = { length: 1, times: 1 };
  for (let length = 1; length <= longestRun; length++) {
    let end = at + length;
    while (end < rows.length && alike(rows[end - length], rows[end])) end++;
    const times = Math.floor((end - at) / length);
    if (times > 1 && times * length > best.times * best.length) best = { length, times };
  }
  return best;
}

/** The same kind of row, with nearly the same factor. */
function alike(a: Draft, b: Draft): boolean {
  return kindOf(a) === kindOf(b) && Math.abs(a.cause.factor / b.cause.factor - 1) < 0.05;
}

function kindOf({ line, cause }: Pick<Draft, "line" | "cause">): string {
  return `${line}|${cause.rule}|${cause.inside[0]?.rule ?? ""}`;
}
