/** `check --at tau=5`: the bound for other values of its symbols, proven as the bound itself is. */
import { diagnostic, type Diagnostic } from "../../diagnostics/diagnostic.ts";
import { evaluate } from "../../symbolic/evaluate.ts";
import type { Symbol } from "../../symbolic/expression.ts";
import { expressionOf } from "../../symbolic/formula.ts";
import { boundsWithFormula, titleOf } from "./formula.ts";
import type { ModelReport } from "./collect.ts";
import { plural, showBound, showFactor } from "./numbers.ts";
import { tabulate, type Paint } from "./table.ts";

/** `alpha` is every α; `alpha:lips_block.0.**` those whose path fits: `*` is one part of a path, `**` any number. */
export interface Setting {
  readonly text: string;
  readonly letter: string;
  readonly path: RegExp;
  readonly value: number;
}

const letters: Readonly<Record<string, string>> = {
  alpha: "α",
  tau: "τ",
  nu: "ν",
  eps: "ε",
  gamma: "γ",
  sigma: "σ",
  scale: "s",
  by: "c",
};

/** `tau=5`, `sigma:head.**=2`; null where it is not of this form. */
export function readSetting(text: string): Setting | null {
  const match = /^([\p{L}_]+)(?::([\w.*]+))?=(.+)$/u.exec(text.replace(/\s/g, ""));
  const value = match ? Number(match[3]) : NaN;
  if (!match || !(value >= 0) || !Number.isFinite(value)) return null;
  const [, name, glob] = match;
  return { text, letter: letters[name] ?? name, path: pathPattern(glob ?? "**"), value };
}

function pathPattern(glob: string): RegExp {
  const parts = glob.split(/(\*\*|\*)/).map((part) => {
    if (part === "**") return ".*";
    return part === "*" ? "[^.]*" : part.replaceAll(".", "\\.");
  });
  return new RegExp(`^${parts.join("")}$`);
}

const fits = ({ letter, path }: Setting, symbol: Symbol): boolean =>
  letter === symbol.letter && path.test(symbol.path);

export interface Evaluated {
  readonly text: string;
  /** Settings that no symbol fits. */
  readonly problems: readonly Diagnostic[];
}

/** A row for each bound: as it is, and with the settings. */
export function evaluatedText(report: ModelReport, settings: readonly Setting[], paint: Paint): Evaluated {
  const unfit = new Map<string, Diagnostic>();
  const rows = boundsWithFormula(report).flatMap((target) => {
    const { phase, source, target: to, normIn, normOut } = target;
    const formula = expressionOf(report.model, phase, source, to, normIn, normOut, report.measured?.oracle);
    if ("none" in formula) return [];
    const symbols = formula.bound.symbols;
    for (const setting of settings) {
      if (symbols.some((symbol) => fits(setting, symbol))) continue;
      const found = new Set(symbols.map(({ letter }) => nameOf(letter)));
      const known = [...found].filter((name) => /^\w+$/.test(name)).sort();
      const problem = `no symbol of ${titleOf(target)} fits; there are ${known.join(", ")}`;
      unfit.set(setting.text, diagnostic("run-option", null, { option: `--at ${setting.text}`, problem }));
    }
    // Of several that fit one symbol, the last one counts.
    const valueOf = (symbol: Symbol): number =>
      settings.filter((setting) => fits(setting, symbol)).at(-1)?.value ?? symbol.value;
    const bound = evaluate(formula.expression, valueOf, formula.bound.conditions);
    const said = settings.map((setting) => {
      const count = symbols.filter((symbol) => fits(setting, symbol)).length;
      return `${nameOf(setting.letter)} = ${showFactor(setting.value)} (${plural(count, "place")})`;
    });
    return [[titleOf(target), showBound(target.upper), showBound(bound), said.join(", ")]];
  });
  const problems = [...unfit.values()];
  if (rows.length === 0 || problems.length > 0) return { text: "", problems };
  const left = { align: "left" } as const;
  const right = { align: "right" } as const;
  const [head, ...lines] = tabulate([["", "as it is", "then", "with"], ...rows], [left, right, right, left]);
  return { text: [paint("dim", head), ...lines].join("\n") + "\n", problems };
}

function nameOf(letter: string): string {
  return Object.entries(letters).find(([, l]) => l === letter)?.[0] ?? letter;
}
