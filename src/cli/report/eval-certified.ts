/** `eval --certify` for people: one row for each ε, and what the numbers are about. */
import type { PairGains } from "../../gain/pairs.ts";
import type { AttackOptions } from "../../runtime/certified/attack.ts";
import type { Violation } from "../../runtime/certified/evaluate.ts";
import type { Row, Summary } from "../../runtime/certified/summary.ts";
import { showDomain } from "../../runtime/data/open.ts";
import type { Samples } from "../../runtime/data/samples.ts";
import type { EvalCertifiedOptions } from "../eval-certified.ts";
import { headOf, type Trained } from "../trained.ts";
import { plural, showBound, showCount } from "./numbers.ts";
import { fact, tabulate, wrap, type Paint } from "./table.ts";

/** Everything that `eval --certify` found. */
export interface CertifiedReport {
  readonly trained: Trained;
  /** Whether constrained weights were computed once, in float64: then the network of these numbers is meant. */
  readonly written: boolean;
  /** Of the weights file. */
  readonly sha256: string;
  readonly samples: Samples;
  /** Whether they are a test set. */
  readonly isTest: boolean;
  readonly gains: PairGains;
  readonly attack: AttackOptions | null;
  readonly options: EvalCertifiedOptions;
  readonly summary: Summary;
  /** Certified samples that only float32 got wrong at an attacked point. */
  readonly rounded: number;
  readonly seconds: number;
  /** certified ≤ attacked ≤ clean, sample by sample. */
  readonly sound: boolean;
  readonly violations: readonly Violation[];
}

export function certifiedText(report: CertifiedReport, paint: Paint): string {
  const { trained, samples, isTest, summary, sound } = report;
  const part = summary.count < samples.count ? `${showCount(summary.count)} of ` : "";
  const head =
    headOf(trained) +
    `SHA-256  ${report.sha256}\n` +
    (report.written ? "         what constraints make of them, in float64, runs rounded to float32\n" : "") +
    fact(
      "data",
      `${samples.name}: ${part}${plural(samples.count, "sample")}${isTest ? "" : " (there is no test set)"}`,
    ) +
    `proof    ${proofOf(report)}\n` +
    fact("attack", attackOf(report));
  const order = sound
    ? report.attack
      ? [`  ${paint("good", "✓")} certified ≤ attacked ≤ clean, sample by sample`]
      : []
    : [`  ${paint("bad", "✗")} a certified sample was broken: SOUNDNESS BUG OF LIPSC`];
  return [
    head,
    ...rowsOf(report, paint),
    "",
    ...radiiOf(report),
    ...order,
    "",
    ...closing(report, paint),
    "",
  ].join("\n");
}

function proofOf({ gains, trained: { model } }: CertifiedReport): string {
  const pairs = gainsBetween(gains);
  const range =
    pairs.least === pairs.most
      ? `${showBound(pairs.most)}`
      : `${showBound(pairs.least)} to ${showBound(pairs.most)}`;
  const [input, output] = [model.inputs[0].name, model.outputs[0].name];
  const head = gains.head === "rows" ? "rows of the head, pair by pair" : "of all outputs together";
  return `at checkpoint: gains of ${input} → differences of ${output} ${range} (${gains.norm})\n         ${head}`;
}

/** Smallest and largest over all pairs of classes. */
export function gainsBetween(gains: PairGains): { least: number; most: number } {
  let [least, most] = [Infinity, 0];
  for (let a = 0; a < gains.classes; a++)
    for (let b = 0; b < a; b++) {
      least = Math.min(least, gains.between(a, b));
      most = Math.max(most, gains.between(a, b));
    }
  return { least, most };
}

function attackOf({ attack }: CertifiedReport): string {
  if (!attack) return "none";
  const { norm, steps, restarts, seed } = attack;
  const starts = `${plural(restarts, "start")}${restarts > 1 ? " (1 where certified)" : ""}`;
  return `PGD on the margin, ${norm}, ${plural(steps, "step")} from ${starts}, seed ${seed}`;
}

function rowsOf({ summary, attack }: CertifiedReport, paint: Paint): string[] {
  const { clean, rows } = summary;
  const exact = rows.some((row) => row.exact !== row.certified);
  const percent = (share: number | null): string => (share === null ? "–" : `${(100 * share).toFixed(2)} %`);
  const size = ({ text, up }: Row["epsilon"]): string =>
    text.includes("/") ? `${text} = ${Number(up.toPrecision(4))}` : text;
  const table = [
    ["ε", "certified", ...(exact ? ["in real arithmetic"] : []), ...(attack ? ["attacked"] : []), "clean"],
    ["0", "", ...(exact ? [""] : []), ...(attack ? [""] : []), percent(clean)],
    ...rows.map((row) => [
      size(row.epsilon),
      percent(row.certified),
      ...(exact ? [percent(row.exact)] : []),
      ...(attack ? [percent(row.attacked)] : []),
      "",
    ]),
  ];
  const [first, ...lines] = tabulate(
    table,
    table[0].map(() => ({ align: "right" as const })),
  );
  return [paint("dim", first), ...lines];
}

function radiiOf({ summary: { radii } }: CertifiedReport): string[] {
  const [low, middle, high] = radii.map(showRadius);
  return wrap(
    `certified radius: ${middle} in the middle of all samples; a quarter has less than ${low}, a quarter ${high} or more`,
  );
}

/** Three digits, rounded down: what is printed is still certified. */
function showRadius(x: number): string {
  if (x === Infinity) return "∞";
  if (x === 0) return "0";
  const unit = 10 ** (Math.floor(Math.log10(x)) - 2);
  const down = Number((Math.floor(x / unit) * unit).toPrecision(3));
  return String(down <= x ? down : Number((down - unit).toPrecision(3)));
}

/** Kernels of this kind were measured; what a GPU does with elementary functions, or with TF32, was not. trust: T4, T5 */
function onProcessor(device: string): boolean {
  return /CPU|WebAssembly|float64/i.test(device);
}

function closing(
  { trained: { model, engine }, gains, summary, rounded, seconds }: CertifiedReport,
  paint: Paint,
): string[] {
  const input = model.inputs[0];
  const { rounding } = summary;
  const arithmetic =
    rounding === null
      ? `Of the function in real arithmetic: the rounding of the engine (${engine.device}) is not counted.`
      : `The engine's float32 rounding is counted: at most ${showBound(rounding.median)} in a logit (middle of all samples; largest ${showBound(rounding.largest)})${onProcessor(engine.device) ? "" : ", for a device that keeps to float32 throughout, which this one was not measured for (TRUST.md, T4 and T5)"}.`;
  const text =
    `Certified: proven that no input of the domain (${input.name} in ${showDomain(input.domain)}) within ε in ${gains.norm} of the sample, ` +
    `in the units of \`${input.name}\`, is classified otherwise. ${arithmetic} ` +
    "Attacked: right at every point that the search tried; a stronger one may find more." +
    (rounded > 0
      ? ` ${plural(rounded, "certified sample")} came out wrong by float32 rounding alone, and count as standing.`
      : "") +
    ` ${seconds.toFixed(1)} s.`;
  return wrap(text).map((line) => paint("dim", line));
}
