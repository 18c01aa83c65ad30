import type { Tensor } from "../graph/builder.ts";
import { defineLayer } from "./layer.ts";
import { requireMultiple } from "./check.ts";
import { allNorms, mapped } from "./pointwise.ts";

const largestGroup = 1024;

/**
 * GroupSort (Anil et al., 2019, arXiv 1811.05381): each group of n neighbouring channels sorted, smallest first.
 * `gains.md`, "Sorting".
 *
 * Gain 1 in l2, token and linf: sorting is continuous and on each of finitely many polyhedral cones a permutation, an
 * isometry of every ℓp norm. The range stays: the entries of a token are permuted.
 */
export const groupSort = defineLayer<{ n: number }>({
  name: "GroupSort",
  summary: "groups of n neighbouring channels, each sorted",
  signature: {
    tensors: ["x"],
    params: [{ name: "n", type: "int", default: "2", doc: "channels in a group" }],
    shape: "[..., c] -> [..., c]",
  },
  infer: (call) => {
    const { shape } = call.inputs[0];
    const n = call.int("n");
    if (call.failed || !requireMultiple(call, "GroupSort", shape[shape.length - 1], n, "c / n"))
      return undefined;
    if (n > largestGroup) {
      call.fail("out-of-range", { argument: "n", found: String(n), allowed: `at most ${largestGroup}` }, "n");
      return undefined;
    }
    return { config: { n }, outputs: [shape] };
  },
  macs: () => 0,
  rules: {
    gain: (context, [input]) => mapped(context, input, allNorms(1), "Sorting"),
    range: ({ ranges: [input] }) => [input],
  },
  lower: ({ builder: b, inputs: [x], config: { n } }) => {
    const axis = x.shape.length - 1;
    const channels = x.shape[axis];
    const grouped = b.reshape(x, [...x.shape.slice(0, axis), channels / n, n]);
    const lanes: Tensor[] = Array.from({ length: n }, (_, i) => b.slice(grouped, axis + 1, i, i + 1));
    for (const [i, j] of comparators(n)) {
      const [low, high] = [b.minimum(lanes[i], lanes[j]), b.maximum(lanes[i], lanes[j])];
      lanes[i] = low;
      lanes[j] = high;
    }
    return [b.reshape(b.concat(lanes, axis + 1), x.shape)];
  },
});

/** Batcher's merge-exchange network (Knuth, vol. 3, 5.2.2, algorithm M): the pairs to compare, for any n. */
export function comparators(n: number): readonly (readonly [number, number])[] {
  const pairs: [number, number][] = [];
  // trust: T9
  const top = 2 ** (Math.ceil(Math.log2(Math.max(n, 2))) - 1);
  for (let p = top; p >= 1; p /= 2) {
    let q = top;
    let r = 0;
    let d = p;
    for (;;) {
      for (let i = 0; i < n - d; i++) if ((i & p) === r) pairs.push([i, i + d]);
      if (q === p) break;
      d = q - p;
      q /= 2;
      r = p;
    }
  }
  return pairs;
}
