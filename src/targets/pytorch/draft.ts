/** One forward pass in Python: from the nodes of a place to statements, with gaps for numbers that may become arguments. */
import type { BlockInstance, Model, Node, ValueId } from "../../model/model.ts";
import { lineText, positionAt, type SourceFile, type Span } from "../../text/source.ts";
import type { EmitContext, Helper } from "./emission.ts";
import { constraintOf } from "./layers/constraints.ts";
import { emissions } from "./layers/registry.ts";
import type { Place, Places } from "./places.ts";
import { Naming, unused, type Piece, type Statement } from "./naming.ts";
import { variable } from "./python.ts";
import { gap } from "./tokens.ts";

export type NumberKind = "channels" | "int" | "float";

/** A number in a draft: a literal, or a constructor argument where the instances of a class differ. */
export interface Gap {
  readonly kind: NumberKind;
  readonly hint: string;
  readonly value: number;
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
      longestSum: model.inference?.longestSum ?? null,
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
        return constraintOf(weight(name).constraint, use);
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
