import { defineLayer } from "./layer.ts";
import { tokensOf } from "../gain/gain.ts";
import { oneLipschitz } from "./sandwich.ts";

/**
 * Convex potential layer (Meunier et al., 2022, arXiv 2110.12690): x − 2/s·Wᵀρ(Wx + b), W (width, c), s a proven upper
 * bound of ‖W‖₂²: the largest absolute row sum of WWᵀ. Weights: `weight`, `bias`. `gains.md`, "1-Lipschitz by construction".
 *
 * Gain: l2 and token 1, if ρ is scalar, non-decreasing, with slopes in [0, 1]. Proof: between two inputs ρ acts as a
 * diagonal D in [0, 1], so the change is (I − 2/s·WᵀDW)δ with 0 ≤ WᵀDW ≤ ‖W‖²I ≤ s·I: symmetric with eigenvalues in
 * [−1, 1]. A lower bound of ‖W‖ (power iteration) would break it: 10 % too small gives 1.47.
 */
export const cpl = defineLayer({
  name: "CPL",
  summary: "1-Lipschitz residual: a gradient step of a convex potential",
  signature: {
    tensors: ["x"],
    params: [
      { name: "width", type: "int", doc: "inner channels" },
      { name: "act", type: "Layer", default: "ReLU", doc: "scalar, non-decreasing, slopes in [0, 1]" },
    ],
    shape: "[..., c] -> [..., c]",
  },
  infer: (call) => {
    const { shape } = call.inputs[0];
    const width = call.int("width");
    if (call.failed) return undefined;
    const body = call.step("act", [[...shape.slice(0, -1), width]]);
    if (!body) return undefined;
    const weights = {
      weight: call.weight("weight", {
        shape: [width, shape[shape.length - 1]],
        role: "matrix",
        constraint: { kind: "none" },
      }),
      bias: call.weight("bias", { shape: [width], role: "bias", init: { kind: "zeros" } }),
    };
    return { config: { width }, outputs: [shape], weights, body };
  },
  macs: ({ shapes: [shape], config }) => 2 * tokensOf(shape) * shape[shape.length - 1] * Number(config.width),
  rules: { gain: (context, [input]) => oneLipschitz(context, input) },
  // s is the largest absolute row sum of WWᵀ, at least its largest eigenvalue ‖W‖².
  lower: ({ builder: b, inputs: [x], weight, step }) => {
    const w = weight("weight");
    const s = b.max(b.sum(b.abs(b.matmul(w, w, false, true)), [1]), [0]);
    const inner = step([b.add(b.matmul(x, w, false, true), weight("bias"))]);
    const change = b.matmul(b.div(inner, b.select(b.greater(s, 0), s, 1)), w);
    return [b.sub(x, b.mul(change, 2))];
  },
});
