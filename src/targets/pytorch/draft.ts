/** One forward pass in Python: from the nodes of a place to statements, with gaps for numbers that may become arguments. */
import type { BlockInstance, Model, Node, ValueId } from "../../model/model.ts";
import { lineText, positionAt, type SourceFile, type Span } from "../../text/source.ts";
import type { EmitContext, Helper } from "./emission.ts";
import { constraintOf } from "./layers/constraints.ts";
import { emissions } from "./layers/registry.ts";
import type { Item, Place, Places } from "./places.ts";
import { variable } from "./python.ts";
import { fill, gap, keysOf } from "./tokens.ts";

export type NumberKind = "channels" | "int" | "float";

/** A number in a draft: a literal, or a constructor argument where the instances of a class differ. */
export interface Gap {
  readonly kind: NumberKind;
  readonly hint: string;
  readonly value: number;
}

export interface Statement {
  readonly code: string;
  /** The line of the spec that it comes from. */
  readonly comment: string;
}

export interface Draft {
  readonly place: Place;
  /** Constructors by path within the place. */
  readonly modules: ReadonlyMap<string, string>;
  /** Names and values of what flows in, and of what is given back. */
  readonly parameters: readonly { readonly name: string; readonly value: ValueId }[];
  readonly outputs: readonly ValueId[];
  readonly statements: readonly Statement[];
  readonly result: string;
  readonly gaps: readonly Gap[];
}

/** The class that a place has become. */
export interface Made {
  readonly name: string;
  /** Constructor arguments, with this place's own numbers. */
  readonly args: readonly { readonly name: string; readonly kind: NumberKind; readonly value: number }[];
  readonly draft: Draft;
}

export interface Drafting {
  readonly model: Model;
  readonly places: Places;
  readonly sources: ReadonlyMap<string, SourceFile>;
  /** Classes of the places inside. */
  readonly made: ReadonlyMap<Place, Made>;
  use(helper: Helper): string;
}

/** Longest call that is put into another one, and how deep. */
const longestInner = 64;
const deepestInner = 3;

interface Pending {
  readonly text: string;
  readonly loose: boolean;
  readonly depth: number;
  /** Values that its text reads. */
  readonly reads: readonly ValueId[];
  readonly comment: string;
}

/** A piece of a forward pass before names are given. */
interface Piece {
  readonly item: Item;
  readonly text: string;
  readonly loose: boolean;
  readonly outputs: readonly ValueId[];
  readonly comment: string;
}

export function draftOf(
  drafting: Drafting,
  place: Place,
  nodes: readonly Node[],
  inputs: readonly ValueId[],
  outputs: readonly ValueId[],
): Draft {
  return new Drafter(drafting, place).run(nodes, inputs, outputs);
}

class Drafter {
  private readonly modules = new Map<string, string>();
  private readonly gaps: Gap[] = [];
  private readonly drafting: Drafting;
  private readonly place: Place;
  /** Names that the place's own body gives. */
  private readonly names: ReadonlyMap<ValueId, string>;

  constructor(drafting: Drafting, place: Place) {
    this.drafting = drafting;
    this.place = place;
    const { model } = drafting;
    const given: readonly BlockInstance["names"][number][] = place.block
      ? place.block.names
      : [...model.taps, ...model.outputs, ...model.inputs];
    this.names = new Map(given.map(({ name, value }) => [value, variable(name)]));
  }

  run(nodes: readonly Node[], inputs: readonly ValueId[], outputs: readonly ValueId[]): Draft {
    const parameters = this.parametersOf(nodes, inputs);
    const { statements, result } = this.body(nodes, parameters, outputs);
    return {
      place: this.place,
      modules: this.modules,
      parameters,
      outputs,
      statements,
      result,
      gaps: this.gaps,
    };
  }

