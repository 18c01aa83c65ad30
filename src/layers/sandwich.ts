import { defineLayer, type GainContext, type Config, type Ruled } from "./layer.ts";
import { tokensOf, unproven, type Gain, type Reason } from "../gain/gain.ts";
import { mulUp } from "../gain/up.ts";
import { isFirmActivation } from "./activations.ts";
import { spectralOf } from "./linear.ts";
import { mapped, reason } from "./pointwise.ts";
import { positiveScale } from "./positive-scale.ts";

/**
 * Sandwich layer (Wang and Manchester, 2023, arXiv 2301.11526): 2·AᵀΨρ(Ψ⁻¹Bx + b), [A B] a matrix of norm at most 1,
 * A q×q and B q×p, and Ψ = diag(e^psi), psi cut at ±20. The paper's Ψ is √2 times this one: 2 is a float, √2 isn't, and
 * a rounded √2 on both sides could exceed the gain. Weights: `weight` (q, q + p), the free matrix that `orthogonal` makes
 * [A B] from (the paper takes the Cayley transform, which needs a linear system solved; a polar factor needs products
 * only); `psi` and `bias`. `gains.md`, "1-Lipschitz by construction".
 *
 * Gain: l2 and token ‖[A B]‖₂² ≤ 1, if ρ is scalar, non-decreasing, with slopes in [0, 1]. Proof: between two inputs ρ acts as a
 * diagonal D with entries in [0, 1]; diagonal matrices commute, so Ψ cancels and the change of the output is 2AᵀDBδ.
 * For unit y and δ, u = Ay, w = Bδ: 2yᵀAᵀDBδ = 2uᵀDw = ½((u + w)ᵀD(u + w) − (u − w)ᵀD(u − w)) ≤ ½‖u + w‖², and
 * ‖u + w‖ = ‖[A B][y; δ]‖ ≤ √2·‖[A B]‖₂. In real arithmetic, for every free weight, in every phase: the constraint
 * `orthogonal` keeps that norm at 1 or below, whether or not rows are orthonormal.
 */
export const sandwich = defineLayer({
  name: "Sandwich",
  summary: "1-Lipschitz layer around a scalar activation",
  signature: {
    tensors: ["x"],
    params: [
      { name: "width", type: "int", doc: "channels of the result" },
      { name: "act", type: "Layer", default: "ReLU", doc: "scalar, non-decreasing, slopes in [0, 1]" },
    ],
    shape: "[..., c] -> [..., width]",
  },
  infer: (call) => {
    const { shape } = call.inputs[0];
    const width = call.int("width");
    if (call.failed) return undefined;
    const output = [...shape.slice(0, -1), width];
    const body = call.step("act", [output]);
    if (!body) return undefined;
    const weights = {
      weight: call.weight("weight", {
        shape: [width, width + shape[shape.length - 1]],
        role: "matrix",
        constraint: { kind: "orthogonal" },
      }),
      psi: call.weight("psi", { shape: [width], role: "vector", init: { kind: "zeros" } }),
      bias: call.weight("bias", { shape: [width], role: "bias", init: { kind: "zeros" } }),
    };
    return { config: {}, outputs: [output], weights, body };
  },
  // x is multiplied by B (q×p), then by Aᵀ (q×q); making A and B from the free matrix is not counted: it is done once.
  macs: ({ shapes: [shape], outputs: [output] }) => {
    const [p, q] = [shape[shape.length - 1], output[output.length - 1]];
    return tokensOf(shape) * (q * p + q * q);
  },
  rules: {
    gain: (context, [input]) => {
      const weight = context.weight("weight");
      const norm = spectralOf(weight);
      return oneLipschitz(context, input, mulUp(norm, norm), weight.why);
    },
  },
  lower: ({ builder: b, inputs: [x], outputs: [output], weight, step }) => {
    const q = output[output.length - 1];
    const joint = weight("weight");
    const [first, second] = [b.slice(joint, 1, 0, q), b.slice(joint, 1, q, joint.shape[1])];
    const psi = positiveScale(b, weight("psi"));
    const leading = x.shape.slice(0, -1);
    const flat = b.reshape(x, [leading.reduce((n, m) => n * m, 1), x.shape[x.shape.length - 1]]);
    const driven = b.mul(b.matmul(flat, second, false, true), b.div(1, psi));
    const inner = step([b.reshape(b.add(driven, weight("bias")), [...leading, q])]);
    const scaled = b.reshape(b.mul(inner, b.mul(psi, 2)), [flat.shape[0], q]);
    return [b.reshape(b.matmul(scaled, first), [...leading, q])];
  },
});

/** Gain `bound` in l2 and token where the node's body is one firm activation; else no proof. */
export function oneLipschitz(
  context: GainContext<Config>,
  input: Gain,
  bound = 1,
  why: Reason | null = null,
): readonly Ruled[] {
  const rule = "1-Lipschitz by construction";
  const nodes = context.node.body?.nodes ?? [];
  if (nodes.length === 1 && isFirmActivation(nodes[0]))
    return mapped(context, input, { l2: bound, token: bound }, rule, why);
  const act = nodes.map((node) => node.layer).join(" |> ") || "none";
  const text = `the proof of \`${context.node.layer}\` needs one scalar activation that never falls and has slopes in [0, 1]; \`${act}\` isn't known to be one`;
  return [{ gain: unproven(reason(text, context, "act: ReLU"), input), rule }];
}
