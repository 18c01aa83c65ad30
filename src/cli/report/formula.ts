/** `check --formula`: the bound as a formula in the numbers of the spec and the norms of its weights, as text or LaTeX. */
import { entry } from "../../gain/gain.ts";
import type { Norm, Phase, ValueId } from "../../model/model.ts";
import { evaluate } from "../../symbolic/evaluate.ts";
import type { Symbol } from "../../symbolic/expression.ts";
import { gainLetters } from "../../symbolic/factors.ts";
import { common, formulaOf, type Formula, type Row, type Slot } from "../../symbolic/formula.ts";
import { latexOf } from "../../symbolic/print-latex.ts";
import { textOf } from "../../symbolic/print-text.ts";
import { homeOf, type ModelReport, type Sources } from "./collect.ts";
import { placeText } from "./diagnose.ts";
import { phaseName, showBound } from "./numbers.ts";
import { tabulate, wrap, type Paint } from "./table.ts";

/** A bound that has a formula. */
export interface Target {
  readonly phase: Phase;
  readonly from: string;
  readonly to: string;
  readonly source: ValueId;
  readonly target: ValueId;
  readonly normIn: Norm;
  readonly normOut: Norm;
  readonly upper: number;
}

/** Every finite l2 bound from an input to an output, and the bounds that gain claims are about. */
export function boundsWithFormula(report: ModelReport): readonly Target[] {
  const { matrices, verdicts, analysisOf, model } = report;
  // Of trained weights what is proven of them; else what the spec proves.
  const about = (phase: Phase): boolean => (phase === "checkpoint") === (report.phase === "checkpoint");
  const found = new Map<string, Target>();
  const take = (target: Target): void => {
    const { phase, source, target: to, normIn, normOut, upper } = target;
    const key = `${phase} ${source} ${to} ${normIn} ${normOut}`;
    if (Number.isFinite(upper) && upper > 0 && !found.has(key)) found.set(key, target);
  };
  for (const { phase, from, to, source, target, upper } of matrices) {
    if (!about(phase)) continue;
    take({ phase, from, to, source, target, normIn: "l2", normOut: "l2", upper: upper[0] });
  }
  const own = new Set([
    ...model.inputs.map(({ value }) => value),
    ...model.nodes.flatMap(({ outputs }) => outputs),
  ]);
  const plain = (norm: Norm | "rms"): Norm => (norm === "rms" ? "token" : norm);
  for (const { claim } of verdicts) {
    const { kind, phase, from: source, to: target, fromName: from, toName: to } = claim;
    if (kind !== "gain" || !about(phase) || !own.has(source) || !own.has(target)) continue;
    const [normIn, normOut] = [plain(claim.normIn), plain(claim.normOut)];
    const upper = entry(analysisOf(phase).from(source).gain(target), normIn, normOut);
    take({ phase, from, to, source, target, normIn, normOut, upper });
  }
  return [...found.values()];
}

type Found = ReturnType<typeof formulaOf>;
const known = new WeakMap<ModelReport, Map<string, Found>>();

/** Made once for each bound of a report: of the same model with other weights it is another formula. */
export function formulaFor(report: ModelReport, bound: Target): Found {
  const { model, measured } = report;
  const { phase, source, target, normIn, normOut } = bound;
  const key = `${phase} ${source} ${target} ${normIn} ${normOut}`;
  const formulas = known.get(report) ?? new Map<string, Found>();
  known.set(report, formulas);
  const formula =
    formulas.get(key) ?? formulaOf(model, phase, source, target, normIn, normOut, measured?.oracle);
  formulas.set(key, formula);
  return formula;
}

/** `the l2 bound of image → logits at init` */
export function titleOf({ from, to, phase, normIn, normOut }: Target, arrow = "→"): string {
  const norms = normIn === normOut ? normIn : `${normIn} ${arrow} ${normOut}`;
  return `the ${norms} bound of ${from} ${arrow} ${to} ${phaseName(phase)}`;
}

