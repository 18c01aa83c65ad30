/** `check --explain-bound`: the waterfall from the input to the output, and cosine attention beside the paper's theorem. */
import type { Cause } from "../../gain/causes.ts";
import { homeNote, type Matrix, type ModelReport, type Sources } from "./collect.ts";
import { phaseName, showBound, showFactor } from "./numbers.ts";
import { pageWidth, tabulate, type Paint } from "./table.ts";
import { paperComparison } from "./paper.ts";
import { waterfallOf, type Change, type Waterfall } from "./waterfall.ts";

/** Rows of the table of symbols. */
const listed = 20;
/** On a narrower page what each line's symbol does isn't shown: the rules would be cut beyond recognition. */
const roomForChanges = pageWidth >= 96;

export function explainBound(report: ModelReport, sources: Sources, paint: Paint): string {
  const ofWeights = report.phase === "checkpoint";
  const shown = report.matrices.filter(
    ({ upper, phase }) => Number.isFinite(upper[0]) && upper[0] > 0 && (!ofWeights || phase === report.phase),
  );
  const sections = shown.map((matrix) => waterfall(report, matrix, sources, paint).join("\n"));
  // The theorem is about the weights that training starts from.
  const paper = ofWeights ? [] : paperComparison(report, sources, paint);
  return [...sections, ...(paper.length > 0 ? [paper.join("\n")] : [])].map((s) => s + "\n").join("\n");
}

/** One line per layer of the spine, then the symbols of the spec, each at all its places at once. */
function waterfall(report: ModelReport, matrix: Matrix, sources: Sources, paint: Paint): string[] {
  const { rows, bound, whole } = waterfallOf(report, matrix, sources);
  const table = rows.map(({ cause, times, mark, factors, sofar, line, change }) => [
    showBound(sofar),
    `×${showFactors(factors)}${times > 1 ? ` ×${times}` : ""}`,
    mark,
    line,
    ruleOf(cause),
    ...(change ? [nameOf(change), ...boundsOf(change)] : ["", "", ""]),
  ]);
  const title = `  the l2 bound of ${matrix.from} → ${matrix.to} ${phaseName(matrix.phase)}: ${showBound(bound)}`;
  const head = ["so far", "factor", "", "line", "rule", "depends most on", "at half", "at twice"];
  const marked = rows.some(({ mark }) => mark !== "");
  const cells = [head, ...table].map((row) =>
    row.filter((_, i) => (i !== 2 || marked) && (i < 6 || roomForChanges)),
  );
  const [right, left] = [{ align: "right" }, { align: "left" }] as const;
  const [first, ...lines] = tabulate(cells, [
    right,
    left,
    ...(marked ? [left] : []),
    { ...left, most: 10 },
    { ...left, most: 44 },
    left,
    ...(roomForChanges ? [right, right] : []),
  ]);
  return [
    paint("bold", title),
    ...homeNote(report.model).map((note) => paint("dim", note)),
    paint("dim", first),
    ...lines,
    "",
    ...symbols(whole, bound, paint),
  ];
}

/** The table of symbols: what one number of the spec does to the whole bound. */
function symbols(whole: Waterfall["whole"], bound: number, paint: Paint): string[] {
  if (whole.length === 0) return [];
  const rows = whole
    .slice(0, listed)
    .map((change) => [
      nameOf(change),
      change.line,
      change.count > 1 ? `${change.count} places` : "",
      ...boundsOf(change),
    ]);
  const [right, left] = [{ align: "right" }, { align: "left" }] as const;
  const [first, ...lines] = tabulate(
    [["symbol", "line", "", "at half", "at twice"], ...rows],
    [{ ...left, most: 30 }, { ...left, most: 30 }, left, right, right],
  );
  const more = whole.length - listed;
  return [
    paint("bold", `  the bound ${showBound(bound)} with one symbol halved and doubled, everywhere in a line`),
    paint("dim", first),
    ...lines,
    ...(more > 0 ? [paint("dim", `  and ${more} more`)] : []),
  ];
}

/** `α = 0.25`, `σ(query)` */
function nameOf({ name, value }: Change): string {
  return value === null ? name : `${name} = ${showFactor(value)}`;
}

function boundsOf({ half, twice }: Change): string[] {
  return [showBound(half), showBound(twice)];
}

/** `residual: DepthwiseConv ×7`: the rule, and what is largest in the branch. */
function ruleOf({ rule, inside: [largest] }: Cause): string {
  return largest
    ? `${rule.split(",")[0]}: ${largest.rule.split(",")[0]} ×${showFactor(largest.factor)}`
    : rule;
}

/** `43.5`, or `30…30.4` where layers of one row differ. */
function showFactors([least, most]: readonly [number, number]): string {
  const [a, b] = [showFactor(least), showFactor(most)];
  return a === b ? a : `${a}…${b}`;
}