  /** Tensor parameters of the block under their names and in their order, then what else flows in. */
  private parametersOf(nodes: readonly Node[], inputs: readonly ValueId[]): Draft["parameters"] {
    const order = [...this.names.keys()].filter((v) => inputs.includes(v));
    const all = [...order, ...inputs.filter((v) => !order.includes(v))];
    const used = new Set<string>();
    return all.map((value) => {
      const reader = nodes.find((n) => n.inputs.includes(value));
      const role = reader?.layer === "Residual" && reader.inputs[1] === value ? "branch" : "y";
      const name = unused(this.names.get(value) ?? role, used);
      used.add(name);
      return { name, value };
    });
  }

  private body(
    nodes: readonly Node[],
    parameters: Draft["parameters"],
    outputs: readonly ValueId[],
  ): { statements: Statement[]; result: string } {
    const items = this.drafting.places.itemsOf(this.place, nodes);
    if (!Array.isArray(items)) throw new Error(`${this.place.path} was not dissolved`);
    const batch = `${parameters[0]?.name ?? "x"}.shape[0]`;
    const pieces = items.map((item) =>
      item.kind === "node" ? this.pieceOfNode(item.node, batch) : this.pieceOfCall(item.place, item.nodes),
    );
    return new Naming(this.names, parameters, pieces, outputs).write();
  }

  private number(kind: NumberKind, value: number, hint: string): string {
    this.gaps.push({ kind, value, hint });
    return gap("number", this.gaps.length - 1);
  }

  private within(path: string): string {
    return this.place.path === "" ? path : path.slice(this.place.path.length + 1);
  }

  private pieceOfNode(node: Node, batch: string): Piece {
    const emit = emissions.get(node.layer);
    if (!emit || typeof emit !== "function") throw new Error(`${node.layer} has no emission`);
    const owner = this.drafting.places.aliases.get(node) ?? node;
    const covered = owner !== node && this.isAlias() ? node : owner;
    const path = this.within(covered.path);
    const { module, call, loose } = emit(this.contextOf(node, path, batch));
    if (module !== undefined && covered === node) this.modules.set(path, module);
    return {
      item: { kind: "node", node },
      text: call,
      loose: loose === true,
      outputs: node.outputs,
      comment: this.lineOf(node),
    };
  }

  /** Whether this place, or one around it, borrows all its modules: then they keep their own names inside. */
  private isAlias(): boolean {
    for (let up: Place | null = this.place; up; up = this.drafting.places.parent(up))
      if (up.alias) return true;
    return false;
  }

  private contextOf(node: Node, path: string, batch: string): EmitContext {
    const { model, use } = this.drafting;
    const shapeOf = (id: ValueId) => model.values[id].shape;
    const weight = (name: string) => {
      const found = model.weights[node.weights[name]];
      if (!found) throw new Error(`${node.path} has no weight ${name}`);
      return found;
    };
    return {
      config: node.config,
      inputs: node.inputs.map((v) => gap("value", v)),
      shapes: node.inputs.map(shapeOf),
      outputs: node.outputs.map(shapeOf),
      self: gap("module", path),
      batch,
      somewhere: (holds) =>
        model.nodes.some(
          (n) =>
            n.layer === node.layer &&
            n.span.file === node.span.file &&
            n.span.start === node.span.start &&
            holds(n.config),
        ),
      shape: (name) => weight(name).shape,
      constraint(name) {
        const { constraint } = weight(name);
        const made = constraintOf(constraint, use);
        if (made === undefined) throw new Error(`the constraint ${constraint.kind} was let through`);
        return made;
      },
      channels: (n, hint) => this.number("channels", n, hint),
      int: (n, hint) => this.number("int", n, hint),
      float: (x, hint) => this.number("float", x, hint),
      use,
      step: (names) => this.step(node, names),
    };
  }

