/** The rule of every primitive; null where there is none: nothing is proven of what it gives. */
import type { Op } from "../../graph/graph.ts";
import type { Rule } from "./rule.ts";
import * as elementwise from "./elementwise.ts";
import * as movement from "./movement.ts";
import * as sums from "./sums.ts";

export const rules: { readonly [O in Op]: Rule<O> | null } = {
  ...elementwise,
  ...movement,
  ...sums,
  // Fed or given, not computed.
  input: null,
  constant: null,
  // Of gradients only.
  scatterAdd: null,
  convGradInput: null,
  convGradKernel: null,
};
