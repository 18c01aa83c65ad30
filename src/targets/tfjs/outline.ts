/** A program as functions: one for each kind of block, and a main function that calls them in order. */
import type { Graph, GraphNode } from "../../graph/graph.ts";
import { renderRegion, type Around } from "./blocks.ts";
import { Constants } from "./constants.ts";
import { kindsOf, variableNumbers, type Kind, type Region } from "./kinds.ts";
import { layOut, type Doc } from "./layout.ts";
import { camel, nameOf, Naming } from "./names.ts";
import { literal, operandsOf, usersOf, type Program, type Value } from "./program.ts";
import { itemsOf, withOwnSquares, type Item, type Scope } from "./regions.ts";
import { declaration, disposal, readsOf, stepsOf, type Names, type Step } from "./statements.ts";
import { translate } from "./translate.ts";

/** Lines of the spec that a layer (by its path) was made from. */
export type Notes = (path: string) => readonly string[];

export interface FunctionText {
  readonly name: string;
  readonly scope: Scope;
  readonly parameters: readonly { readonly name: string; readonly type: string }[];
  readonly body: readonly string[];
  readonly callees: ReadonlySet<string>;
}

export interface Outline {
  readonly functions: readonly FunctionText[];
  /** The body of the main function, which takes `run`. */
  readonly main: readonly string[];
  readonly constants: ReadonlyMap<string, Value>;
  /** Functions of support/ that are called. */
  readonly callees: ReadonlySet<string>;
}

/** `naming` and `constants` are those of the file, which may hold several programs. */
export function outline(
  graph: Graph,
  notes: Notes,
  naming = new Naming(),
  constants = new Constants(),
): Outline {
  return new Outliner(withOwnSquares(translate(graph)), notes, naming, constants).outline();
}

/** Inputs whose memory a program takes over: state that goes out again under the same name. */
export function consumedInputs(graph: Graph): Set<string> {
  const outputs = new Set(graph.outputs.map((o) => o.name));
  return new Set(
    graph.nodes.flatMap((node) => {
      const name = node.op === "input" ? (node as GraphNode<"input">).attributes.name : null;
      return name !== null && outputs.has(name) ? [name] : [];
    }),
  );
}

const contextTypes = { run: "Run", at: "string" } as const;

class Outliner implements Names {
  private readonly users: ReadonlyMap<Value, readonly Value[]>;
  private readonly notes: Notes;
  private readonly functionNames: Naming;
  private naming = new Naming();
  private readonly items: readonly Item[];
  /** The statements of the main function, by their value. */
  private readonly steps: ReadonlyMap<Value, Step>;
  /** Index of the last item that reads a value. */
  private readonly lastReader = new Map<Value, number>();
  private readonly outputs = new Map<Value, string[]>();
  private readonly consumed: ReadonlySet<string>;
  private readonly gradients = new Map<Value, string>();
  private readonly constants: Constants;
  private readonly constantNames = new Map<Value, string>();
  private readonly callees = new Set<string>();
  /** Returned by the function of an earlier region: its item, and the name. */
  private readonly returned = new Map<Value, { readonly item: number; readonly name: string }>();
  private readonly reads = new Map<Value, string>();
  private readonly mainLines: string[] = [];

  constructor(program: Program, notes: Notes, functionNames: Naming, constants: Constants) {
    this.constants = constants;
    this.notes = notes;
    this.functionNames = functionNames;
    this.items = itemsOf(program);
    this.users = usersOf(program.values);
    for (const { name, value } of program.outputs) {
      const before = this.outputs.get(value);
      if (before) before.push(name);
      else this.outputs.set(value, [name]);
    }
    const names = new Set(program.outputs.map((o) => o.name));
    this.consumed = new Set(
      program.values.flatMap((v) => (v.kind === "input" && names.has(v.callee) ? [v.callee] : [])),
    );
    this.steps = this.mainSteps();
    this.items.forEach((item, at) => {
      for (const used of this.readsAt(item)) this.lastReader.set(used, at);
    });
    this.findGradients();
  }

