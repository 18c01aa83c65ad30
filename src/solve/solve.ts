/** `solve`: from a model with an unknown number to the model that its claims choose. */
import { Diagnostics } from "../diagnostics/diagnostic.ts";
import { elaborateFile } from "../elaborate/elaborate.ts";
import { exactText, readExact, type Rational } from "../elaborate/rational.ts";
import { Analysis } from "../gain/analyze.ts";
import { verdictOf, type Verdict } from "../gain/claims.ts";
import type { Host } from "../host.ts";
import type { Claim, Model, Phase, Solve } from "../model/model.ts";
import { search, type Found, type Trial } from "./search.ts";

/** A model at one value, and the claim that is nearest to failing (or fails most). */
export interface Tried {
  /** null where the spec refuses the value. */
  readonly model: Model | null;
  readonly verdict: Verdict | null;
  readonly analysisOf: ((phase: Phase) => Analysis) | null;
}

export type Solution = Extract<Found<Tried>, { kind: "found" }> & {
  readonly solve: Solve;
  /** The model with the number in its place. */
  readonly model: Model;
};

export type Unsolved =
  | Exclude<Found<Tried>, { kind: "found" }>
  /** No claim that a spec alone decides, so nothing chooses the number. */
  | { readonly kind: "no-claims" };

export type Outcome = Solution | Unsolved;

/** Claims that are decided without trained weights. */
export function decides(claim: Claim): boolean {
  return claim.phase !== "checkpoint";
}

/**
 * Solves one model of `file`. Every value is tried by elaborating the file anew with it, so that loops, branches and
 * shapes that depend on it are those of the value; the answer's model is the one whose claims were checked.
 */
export function solveModel(
  host: Host,
  file: string,
  set: Readonly<Record<string, string>>,
  model: Model,
): Outcome {
  const { solve } = model;
  const [low, high] = [solve && readExact(solve.low), solve && readExact(solve.high)];
  if (!solve || !low || !high) throw new Error(`${model.name} holds no unknown number`);
  if (!model.claims.some(decides)) return { kind: "no-claims" };
  const found = search(low, high, (value) => tryValue(host, file, set, model.name, value));
  if (found.kind !== "found") return found;
  const { model: solved } = found.at.made;
  if (!solved) throw new Error("an answer without a model");
  const answer = { ...solve, value: exactText(found.at.value) };
  return { ...found, solve: answer, model: { ...solved, solve: answer } };
}

function tryValue(
  host: Host,
  file: string,
  set: Readonly<Record<string, string>>,
  name: string,
  value: Rational,
): Trial<Tried> {
  const diagnostics = new Diagnostics();
  const [model] = elaborateFile(host, file, diagnostics, { set, only: name, unknown: value }).models;
  const refused = { value, holds: false, excess: Infinity };
  if (!model || diagnostics.hasErrors)
    return { ...refused, made: { model: null, verdict: null, analysisOf: null } };
  const analyses = new Map<Phase, Analysis>();
  const analysisOf = (phase: Phase): Analysis => {
    const analysis = analyses.get(phase) ?? new Analysis(model, phase);
    analyses.set(phase, analysis);
    return analysis;
  };
  const verdicts = model.claims.filter(decides).map((claim) => verdictOf(claim, analysisOf));
  // A claim may stand in a branch that this value leaves out: without a claim nothing holds.
  if (verdicts.length === 0) return { ...refused, made: { model, verdict: null, analysisOf } };
  const worst = verdicts.reduce((a, b) => (excessOf(b) > excessOf(a) ? b : a));
  return {
    value,
    holds: verdicts.every((verdict) => verdict.status === "proven"),
    excess: excessOf(worst),
    made: { model, verdict: worst, analysisOf },
  };
}

/** How far a bound is from its claim: ≤ 1 holds; ∞ without a bound. Never NaN. */
function excessOf({ upper, claim: { limit } }: Verdict): number {
  const ratio = upper === 0 && limit >= 0 ? 0 : limit > 0 ? upper / limit : Infinity;
  return Number.isNaN(ratio) ? Infinity : ratio;
}
