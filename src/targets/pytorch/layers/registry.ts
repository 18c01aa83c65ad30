/** Every layer's emission, by the layer's name (test/pytorch/layers.test.ts finds one that is missing). */
import type { Emit } from "../emission.ts";
import { arithmetic } from "./arithmetic.ts";
import { emitAttend } from "./attend.ts";
import { weighted } from "./linear.ts";
import { norms } from "./norms.ts";
import { pointwise } from "./pointwise.ts";
import { pools } from "./pools.ts";
import { recurrent } from "./recurrent.ts";
import { structure } from "./structure.ts";

export const emissions: ReadonlyMap<string, Emit> = new Map<string, Emit>([
  ...Object.entries(weighted),
  ...Object.entries(structure),
  ...Object.entries(pools),
  ...Object.entries(arithmetic),
  ...Object.entries(pointwise),
  ...Object.entries(norms),
  ...Object.entries(recurrent),
  ["Attend", emitAttend],
]);