  outline(): Outline {
    const regions = new Map<number, Region>();
    this.items.forEach((item, at) => {
      if (item.kind !== "region") return;
      const rendered = renderRegion(item.scope, item.values, this.around(at, item.scope));
      for (const r of rendered.returns) this.returned.set(r.value, { item: at, name: r.name });
      for (const callee of rendered.callees) this.callees.add(callee);
      regions.set(at, { item: at, scope: item.scope, values: item.values, rendered });
    });
    const kinds = kindsOf([...regions.values()], this.functionNames);
    // Variables of the main function don't hide functions.
    this.naming = new Naming(kinds.map((kind) => kind.name));
    const functions = kinds.map((kind) => this.functionText(kind, kinds));
    this.writeMain(regions, new Map(kinds.flatMap((kind) => kind.members.map((m) => [m, kind] as const))));
    return { functions, main: this.mainLines, constants: this.constants.byName, callees: this.callees };
  }

  private mainSteps(): Map<Value, Step> {
    const plain: Value[] = [];
    const outside = new Set(this.outputs.keys());
    for (const item of this.items) {
      if (item.kind === "value") plain.push(item.value);
      else for (const value of item.values) for (const used of operandsOf(value)) outside.add(used);
    }
    return new Map(stepsOf(plain, outside).map((step) => [step.value, step]));
  }

  /** What an item reads; a value that stands inside of another's statement is read where that stands. */
  private readsAt(item: Item): Value[] {
    if (item.kind === "region") return item.values.flatMap(operandsOf);
    const step = this.steps.get(item.value);
    return step ? readsOf(step) : [];
  }

  /** The gradient of a weight: the one tensor of the backward pass that its update reads. */
  private findGradients(): void {
    for (const item of this.items) {
      if (item.kind !== "region" || item.scope.kind !== "update") continue;
      const own = new Set(item.values);
      const read = new Set(item.values.flatMap(operandsOf).filter((v) => !own.has(v) && v.kind === "call"));
      const backward = [...read].filter((v) => v.origin.startsWith("~"));
      if (backward.length !== 1 || this.gradients.has(backward[0])) continue;
      if ([...this.gradients.values()].includes(item.scope.at)) continue;
      this.gradients.set(backward[0], item.scope.at);
    }
  }

  private around(at: number, scope: Scope): Around {
    return {
      outputs: (value) => this.outputs.get(value) ?? [],
      usedOutside: (value) => (this.lastReader.get(value) ?? -1) > at,
      gradientOf: (value) => this.gradients.get(value),
      keptBy: (value) => {
        const found = this.returned.get(value);
        if (found === undefined) return undefined;
        const from = this.items[found.item];
        const same = from.kind === "region" && from.scope.kind === "forward" && from.scope.at === scope.at;
        return scope.kind === "backward" && same && this.keptItem(scope) === found.item
          ? found.name
          : undefined;
      },
      endsHere: (value) =>
        this.lastReader.get(value) === at &&
        (value.kind === "input" ? this.consumed.has(value.callee) : !this.outputs.has(value)),
      constant: (value) => this.constant(value),
      note: (origin) => this.notes(origin.startsWith("~") ? origin.slice(1) : origin),
    };
  }

  /** The forward region of a block that keeps values for its backward pass: the first that returns several. */
  private keptItem(scope: Scope): number {
    return this.items.findIndex(
      (item) => item.kind === "region" && item.scope.kind === "forward" && item.scope.at === scope.at,
    );
  }

  private constant(value: Value): string {
    const known = this.constantNames.get(value);
    if (known !== undefined) return known;
    const name = this.constants.nameOf(value);
    this.constantNames.set(value, name);
    return name;
  }

  private functionText(kind: Kind, kinds: readonly Kind[]): FunctionText {
    const [{ scope, rendered }] = kind.members;
    const { names, first } = variableNumbers(kind);
    const kept = rendered.usesKept ? [{ name: "kept", type: this.keptType(kind, kinds) }] : [];
    return {
      name: kind.name,
      scope,
      parameters: [
        ...rendered.context.map((name) => ({ name, type: contextTypes[name] })),
        ...kept,
        ...rendered.parameters.map((name) => ({ name, type: "tf.Tensor" })),
        ...first.map((place) => ({ name: names.get(place) ?? "", type: "number" })),
      ],
      body: rendered.body((place) => names.get(place) ?? literal(kind.numbers[place][0])),
      callees: rendered.callees,
    };
  }

