/**
 * Gains of differences of two outputs: for classes a and b, L_ab with
 *   |(y_a − y_b)(x) − (y_a − y_b)(x′)| ≤ L_ab·‖x − x′‖_p   for all x, x′ of the domain
 * (docs/gains.md, "Margins"): what a certified radius divides by.
 */
import type { Coefficient, Norm, Phase, ValueId } from "../model/model.ts";
import type { Analysis } from "./analyze.ts";
import type { WeightFacts } from "./facts.ts";
import { entry, tokensOf } from "./gain.ts";
import { minBound, mulUp, sqrtUp } from "./up.ts";

export interface PairGains {
  readonly phase: Phase;
  readonly norm: Norm;
  readonly classes: number;
  /** ≥ the gain of y_a − y_b; ∞ where nothing is proven. Symmetric; 0 for a = b. */
  between(a: number, b: number): number;
  /** What the head has to do with it: rows of a Linear layer told apart, or only the gain of all outputs together. */
  readonly head: "rows" | "norms";
}

/**
 * The smallest of three proven bounds, the value `to` being one token:
 *   √2·G[p→l2](y)      because ‖e_a − e_b‖₂ = √2
 *   2·G[p→linf](y)
 *   |s|·‖w_a − w_b‖₂·G[p→l2](x)   where y = s·(W x + b) and x is one token: the bias cancels, and Cauchy–Schwarz
 *
 * Never from the phase `init`: trained weights are not those of the initialiser. That is a bug of the caller.
 */
export function pairGains(analysis: Analysis, from: ValueId, to: ValueId, norm: Norm): PairGains {
  const { phase, model } = analysis;
  if (phase === "init") throw new Error("a certified radius can't rest on the initialiser's weights");
  const { shape } = model.values[to];
  const classes = shape.at(-1) ?? 1;
  const common = { phase, norm, classes };
  // Entries of one token only: of several, two entries of one channel are no classes.
  if (tokensOf(shape) !== 1) return { ...common, head: "norms", between: (a, b) => (a === b ? 0 : Infinity) };
  const gain = analysis.gainFrom(from, to);
  const all = minBound(mulUp(sqrtUp(2), entry(gain, norm, "l2")), mulUp(2, entry(gain, norm, "linf")));
  const head = headOf(analysis, from, to);
  if (!head) return { ...common, head: "norms", between: (a, b) => (a === b ? 0 : all) };
  const { weight, scale } = head;
  const before = mulUp(scale, entry(analysis.gainFrom(from, head.features), norm, "l2"));
  const farthest = mulUp(2, weight.rowNorm);
  const distance = (a: number, b: number): number =>
    minBound(weight.stored?.rowDistances?.(a, b) ?? Infinity, weight.stored?.rowDistance ?? farthest);
  const known = new Map<number, number>();
  const between = (a: number, b: number): number => {
    if (a === b) return 0;
    const key = Math.min(a, b) * classes + Math.max(a, b);
    let found = known.get(key);
    if (found === undefined) known.set(key, (found = minBound(all, mulUp(distance(a, b), before))));
    return found;
  };
  return { ...common, head: "rows", between };
}

interface Head {
  /** Facts of W, (classes, channels). */
  readonly weight: WeightFacts;
  /** ≥ |s|. */
  readonly scale: number;
  readonly features: ValueId;
}

/** The Linear layer that gives the outputs, behind scales by one number and constants that are added. */
function headOf(analysis: Analysis, from: ValueId, to: ValueId): Head | null {
  let scale = 1;
  let value = to;
  for (;;) {
    // What comes out of a layer depends on `from` through what it reads alone, unless it is `from` itself.
    const node = value === from ? null : analysis.producer(value);
    if (!node) return null;
    const context = analysis.context(node);
    if (node.layer === "Scale" && isOneNumber(node.config.by as Coefficient)) {
      scale = mulUp(scale, context.coefficient(node.config.by as Coefficient).maxAbs);
      value = node.inputs[0];
    } else if (node.layer === "Offset") {
      value = node.inputs[0];
    } else if (node.layer === "Linear" && tokensOf(analysis.model.values[node.inputs[0]].shape) === 1) {
      return { weight: context.weight("weight"), scale, features: node.inputs[0] };
    } else return null;
  }
}

/** A learned vector scales every class by another number: then rows of W alone say nothing. */
function isOneNumber(by: Coefficient): boolean {
  return by.kind === "constant" || by.shape?.length === 0;
}