export function formulasText(report: ModelReport, sources: Sources, paint: Paint): string {
  return boundsWithFormula(report)
    .map((bound) => {
      const title = `  ${titleOf(bound)} as a formula`;
      const formula = formulaFor(report, bound);
      const lines =
        "none" in formula ? [`  none: ${formula.none}`] : text(formula, report, bound, sources, paint);
      return [paint("bold", title), ...lines].join("\n") + "\n";
    })
    .join("\n");
}

const meaning: Readonly<Record<Norm, string>> = {
  l2: "l2",
  token: "the largest token",
  linf: "the largest entry",
};

function normsIn(formula: Formula): readonly Norm[] {
  const used = new Set(formula.rows.flatMap((row) => row.updates.map(({ to }) => to)));
  return (["l2", "token", "linf"] as const).filter((norm) => used.has(norm));
}

function text(
  formula: Formula,
  report: ModelReport,
  bound: Target,
  sources: Sources,
  paint: Paint,
): string[] {
  const { rows, slots } = formula;
  const name = (symbol: Symbol): string => nameOf(symbol, formula);
  const letters = normsIn(formula).map((norm) => `${gainLetters[norm]} to ${meaning[norm]}`);
  const what = `gains from ${bound.from} in ${bound.normIn}: ${letters.join(", ")}; arrows of one layer act at once`;
  const table = rows.flatMap((row) =>
    row.updates.map(({ to, formula: of, numeric }, i) => [
      ...(i === 0
        ? [lineOf(row, report, sources), row.mark, layerOf(row)]
        : ["", row.mark === "" ? "" : inner(row.mark), ""]),
      `${gainLetters[to]} ← ${textOf(of, name)}${numeric ? "  *" : ""}`,
    ]),
  );
  const legend = legendOf(slots);
  const left = { align: "left" } as const;
  const marked = rows.some(({ mark }) => mark !== "");
  const cells = [["line", "", "layer", "its bound"], ...table].map((row) =>
    row.filter((_, i) => marked || i !== 1),
  );
  const [head, ...lines] = tabulate(cells, [{ ...left, most: 12 }, ...(marked ? [left] : []), left, left]);
  const [second, ...names] = tabulate([["with", "", "of"], ...legend], [left, left, left]);
  const last = rows.at(-1)?.updates[0].to ?? "l2";
  return [
    ...wrap(what).map((line) => paint("dim", line)),
    paint("dim", head),
    ...lines,
    ...(rows.some(isNumeric) ? wrap(`* ${whyNumeric}`).map((line) => paint("dim", line)) : []),
    `  the bound is ${gainLetters[last]} = ${provenBy(formula, bound)}`,
    "",
    paint("dim", second),
    ...names,
  ];
}

const whyNumeric =
  "with this model's own numbers: the formula of that layer is too long to be read (`--at symbol=value` evaluates it all the same)";

function isNumeric({ updates }: Row): boolean {
  return updates.some(({ numeric }) => numeric);
}

/** The formula's value. Of trained weights more may be proven: neighbouring maps are multiplied before their norm is taken. */
function provenBy(formula: Formula, { phase, upper }: Target): string {
  if (phase !== "checkpoint") return showBound(upper);
  const value = valueOf(formula);
  const less = upper < value * (1 - 1e-6);
  const more = less
    ? `, layer after layer; with neighbours multiplied first ${showBound(upper)} is proven`
    : "";
  return showBound(value) + more;
}

function valueOf({ expression, bound }: Formula): number {
  return evaluate(expression, ({ value }) => value, bound.conditions);
}

function inner(mark: string): string {
  return mark === "└" || mark === "─" ? "" : "│";
}

/** `weighted_3.residual ×3` */
function layerOf({ nodes }: Row): string {
  const path = pathOf(nodes.map((node) => node.path))
    .split(".")
    .slice(-2)
    .join(".");
  return nodes.length > 1 ? `${path} ×${nodes.length}` : path;
}