  /** What the forward functions of the same blocks return. */
  private keptType(kind: Kind, kinds: readonly Kind[]): string {
    const makers = kinds.filter((k) =>
      kind.members.some((m) => k.members.some((f) => f.item === this.keptItem(m.scope))),
    );
    return makers.map((maker) => `ReturnType<typeof ${maker.name}>`).join(" | ");
  }

  // The main function.

  private writeMain(regions: ReadonlyMap<number, Region>, kinds: ReadonlyMap<Region, Kind>): void {
    let origin: string | null = null;
    let updates: { at: string; call: string; rest: string }[] = [];
    const waiting = new Set<Value>();
    const flush = (): void => {
      this.loops(updates);
      if (waiting.size > 0) this.mainLines.push(this.disposalOf([...waiting]));
      updates = [];
      waiting.clear();
    };
    this.items.forEach((item, at) => {
      if (item.kind === "value" && this.steps.has(item.value)) flush();
      if (item.kind === "value") {
        const step = this.steps.get(item.value);
        if (step === undefined) return;
        origin = this.heading(item.value.origin, origin);
        this.statement(step);
        const dead = this.dead(readsOf(step), at);
        if (dead.length > 0) this.mainLines.push(this.disposalOf(dead));
      } else {
        const region = regions.get(at);
        const kind = region && kinds.get(region);
        if (region === undefined || kind === undefined) throw new Error("a region has no function");
        if (item.scope.kind === "update") {
          if (updates.length === 0) origin = this.heading("update", origin);
        } else {
          flush();
          origin = this.heading(`${item.scope.kind === "backward" ? "~" : ""}${item.scope.at}`, origin);
        }
        const call = this.callOf(region, kind, at);
        if (call !== null) updates.push(call);
        const inside = new Set(region.values);
        const seen = new Set(region.values.flatMap(operandsOf).filter((v) => !inside.has(v)));
        const dead = this.dead(
          [...seen].filter((v) => !this.disposedInside(v, item.scope)),
          at,
        );
        // What the last update reads is disposed of after the loop.
        if (call !== null) for (const value of dead) waiting.add(value);
        else if (dead.length > 0) this.mainLines.push(this.disposalOf(dead));
      }
    });
    flush();
    for (const [value, names] of this.outputs) {
      if (value.kind !== "call")
        this.mainLines.push(
          ...names.map((n) => `  run.next[${literal(n)}] = tf.clone(${this.read(value)});`),
        );
      if (value.kind === "input" && this.consumed.has(value.callee) && !this.lastReader.has(value))
        this.mainLines.push(`  ${this.read(value)}.dispose();`);
    }
  }

  /** Updates that are alike are a loop over the paths of their weights. */
  private loops(
    updates: readonly { readonly at: string; readonly call: string; readonly rest: string }[],
  ): void {
    const alike = new Map<string, string[]>();
    for (const { at, call, rest } of updates) {
      const key = `${call}(run, at${rest});`;
      alike.set(key, [...(alike.get(key) ?? []), at]);
    }
    for (const [call, paths] of alike) {
      const list: Doc = { list: paths.map(literal) };
      this.mainLines.push(layOut("for (const at of ", list, ") {", 2), `    ${call}`, "  }");
    }
  }

  private heading(origin: string, before: string | null): string {
    if (origin === before) return origin;
    const notes = this.notes(origin.startsWith("~") ? origin.slice(1) : origin);
    if (notes.length > 0) {
      if (this.mainLines.length > 0) this.mainLines.push("");
      this.mainLines.push(...notes.map((n) => `  // ${n}`));
    }
    return origin;
  }

  private statement(step: Step): void {
    const { value } = step;
    const users = this.users.get(value) ?? [];
    const name = this.naming.unique(
      nameOf(
        value,
        users.every((user) => user.origin !== value.origin),
      ),
    );
    this.reads.set(value, name);
    this.mainLines.push(declaration(name, step, this, 2));
    const weight = this.gradients.get(value);
    if (weight !== undefined) this.mainLines.push(`  run.gradient[${literal(weight)}] = ${name};`);
    (this.outputs.get(value) ?? []).forEach((output, i) => {
      this.mainLines.push(`  run.next[${literal(output)}] = ${i === 0 ? name : `tf.clone(${name})`};`);
    });
  }

