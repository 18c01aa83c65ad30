/** Formulas as text: `A·(1 + 7·α·σ(W₁))`, `√(3·τ²/ε₁ + 3/ε₂)`. */
import { type Atom, type Product } from "./algebra.ts";
import { bareSum, decimalText, orderedPowers, splitCoefficient } from "./print.ts";
import type { Symbol } from "./expression.ts";

/** How symbols are written. */
export type Names = (symbol: Symbol) => string;

/** Without parentheses round the whole. */
export function textOf(p: Product, names: Names): string {
  const terms = bareSum(p);
  return terms ? sumText(terms, names) : productText(p, names);
}

function productText(p: Product, names: Names): string {
  const { top, bottom, rootTop, rootBottom } = splitCoefficient(p);
  const above: string[] = [];
  const below: string[] = [];
  // 48/47·A·γ, but A/7.
  const fraction = top !== "1" && bottom !== "1" && rootTop === "1" && rootBottom === "1";
  if (fraction) above.push(`${top}/${bottom}`);
  else {
    if (top !== "1") above.push(top);
    if (bottom !== "1") below.push(bottom);
  }
  if (rootTop !== "1") above.push(`√${rootTop}`);
  if (rootBottom !== "1") below.push(`√${rootBottom}`);
  const { gains, others } = orderedPowers(p);
  for (const { atom, power } of [...gains, ...others])
    (power > 0 ? above : below).push(powered(atom, Math.abs(power), names));
  if (above.length === 0) above.push("1");
  const over = below.length === 1 ? below[0] : `(${below.join("·")})`;
  return `${p.sign < 0 ? "−" : ""}${above.join("·")}${below.length > 0 ? `/${over}` : ""}`;
}

function sumText(terms: readonly Product[], names: Names): string {
  return terms
    .map((term, i) => {
      const text = productText({ ...term, sign: 1 }, names);
      return i === 0 ? (term.sign < 0 ? `−${text}` : text) : `${term.sign < 0 ? "−" : "+"} ${text}`;
    })
    .join(" ");
}

const superscripts: Readonly<Record<number, string>> = { 1: "", 2: "²", 3: "³", 4: "⁴" };

function powered(atom: Atom, power: number, names: Names): string {
  const text = atomText(atom, names);
  const base = atom.kind === "sum" ? `(${text})` : text;
  if (power === 0.5) return `√${/^[\p{L}₀-₉]+$/u.test(base) || atom.kind === "sum" ? base : `(${text})`}`;
  return power in superscripts ? base + superscripts[power] : `${base}^${power}`;
}

function atomText(atom: Atom, names: Names): string {
  switch (atom.kind) {
    case "decimal":
      return decimalText(atom.value);
    case "symbol":
      return names(atom.symbol);
    case "sum":
      return sumText(atom.terms, names);
    case "call": {
      const args = atom.args.map((arg) => textOf(arg, names));
      return atom.name === "abs" ? `|${args[0]}|` : `${atom.name}(${args.join(", ")})`;
    }
  }
}
