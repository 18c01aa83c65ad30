import { defineLayer } from "./layer.ts";
import { requireMultiple } from "./check.ts";
import { allNorms, mapped } from "./pointwise.ts";

/**
 * MaxMin (Anil et al., 2019, arXiv 1811.05381): the channels' first half a and second half b become max(a, b) and
 * min(a, b). `gains.md`, "Sorting".
 *
 * Gain 1 in l2, token and linf. Proof: on each pair (a_c, b_c) the map is z or its swap, according to the sign of
 * a_c − b_c, and continuous where they meet; each piece is a permutation, so along the segment between two inputs the
 * map is a chain of isometries of every ℓp norm. The range stays: the entries of a token are permuted.
 */
export const maxMin = defineLayer({
  name: "MaxMin",
  summary: "larger and smaller of two halves of the channels",
  signature: { tensors: ["x"], params: [], shape: "[..., c] -> [..., c]" },
  infer: (call) => {
    const { shape } = call.inputs[0];
    if (!requireMultiple(call, "MaxMin", shape[shape.length - 1], 2, "c / 2")) return undefined;
    return { config: {}, outputs: [shape] };
  },
  macs: () => 0,
  rules: {
    gain: (context, [input]) => mapped(context, input, allNorms(1), "Sorting"),
    range: ({ ranges: [input] }) => [input],
  },
  lower: ({ builder: b, inputs: [x] }) => {
    const axis = x.shape.length - 1;
    const half = x.shape[axis] / 2;
    const [first, second] = [b.slice(x, axis, 0, half), b.slice(x, axis, half, 2 * half)];
    return [b.concat([b.maximum(first, second), b.minimum(first, second)], axis)];
  },
});
