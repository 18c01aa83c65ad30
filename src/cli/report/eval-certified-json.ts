/** `eval --certify --format json`: one document, described by eval-certified.schema.json. */
import { version } from "../version.ts";
import { gainsBetween, type CertifiedReport } from "./eval-certified.ts";

export function certifiedDocument(report: CertifiedReport): object {
  const { trained, samples, gains, summary, attack, options, violations } = report;
  const { model, engine } = trained;
  const pairs = gainsBetween(gains);
  return {
    lipsc: version,
    model: model.name,
    weights: {
      path: trained.weightsPath,
      sha256: report.sha256,
      constraints: report.written ? "written out" : "none",
      changes: trained.changes,
    },
    engine: { name: engine.name, version: engine.version, device: engine.device },
    data: {
      name: samples.name,
      set: report.isTest ? "test" : "train",
      samples: summary.count,
      of: samples.count,
      seed: options.seed,
    },
    norm: gains.norm,
    domain: model.inputs[0].domain,
    proof: { phase: gains.phase, head: gains.head, least: number(pairs.least), most: number(pairs.most) },
    rounding: summary.rounding && {
      median: number(summary.rounding.median),
      largest: number(summary.rounding.largest),
    },
    attack: attack && { steps: attack.steps, restarts: attack.restarts, seed: attack.seed },
    clean: summary.clean,
    rows: summary.rows.map(({ epsilon, certified, exact, attacked }) => ({
      epsilon: epsilon.text,
      value: epsilon.up,
      certified,
      certifiedInRealArithmetic: exact,
      attacked,
    })),
    radii: {
      lowerQuartile: number(summary.radii[0]),
      median: number(summary.radii[1]),
      upperQuartile: number(summary.radii[2]),
    },
    wrongByRoundingAlone: report.rounded,
    sound: report.sound,
    violations: violations.map(({ sample, label, predicted, radius, distance, wrong }) => ({
      sample,
      label,
      predicted,
      radius,
      distance,
      wrong,
    })),
    seconds: report.seconds,
  };
}

/** JSON has no ∞. */
function number(x: number): number | "Infinity" {
  return Number.isFinite(x) ? x : "Infinity";
}
