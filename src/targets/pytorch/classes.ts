/**
 * Classes: instances of a block whose forward passes and modules are the same up to numbers share one, with constructor
 * arguments for the numbers. Arguments take the spec's own names where their values fit a dimension or parameter.
 */
import { diagnostic } from "../../diagnostics/diagnostic.ts";
import { bad, good, type Result } from "../../diagnostics/result.ts";
import type { Model, Node, ValueId } from "../../model/model.ts";
import type { SourceFile } from "../../text/source.ts";
import { draftOf, type Draft, type Gap, type Made, type NumberKind } from "./draft.ts";
import type { Helper } from "./emission.ts";
import type { Place, Places } from "./places.ts";
import { float, variable } from "./python.ts";

export interface Argument {
  readonly name: string;
  readonly kind: NumberKind;
}

/** A class to be written: one draft stands for all of its instances. */
export interface ClassPlan {
  readonly name: string;
  readonly draft: Draft;
  readonly args: readonly Argument[];
  /** Text of each gap of the draft: a literal, or an expression of arguments. */
  readonly texts: readonly { readonly text: string; readonly argument: string | null }[];
}

export interface Plans {
  /** Inner classes first, the model last. */
  readonly classes: readonly ClassPlan[];
  readonly helpers: readonly Helper[];
}

export function classesOf(
  model: Model,
  places: Places,
  sources: ReadonlyMap<string, SourceFile>,
): Result<Plans> {
  const names = new Names(model.name);
  const made = new Map<Place, Made>();
  const drafting = { model, places, sources, made, use: (helper: Helper) => names.use(helper) };
  const classes: ClassPlan[] = [];
  for (const level of levelsOf(model, places)) {
    const drafts = level.map(({ place, nodes, inputs, outputs }) =>
      draftOf(drafting, place, nodes, inputs, outputs),
    );
    for (const group of groupsOf(drafts)) {
      const [draft] = group;
      const { block } = draft.place;
      const plan = planOf(block ? names.take(block.block) : model.name, group);
      classes.push(plan.class);
      group.forEach((d, i) => made.set(d.place, { name: plan.class.name, args: plan.argsOf(i), draft: d }));
    }
  }
  for (const [place, mine] of made) {
    if (!place.alias || place.dissolved) continue;
    const theirs = made.get(place.alias);
    if (theirs && theirs.name === mine.name && JSON.stringify(theirs.args) === JSON.stringify(mine.args))
      continue;
    const what = `\`${place.block?.block}\` (${place.path}), which shares its weights with \`${place.alias.path}\`,`;
    const reason = "the two applications differ in more than their inputs";
    return bad(
      diagnostic("target-refused", place.block?.span ?? model.span, { what, target: "PyTorch", reason }),
    );
  }
  return good({ classes, helpers: names.helpers() });
}

/** One name for each class or function of the file. */
class Names {
  private readonly taken: Set<string>;
  private readonly known = new Map<string, { helper: Helper; name: string }>();

  constructor(model: string) {
    this.taken = new Set([model, "torch", "nn", "F", "Tensor", "Module"]);
  }

  take(name: string): string {
    for (let i = 1; ; i++) {
      const free = i === 1 ? name : `${name}${i}`;
      if (this.taken.has(free)) continue;
      this.taken.add(free);
      return free;
    }
  }

  use(helper: Helper): string {
    const before = this.known.get(helper.source);
    if (before) return before.name;
    const renamed = (helper.needs ?? []).map((needed) => [needed.name, this.use(needed)] as const);
    const name = this.take(helper.name);
    const source = renamed.reduce(
      (text, [from, to]) => (from === to ? text : text.replace(new RegExp(`\\b${from}\\b`, "g"), to)),
      helper.source.replace(new RegExp(`^(class|def) ${helper.name}\\b`), `$1 ${name}`),
    );
    this.known.set(helper.source, { helper: { ...helper, source }, name });
    return name;
  }

  helpers(): Helper[] {
    return [...this.known.values()].map(({ helper, name }) => ({ ...helper, name }));
  }
}

interface Application {
  readonly place: Place;
  readonly nodes: readonly Node[];
  readonly inputs: readonly ValueId[];
  readonly outputs: readonly ValueId[];
}

/** Applications by how deep blocks stand in them: those without blocks first, the model last. */
function levelsOf(model: Model, places: Places): Application[][] {
  const levels: Application[][] = [];
  const visit = (place: Place, nodes: readonly Node[], readOutside: (v: ValueId) => boolean): number => {
    let height = 0;
    const walk = (list: readonly Node[], outside: (v: ValueId) => boolean): void => {
      const items = places.itemsOf(place, list);
      if (!Array.isArray(items)) throw new Error(`${items.path} was not dissolved`);
      for (const item of items) {
        if (item.kind === "node") {
          const { body } = item.node;
          if (body) walk(body.nodes, (v) => v === body.result);
          continue;
        }
        const others = new Set(
          items
            .filter((o) => o !== item)
            .flatMap((o) => (o.kind === "node" ? [o.node] : o.nodes))
            .flatMap((n) => n.inputs),
        );
        height = Math.max(height, 1 + visit(item.place, item.nodes, (v) => others.has(v) || outside(v)));
      }
    };
    walk(nodes, readOutside);
    const madeHere = new Set(nodes.flatMap((n) => n.outputs));
    const inputs = [...new Set(nodes.flatMap((n) => n.inputs))].filter((v) => !madeHere.has(v));
    const outputs = [...madeHere].filter(readOutside);
    (levels[height] ??= []).push({ place, nodes, inputs, outputs });
    return height;
  };
  const isOutput = new Set(model.outputs.map((o) => o.value));
  visit(places.root, model.nodes, (v) => isOutput.has(v));
  const last = levels[levels.length - 1].find(({ place }) => place.path === "");
  if (last)
    Object.assign(last, {
      inputs: model.inputs.map((i) => i.value),
      outputs: model.outputs.map((o) => o.value),
    });
  return levels.map((level) => level ?? []);
}

