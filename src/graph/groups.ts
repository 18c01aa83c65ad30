/** Parameter groups of a recipe: weight decay and learning rate of each weight. */
import type { Json, Model, TrainConfig, Weight } from "../model/model.ts";
import { numberOf } from "./optimizer/optimizer.ts";

export interface WeightRecipe {
  readonly weightDecay: number;
  /** Times the scheduled learning rate. */
  readonly lrScale: number;
}

/** Per weight, in the order of Model.weights: the optimiser's numbers, or those of the last group that selects it. */
export function weightRecipes(model: Model, recipe: TrainConfig): WeightRecipe[] {
  const lr = numberOf(recipe.optimizer, "lr", 1e-3);
  const common = { weightDecay: numberOf(recipe.optimizer, "weight_decay", 0), lrScale: 1 };
  return model.weights.map((weight) =>
    recipe.groups.reduce((before, group) => {
      if (!selects(group.args.weights, weight)) return before;
      return {
        weightDecay: numberOf(group, "weight_decay", before.weightDecay),
        lrScale: typeof group.args.lr === "number" && lr !== 0 ? group.args.lr / lr : before.lrScale,
      };
    }, common),
  );
}

/** A word or glob, as a string or as an option without arguments. */
function nameOf(value: Json | undefined): string | null {
  if (typeof value === "string") return value;
  if (value === undefined || value === null || typeof value !== "object" || Array.isArray(value)) return null;
  const { name } = value as { readonly [key: string]: Json };
  return typeof name === "string" ? name : null;
}

/** `vectors`: weights of at most one axis; `matrices`: all others; else a glob over the path. */
export function selects(selector: Json | undefined, weight: Weight): boolean {
  const name = nameOf(selector);
  if (name === "vectors") return weight.shape.length <= 1;
  if (name === "matrices") return weight.shape.length > 1;
  return name !== null && matchesGlob(name, weight.path);
}

/** `*` stands for one part of a dotted path or a piece of it, `**` for any number of parts (also none). */
export function matchesGlob(glob: string, path: string): boolean {
  return matchParts(glob.split("."), path.split("."));
}

function matchParts(glob: readonly string[], path: readonly string[]): boolean {
  if (glob.length === 0) return path.length === 0;
  const [first, ...rest] = glob;
  if (first === "**") {
    if (rest[0] === "**") return matchParts(rest, path);
    for (let skip = 0; skip <= path.length; skip++) if (matchParts(rest, path.slice(skip))) return true;
    return false;
  }
  return path.length > 0 && matchPart(first, path[0]) && matchParts(rest, path.slice(1));
}

/** Pieces between stars must occur in order, the first at the start and the last at the end. */
function matchPart(glob: string, part: string): boolean {
  const pieces = glob.split("*");
  if (pieces.length === 1) return glob === part;
  const head = pieces[0];
  const tail = pieces[pieces.length - 1];
  if (!part.startsWith(head) || !part.endsWith(tail) || part.length < head.length + tail.length) return false;
  let at = head.length;
  for (const piece of pieces.slice(1, -1)) {
    const found = part.indexOf(piece, at);
    if (found < 0) return false;
    at = found + piece.length;
  }
  return at <= part.length - tail.length;
}
