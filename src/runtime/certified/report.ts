/** `report: [certified(l2, at: [0.5]), attacked(l2, at: [0.5])]` of a recipe: what training tells beside loss and accuracy. */
import { nextDown, nextUp } from "../../gain/up.ts";
import type { PairGains } from "../../gain/pairs.ts";
import type { Json, Model, OptionValue, TrainConfig } from "../../model/model.ts";
import type { Samples } from "../data/samples.ts";
import type { ObservedGain } from "../audit/observed.ts";
import type { Engine, HostTensor, Session } from "../engine.ts";
import { bad, good, type Result } from "../result.ts";
import type { AttackNorm } from "./attack.ts";
import { evaluateCertified, type Epsilon } from "./evaluate.ts";
import { violationOf } from "./violation.ts";
import { summarise } from "./summary.ts";

/** Gains of differences of logits, proven of these weights (by graph input name). */
export type Prover = (weights: ReadonlyMap<string, HostTensor>, norm: AttackNorm) => PairGains;

/** A share of the test set. */
export interface ReportedShare {
  readonly kind: "certified" | "attacked";
  readonly norm: AttackNorm;
  /** As the log shows it: 0.1412. */
  readonly epsilon: number;
  /** Of all samples. */
  readonly share: number;
}

/** One figure that a recipe asks for. */
export type Reported = ReportedShare | ObservedGain;

interface Request {
  readonly kind: "certified" | "attacked";
  readonly norm: AttackNorm;
  readonly epsilons: readonly Epsilon[];
  readonly steps: number;
}

/** What of a recipe's `report` isn't measured, in the words of the spec. */
export function leftOut({ report }: Pick<TrainConfig, "report">): string[] {
  const known = ["accuracy", "observed_gain"];
  return report.filter((entry) => !known.includes(entry.name) && !requestOf(entry)).map(({ name }) => name);
}

/** Whether a recipe asks for certified or attacked accuracy. */
export function wantsCertified({ report }: Pick<TrainConfig, "report">): boolean {
  return report.some((entry) => requestOf(entry) !== null);
}

function requestOf({ name, args }: OptionValue): Request | null {
  if (name !== "certified" && name !== "attacked") return null;
  const norm = wordOf(args.norm);
  const at = Array.isArray(args.at) ? (args.at as readonly Json[]) : [];
  const sizes = at.filter((x): x is number => typeof x === "number" && x > 0 && Number.isFinite(x));
  if ((norm !== "l2" && norm !== "linf") || sizes.length === 0 || sizes.length < at.length) return null;
  const epsilons = [...new Set(sizes)].sort((a, b) => a - b).map(epsilonOf);
  return { kind: name, norm, epsilons, steps: typeof args.steps === "number" ? args.steps : 20 };
}

function wordOf(json: Json | undefined): string {
  if (typeof json === "string") return json;
  const name =
    json && typeof json === "object" && !Array.isArray(json) ? (json as { name?: Json }).name : null;
  return typeof name === "string" ? name : "";
}

/** The written number lies within an ulp of the float64 that the recipe holds. */
function epsilonOf(x: number): Epsilon {
  return { text: String(Number(x.toPrecision(4))), up: nextUp(x), down: nextDown(x) };
}

export interface ReportPlan {
  readonly model: Model;
  readonly recipe: TrainConfig;
  readonly engine: Engine;
  /** The inference graph. */
  readonly session: Session;
  readonly samples: Samples;
  readonly prove: Prover;
}

/**
 * The figures that the recipe asks for, of these weights; attacks only where `attacked`, for they take time. Of the
 * function in real arithmetic: `lipsc eval --certify` counts rounding, too.
 */
export async function reported(
  { model, recipe, engine, session, samples, prove }: ReportPlan,
  weights: ReadonlyMap<string, HostTensor>,
  attacked: boolean,
): Promise<Result<ReportedShare[]>> {
  const figures: ReportedShare[] = [];
  for (const request of recipe.report.map(requestOf)) {
    if (!request || (request.kind === "attacked" && !attacked)) continue;
    const { kind, norm, epsilons, steps } = request;
    const { batch, seed } = recipe;
    const done = await evaluateCertified({
      ...{ model, weights, engine, session, batch, samples, seed, epsilons },
      limit: null,
      gains: prove(weights, norm),
      errors: () => null,
      attack: kind === "attacked" ? { norm, steps, restarts: 1, seed } : null,
    });
    if (!done.ok) return done;
    const [broken] = done.value.violations;
    if (broken) return bad(violationOf(broken, "`lipsc eval --certify` saves them"));
    for (const row of summarise(done.value, epsilons, kind === "attacked").rows) {
      const share = kind === "certified" ? row.certified : (row.attacked ?? 0);
      figures.push({ kind, norm, epsilon: Number(row.epsilon.text), share });
    }
  }
  return good(figures);
}

/** `certified l2 0.1: 79.4 %, 0.5: 62.5 %`, a piece for each kind and norm; `gain ≥ 12.3` for what was observed. */
export function showReported(figures: readonly Reported[]): string[] {
  const pieces = new Map<string, string[]>();
  for (const figure of figures) {
    if (figure.kind === "observed_gain") continue;
    const { kind, norm, epsilon, share } = figure;
    const key = `${kind} ${norm}`;
    pieces.set(key, [...(pieces.get(key) ?? []), `${epsilon}: ${(100 * share).toFixed(1)} %`]);
  }
  const observed = figures.flatMap((figure) =>
    figure.kind === "observed_gain" ? [`gain ≥ ${figure.lower.toPrecision(3)}`] : [],
  );
  return [...[...pieces].map(([key, shares]) => `${key} ${shares.join(", ")}`), ...observed];
}