/** Drafts that are one class: the same block, statements and modules up to the numbers in them. */
function groupsOf(drafts: readonly Draft[]): Draft[][] {
  const groups = new Map<string, Draft[]>();
  for (const draft of drafts) {
    const key = JSON.stringify([
      draft.place.block?.span ?? null,
      draft.parameters.map((p) => p.name),
      draft.statements.map((s) => s.code),
      draft.result,
      [...draft.modules],
      draft.gaps.map((g) => [g.kind, g.hint]),
    ]);
    const group = groups.get(key);
    if (group) group.push(draft);
    else groups.set(key, [draft]);
  }
  return [...groups.values()];
}

function planOf(
  name: string,
  group: readonly Draft[],
): { class: ClassPlan; argsOf: (instance: number) => Made["args"] } {
  const [draft] = group;
  const args: (Argument & { values: readonly number[] })[] = [];
  const argument = (wanted: string, gap: Gap, values: readonly number[]): string => {
    const known = args.find((a) => a.kind === gap.kind && same(a.values, values));
    if (known) return known.name;
    const base = variable(wanted);
    let free = base;
    for (let i = 2; args.some((a) => a.name === free); i++) free = `${base}_${i}`;
    args.push({ name: free, kind: gap.kind, values });
    return free;
  };
  const texts = draft.gaps.map((gap, i) => {
    const values = group.map((d) => d.gaps[i].value);
    const literal = { text: gap.kind === "float" ? float(gap.value) : String(gap.value), argument: null };
    if (!draft.place.block) return literal;
    const constant = values.every((v) => v === values[0]);
    if (gap.kind === "channels") {
      const fit = dimensionFor(group, gap, values);
      if (fit) {
        const own = group.map((d) => d.place.block?.numbers[fit.name] ?? NaN);
        const arg = argument(fit.name, gap, own);
        return { text: fit.text(arg), argument: arg };
      }
    }
    if (constant) return literal;
    const arg = argument(numberFor(group, gap, values), gap, values);
    return { text: arg, argument: arg };
  });
  // Sizes come first, as one writes them.
  const ordered = [
    ...args.filter((a) => a.kind === "channels"),
    ...args.filter((a) => a.kind !== "channels"),
  ];
  return {
    class: { name, draft, args: ordered, texts },
    argsOf: (instance) =>
      ordered.map(({ name: arg, kind, values }) => ({ name: arg, kind, value: values[instance] })),
  };
}

function same(a: readonly number[], b: readonly number[]): boolean {
  return a.every((x, i) => x === b[i]);
}

/** Largest multiple of a dimension that is written as one. */
const mostTimes = 8;

/** The dimension whose multiple, or half, all values are: the channels' own first, positions never. */
function dimensionFor(
  group: readonly Draft[],
  gap: Gap,
  values: readonly number[],
): { name: string; text: (arg: string) => string } | null {
  const numbers = group[0].place.block?.numbers ?? {};
  const names = Object.keys(numbers).filter((n) => !["h", "w", "n", "t"].includes(n));
  const preferred = (name: string): number =>
    name === gap.hint ? 0 : ["d", "c", "dim", "channels"].includes(name) ? 1 : 2;
  const sorted = names.sort((a, b) => preferred(a) - preferred(b));
  const of = (i: number, name: string): number => group[i].place.block?.numbers[name] ?? NaN;
  for (let times = 1; times <= mostTimes; times++) {
    const found = sorted.find((name) => values.every((v, i) => v === times * of(i, name)));
    // A small number that happens to divide isn't what it is made of.
    if (found !== undefined && (times === 1 || of(0, found) >= 4))
      return { name: found, text: (arg) => (times === 1 ? arg : `${times} * ${arg}`) };
  }
  const half = sorted.find((name) => values.every((v, i) => 2 * v === of(i, name)) && of(0, name) >= 8);
  return half === undefined ? null : { name: half, text: (arg) => `${arg} // 2` };
}

/** The parameter that has these values, up to rounding to float32; else the hint. */
function numberFor(group: readonly Draft[], gap: Gap, values: readonly number[]): string {
  const numbers = group[0].place.block?.numbers ?? {};
  const near = (a: number, b: number): boolean => Math.abs(a - b) <= 2 ** -22 * Math.abs(b);
  const fits = Object.keys(numbers).filter((name) =>
    values.every((v, i) => near(v, group[i].place.block?.numbers[name] ?? NaN)),
  );
  return fits.find((name) => name === gap.hint) ?? fits[0] ?? gap.hint;
}
