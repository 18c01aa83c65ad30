/** `check` for people: one page per model. */
import { spineOf } from "../../gain/causes.ts";
import type { Verdict } from "../../gain/claims.ts";
import { norms } from "../../gain/gain.ts";
import { linksOf } from "../../gain/reasons.ts";
import { isUnsolved, type Domain } from "../../model/model.ts";
import {
  homeNote,
  homeOf,
  lineOf,
  placesOf,
  spansOf,
  type Matrix,
  type ModelReport,
  type Sources,
} from "./collect.ts";
import { byLine } from "./diagnose.ts";
import { phaseName, showBound, showBytes, showCount, showFactor, showLarge, showShape } from "./numbers.ts";
import { solutionLines } from "./solved.ts";
import { stagesOf } from "./stages.ts";
import { pageWidth, tabulate, wrap, type Paint } from "./table.ts";

/** Rows of the table of causes. */
const listed = 8;

export function textReport(report: ModelReport, sources: Sources, paint: Paint): string {
  const sections = [
    heading(report, sources, paint),
    values(report, paint),
    costs(report, paint),
    stages(report, paint),
    solutionLines(report, sources, paint),
    ...(isUnsolved(report.model) ? [] : gains(report, sources, paint)),
    claims(report, sources, paint),
    ...causes(report, sources, paint),
  ];
  return page(sections);
}

/** Sections with an empty line between them. */
export function page(sections: readonly (readonly string[])[]): string {
  return (
    sections
      .filter((lines) => lines.length > 0)
      .map((lines) => lines.join("\n"))
      .join("\n\n") + "\n"
  );
}

export function heading({ model }: ModelReport, sources: Sources, paint: Paint): string[] {
  const place = `${model.file}:${lineOf(model.span, sources)}`;
  const rule = "─".repeat(Math.max(2, pageWidth - model.name.length - place.length - 2));
  return [`${paint("bold", model.name)} ${paint("dim", rule)} ${paint("dim", place)}`];
}

export function values({ model }: ModelReport, paint: Paint): string[] {
  const show = (kind: string, name: string, id: number, rest: string): string[] => {
    const { shape, axes } = model.values[id];
    return [kind, name, showShape(shape, axes) + rest];
  };
  const rows = [
    ...model.inputs.map((input) => show("input", input.name, input.value, showDomain(input.domain))),
    ...model.outputs.map((output) => show("output", output.name, output.value, "")),
  ];
  void paint;
  return tabulate(rows, [{ align: "left" }, { align: "left" }, { align: "left" }]);
}

function showDomain(domain: Domain): string {
  switch (domain.kind) {
    case "box":
      return ` in [${domain.low}, ${domain.high}]`;
    case "ball":
      return ` in ball(${domain.norm}, ${domain.radius})`;
    case "tokens":
      return ` in tokens(${domain.count})`;
    case "unbounded":
      return ", unbounded";
  }
}

export function costs({ parameters, macs, batch, activations }: ModelReport, paint: Paint): string[] {
  const rows = [
    ["parameters", showCount(parameters), ""],
    ["MACs", showCount(macs), "one inference: matrix products and convolutions"],
    ["FLOPs", showCount(2 * macs), "2 per multiply-add"],
    ["activations", showBytes(activations), `float32 kept in a training step at batch ${showCount(batch)}`],
  ].map(([name, number, note]) => [name, number, paint("dim", note)]);
  return tabulate(rows, [{ align: "left" }, { align: "right" }, { align: "left" }]);
}

function stages({ model }: ModelReport, paint: Paint): string[] {
  const found = stagesOf(model);
  if (found.length === 0) return [];
  const marked = found.some((stage) => stage.mark !== "");
  const row = (name: string, count: string, mark: string, ...rest: string[]): string[] => [
    name,
    count,
    ...(marked ? [mark] : []),
    ...rest,
  ];
  const rows = found.map(({ name, count, mark, shape, parameters, macs }) => {
    const [times, sizes] = [count > 1 ? `×${count}` : "", [parameters, macs]];
    return row(name, times, mark, showShape(shape, []), ...sizes.map((n) => (n > 0 ? showLarge(n) : "")));
  });
  const left = { align: "left" } as const;
  const right = { align: "right" } as const;
  const [first, ...rest] = tabulate(
    [row("stage", "", "", "gives", "parameters", "MACs"), ...rows],
    [{ ...left, most: 44 }, right, ...(marked ? [left] : []), left, right, right],
  );
  return [paint("dim", first), ...rest];
}

