/**
 * `lipsc eval RUN --certify --eps …`: clean, attacked and certified accuracy of trained weights, in the units of the
 * declared input. The gain is proven from the bytes on disk (phase `checkpoint`); a certified sample that the attack
 * breaks is a soundness bug of lipsc: exit code 1, both points saved.
 */
import { join } from "node:path";
import { diagnostic, type Diagnostic } from "../diagnostics/diagnostic.ts";
import { good } from "../diagnostics/result.ts";
import { Analysis } from "../gain/analyze.ts";
import { pairGains, type PairGains } from "../gain/pairs.ts";
import { measure } from "../measure/measure.ts";
import type { Model } from "../model/model.ts";
import { logitErrors } from "../rounding/rounding.ts";
import type { AttackOptions } from "../runtime/certified/attack.ts";
import {
  evaluateCertified,
  type CertifiedEvaluation,
  type Epsilon,
  type ErrorBounds,
  type Violation,
} from "../runtime/certified/evaluate.ts";
import { outOfOrder, summarise } from "../runtime/certified/summary.ts";
import { violationOf } from "../runtime/certified/violation.ts";
import { openData } from "../runtime/data/open.ts";
import type { Samples } from "../runtime/data/samples.ts";
import type { Engine } from "../runtime/engine.ts";
import { isFolder, readBytes, writeWhole } from "../runtime/files.ts";
import { writeSafetensors } from "../runtime/safetensors.ts";
import { sha256 } from "./certify.ts";
import { countedProgress } from "./counted-progress.ts";
import { listing } from "./listing.ts";
import { printDiagnostics, wantsColor } from "./print.ts";
import { tensorsOf } from "./prover.ts";
import type { CertifiedReport } from "./report/eval-certified.ts";
import { painter } from "./report/table.ts";
import { openTrained, type TrainedOptions } from "./trained.ts";
import { writtenOut } from "./written-out.ts";

export interface EvalCertifiedOptions extends TrainedOptions {
  readonly data: string | null;
  readonly format: "text" | "json";
  /** Rising. */
  readonly epsilons: readonly Epsilon[];
  readonly norm: "l2" | "linf";
  /** How many samples, a seeded choice; null: all. */
  readonly samples: number | null;
  readonly seed: number;
  /** null: no attack. */
  readonly attack: { readonly steps: number; readonly restarts: number } | null;
  /** Whether the engine's float32 rounding is counted. */
  readonly rounding: boolean;
}

export async function runEvalCertified(options: EvalCertifiedOptions): Promise<number> {
  const { trained: opened, problems, sources } = await openTrained(options, 256);
  printDiagnostics(problems, sources);
  if (!opened) return 1;
  const fail = (found: readonly Diagnostic[]): number => (printDiagnostics(found, sources), 1);
  const counted = options.rounding && isBounded(opened.engine);
  const written = counted ? await writtenOut(opened) : good(opened);
  if (!written.ok) return fail([written.problem]);
  const trained = written.value;
  const { model } = trained;
  const data = openData(model, options.data ?? trained.data, listing(process.stderr));
  if (!data.ok) return fail([data.problem]);
  const samples = data.value.test ?? data.value.train;
  const bytes = readBytes(trained.weightsPath, "weights file");
  if (!bytes.ok) return fail([bytes.problem]);

  const began = performance.now();
  const tensors = tensorsOf(model, trained.weights);
  const measured = measure(tensors);
  const gains = gainsOf(model, measured, options.norm);
  if (!gains.ok) return fail([gains.problem]);
  const attack: AttackOptions | null = options.attack && {
    ...options.attack,
    norm: options.norm,
    seed: options.seed,
  };
  const progress = countedProgress(process.stderr, "samples", options.format === "text");
  const evaluated = await evaluateCertified({
    model,
    weights: trained.weights,
    engine: trained.engine,
    session: trained.session,
    batch: trained.batch,
    samples,
    limit: options.samples,
    seed: options.seed,
    epsilons: options.epsilons,
    gains: gains.value,
    errors: counted ? errorsOf({ model, tensors, oracle: measured.oracle }) : () => null,
    attack,
    onProgress: progress,
  });
  await trained.session.release();
  if (!evaluated.ok) return fail([evaluated.problem]);

  const bugs = savedViolations(evaluated.value, samples, options.path);
  const report: CertifiedReport = {
    trained,
    written: trained !== opened,
    sha256: sha256(bytes.value),
    samples,
    isTest: data.value.test !== null,
    gains: gains.value,
    attack,
    options,
    summary: summarise(evaluated.value, options.epsilons, attack !== null),
    rounded: evaluated.value.rounded,
    seconds: (performance.now() - began) / 1000,
    sound: bugs.length === 0 && outOfOrder(evaluated.value).length === 0,
    violations: evaluated.value.violations,
  };
  if (options.format === "json") {
    const { certifiedDocument } = await import("./report/eval-certified-json.ts");
    process.stdout.write(JSON.stringify(certifiedDocument(report), null, 2) + "\n");
  } else {
    const { certifiedText } = await import("./report/eval-certified.ts");
    process.stdout.write(certifiedText(report, painter(wantsColor(process.stdout))));
  }
  if (bugs.length > 0) return fail(bugs);
  return report.sound ? 0 : 1;
}

