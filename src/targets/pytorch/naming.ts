/** Names of variables in a forward pass, and which calls stand inside of the next one. */
import type { ValueId } from "../../model/model.ts";
import type { Draft } from "./draft.ts";
import type { Item } from "./places.ts";
import { fill, gap, keysOf } from "./tokens.ts";

export interface Statement {
  readonly code: string;
  /** The line of the spec that it comes from. */
  readonly comment: string;
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
export interface Piece {
  readonly item: Item;
  readonly text: string;
  readonly loose: boolean;
  readonly outputs: readonly ValueId[];
  readonly comment: string;
}

/** The name, or it with a number that makes it free. */
export function unused(name: string, used: { has(name: string): boolean }): string {
  if (!used.has(name)) return name;
  for (let i = 2; ; i++) if (!used.has(`${name}_${i}`)) return `${name}_${i}`;
}

/** Gives values the names of variables, and puts short calls into the next one. */
export class Naming {
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