/** With `i` for the round of a loop. */
function pathOf(paths: readonly string[]): string {
  return common(paths[0], paths);
}

function lineOf({ nodes: [node] }: Row, { model }: ModelReport, sources: Sources): string {
  return placeText(node, model, sources, homeOf(model))
    .replace(/line (?=\d)/, "")
    .replace(/, called in.*/, "");
}

const subscripts = "₀₁₂₃₄₅₆₇₈₉";
const subscript = (n: number): string => [...`${n}`].map((digit) => subscripts[Number(digit)]).join("");

function nameOf(symbol: Symbol, formula: Formula): string {
  const slot = formula.slotOf(symbol);
  return slot ? symbolText(slot) : symbol.letter;
}

/** `α₂`, `σ(W₃)`, `‖W₁‖F`, `ε₁` */
function symbolText({ letter, number, numbered }: Slot): string {
  const sub = numbered ? subscript(number) : "";
  if (letter === "σ") return `σ(W${sub})`;
  if (letter.includes("·")) return letter.replace("·", `W${sub}`);
  return letter + sub;
}

/** `= 0.25`, or `= 0.25 … 0.5` where rounds differ. */
function valueText(symbols: readonly Symbol[]): string {
  const values = symbols.map((symbol) => Number(symbol.value.toPrecision(6)));
  const [least, most] = [Math.min(...values), Math.max(...values)];
  return least === most ? `= ${least}` : `= ${least} … ${most}`;
}

/** Longer lists are told letter by letter. */
const listed = 30;

/** What the names stand for: each with its path, or, of many, one line for each letter. */
function legendOf(slots: readonly Slot[]): string[][] {
  if (slots.length <= listed)
    return slots.map((slot) => [symbolText(slot), valueText(slot.symbols), slot.path]);
  return [...new Set(slots.map((slot) => slot.letter))].map((letter) => {
    const same = slots.filter((slot) => slot.letter === letter);
    const [first, last] = [symbolText(same[0]), symbolText(same[same.length - 1])];
    const name = first === last ? first : `${first} … ${last}`;
    return [
      name,
      valueText(same.flatMap((slot) => slot.symbols)),
      same.length > 1 ? "paths with --format json" : same[0].path,
    ];
  });
}

const greek: Readonly<Record<string, string>> = {
  α: "\\alpha",
  τ: "\\tau",
  ν: "\\nu",
  ε: "\\varepsilon",
  γ: "\\gamma",
  "‖·‖F": "\\|W\\|_F",
  "‖·‖∞": "\\|W\\|_\\infty",
  "‖·‖max": "\\|W\\|_{\\max}",
  "‖·‖row": "\\|W\\|_{2,\\infty}",
  "−min": "w^{-}",
};

/** `\alpha_{2}`, `\sigma(W_{3})`; in a loop with the round: `\alpha_{2}^{(i)}` */
function symbolLatex({ letter, number, numbered, path }: Slot): string {
  const sub = numbered ? `_{${number}}` : "";
  const round = path.split(".").includes("i") ? "^{(i)}" : "";
  if (letter === "σ") return `\\sigma(W${sub}${round})`;
  if (letter.includes("·")) return (greek[letter] ?? letter).replace("W", `W${sub}${round}`);
  const name = greek[letter] ?? (letter.length === 1 ? letter : `\\mathrm{${plain(letter)}}`);
  return `${name}${sub}${round}`;
}

function latexNames(formula: Formula): (symbol: Symbol) => string {
  return (symbol) => {
    const slot = formula.slotOf(symbol);
    return slot ? symbolLatex(slot) : symbol.letter;
  };
}