/** Proven of the weights on disk; an error where no radius could be above 0. */
function gainsOf(
  model: Model,
  measured: ReturnType<typeof measure>,
  norm: "l2" | "linf",
): { ok: true; value: PairGains } | { ok: false; problem: Diagnostic } {
  const analysis = new Analysis(model, "checkpoint", measured);
  const [input, output] = [model.inputs[0], model.outputs[0]];
  const gains = pairGains(analysis, input.value, output.value, norm);
  for (let a = 0; a < gains.classes; a++)
    for (let b = 0; b < a; b++) if (gains.between(a, b) < Infinity) return { ok: true, value: gains };
  const { why } = analysis.gainFrom(input.value, output.value);
  const reason = why
    ? `${why.text}${why.path === null ? "" : ` (${why.path})`}.`
    : "Its values are several tokens.";
  const names = { input: input.name, output: output.name, reason };
  return { ok: false, problem: diagnostic("radius-unproven", output.span, names) };
}

/** GPUs may multiply in TF32 or narrower, which no bound covers (TRUST.md). */
export function isBounded({ device }: Pick<Engine, "device">): boolean {
  return /\bCPU\b/.test(device);
}

/** Proven bounds of the rounding in logits; null where none is proven of this model. */
function errorsOf(weighted: Parameters<typeof logitErrors>[0]): ErrorBounds {
  // Decided by the first samples: later ones without a bound are not certified.
  let counted: boolean | null = null;
  return (values, count, radius) => {
    if (counted === false) return null;
    const { perSample, perMargin, logits, exact } = logitErrors(weighted, values, radius);
    counted ??= exact.some(Number.isFinite) && perSample.some(Number.isFinite);
    if (!counted) return null;
    const classes = logits.length / count;
    const rows = Array.from({ length: count }, (_, i) => logits.subarray(i * classes, (i + 1) * classes));
    return { logits: rows, exact, engine: perMargin.map((e) => e / 2), single: perSample };
  };
}

/** Both points of each violation in a file, and the error that names it. */
export function savedViolations(
  { violations }: Pick<CertifiedEvaluation, "violations">,
  { shape }: Pick<Samples, "shape">,
  path: string,
): Diagnostic[] {
  return violations.map((violation) => {
    const file = join(isFolder(path) ? path : ".", `soundness-bug-${violation.sample}.safetensors`);
    const written = writeWhole(file, encodeViolation(violation, shape));
    return violationOf(violation, written.ok ? file : "they could not be saved");
  });
}

function encodeViolation({ clean, point, ...facts }: Violation, shape: readonly number[]): Uint8Array {
  return writeSafetensors(
    new Map([
      ["clean", { dtype: "F32" as const, shape, data: clean }],
      ["point", { dtype: "F32" as const, shape, data: point }],
    ]),
    Object.fromEntries(Object.entries(facts).map(([key, value]) => [key, String(value)])),
  );
}
