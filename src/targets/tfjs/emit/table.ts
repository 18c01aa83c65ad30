/** How each primitive is made of calls. A primitive without an entry does not type-check. */
import type { Op } from "../../../graph/graph.ts";
import { conv, convGradInput, convGradKernel } from "./conv.ts";
import * as elementwise from "./elementwise.ts";
import type { Emission } from "./emission.ts";
import { matmul } from "./matmul.ts";
import { broadcast, concat, gather, pad, reshape, scatterAdd, slice, transpose } from "./movement.ts";
import { max, softmax, sum } from "./reduce.ts";

/** Inputs and constants are no calls. */
export type EmittedOp = Exclude<Op, "input" | "constant">;

export const emissions: { readonly [O in EmittedOp]: Emission<O> } = {
  ...elementwise,
  sum,
  max,
  softmax,
  reshape,
  broadcast,
  transpose,
  slice,
  concat,
  pad,
  gather,
  scatterAdd,
  matmul,
  conv,
  convGradInput,
  convGradKernel,
};
