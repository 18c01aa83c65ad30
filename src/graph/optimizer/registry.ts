/** All optimisers that are compiled. */
import { adam } from "./adam.ts";
import { adamw } from "./adamw.ts";
import type { Optimizer } from "./optimizer.ts";
import { sgd } from "./sgd.ts";

export const optimizers: ReadonlyMap<string, Optimizer> = new Map([adamw, adam, sgd].map((o) => [o.name, o]));