  /** The body of a recurrence as a lambda: a chain of expressions on its parameters. */
  private step(node: Node, names: readonly string[]): string {
    const { body } = node;
    if (!body) throw new Error(`${node.path} has no body`);
    const parameters = body.parameters.map((value, i) => ({ name: variable(names[i]), value }));
    const { statements, result } = this.body(body.nodes, parameters, [body.result]);
    const head = parameters.map((p) => p.name).join(", ");
    const whole = statements.reduceRight((inner, { code }) => {
      const [, targets, value] = /^([^=]+) = (.*)$/s.exec(code) ?? [];
      return `(lambda ${targets}: ${inner})(${targets.includes(",") ? "*" : ""}${value})`;
    }, result);
    // `lambda a, b: f(a, b)` is f.
    return whole.endsWith(`(${head})`) && !/[ (]/.test(whole.slice(0, -head.length - 2))
      ? whole.slice(0, -head.length - 2)
      : `lambda ${head}: ${whole}`;
  }

  private pieceOfCall(place: Place, nodes: readonly Node[]): Piece {
    const made = this.drafting.made.get(place);
    if (!made) throw new Error(`${place.path} has no class`);
    const borrowed = this.isAlias() ? null : place.alias;
    if (!borrowed) {
      const args = made.args.map(({ name, kind, value }) => `${name}=${this.number(kind, value, name)}`);
      const only = made.args.length === 1 && made.args[0].kind === "channels";
      const text = only ? args[0].slice(args[0].indexOf("=") + 1) : args.join(", ");
      this.modules.set(this.within(place.path), `${made.name}(${text})`);
    }
    const path = this.within((borrowed ?? place).path);
    const args = made.draft.parameters.map(({ value }) => gap("value", value)).join(", ");
    return {
      item: { kind: "call", place, nodes },
      text: `${gap("module", path)}(${args})`,
      loose: false,
      outputs: made.draft.outputs,
      comment: this.lineOf(nodes[0]),
    };
  }

  /** The line of this place's body that led to a node. */
  private lineOf(node: Node): string {
    const way: readonly Span[] = [node.span, ...node.calls];
    const { block } = this.place;
    const start = block ? bodyStart(block, this.drafting.sources) : 0;
    // A default of the signature is written where no statement is.
    const own = block
      ? way.filter((s) => s.file === block.span.file && s.start >= start && s.end <= block.span.end)
      : way.slice(-1);
    const span = own[own.length - 1];
    const source = span && this.drafting.sources.get(span.file);
    if (!source) return "";
    return shortened(lineText(source, positionAt(source, span.start).line).trim());
  }
}

/** Where the body of a block begins in its file. */
export function bodyStart({ span }: BlockInstance, sources: ReadonlyMap<string, SourceFile>): number {
  const text = sources.get(span.file)?.text.slice(span.start, span.end) ?? "";
  const head = /\)\s*->\s*[^{]*\{/.exec(text);
  return span.start + (head ? head.index + head[0].length : 0);
}

/** A quoted line of the spec. */
export function shortened(text: string): string {
  return text.length > 96 ? `${text.slice(0, 95)}…` : text;
}

function unused(name: string, used: { has(name: string): boolean }): string {
  if (!used.has(name)) return name;
  for (let i = 2; ; i++) if (!used.has(`${name}_${i}`)) return `${name}_${i}`;
}

/** Gives values the names of variables, and puts short calls into the next one. */
class Naming {
  private readonly names: ReadonlyMap<ValueId, string>;
  private readonly pieces: readonly Piece[];
  private readonly outputs: readonly ValueId[];
  private readonly uses = new Map<ValueId, number>();
  private readonly known = new Map<ValueId, string | Pending>();
  /** Variables that are still read, by name. */
  private readonly live = new Map<string, ValueId>();
  private readonly statements: Statement[] = [];

  constructor(
    names: ReadonlyMap<ValueId, string>,
    parameters: Draft["parameters"],
    pieces: readonly Piece[],
    outputs: readonly ValueId[],
  ) {
    this.names = names;
    this.pieces = pieces;
    this.outputs = outputs;
    for (const { text } of pieces) for (const key of keysOf(text, "value")) this.count(Number(key), 1);
    for (const v of outputs) this.count(v, 1);
    for (const { name, value } of parameters) {
      this.known.set(value, name);
      if (this.left(value) > 0) this.live.set(name, value);
    }
  }

  write(): { statements: Statement[]; result: string } {
    for (const [i, piece] of this.pieces.entries()) this.add(piece, this.pieces[i + 1]);
    const result = this.outputs.map((v) => this.read(gap("value", v), []).text).join(", ");
    return { statements: this.statements, result };
  }

  private count(value: ValueId, by: number): void {
    this.uses.set(value, this.left(value) + by);
  }
  private left(value: ValueId): number {
    return this.uses.get(value) ?? 0;
  }

  private add(piece: Piece, next: Piece | undefined): void {
    const consumed: ValueId[] = [];
    const { text, depth, inner } = this.read(piece.text, consumed);
    const comment = piece.comment === "" ? inner : piece.comment;
    const [value] = piece.outputs;
    if (piece.outputs.length === 1 && this.staysInside(piece, text, depth, next)) {
      // What it reads stays live until it is read itself.
      for (const v of consumed) this.count(v, 1);
      this.known.set(value, { text, loose: piece.loose, depth: depth + 1, reads: consumed, comment });
      return;
    }
    const [source] = consumed;
    const inherited = source === undefined ? undefined : this.nameOf(source);
    this.release(consumed);
    if (/^[\p{L}_][\p{L}\d_]*$/u.test(text) && piece.outputs.length === 1) {
      // The identity: the same variable under another value.
      this.known.set(value, text);
      this.live.set(text, value);
      return;
    }
    const targets = piece.outputs.map((v) => {
      const name = this.newName(v, inherited);
      this.known.set(v, name);
      if (this.left(v) > 0) this.live.set(name, v);
      return name;
    });
    this.statements.push({ code: `${targets.join(", ")} = ${text}`, comment });
  }

  /** A single use by what comes next, without a name in the spec, and short. */
  private staysInside(piece: Piece, text: string, depth: number, next: Piece | undefined): boolean {
    const [value] = piece.outputs;
    if (this.left(value) !== 1 || this.names.has(value)) return false;
    if (!next) return this.outputs.includes(value) && this.outputs.length === 1;
    if (!keysOf(next.text, "value").includes(String(value))) return false;
    // Blocks are lines of their own.
    if (piece.item.kind === "call" || next.item.kind === "call") return false;
    return (
      plainLength(text) <= longestInner && depth < deepestInner && [piece.comment, ""].includes(next.comment)
    );
  }

  /** Text with all values filled in. */
  private read(text: string, consumed: ValueId[]): { text: string; depth: number; inner: string } {
    let depth = 0;
    let inner = "";
    const filled = fill(text, "value", (key, before, after) => {
      const id = Number(key);
      const known = this.known.get(id);
      if (known === undefined) throw new Error(`value ${id} is read before it is computed`);
      this.count(id, -1);
      if (typeof known === "string") {
        consumed.push(id);
        return known;
      }
      depth = Math.max(depth, known.depth);
      for (const v of known.reads) this.count(v, -1);
      consumed.push(...known.reads);
      inner ||= known.comment;
      const argument = /^$|[([]$|[,=] ?$/.test(before) && /^$|^[),\]]/.test(after);
      return known.loose && !argument ? `(${known.text})` : known.text;
    });
    return { text: filled, depth, inner };
  }

  private nameOf(value: ValueId): string | undefined {
    const known = this.known.get(value);
    return typeof known === "string" ? known : undefined;
  }

  private release(values: readonly ValueId[]): void {
    for (const v of values) {
      const name = this.nameOf(v);
      if (name !== undefined && this.left(v) === 0 && this.live.get(name) === v) this.live.delete(name);
    }
  }

  /** Its name in the spec; else that of what it is made from, where that is read no more; else a free one. */
  private newName(value: ValueId, inherited: string | undefined): string {
    const own = this.names.get(value);
    if (own !== undefined) return unused(own, this.live);
    const given = new Set(this.names.values());
    if (inherited !== undefined && !this.live.has(inherited) && (inherited === "x" || !given.has(inherited)))
      return inherited;
    for (const name of ["x", "y", "z", "u", "w"])
      if (!this.live.has(name) && (name === "x" || !given.has(name))) return name;
    return unused("h", new Set([...this.live.keys(), ...given]));
  }
}

/** Gaps count as a few characters. */
function plainLength(text: string): number {
  return text.replace(/[\uE000-\uE003][^\uE00F]*\uE00F/g, "12345").length;
}
