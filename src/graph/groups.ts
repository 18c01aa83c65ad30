/** Parameter groups of a recipe: update rule, weight decay and learning rate of each weight. */
import type { Json, Model, TrainConfig, Weight } from "../model/model.ts";
import { isMatrix } from "./optimizer/muon.ts";
import { numberOf } from "./optimizer/optimizer.ts";

export interface WeightRecipe {
  /** Name of the optimiser whose rule moves the weight: the recipe's own, or AdamW beside Muon. */
  readonly rule: string;
  readonly weightDecay: number;
  /** Times the scheduled learning rate. */
  readonly lrScale: number;
}

/**
 * Per weight, in the order of Model.weights: the optimiser's numbers, or those of the last group that selects it.
 * Beside Muon, AdamW moves what is no matrix and what a group leaves to it (`by: adamw`), at the rate `adamw_lr` where no
 * group says another; all rates follow the schedule in proportion.
 */
export function weightRecipes(model: Model, recipe: TrainConfig): WeightRecipe[] {
  const { optimizer } = recipe;
  const lr = numberOf(optimizer, "lr", 1e-3);
  const weightDecay = numberOf(optimizer, "weight_decay", 0);
  return model.weights.map((weight) => {
    const groups = recipe.groups.filter((group) => selects(group.args.weights, weight));
    const left = groups.some((group) => group.args.by === "adamw");
    const rule = optimizer.name === "muon" && (left || !isMatrix(weight)) ? "adamw" : optimizer.name;
    const own = rule === optimizer.name || lr === 0 ? 1 : numberOf(optimizer, "adamw_lr", lr) / lr;
    return groups.reduce<WeightRecipe>(
      (before, group) => ({
        rule,
        weightDecay: numberOf(group, "weight_decay", before.weightDecay),
        lrScale: typeof group.args.lr === "number" && lr !== 0 ? group.args.lr / lr : before.lrScale,
      }),
      { rule, weightDecay, lrScale: own },
    );
  });
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
