/** All optimisers that are compiled. */
import { adam } from "./adam.ts";
import { adamw } from "./adamw.ts";
import { muon } from "./muon.ts";
import type { Optimizer } from "./optimizer.ts";
import { sgd } from "./sgd.ts";

export const optimizers: ReadonlyMap<string, Optimizer> = new Map(
  [adamw, adam, sgd, muon].map((o) => [o.name, o]),
);