/** One table per input and output: rows are norms of the input, columns norms of the output, phases side by side. */
export function gains({ matrices, model, phases }: ModelReport, sources: Sources, paint: Paint): string[][] {
  const spans = spansOf(model);
  const pairs = new Map<string, Matrix[]>();
  for (const matrix of matrices)
    pairs.set(`${matrix.from} → ${matrix.to}`, [
      ...(pairs.get(`${matrix.from} → ${matrix.to}`) ?? []),
      matrix,
    ]);
  return [...pairs].map(([pair, both]) => {
    const input = model.inputs.find((i) => i.value === both[0].source);
    if (input?.domain.kind === "tokens")
      return [`  ${pair}: no gain, \`${input.name}\` holds token ids (claim from an embedded value)`];
    const shown = phases.flatMap((phase) => both.find((m) => m.phase === phase) ?? []);
    const sideBySide = (cellsOf: (matrix: Matrix) => string[]): string[] =>
      shown.flatMap((matrix, i) => (i === 0 ? cellsOf(matrix) : ["", ...cellsOf(matrix)]));
    const rows = [
      ["", "to", ...sideBySide(() => [...norms])],
      ...norms.map((p, i) => [
        "from",
        p,
        ...sideBySide(({ upper }) => norms.map((_, j) => showBound(upper[3 * i + j]))),
      ]),
    ];
    const lines = tabulate(
      rows,
      rows[0].map((_, i) => ({ align: i < 2 ? ("left" as const) : ("right" as const) })),
    );
    let over = `  gain ${pair}`;
    let column = 0;
    for (const { phase } of shown) {
      column = lines[0].indexOf(norms[0], column + 1);
      over = over.padEnd(Math.max(column - 4, over.length + 2)) + phaseName(phase);
    }
    const notes = shown.flatMap((matrix) => {
      const [link] = matrix.why ? linksOf(matrix.why) : [];
      if (!link) return [];
      const places = placesOf(link.paths, model, spans, sources);
      const why = `${phaseName(matrix.phase)} ∞: ${link.text}${places === "" ? "" : ` (${places})`}`;
      return wrap(why).map((line) => paint("dim", line));
    });
    return [paint("bold", over), paint("dim", lines[0]), ...lines.slice(1), ...notes];
  });
}

export function claims({ verdicts }: ModelReport, sources: Sources, paint: Paint): string[] {
  if (verdicts.length === 0) return [];
  const groups = new Map<string, Verdict[]>();
  for (const verdict of verdicts) {
    const key = `${verdict.claim.span.file}:${verdict.claim.span.start}`;
    const group = groups.get(key);
    if (group) group.push(verdict);
    else groups.set(key, [verdict]);
  }
  const rows = [...groups.values()].map((group) => {
    const worst = group.reduce((a, b) =>
      rank(b) > rank(a) || (rank(b) === rank(a) && !(b.upper <= a.upper)) ? b : a,
    );
    const mark =
      worst.status === "proven"
        ? paint("good", "✓")
        : worst.status === "open"
          ? paint("name", "○")
          : paint("bad", "✗");
    const found =
      worst.status === "open"
        ? `open: ${worst.claim.phase === "checkpoint" ? "needs a checkpoint" : "no number was found"}`
        : Number.isFinite(worst.upper)
          ? `proven ${showBound(worst.upper)}`
          : "no bound";
    const places = group.length > 1 ? `${group.length} instances, worst ` : "";
    return [
      mark,
      `${phaseName(worst.claim.phase)}: ${worst.claim.text}`,
      places + found,
      paint("dim", `line ${lineOf(worst.claim.span, sources)}`),
    ];
  });
  return [
    paint("bold", "  claims"),
    ...tabulate(rows, [{ align: "left" }, { align: "left", most: 62 }, { align: "left" }, { align: "left" }]),
  ];
}

function rank(verdict: Verdict): number {
  return verdict.status === "proven" ? 0 : verdict.status === "open" ? 1 : 2;
}

/** The largest causes of the first finite l2 bound; loops folded. */
export function causes(report: ModelReport, sources: Sources, paint: Paint): string[][] {
  const matrix = report.matrices.find((m) => m.upper[0] > 0 && Number.isFinite(m.upper[0]));
  if (!matrix) return [];
  const { causes: spine } = spineOf(
    report.analysisOf(matrix.phase),
    matrix.source,
    matrix.target,
    "l2",
    "l2",
  );
  const rows = byLine(spine, report.model, sources, homeOf(report.model)).filter((row) => row.product !== 1);
  if (rows.length === 0) return [];
  const table = rows.slice(0, listed).map((row) => {
    const { inside } = row;
    const branch = inside?.node ? `around ${inside.rule} ×${showFactor(inside.factor)}` : "";
    return [`×${showFactor(row.product)}`, row.rule, row.place, branch];
  });
  const title = `  largest causes of ${matrix.from} → ${matrix.to}, l2 ${phaseName(matrix.phase)} (${showBound(matrix.upper[0])})`;
  const lines = tabulate(table, [
    { align: "right" },
    { align: "left" },
    { align: "left" },
    { align: "left", most: 60 },
  ]);
  if (rows.length > listed)
    lines.push(paint("dim", `  and ${rows.length - listed} more; --explain-bound shows all`));
  return [[paint("bold", title), ...homeNote(report.model).map((line) => paint("dim", line)), ...lines]];
}
