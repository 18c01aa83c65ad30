/**
 * The symbols of a bound: the numbers of a spec and the norms of weights that its rules are formulas in. Each can be
 * given another value, and the analysis run again: `whatIf` of what-if.ts.
 */
import type { Coefficient, Json, Model, Node, Weight, WeightId } from "../model/model.ts";

/** Where the number stands: in a node's config, or as a weight whose facts it scales. */
export type Place =
  | { readonly kind: "config"; readonly node: Node; readonly keys: readonly string[] }
  | { readonly kind: "weight"; readonly weight: WeightId };

export interface Symbol {
  /** As a formula writes it: `α`, `τ`, `ν`, `ε`, `γ`, `σ`, `b`, `1/std`. */
  readonly letter: string;
  /** What it is of, to tell two of one layer apart: `query`, `values`; "" where the letter says it. */
  readonly of: string;
  readonly place: Place;
}

/** Letters of the coefficients by their key in a config; `scale` is that of a dot product, or of a distance. */
const letters: Readonly<Record<string, string>> = { alpha: "α", tau: "τ", nu: "ν", scale: "s", by: "c" };

/** The symbols that a layer's rule may read. */
export function symbolsOf(node: Node, model: Model): readonly Symbol[] {
  const found: Symbol[] = [];
  const seen = new Set<WeightId>();
  const visit = (value: Json, keys: readonly string[]): void => {
    const key = keys.at(-1) ?? "";
    if (key === "eps" && typeof value === "number") {
      const of = keys.length > 1 ? keys[0] : "";
      found.push({ letter: "ε", of, place: { kind: "config", node, keys } });
    } else if (node.layer === "Normalize" && key === "scale") {
      found.push({ letter: "1/std", of: "", place: { kind: "config", node, keys } });
    } else if (isCoefficient(value)) {
      const letter = letters[key] ?? key;
      if (value.kind === "learned") {
        seen.add(value.weight);
        found.push({ letter, of: "", place: { kind: "weight", weight: value.weight } });
      } else found.push({ letter, of: "", place: { kind: "config", node, keys: [...keys, "value"] } });
    } else if (value !== null && typeof value === "object" && !Array.isArray(value))
      for (const [inner, at] of Object.entries(value)) visit(at, [...keys, inner]);
  };
  visit(node.config, []);
  for (const [name, weight] of Object.entries(node.weights)) {
    const letter = letterOf(model.weights[weight], name);
    if (seen.has(weight) || letter === null) continue;
    found.push({
      letter,
      of: letter === "γ" ? "" : nameOf(model.weights[weight]),
      place: { kind: "weight", weight },
    });
  }
  for (const inner of node.body?.nodes ?? []) found.push(...symbolsOf(inner, model));
  return found;
}

function isCoefficient(value: Json): value is Json & Coefficient {
  if (value === null || typeof value !== "object" || Array.isArray(value)) return false;
  const { kind } = value as { kind?: unknown };
  return (kind === "constant" && "value" in value) || (kind === "learned" && "weight" in value);
}

function letterOf({ role }: Weight, name: string): string | null {
  switch (role) {
    case "matrix":
    case "kernel":
    case "depthwise":
    case "table":
      return "σ";
    case "vector":
    case "scalar":
      return name === "gamma" ? "γ" : (letters[name] ?? name);
    case "bias":
      return name === "beta" ? "β" : "b";
    case "value":
    case "statistic":
      return null;
  }
}

/** `blocks.0.attention.query.weight` → `query`. */
function nameOf({ path }: Weight): string {
  const parts = path.split(".");
  return parts.at(parts.at(-1) === "weight" || parts.at(-1) === "bias" ? -2 : -1) ?? path;
}

/** Two symbols that change together are the same place. */
export function placeKey({ place }: Symbol): string {
  return place.kind === "weight" ? `w${place.weight}` : `${place.node.path} ${place.keys.join(".")}`;
}

/** The number itself, where it is one in the spec; null for a norm, and for a list. */
export function writtenValue({ place }: Symbol, model: Model): number | null {
  if (place.kind === "weight") {
    const { init, shape } = model.weights[place.weight];
    return shape.length === 0 && init.kind === "constant" ? init.values[0] : null;
  }
  let at: Json = place.node.config;
  for (const key of place.keys) at = (at as { readonly [key: string]: Json })[key];
  return typeof at === "number" ? at : null;
}
