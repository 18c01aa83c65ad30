/** All losses that are compiled. */
import { crossEntropy } from "./cross-entropy.ts";
import { emma } from "./emma.ts";
import { hinge } from "./hinge.ts";
import type { LossTerm } from "./loss.ts";
import { margin } from "./margin.ts";
import { radius } from "./radius.ts";

export const losses: ReadonlyMap<string, LossTerm> = new Map(
  [crossEntropy, margin, radius, hinge, emma].map((term) => [term.name, term]),
);
