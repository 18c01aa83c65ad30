/**
 * A graph as calls of TensorFlow.js: what the emissions build and what is printed. One value a call; equal calls are made
 * once; movements that undo each other are never made.
 */
import type { DType, Dims } from "../../graph/graph.ts";
import { sameShape } from "../../graph/primitives/arrays.ts";

export interface Value {
  readonly id: number;
  readonly kind: "input" | "constant" | "call";
  /** `tf.add`, or a function of support/; the name of an input. */
  readonly callee: string;
  readonly args: readonly Argument[];
  readonly shape: Dims;
  readonly dtype: DType;
  /** Path of the layer, with `~` before it for its backward pass. */
  readonly origin: string;
  /** Of a constant: row-major entries. */
  readonly data?: ArrayLike<number>;
}

/** A tensor, several, a number that may differ between otherwise equal blocks, or code that is printed as it is. */
export type Argument =
  | { readonly kind: "value"; readonly value: Value }
  | { readonly kind: "list"; readonly values: readonly Value[] }
  | { readonly kind: "number"; readonly number: number }
  | { readonly kind: "text"; readonly text: string };

/** What an emission gives for an argument. */
export type Given = Value | readonly Value[] | number | { readonly text: string };

/** Code that is printed as it is: shapes, axes, flags. */
export function text(value: unknown): { text: string } {
  return { text: literal(value) };
}