  /** Writes the call, or gives it back where it is an update without results. */
  private callOf(region: Region, kind: Kind, at: number): { at: string; call: string; rest: string } | null {
    const { scope, rendered } = region;
    const { first } = variableNumbers(kind);
    const context = rendered.context.map((name) => (name === "run" ? name : literal(scope.at)));
    const rest = [
      ...(rendered.usesKept ? [this.keptVariable(this.keptItem(scope))] : []),
      ...rendered.given.map((v) => this.read(v)),
      ...first.map((place) => literal(rendered.numbers[place])),
    ];
    if (scope.kind === "update" && rendered.returns.length === 0) {
      return { at: scope.at, call: kind.name, rest: rest.map((arg) => `, ${arg}`).join("") };
    }
    const call: Doc = { call: kind.name, args: [...context, ...rest] };
    const before = rendered.returns.length === 0 ? "" : `const ${this.keptVariable(at)} = `;
    this.mainLines.push(layOut(before, call, ";", 2));
    return null;
  }

  private keptNames = new Map<number, string>();
  private keptVariable(at: number): string {
    const known = this.keptNames.get(at);
    if (known !== undefined) return known;
    const item = this.items[at];
    const scope = item.kind === "region" ? item.scope : { kind: "main", at: "" };
    const name = this.naming.unique(camel(scope.kind === "backward" ? "d" : "", scope.at));
    this.keptNames.set(at, name);
    return name;
  }

  private disposedInside(value: Value, scope: Scope): boolean {
    const around = this.around(this.lastReader.get(value) ?? -1, scope);
    if (!around.endsHere(value)) return false;
    if (value.kind === "input") {
      const path = value.callee.slice(value.callee.indexOf("/") + 1);
      return path === scope.at || path.startsWith(`${scope.at}.`);
    }
    if (scope.kind === "update") return this.gradients.get(value) === scope.at;
    return around.keptBy(value) !== undefined;
  }

  private dead(reads: readonly Value[], at: number): Value[] {
    return reads.filter((value) => {
      if (this.lastReader.get(value) !== at || value.kind === "constant" || this.outputs.has(value))
        return false;
      return value.kind !== "input" || this.consumed.has(value.callee);
    });
  }

  private disposalOf(values: readonly Value[]): string {
    return disposal(
      values.map((v) => this.read(v)),
      2,
    );
  }

  read(value: Value): string {
    const known = this.reads.get(value);
    if (known !== undefined) return known;
    if (value.kind === "constant") return `run.constants.${this.constant(value)}`;
    if (value.kind === "input") return `run.given[${literal(value.callee)}]`;
    const weight = this.gradients.get(value);
    const returned = this.returned.get(value);
    if (returned !== undefined) {
      const item = this.items[returned.item];
      const variable = this.keptVariable(returned.item);
      const several = item.kind === "region" && this.countReturned(returned.item) > 1;
      return several ? `${variable}.${returned.name}` : variable;
    }
    if (weight !== undefined) return `run.gradient[${literal(weight)}]`;
    const [output] = this.outputs.get(value) ?? [];
    if (output !== undefined) return `run.next[${literal(output)}]`;
    throw new Error(`a value of ${value.origin} (${value.callee}) is read before it is made`);
  }

  private countReturned(item: number): number {
    return [...this.returned.values()].filter((r) => r.item === item).length;
  }

  /** All gradients at once. */
  list(values: readonly Value[]): string | null {
    const all = values.length === this.gradients.size && values.every((value) => this.gradients.has(value));
    return all && values.length > 1 ? "Object.values(run.gradient)" : null;
  }
  declare(): string {
    throw new Error("names are declared by statement()");
  }
  number(value: Value, at: number): string {
    const arg = value.args[at];
    return arg.kind === "number" ? literal(arg.number) : "";
  }
  call(callee: string): void {
    this.callees.add(callee);
  }
}
