/** Claims: proven, refused with a reason, or open. Nothing but a proof passes. */
import type { Claim, Norm, Phase, ValueId } from "../model/model.ts";
import type { Analysis } from "./analyze.ts";
import { channelsOf, entry, tokensOf, type Gain, type Reason } from "./gain.ts";
import { divUp, minBound, mulUp, sqrtDown, sqrtUp } from "./up.ts";

export interface Verdict {
  readonly claim: Claim;
  readonly status: "proven" | "refused" | "open";
  /** The proven upper bound of what is claimed; ∞ where there is none. */
  readonly upper: number;
  /** Why it is refused or open; null where it is proven. */
  readonly why: Reason | null;
  /** Whether the bound is finite but too large. */
  readonly exceeded: boolean;
}

/** `weights`: whether the analysis of the phase `checkpoint` has weights to speak of; without, such a claim is open. */
export function verdictOf(claim: Claim, analysisOf: (phase: Phase) => Analysis, weights = false): Verdict {
  if (claim.phase === "checkpoint" && !weights) {
    const why = {
      text: "no checkpoint is given, so nothing is known of the trained weights",
      path: null,
      because: [],
    };
    return { claim, status: "open", upper: Infinity, why, exceeded: false };
  }
  const { upper, why } = measure(analysisOf(claim.phase), claim);
  // NaN never passes.
  if (upper <= claim.limit) return { claim, status: "proven", upper, why: null, exceeded: false };
  const exceeded = Number.isFinite(upper);
  const text = exceeded
    ? `the proven ${claim.kind} is ${upper}, the claim ${claim.limit}`
    : "no bound is proven";
  return { claim, status: "refused", upper, why: why ?? { text, path: null, because: [] }, exceeded };
}

interface Measured {
  readonly upper: number;
  readonly why: Reason | null;
}

function measure(analysis: Analysis, claim: Claim): Measured {
  switch (claim.kind) {
    case "gain":
      return gainBetween(analysis, claim.from, claim.to, claim.normIn, claim.normOut);
    case "margin":
      return marginBetween(analysis, claim.from, claim.to, claim.normIn);
    case "radius": {
      const range = analysis.rangeOf(claim.to);
      const channels = channelsOf(analysis.model.values[claim.to].shape);
      const upper = claim.normOut === "rms" ? divUp(range.token, sqrtDown(channels)) : range[claim.normOut];
      return { upper, why: Number.isFinite(upper) ? null : range.why };
    }
  }
}

/** rms is the token norm in units of √channels: ‖x‖_rms = ‖x‖_token/√d, so that G[rms→rms] = G[token→token]·√(d_in/d_out). */
export function gainBetween(
  analysis: Analysis,
  from: ValueId,
  to: ValueId,
  normIn: Norm | "rms",
  normOut: Norm | "rms",
): Measured {
  const { values } = analysis.model;
  const gain = analysis.gainFrom(from, to);
  const base = entry(gain, plain(normIn), plain(normOut));
  const unit = inUnits(
    normIn === "rms" ? channelsOf(values[from].shape) : 1,
    normOut === "rms" ? channelsOf(values[to].shape) : 1,
  );
  return measured(mulUp(base, unit), gain);
}

function plain(norm: Norm | "rms"): Norm {
  return norm === "rms" ? "token" : norm;
}

/** ≥ √(channelsIn/channelsOut). */
function inUnits(channelsIn: number, channelsOut: number): number {
  return sqrtUp(divUp(channelsIn, channelsOut));
}

function measured(upper: number, gain: Gain): Measured {
  return { upper, why: Number.isFinite(upper) ? null : gain.why };
}

/**
 * The largest gain of a difference of two outputs y_a − y_b, the value being one token:
 *   √2·G[p→l2]   because ‖e_a − e_b‖₂ = √2
 *   2·G[p→linf]
 *   where a Linear layer gives the outputs: ‖w_a − w_b‖₂ (at most 2·max‖w‖₂), times G[p→l2] of what it reads
 * (docs/gains.md, "Margins").
 */
export function marginBetween(analysis: Analysis, from: ValueId, to: ValueId, norm: Norm | "rms"): Measured {
  const { values } = analysis.model;
  if (tokensOf(values[to].shape) !== 1) {
    const text = "a margin compares the entries of one token; this value has several tokens";
    return { upper: Infinity, why: { text, path: null, because: [], fix: "MeanPool or Token before it" } };
  }
  const p = plain(norm);
  const unit = norm === "rms" ? inUnits(channelsOf(values[from].shape), 1) : 1;
  const gain = analysis.gainFrom(from, to);
  let upper = minBound(mulUp(sqrtUp(2), entry(gain, p, "l2")), mulUp(2, entry(gain, p, "linf")));
  const head = analysis.producer(to);
  // What comes out of the layer depends on `from` through what it reads alone, unless it is `from` itself.
  if (head?.layer === "Linear" && from !== to && tokensOf(values[head.inputs[0]].shape) === 1) {
    const weight = analysis.context(head).weight("weight");
    const rows = weight.stored?.rowDistance ?? mulUp(2, weight.rowNorm);
    upper = minBound(upper, mulUp(rows, entry(analysis.gainFrom(from, head.inputs[0]), p, "l2")));
  }
  return measured(mulUp(unit, upper), gain);
}
