/** What --eps and --attack of `lipsc eval --certify` say. */
import { compare, divide, numberDown, numberUp, parseRational, zero } from "../elaborate/rational.ts";
import type { Epsilon } from "../runtime/certified/evaluate.ts";

export type { Epsilon } from "../runtime/certified/evaluate.ts";

/** An attack, or the wish for none. */
export interface AttackChoice {
  readonly attack: { readonly steps: number; readonly restarts: number } | null;
}

/** `36/255,0.5,1` as numbers above 0, rising, each once; null where one of them is none. */
export function parseEpsilons(text: string): Epsilon[] | null {
  const found: Epsilon[] = [];
  for (const part of text.split(",").map((p) => p.trim())) {
    const [above, below, ...more] = part.split("/").map((p) => parseRational(p.trim()));
    const value = more.length > 0 || !above || below === null ? null : below ? divide(above, below) : above;
    if (!value || compare(value, zero) <= 0) return null;
    const epsilon = { text: part, up: numberUp(value), down: numberDown(value) };
    if (!(epsilon.down > 0) || !Number.isFinite(epsilon.up)) return null;
    found.push(epsilon);
  }
  return found.sort((a, b) => a.up - b.up).filter((e, i) => i === 0 || e.up !== found[i - 1].up);
}

/** `steps=50,restarts=2`, either of them, or `none`; null where it is something else. */
export function parseAttack(text: string): AttackChoice | null {
  if (text.trim() === "none") return { attack: null };
  const attack: { steps: number; restarts: number } = { ...defaultAttack };
  for (const part of text.split(",")) {
    const match = /^\s*(steps|restarts)\s*=\s*(\d+)\s*$/.exec(part);
    const n = match ? Number(match[2]) : 0;
    if (!match || n < 1 || n > 100_000) return null;
    attack[match[1] as "steps" | "restarts"] = n;
  }
  return { attack };
}

export const defaultAttack = { steps: 20, restarts: 2 };
