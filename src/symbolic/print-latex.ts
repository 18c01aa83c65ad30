/** Formulas as LaTeX: `A\left(1 + 7\,\alpha\,\sigma(W_{1})\right)`. */
import { type Atom, type Product } from "./algebra.ts";
import { bareSum, decimalText, orderedPowers, splitCoefficient } from "./print.ts";
import type { Names } from "./print-text.ts";

/** Without parentheses round the whole. */
export function latexOf(p: Product, names: Names): string {
  const terms = bareSum(p);
  return terms ? sumLatex(terms, names) : productLatex(p, names);
}

function productLatex(p: Product, names: Names): string {
  const { top, bottom, rootTop, rootBottom } = splitCoefficient(p);
  const numbers = [...(top === "1" ? [] : [top]), ...(rootTop === "1" ? [] : [`\\sqrt{${rootTop}}`])];
  const under = [
    ...(bottom === "1" ? [] : [bottom]),
    ...(rootBottom === "1" ? [] : [`\\sqrt{${rootBottom}}`]),
  ];
  const symbols: string[] = [];
  const divisors: string[] = [];
  const { gains, others } = orderedPowers(p);
  for (const { atom, power } of [...gains, ...others]) {
    const text = powered(atom, Math.abs(power), names);
    if (power < 0) divisors.push(text);
    else if (atom.kind === "decimal") numbers.push(text);
    else symbols.push(text);
  }
  const sign = p.sign < 0 ? "-" : "";
  // Numbers side by side need a dot between them.
  const all = (ns: readonly string[], rest: readonly string[]): string =>
    [...(ns.length > 0 ? [ns.join(" \\cdot ")] : []), ...rest].join(" \\, ");
  const below = all(under, divisors);
  if (below === "") return sign + (all(numbers, symbols) || "1");
  // A fraction of numbers stands in front: 48/47 A.
  if (divisors.length === 0 && numbers.length > 0)
    return sign + all([`\\frac{${all(numbers, [])}}{${below}}`], symbols);
  return `${sign}\\frac{${all(numbers, symbols) || "1"}}{${below}}`;
}

function sumLatex(terms: readonly Product[], names: Names): string {
  return terms
    .map((term, i) => {
      const text = productLatex({ ...term, sign: 1 }, names);
      return i === 0 ? (term.sign < 0 ? `-${text}` : text) : `${term.sign < 0 ? "-" : "+"} ${text}`;
    })
    .join(" ");
}

function powered(atom: Atom, power: number, names: Names): string {
  const text = atomLatex(atom, names);
  if (power === 0.5) return `\\sqrt{${text}}`;
  const base = atom.kind === "sum" ? `\\left(${text}\\right)` : text;
  if (power === 1) return base;
  // A name with a power of its own, or a function, is put into braces.
  return `${atom.kind === "decimal" || atom.kind === "sum" ? base : `{${base}}`}^{${power}}`;
}

function atomLatex(atom: Atom, names: Names): string {
  switch (atom.kind) {
    case "decimal":
      return decimalLatex(atom.value);
    case "symbol":
      return names(atom.symbol);
    case "sum":
      return sumLatex(atom.terms, names);
    case "call": {
      const args = atom.args.map((arg) => latexOf(arg, names));
      return atom.name === "abs"
        ? `\\left|${args[0]}\\right|`
        : `\\${atom.name}\\left(${args.join(", ")}\\right)`;
    }
  }
}

/** `1.2 \cdot 10^{-7}` */
export function decimalLatex(x: number): string {
  const text = decimalText(x);
  if (text === "∞") return "\\infty";
  const [mantissa, exponent] = text.split("e");
  return exponent === undefined ? mantissa : `${mantissa} \\cdot 10^{${exponent}}`;
}
