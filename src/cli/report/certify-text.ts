/** `certify` for people: the page of `check`, about given weights. */
import { widthOf } from "../../diagnostics/display-width.ts";
import type { Rounding, Subject } from "../certify.ts";
import type { ModelReport, Sources } from "./collect.ts";
import { plural, showBound } from "./numbers.ts";
import { pageWidth, tabulate, wrap, type Paint } from "./table.ts";
import { causes, claims, costs, gains, heading, page, values } from "./text.ts";

export function certifyText(
  report: ModelReport,
  subject: Subject,
  rounding: Rounding | null,
  sources: Sources,
  paint: Paint,
): string {
  return page([
    heading(report, sources, paint),
    values(report, paint),
    files(subject, paint),
    costs(report, paint).slice(0, 1),
    ...gains(report, sources, paint),
    claims(report, sources, paint),
    advice(report, paint),
    ...causes(report, sources, paint),
    closing(report, subject, rounding, paint),
  ]);
}

/** What the numbers are about: anyone can compare the hashes with `sha256sum`. */
function files({ specs, weights, writtenOut, step, set }: Subject, paint: Paint): string[] {
  const own = specs.filter(({ path }) => !path.startsWith("std/"));
  const rows = [
    ...own.map(({ path, sha256 }, i) => [i === 0 ? "spec" : "imports", sha256, path]),
    ["weights", weights.sha256, weights.path + (step === null ? "" : `, ${plural(step, "step")}`)],
    ...(writtenOut ? [["", "what the spec's constraints made of a run's weights", ""]] : []),
    ...Object.entries(set).map(([key, value]) => ["set", `${key}=${value}`, ""]),
  ];
  const left = { align: "left" } as const;
  const [first, ...lines] = tabulate([["", "SHA-256", ""], ...rows], [left, left, left]);
  if (lines.every((line) => widthOf(line) <= pageWidth)) return [paint("dim", first), ...lines];
  // Hash and path don't fit side by side.
  const below = rows.flatMap(([name, hash, path]) =>
    path === ""
      ? [[name, hash]]
      : [
          [name, path],
          ["", hash],
        ],
  );
  const [title, ...stacked] = tabulate([["", "path, SHA-256"], ...below], [left, left]);
  return [paint("dim", title), ...stacked];
}

/** A spec that claims nothing of its checkpoint could: with the number that holds now. */
function advice({ verdicts, matrices, phase }: ModelReport, paint: Paint): string[] {
  const matrix = matrices.find((m) => m.phase === phase);
  if (verdicts.length > 0 || !matrix || !Number.isFinite(matrix.upper[0])) return [];
  const claim = `certify at checkpoint: gain(${matrix.from} -> ${matrix.to}) <= ${showBound(matrix.upper[0])}`;
  return [paint("dim", "  the spec claims nothing `at checkpoint`; it could:"), `    ${claim}`];
}

function closing(
  { matrices, phase }: ModelReport,
  { seconds }: Subject,
  rounding: Rounding | null,
  paint: Paint,
): string[] {
  const matrix = matrices.find((m) => m.phase === phase && Number.isFinite(m.upper[0]));
  const told = matrix
    ? `For every two inputs of the domain: ‖Δ${matrix.to}‖₂ ≤ ${showBound(matrix.upper[0])} · ‖Δ${matrix.from}‖₂. `
    : "";
  const text =
    `${told}Proven in ${seconds.toFixed(1)} s, for the function in real arithmetic of the weights in this file; ` +
    `an engine's float32 rounding is not in it${rounding ? `: it adds at most ${addedBy(rounding)}` : ""}.`;
  return wrap(text).map((line) => paint("dim", line));
}

function addedBy({ output, bound, written }: Rounding): string {
  const how = written ? ", once what constraints make of the weights is written out" : "";
  return `${showBound(bound)} to an entry of ${output}, anywhere in the domain${how}`;
}
