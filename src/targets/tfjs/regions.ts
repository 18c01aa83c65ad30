/** Which values belong together: the blocks that a person would write as functions, forward, backward and update. */
import { liveProgram, operandsOf, type Program, type Value } from "./program.ts";
import { Rewriter } from "./rewrite.ts";

/** "": the main function; else the path of a block, with what is done for it. */
export interface Scope {
  readonly kind: "main" | "forward" | "backward" | "update";
  /** The block's path, `lips_block.0`; for updates that of the weight. */
  readonly at: string;
}

export type Item =
  | { readonly kind: "value"; readonly value: Value }
  | { readonly kind: "region"; readonly scope: Scope; readonly values: Value[] };

const main: Scope = { kind: "main", at: "" };

/** By the path: everything up to its last number is a block that stands in a loop. */
function scopeOfOrigin(origin: string): Scope {
  if (origin.startsWith("update/")) return { kind: "update", at: origin.slice("update/".length) };
  const backward = origin.startsWith("~");
  const parts = (backward ? origin.slice(1) : origin).split(".");
  let last = -1;
  parts.forEach((part, i) => {
    if (/^\d+$/.test(part)) last = i;
  });
  if (last < 0) return main;
  return { kind: backward ? "backward" : "forward", at: parts.slice(0, last + 1).join(".") };
}

export function sameScope(a: Scope, b: Scope): boolean {
  return a.kind === b.kind && a.at === b.at;
}

/** Values and regions in an order in which they can be computed. */
export function itemsOf({ values }: Program): Item[] {
  const scopes = scopesOf(values);
  const items: Item[] = [];
  let open: { scope: Scope; values: Value[]; members: Set<Value> } | null = null;
  for (const value of values) {
    if (value.kind !== "call") continue;
    const scope = scopes.get(value) ?? main;
    if (scope.kind === "main") {
      const members = open?.members;
      const waits = members !== undefined && operandsOf(value).some((used) => members.has(used));
      if (waits) open = null;
      // What doesn't need the region that is being collected comes before it, and before all updates.
      let at = open === null ? items.length : items.length - 1;
      while (at > 0 && isFreeUpdate(items[at - 1], value)) at--;
      items.splice(at, 0, { kind: "value", value });
    } else if (open !== null && sameScope(open.scope, scope)) {
      open.values.push(value);
      open.members.add(value);
    } else {
      const region = [value];
      open = { scope, values: region, members: new Set([value]) };
      items.push({ kind: "region", scope, values: region });
    }
  }
  return items;
}

/** Whether it is an update that makes nothing that the value needs. */
function isFreeUpdate(item: Item, value: Value): boolean {
  if (item.kind !== "region" || item.scope.kind !== "update") return false;
  return !operandsOf(value).some((used) => item.values.includes(used));
}

/**
 * Single numbers made of single numbers (rates, corrections, the clipping's factor) belong to the main function, so that
 * all updates are alike; so do the random numbers that blocks are given.
 */
function scopesOf(values: readonly Value[]): Map<Value, Scope> {
  const scopes = new Map<Value, Scope>();
  const outside = (value: Value): boolean => value.kind !== "call" || scopes.get(value)?.kind === "main";
  const drawn = new Set<Value>();
  for (const value of values) {
    if (value.kind !== "call") continue;
    const operands = operandsOf(value);
    const scope = scopeOfOrigin(value.origin);
    const number = value.shape.length === 0 && operands.length > 0;
    const numbers = number && operands.every((used) => used.shape.length === 0 && outside(used));
    const taken = value.callee === "slice" || value.callee === "tf.reshape";
    const random = taken && operands.every((used) => outside(used) && isDrawn(used, drawn));
    if (random) drawn.add(value);
    scopes.set(value, numbers || random ? main : scope);
  }
  return scopes;
}

function isDrawn(value: Value, drawn: ReadonlySet<Value>): boolean {
  return value.origin === "random" || drawn.has(value);
}

/** Squares of gradients are wanted by the norm and by the updates: each makes its own, so that none has to be kept. */
export function withOwnSquares({ name, values, outputs }: Program): Program {
  const scopes = scopesOf(values);
  const rewriter = new Rewriter(values);
  const own = new Map<string, Value>();
  for (const value of values) {
    const scope = scopes.get(value) ?? main;
    const swapped = new Map<Value, Value>();
    for (const used of operandsOf(value)) {
      if (used.callee !== "tf.square" || sameScope(scope, scopes.get(used) ?? main)) continue;
      const key = `${used.id}|${scope.kind}|${scope.at}`;
      const copy = own.get(key) ?? rewriter.copy(used, value.origin);
      own.set(key, copy);
      swapped.set(used, copy);
    }
    rewriter.keep(value, (used) => swapped.get(used) ?? rewriter.current(used));
  }
  return liveProgram({
    name,
    values: rewriter.values,
    outputs: outputs.map((o) => ({ ...o, value: rewriter.current(o.value) })),
  });
}
