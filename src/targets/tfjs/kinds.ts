/** Regions that do the same are of one kind, and become one function. */
import type { Rendered } from "./blocks.ts";
import { camel, type Naming } from "./names.ts";
import { literal, type Value } from "./program.ts";
import type { Scope } from "./regions.ts";

export interface Region {
  /** Index of its item. */
  readonly item: number;
  readonly scope: Scope;
  readonly values: Value[];
  rendered: Rendered;
}

export interface Kind {
  readonly name: string;
  readonly numbers: readonly (readonly number[])[];
  readonly members: Region[];
}

/** Regions that do the same, in the order of the first of each kind. */
export function kindsOf(regions: readonly Region[], naming: Naming): Kind[] {
  const byKey = new Map<string, Region[]>();
  for (const region of regions) {
    const { key, returns, usesKept } = region.rendered;
    const full = `${key}\n${returns.map((r) => r.name).join()}\n${usesKept}`;
    const before = byKey.get(full);
    if (before) before.push(region);
    else byKey.set(full, [region]);
  }
  return [...byKey.values()].map((members) => {
    const { scope, rendered } = members[0];
    const numbers = rendered.numbers.map((_, i) => members.map((m) => m.rendered.numbers[i]));
    return { name: naming.unique(functionName(scope)), numbers, members };
  });
}

/** Places of numbers that differ between the members of a kind; equal columns share a parameter. */
export function variableNumbers(kind: Kind): {
  readonly names: ReadonlyMap<number, string>;
  readonly first: number[];
} {
  const names = new Map<number, string>();
  const first: number[] = [];
  const known = new Map<string, string>();
  kind.numbers.forEach((column, place) => {
    if (column.every((x) => Object.is(x, column[0]))) return;
    const key = column.map(literal).join();
    let name = known.get(key);
    if (name === undefined) {
      name = known.size === 0 ? "amount" : `amount${known.size + 1}`;
      known.set(key, name);
      first.push(place);
    }
    names.set(place, name);
  });
  return { names, first };
}

function functionName(scope: Scope): string {
  if (scope.kind === "update") return "update";
  const named = scope.at.split(".").filter((part) => !/^\d+$/.test(part));
  const name = camel(named[named.length - 1] ?? "block");
  return scope.kind === "backward" ? `${name}Backward` : name;
}
