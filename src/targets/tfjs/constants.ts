/** Constants of a program as short code: tables of offsets and places have a pattern, which is printed in their stead. */
import type { Value } from "./program.ts";
import { numberText } from "./program.ts";

/** The constants of one file by name; equal ones have one name. */
export class Constants {
  readonly byName = new Map<string, Value>();

  nameOf(value: Value): string {
    for (const [name, known] of this.byName) if (same(known, value)) return name;
    const stem = value.dtype === "i32" ? "indices" : "table";
    let name = stem;
    for (let i = 2; this.byName.has(name); i++) name = `${stem}${i}`;
    this.byName.set(name, value);
    return name;
  }
}

function same(a: Value, b: Value): boolean {
  if (a === b) return true;
  const [x, y] = [a.data ?? [], b.data ?? []];
  if (a.dtype !== b.dtype || `${a.shape}` !== `${b.shape}` || x.length !== y.length) return false;
  for (let i = 0; i < x.length; i++) if (!Object.is(x[i], y[i])) return false;
  return true;
}

/** Lists up to this length are written out. */
const short = 12;

export interface ConstantText {
  /** Lines of an expression that makes the entries as numbers, row-major. */
  readonly lines: readonly string[];
  /** The support function that it calls. */
  readonly callee: "grid" | "ones" | null;
}

/** The entries of a constant; lines are to be indented by the caller. */
export function constantText(value: Value): ConstantText {
  const data = Array.from(value.data ?? []);
  if (data.length <= short) return { lines: [`[${data.map(numberText).join(", ")}]`], callee: null };
  const grid = gridOf(data);
  if (grid !== null) {
    const steps = grid.steps.flatMap(({ count, by }) => [String(count), numberText(by)]);
    return { lines: [`grid(${numberText(grid.start)}, [${steps.join(", ")}])`], callee: "grid" };
  }
  const gaps = gapsOf(data);
  if (gaps !== null) {
    const list = ["  [", ...fill(gaps, 4), "  ],"];
    return { lines: ["ones(", `  ${data.length},`, ...list, ")"], callee: "ones" };
  }
  return { lines: ["[", ...fill(data.map(numberText), 2), "]"], callee: null };
}

interface Grid {
  readonly start: number;
  /** Slowest first: how often, and what is added each time. */
  readonly steps: readonly { readonly count: number; readonly by: number }[];
}

/** Entries that are a start plus whole multiples of a step for each digit of the index, in up to six digits. */
function gridOf(data: readonly number[]): Grid | null {
  const steps: { count: number; by: number }[] = [];
  let rest = data;
  while (rest.length > 1) {
    if (steps.length === 6) return null;
    const by = rest[1] - rest[0];
    let count = 2;
    while (count < rest.length && rest[count] === rest[0] + count * by) count++;
    // A run that goes on by accident, across the end of a row, is cut to a divisor.
    while (rest.length % count !== 0) count--;
    if (count === 1) return null;
    const heads = rest.filter((_, i) => i % count === 0);
    if (!rest.every((x, i) => x === heads[Math.floor(i / count)] + (i % count) * by)) return null;
    steps.unshift({ count, by });
    rest = heads;
  }
  return { start: rest[0], steps };
}

/** Zeros and ones as the distances between ones: a distance, and how often it comes in a row, and so on. */
function gapsOf(data: readonly number[]): string[] | null {
  if (!data.every((x) => x === 0 || x === 1)) return null;
  const gaps: { by: number; times: number }[] = [];
  let before = -1;
  data.forEach((x, at) => {
    if (x === 0) return;
    const by = at - before;
    const last = gaps[gaps.length - 1];
    if (last?.by === by) last.times++;
    else gaps.push({ by, times: 1 });
    before = at;
  });
  return gaps.flatMap(({ by, times }) => [numberText(by), numberText(times)]);
}

/** Items in as few lines as fit. */
function fill(items: readonly string[], indent: number): string[] {
  const space = " ".repeat(indent);
  const lines: string[] = [];
  let line = "";
  for (const item of items) {
    const next = line === "" ? `${item},` : `${line} ${item},`;
    if (line !== "" && next.length + indent > 104) {
      lines.push(space + line);
      line = `${item},`;
    } else line = next;
  }
  return line === "" ? lines : [...lines, space + line];
}
