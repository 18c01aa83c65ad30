/** `check --formula`: the bound as a formula in the numbers of the spec and the norms of its weights, as text or LaTeX. */
import type { Norm } from "../../model/model.ts";
import type { Symbol } from "../../symbolic/expression.ts";
import { gainLetters } from "../../symbolic/factors.ts";
import { common, formulaOf, type Formula, type Row, type Slot } from "../../symbolic/formula.ts";
import { decimalText } from "../../symbolic/print.ts";
import { latexOf } from "../../symbolic/print-latex.ts";
import { textOf } from "../../symbolic/print-text.ts";
import { homeOf, type Matrix, type ModelReport, type Sources } from "./collect.ts";
import { placeText } from "./diagnose.ts";
import { phaseName, showBound } from "./numbers.ts";
import { tabulate, wrap, type Paint } from "./table.ts";

/** Every finite l2 bound from an input to an output has one. */
export function boundsWithFormula({ matrices }: ModelReport): readonly Matrix[] {
  return matrices.filter(
    ({ upper, phase }) => phase !== "checkpoint" && Number.isFinite(upper[0]) && upper[0] > 0,
  );
}

export function formulaFor({ model }: ModelReport, matrix: Matrix): ReturnType<typeof formulaOf> {
  if (matrix.phase === "checkpoint") return { none: "norms of a checkpoint are numbers" };
  return formulaOf(model, matrix.phase, matrix.source, matrix.target, "l2", "l2");
}

export function formulasText(report: ModelReport, sources: Sources, paint: Paint): string {
  return boundsWithFormula(report)
    .map((matrix) => {
      const title = `  the l2 bound of ${matrix.from} → ${matrix.to} ${phaseName(matrix.phase)} as a formula`;
      const formula = formulaFor(report, matrix);
      const lines =
        "none" in formula ? [`  none: ${formula.none}`] : text(formula, report, matrix, sources, paint);
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
  matrix: Matrix,
  sources: Sources,
  paint: Paint,
): string[] {
  const { rows, slots } = formula;
  const name = (symbol: Symbol): string => nameOf(symbol, formula);
  const letters = normsIn(formula).map((norm) => `${gainLetters[norm]} to ${meaning[norm]}`);
  const what = `gains from ${matrix.from} in l2: ${letters.join(", ")}; arrows of one layer act at once`;
  const table = rows.flatMap((row) =>
    row.updates.map(({ to, formula: of }, i) => [
      ...(i === 0
        ? [lineOf(row, report, sources), row.mark, layerOf(row)]
        : ["", row.mark === "" ? "" : inner(row.mark), ""]),
      `${gainLetters[to]} ← ${textOf(of, name)}`,
    ]),
  );
  const legend = slots.map((slot) => [symbolText(slot), valueText(slot), slot.path]);
  const left = { align: "left" } as const;
  const marked = rows.some(({ mark }) => mark !== "");
  const cells = [["line", "", "layer", "its bound"], ...table].map((row) =>
    row.filter((_, i) => marked || i !== 1),
  );
  const [head, ...lines] = tabulate(cells, [
    { ...left, most: 12 },
    ...(marked ? [left] : []),
    { ...left, most: 24 },
    left,
  ]);
  const [second, ...names] = tabulate([["with", "", "of"], ...legend], [left, left, left]);
  const last = rows.at(-1)?.updates[0].to ?? "l2";
  return [
    ...wrap(what).map((line) => paint("dim", line)),
    paint("dim", head),
    ...lines,
    `  the bound is ${gainLetters[last]} = ${showBound(matrix.upper[0])}`,
    "",
    paint("dim", second),
    ...names,
  ];
}

function inner(mark: string): string {
  return mark === "└" || mark === "─" ? "" : "│";
}

/** `lips_block.i.center_norm`, and how often: `×3`. */
function layerOf({ nodes }: Row): string {
  const paths = nodes.map((node) => node.path);
  const path = common(paths[0], paths);
  return nodes.length > 1 ? `${path} ×${nodes.length}` : path;
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

/** `0.25`, or `0.25 … 0.5` where rounds differ. */
function valueText({ symbols }: Slot): string {
  const values = symbols.map((symbol) => symbol.value);
  const [least, most] = [Math.min(...values), Math.max(...values)];
  return least === most ? `= ${decimalText(least)}` : `= ${decimalText(least)} … ${decimalText(most)}`;
}

const greek: Readonly<Record<string, string>> = {
  α: "\\alpha",
  τ: "\\tau",
  ν: "\\nu",
  ε: "\\varepsilon",
  γ: "\\gamma",
  "‖·‖F": "\\|W\\|_F",
  "‖·‖∞": "\\|W\\|_\\infty",
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

/** For \text and \mathrm. */
function plain(text: string): string {
  return text.replace(/[\\{}$&#^_%~]/g, (c) => (c === "\\" ? "/" : c === "^" || c === "~" ? "" : `\\${c}`));
}

/** One `align*` for each bound, to be put into a paper; needs amsmath. */
export function formulasLatex(report: ModelReport): string {
  return boundsWithFormula(report)
    .map((matrix) => {
      const formula = formulaFor(report, matrix);
      const title = `% lipsc: the l2 bound of ${matrix.from} -> ${matrix.to} ${phaseName(matrix.phase)} of ${report.model.name}, ${showBound(matrix.upper[0])}\n`;
      return title + ("none" in formula ? `% no formula: ${formula.none}\n` : latex(formula, matrix));
    })
    .join("\n");
}

function latex(formula: Formula, matrix: Matrix): string {
  const name = (symbol: Symbol): string => {
    const slot = formula.slotOf(symbol);
    return slot ? symbolLatex(slot) : symbol.letter;
  };
  const norms = normsIn(formula).map((norm) => `${gainLetters[norm]}: to ${meaning[norm]}`);
  const lines: string[] = [];
  formula.rows.forEach((row) => {
    if (row.mark === "┌" || row.mark === "─") lines.push(`  \\intertext{${roundsLatex(row)}}`);
    row.updates.forEach(({ to, formula: of }, i) => {
      const note =
        i === 0 ? ` && \\text{${plain(layerOf({ ...row, nodes: row.nodes }).replace(/ ×\d+$/, ""))}}` : "";
      lines.push(`  ${gainLetters[to]} &\\gets ${latexOf(of, name)}${note} \\\\`);
    });
    if (row.mark === "└" || row.mark === "─") lines.push("  \\intertext{and then}");
  });
  if (lines.at(-1) === "  \\intertext{and then}") lines.pop();
  const legend = formula.slots.map((slot) => `% ${symbolLatex(slot)} ${valueText(slot)}  ${slot.path}`);
  const last = gainLetters[formula.rows.at(-1)?.updates[0].to ?? "l2"];
  return [
    `% gains from ${matrix.from} in l2 (${norms.join(", ")}); the arrows of one layer act at once; the bound is the last ${last}`,
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