/** A number, text, flag or list as a literal. */
export function literal(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(literal).join(", ")}]`;
  if (typeof value === "number") return numberText(value);
  return JSON.stringify(value);
}

/** The shortest decimal that is the same float32: tensors hold no more. Whole numbers stay as they are. */
export function numberText(x: number): string {
  if (Object.is(x, -0)) return "-0";
  if (Number.isInteger(x)) return String(x);
  for (let digits = 1; digits < 9; digits++) {
    const short = Number(x.toPrecision(digits));
    if (Math.fround(short) === Math.fround(x)) return String(short);
  }
  return String(x);
}

export interface Program {
  readonly name: string;
  /** In an order in which they can be computed. */
  readonly values: readonly Value[];
  readonly outputs: readonly { readonly name: string; readonly value: Value }[];
}

/** Something shorter for a value that was just made. */
export type Fuser = (e: Emitter, value: Value) => Value | null;

export class Emitter {
  readonly values: Value[] = [];
  private readonly fusers: readonly Fuser[];
  /** Given to every value made from now on. */
  origin = "";
  private readonly known = new Map<string, Value>();

  constructor(fusers: readonly Fuser[] = []) {
    this.fusers = fusers;
  }

  input(name: string, shape: Dims, dtype: DType): Value {
    return this.add({ kind: "input", callee: name, args: [], shape, dtype }, "");
  }

  constant(data: ArrayLike<number>, shape: Dims, dtype: DType): Value {
    let key = `constant|${dtype}|${shape}|${hash(data)}`;
    // Equal hashes of different entries are next to impossible, but a wrong constant would be a wrong model.
    for (let known = this.known.get(key); known !== undefined; known = this.known.get(key)) {
      if (sameEntries(known.data ?? [], data)) return known;
      key += "'";
    }
    return this.add({ kind: "constant", callee: "", args: [], shape, dtype, data }, key);
  }

  call(callee: string, given: readonly Given[], shape: Dims, dtype: DType = "f32"): Value {
    const args = given.map(argument);
    const key = `${callee}|${dtype}|${shape}|${args.map(keyOf).join("|")}`;
    const value = this.add({ kind: "call", callee, args, shape, dtype }, key);
    for (const fuser of this.fusers) {
      const fused = fuser(this, value);
      if (fused !== null) return fused;
    }
    return value;
  }

  /** Chains become one; to the same shape it is nothing. */
  reshape(x: Value, shape: Dims): Value {
    const from = x.callee === "tf.reshape" ? operand(x, 0) : x;
    if (sameShape(from.shape, shape)) return from;
    if (from.callee === "tf.mul") {
      // A factor comes after the reshape, so that a weight's gradient has one shape wherever it is used.
      const [x0, factor] = from.args;
      const single = factor.kind === "number" || (factor.kind === "value" && factor.value.shape.length === 0);
      if (x0.kind === "value" && single) {
        const by = factor.kind === "number" ? factor.number : factor.value;
        return this.call("tf.mul", [this.reshape(x0.value, shape), by], shape);
      }
    }
    return this.call("tf.reshape", [from, text(shape)], shape, x.dtype);
  }

  /** Two in a row become one; orders that move nothing but axes of length 1 are reshapes. */
  transpose(x: Value, order: readonly number[]): Value {
    if (x.callee === "tf.transpose") {
      const inner = orderOf(x);
      return this.transpose(
        operand(x, 0),
        order.map((o) => inner[o]),
      );
    }
    if (order.every((o, i) => o === i)) return x;
    const shape = order.map((o) => x.shape[o]);
    const moved = order.filter((o) => x.shape[o] !== 1);
    if (moved.every((o, i) => i === 0 || o > moved[i - 1])) return this.reshape(x, shape);
    if (order.length <= 4) return this.call("tf.transpose", [x, text(order)], shape, x.dtype);
    // Axes that stay side by side move as one: backends know up to 6, and are fastest up to 4.
    const groups = groupsOf(x.shape, order);
    const merged = groups.order.map((o) => groups.shape[o]);
    const from = this.reshape(x, groups.shape);
    return this.reshape(this.call("tf.transpose", [from, text(groups.order)], merged, x.dtype), shape);
  }

  private add(made: Omit<Value, "id" | "origin">, key: string): Value {
    const before = key === "" ? undefined : this.known.get(key);
    if (before !== undefined) return before;
    const value: Value = { ...made, id: this.values.length, origin: this.origin };
    this.values.push(value);
    if (key !== "") this.known.set(key, value);
    return value;
  }
}

/** A transpose without axes of length 1, and with axes that stay side by side made one. */
function groupsOf(shape: Dims, order: readonly number[]): { shape: number[]; order: number[] } {
  const moved = order.filter((o) => shape[o] !== 1);
  const axes = [...moved].sort((a, b) => a - b);
  const rank = moved.map((o) => axes.indexOf(o));
  const runs: number[][] = [];
  for (const [i, axis] of rank.entries()) {
    if (i > 0 && axis === rank[i - 1] + 1) runs[runs.length - 1].push(axis);
    else runs.push([axis]);
  }
  const inOrder = [...runs].sort((a, b) => a[0] - b[0]);
  return {
    shape: inOrder.map((run) => run.reduce((n, axis) => n * shape[axes[axis]], 1)),
    order: runs.map((run) => inOrder.indexOf(run)),
  };
}

/** The tensor that stands at a place of a call. */
export function operand(value: Value, at: number): Value {
  const arg = value.args[at];
  if (arg?.kind !== "value") throw new Error(`argument ${at} of ${value.callee} is no tensor`);
  return arg.value;
}

export function orderOf(transpose: Value): number[] {
  const arg = transpose.args[1];
  return arg.kind === "text" ? (JSON.parse(arg.text) as number[]) : [];
}

/** All tensors that a call reads. */
export function operandsOf(value: Value): Value[] {
  return value.args.flatMap((arg) =>
    arg.kind === "value" ? [arg.value] : arg.kind === "list" ? [...arg.values] : [],
  );
}

/** The calls that read each value. */
export function usersOf(values: readonly Value[]): ReadonlyMap<Value, readonly Value[]> {
  const users = new Map<Value, Value[]>();
  for (const value of values) {
    for (const used of operandsOf(value)) {
      const known = users.get(used);
      if (known) known.push(value);
      else users.set(used, [value]);
    }
  }
  return users;
}

/** What outputs need, and all inputs. */
export function liveProgram({ name, values, outputs }: Program): Program {
  const live = new Set(outputs.map((o) => o.value));
  for (const value of [...values].reverse()) {
    if (live.has(value)) for (const needed of operandsOf(value)) live.add(needed);
  }
  return { name, values: values.filter((value) => value.kind === "input" || live.has(value)), outputs };
}

function argument(given: Given): Argument {
  if (typeof given === "number") return { kind: "number", number: given };
  if ("text" in given) return { kind: "text", text: given.text };
  return "kind" in given ? { kind: "value", value: given } : { kind: "list", values: given };
}

function keyOf(arg: Argument): string {
  switch (arg.kind) {
    case "value":
      return `%${arg.value.id}`;
    case "list":
      return arg.values.map((v) => `%${v.id}`).join();
    case "number":
      return Object.is(arg.number, -0) ? "-0" : String(arg.number);
    case "text":
      return arg.text;
  }
}

function sameEntries(a: ArrayLike<number>, b: ArrayLike<number>): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (!Object.is(a[i], b[i])) return false;
  return true;
}

/** Equal for equal entries, nearly always different for others. */
function hash(data: ArrayLike<number>): string {
  const bits = new Float64Array(1);
  const words = new Int32Array(bits.buffer);
  let [a, b] = [0x811c9dc5, 0x2545f491];
  for (let i = 0; i < data.length; i++) {
    bits[0] = data[i];
    for (const word of words) {
      a = Math.imul(a ^ word, 0x01000193);
      b = Math.imul((b << 7) ^ (b >>> 25) ^ word, 0x5bd1e995);
    }
  }
  return `${data.length}:${a}:${b}`;
}
