/** `check --explain-bound`: the waterfall from the input to the output, and cosine attention beside the paper's theorem. */
import { spineOf, type Cause } from "../../gain/causes.ts";
import type { Model } from "../../model/model.ts";
import { homeNote, homeOf, type Matrix, type ModelReport, type Sources } from "./collect.ts";
import { placeText } from "./diagnose.ts";
import { phaseName, showBound, showFactor } from "./numbers.ts";
import { tabulate, type Paint } from "./table.ts";
import { paperComparison } from "./paper.ts";

/** Characters of the longest bar. */
const bar = 8;

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

/** One line per layer of the spine: the bound so far, the layer's factor, and what dominates in its branches. */
function waterfall(report: ModelReport, matrix: Matrix, sources: Sources, paint: Paint): string[] {
  const { causes, bound } = spineOf(
    report.analysisOf(matrix.phase),
    matrix.source,
    matrix.target,
    "l2",
    "l2",
  );
  let sofar = 1;
  const steps = causes.map((cause) => ({ cause, sofar: (sofar *= cause.factor) }));
  const most = Math.max(...steps.map((step) => Math.abs(Math.log10(step.sofar))), 1e-9);
  const rows = fold(steps, report.model, sources).map(({ cause, times, sofar: reached, line }) => [
    showBound(reached),
    `×${showFactor(cause.factor)}${times > 1 ? ` ×${times}` : ""}`,
    cause.rule,
    line,
    "▇".repeat(Math.round((bar * Math.max(0, Math.log10(reached))) / most)),
    inside(cause),
  ]);
  const title = `  the l2 bound of ${matrix.from} → ${matrix.to} ${phaseName(matrix.phase)}: ${showBound(bound)}${homeNote(report.model)}`;
  const head = ["so far", "factor", "rule", "line", "log scale", "largest in its branch"];
  const [first, ...lines] = tabulate(
    [head, ...rows],
    [
      { align: "right" },
      { align: "left" },
      { align: "left", most: 28 },
      { align: "left", most: 30 },
      { align: "left" },
      { align: "left", most: 44 },
    ],
  );
  return [paint("bold", title), paint("dim", first), ...lines];
}

interface Step {
  readonly cause: Cause;
  readonly sofar: number;
}

/** Neighbours with the same rule, line and factor are one row. */
function fold(
  steps: readonly Step[],
  model: Model,
  sources: Sources,
): { cause: Cause; times: number; sofar: number; line: string }[] {
  const rows: { cause: Cause; times: number; sofar: number; line: string }[] = [];
  for (const { cause, sofar } of steps) {
    if (cause.factor === 1) continue;
    const line = cause.node
      ? placeText(cause.node, model, sources, homeOf(model))
          .replace(/line (?=\d)/, "")
          .replace("called in ", "by ")
      : "";
    const last = rows.at(-1);
    const same =
      last &&
      last.line === line &&
      last.cause.rule === cause.rule &&
      Math.abs(last.cause.factor / cause.factor - 1) < 1e-9;
    if (same) {
      last.times++;
      last.sofar = sofar;
    } else {
      rows.push({ cause, times: 1, sofar, line });
    }
  }
  return rows;
}

function inside(cause: Cause): string {
  const [largest] = cause.inside;
  return largest ? `${largest.rule} ×${showFactor(largest.factor)}` : "";
}