/** For \text and \mathrm. */
function plain(text: string): string {
  return text.replace(/[\\{}$&#^_%~]/g, (c) => (c === "\\" ? "/" : c === "^" || c === "~" ? "" : `\\${c}`));
}

/** One `align*` for each bound, to be put into a paper; needs amsmath. */
export function formulasLatex(report: ModelReport): string {
  return boundsWithFormula(report)
    .map((bound) => {
      const formula = formulaFor(report, bound);
      const title = `% lipsc: ${titleOf(bound, "->")} of ${report.model.name}, ${showBound(bound.upper)}\n`;
      return title + ("none" in formula ? `% no formula: ${formula.none}\n` : latex(formula, bound));
    })
    .join("\n");
}

function latex(formula: Formula, bound: Target): string {
  const name = latexNames(formula);
  const norms = normsIn(formula).map((norm) => `${gainLetters[norm]}: to ${meaning[norm]}`);
  const lines: string[] = [];
  formula.rows.forEach((row) => {
    if (row.mark === "┌" || row.mark === "─") lines.push(`  \\intertext{${roundsLatex(row)}}`);
    row.updates.forEach(({ to, formula: of, numeric }, i) => {
      const path = i === 0 ? plain(pathOf(row.nodes.map((node) => node.path))) : "";
      const told = [path, numeric ? "in numbers" : ""].filter((part) => part !== "").join(", ");
      const note = told === "" ? "" : ` && \\text{${told}}`;
      lines.push(`  ${gainLetters[to]} &\\gets ${latexOf(of, name)}${note} \\\\`);
    });
    if (row.mark === "└" || row.mark === "─") lines.push("  \\intertext{and then}");
  });
  if (lines.at(-1) === "  \\intertext{and then}") lines.pop();
  const legend = formula.slots.map(
    (slot) => `% ${symbolLatex(slot)} ${valueText(slot.symbols)}  ${slot.path}`,
  );
  const last = gainLetters[formula.rows.at(-1)?.updates[0].to ?? "l2"];
  return [
    `% gains from ${bound.from} in ${bound.normIn} (${norms.join(", ")}); the arrows of one layer act at once; the bound is the last ${last}`,
    "\\begin{align*}",
    ...lines.map((line, i) => (i === lines.length - 1 ? line.replace(/ \\\\$/, "") : line)),
    "\\end{align*}",
    ...legend,
    "",
  ].join("\n");
}

function roundsLatex({ nodes }: Row): string {
  const paths = nodes.map((node) => node.path).sort();
  const parts = paths.map((path) => path.split("."));
  const at = parts[0].findIndex((part, i) => parts.some((other) => other[i] !== part));
  const rounds = at < 0 ? nodes.map((_, i) => `${i}`) : parts.map((part) => part[at]);
  const list = rounds.length > 4 ? `${rounds[0]}, \\dots, ${rounds.at(-1)}` : rounds.join(", ");
  return `for $i = ${list}$:`;
}

/** For JSON: every line as text and as LaTeX, and what the names stand for. */
export function formulasData(report: ModelReport): readonly object[] {
  return boundsWithFormula(report).map((bound) => {
    const { phase, from, to, normIn, normOut, upper } = bound;
    const about = { phase, from, to, normIn, normOut, upper };
    const formula = formulaFor(report, bound);
    if ("none" in formula) return { ...about, value: null, none: formula.none, layers: [], symbols: [] };
    const layers = formula.rows.map((row) => ({
      paths: row.nodes.map((node) => node.path),
      updates: row.updates.map(({ to, formula: of, numeric }) => ({
        numeric,
        gain: gainLetters[to],
        norm: to,
        text: textOf(of, (symbol) => nameOf(symbol, formula)),
        latex: latexOf(of, latexNames(formula)),
      })),
    }));
    const symbols = formula.slots.map((slot) => ({
      text: symbolText(slot),
      latex: symbolLatex(slot),
      paths: slot.symbols.map((symbol) => symbol.path),
      values: slot.symbols.map((symbol) => symbol.value),
    }));
    return { ...about, value: valueOf(formula), none: null, layers, symbols };
  });
}
