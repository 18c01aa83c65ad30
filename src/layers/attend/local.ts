/**
 * `local` (LePE, Dong et al., 2022, arXiv 2107.00652): a depthwise k × k convolution of the values inside
 * each group, zero padded at the group's edges, added to the output: its own term in the gain,
 * "DepthwiseConv" with stride 1. Groups don't overlap, so the operator is block diagonal: in every norm its
 * gain is that of one group's convolution.
 */
import type { WeightFacts } from "../../gain/facts.ts";
import type { Stated } from "../../gain/gain.ts";
import { minBound, mulUp, sqrtUp } from "../../gain/up.ts";
import type { Partition } from "./regions.ts";

/** Entries of the depthwise operator on groups of `rows` × `columns`; see DepthwiseConv for the proof. */
export function localEntries(kernel: WeightFacts, size: number, p: Partition): Stated {
  // An output reads, and an input is read by, at most min(k, side) positions along each side.
  const taps = Math.min(size, p.rows) * Math.min(size, p.columns);
  const norm = minBound(kernel.rowNorm, kernel.spectral);
  const sum = minBound(kernel.rowSum, mulUp(size, norm));
  const reads = mulUp(sqrtUp(taps), norm);
  return {
    l2: minBound(sum, reads),
    token: minBound(reads, mulUp(taps, kernel.maxAbs)),
    "l2->token": norm,
    linf: sum,
    "l2->linf": norm,
  };
}
