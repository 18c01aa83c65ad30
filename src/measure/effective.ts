/**
 * The weights that a network uses, from the stored ones: a constrained weight's file holds the free tensor, and what its
 * constraint makes of it is computed here in float64, by the same graph that training runs, with a proven error.
 */
import { Builder } from "../graph/builder.ts";
import { effectiveWeight } from "../graph/constraints/registry.ts";
import type { Model, Weight } from "../model/model.ts";
import { float64 } from "../rounding/arithmetic.ts";
import { zero, type Deviation } from "../rounding/deviation.ts";
import { runningErrors } from "../rounding/running.ts";
import { Value } from "../rounding/value.ts";

/** Stored entries by the weight's path, as the file holds them. */
export type Tensors = ReadonlyMap<string, ArrayLike<number>>;

/** Entries of the weight that the network uses, row-major. */
export interface Effective {
  readonly entries: ArrayLike<number>;
  /** ≥ |entries − exact|: largest entry, largest row of the matrix (out, everything else), all. */
  readonly error: Deviation;
}

/** null where nothing is proven of it: the weight isn't there, its constraint has no graph, or numbers overflow. */
export type EffectiveOracle = (weight: Weight) => Effective | null;

export function effectiveWeights(tensors: Tensors): EffectiveOracle {
  const known = new Map<string, Effective | null>();
  return (weight) => {
    let found = known.get(weight.path);
    if (found === undefined) {
      const entries = tensors.get(weight.path);
      known.set(weight.path, (found = entries ? effective(weight, entries) : null));
    }
    return found;
  };
}

/** What the constraint makes of these stored entries, in real arithmetic. */
export function effective(weight: Weight, entries: ArrayLike<number>): Effective | null {
  if (weight.constraint.kind === "none") return { entries, error: zero };
  const builder = new Builder();
  const made = effectiveWeight(builder, weight, builder.input("free", weight.shape));
  const rows = weight.shape[0] ?? 1;
  const tensor = builder.reshape(made, [rows, rows === 0 ? 0 : entries.length / rows]);
  const graph = builder.graph(weight.path, [{ name: "effective", tensor }]);
  const free = new Value(weight.shape, Float64Array.from(entries), [zero], { constant: true });
  const arbitrary = new Set(builder.arbitraryNodes.map(({ id }) => id));
  const { centre, tracks } = runningErrors(graph, { free }, [float64], arbitrary).effective;
  return tracks[0].l2 < Infinity ? { entries: centre, error: tracks[0] } : null;
}

/**
 * The model with its effective weights written out: nothing is constrained any more, and the tensors are those float32
 * numbers, which an engine reads as they are. It is another function than the one it comes from, by the rounding of its
 * weights; measured as it stands, it needs no word about how constraints are computed. null where a weight has none.
 */
export function plain(
  model: Model,
  tensors: Tensors,
): { readonly model: Model; readonly tensors: Map<string, Float32Array> } | null {
  const of = effectiveWeights(tensors);
  const made = new Map<string, Float32Array>();
  for (const weight of model.weights) {
    const found = of(weight);
    if (!found) return null;
    made.set(weight.path, Float32Array.from(found.entries));
  }
  return { model: unconstrained(model), tensors: made };
}

/**
 * The model whose weights are what they are: no constraint. Claims of other phases than `checkpoint` go with the
 * constraints that they rest on.
 */
export function unconstrained(model: Model): Model {
  const weights = model.weights.map((weight): Weight => ({ ...weight, constraint: { kind: "none" } }));
  return { ...model, weights, claims: model.claims.filter(({ phase }) => phase === "checkpoint") };
}

export function isConstrained({ weights }: Model): boolean {
  return weights.some(({ constraint }) => constraint.kind !== "none");
}
