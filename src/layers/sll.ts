import { defineLayer } from "./layer.ts";
import { tokensOf } from "../gain/gain.ts";
import { oneLipschitz } from "./sandwich.ts";
import { positiveScale } from "./positive-scale.ts";

/**
 * SDP-based Lipschitz layer (Araujo et al., 2023, arXiv 2303.03169): x − 2WT⁻¹ρ(Wᵀx + b), W (c, width),
 * T = diag_i(Σ_j |WᵀW|_ij·q_j/q_i), q = e^`q` > 0 (`q` cut at ±20); zero columns of W are dropped. Weights: `weight`,
 * `q`, `bias`. `gains.md`, "1-Lipschitz by construction".
 *
 * Gain: l2 and token 1, if ρ is scalar, non-decreasing, with slopes in [0, 1]. Proof: T − WᵀW is positive
 * semidefinite: after the similarity Q⁻¹(T − WᵀW)Q, Q = diag(q), each diagonal entry is at least the sum of the
 * absolute others in its row, so no eigenvalue is negative. Between two inputs ρ acts as a diagonal D in [0, 1]; with
 * w = Wᵀδ, ‖δ − 2WT⁻¹Dw‖² = ‖δ‖² − 4wᵀT⁻¹Dw + 4wᵀDT⁻¹WᵀWT⁻¹Dw ≤ ‖δ‖² − 4wᵀT⁻¹(D − D²)w ≤ ‖δ‖².
 */
export const sll = defineLayer({
  name: "SLL",
  summary: "1-Lipschitz residual with a diagonal scaling",
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
    const free = { constraint: { kind: "none" } } as const;
    const weights = {
      weight: call.weight("weight", { shape: [shape[shape.length - 1], width], role: "matrix", ...free }),
      q: call.weight("q", { shape: [width], role: "vector", init: { kind: "zeros" }, ...free }),
      bias: call.weight("bias", { shape: [width], role: "bias", init: { kind: "zeros" } }),
    };
    return { config: { width }, outputs: [shape], weights, body };
  },
  macs: ({ shapes: [shape], config }) => 2 * tokensOf(shape) * shape[shape.length - 1] * Number(config.width),
  rules: { gain: (context, [input]) => oneLipschitz(context, input) },
  lower: ({ builder: b, inputs: [x], weight, step }) => {
    // Any q > 0 will do; within these ends its exponential and their quotients are numbers in float32, too.
    const w = weight("weight");
    const q = positiveScale(b, weight("q"));
    const gram = b.abs(b.matmul(w, w, true));
    const sums = b.div(b.sum(b.mul(gram, q), [1]), q);
    // A zero column has sum 0 and gives nothing: any divisor drops it.
    const t = b.select(b.greater(sums, 0), sums, 1);
    const inner = step([b.add(b.matmul(x, w), weight("bias"))]);
    return [b.sub(x, b.mul(b.matmul(b.div(inner, t), w, false, true), 2))];
  },
});
