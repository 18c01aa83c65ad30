/** What a certified evaluation comes to: shares of all samples at each ε, and radii. */
import { isRight, type CertifiedEvaluation, type Epsilon, type Outcome } from "./evaluate.ts";
import { holdsAt } from "./radius.ts";

/** Shares of all samples at one ε. */
export interface Row {
  readonly epsilon: Epsilon;
  /** Of the engine's answers: its rounding is counted, where it is bounded. */
  readonly certified: number;
  /** Of the real-arithmetic function. */
  readonly exact: number;
  /** null: nothing was attacked. */
  readonly attacked: number | null;
}

export interface Summary {
  readonly count: number;
  readonly clean: number;
  readonly rows: readonly Row[];
  /** Radii of the real-arithmetic function that 25 %, 50 % and 75 % of all samples don't reach; wrong answers have 0. */
  readonly radii: readonly [number, number, number];
  /** Middle and largest of the bounds on the rounding in a logit, within the largest ε; null where none is known. */
  readonly rounding: { readonly median: number; readonly largest: number } | null;
}

export function summarise(
  { outcomes }: Pick<CertifiedEvaluation, "outcomes">,
  epsilons: readonly Epsilon[],
  attacked: boolean,
): Summary {
  const count = outcomes.length;
  const share = (holds: (o: Outcome) => boolean): number =>
    count === 0 ? 0 : outcomes.filter(holds).length / count;
  const errors = sorted(outcomes.flatMap(({ error }) => error ?? []));
  const radii = sorted(outcomes.map(({ radius }) => radius));
  return {
    count,
    clean: share(isRight),
    rows: epsilons.map((epsilon, at) => ({
      epsilon,
      certified: share((o) => isRight(o) && o.certified[at]),
      exact: share((o) => isRight(o) && holdsAt(o, epsilon.up)),
      attacked: attacked ? share((o) => isRight(o) && (o.brokenAt === null || o.brokenAt > at)) : null,
    })),
    radii: [quantile(radii, 0.25), quantile(radii, 0.5), quantile(radii, 0.75)],
    rounding:
      errors.length > 0 ? { median: quantile(errors, 0.5), largest: errors[errors.length - 1] } : null,
  };
}

function sorted(xs: readonly number[]): number[] {
  // Not by a difference: radii may be ∞.
  return [...xs].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
}

/** The entry of a sorted list below which (at most) such a share lies. */
function quantile(xs: readonly number[], share: number): number {
  return xs.length === 0 ? 0 : xs[Math.min(xs.length - 1, Math.floor(share * xs.length))];
}

/** Samples for which certified ≤ attacked ≤ clean fails at some ε: there must be none, whatever was found or missed. */
export function outOfOrder({ outcomes }: Pick<CertifiedEvaluation, "outcomes">): Outcome[] {
  return outcomes.filter((o) => {
    const stands = (at: number): boolean => isRight(o) && (o.brokenAt === null || o.brokenAt > at);
    return o.certified.some((certified, at) => certified && !stands(at));
  });
}
