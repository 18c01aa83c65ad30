/** Adam (Kingma & Ba 2015, arXiv 1412.6980); its weight decay is an L2 term of the gradient, as in PyTorch. */
import type { OptionValue } from "../../model/model.ts";
import type { Builder, Tensor } from "../builder.ts";
import { numberOf, type Optimizer, type Update } from "./optimizer.ts";

export const adam: Optimizer = {
  name: "adam",
  slots: () => ["m", "v"],
  update(builder, options, update) {
    const { param, weightDecay } = update;
    if (weightDecay === 0) return adamStep(builder, options, update, param);
    const clipped = update.scale ? builder.mul(update.grad, update.scale) : update.grad;
    const grad = builder.add(clipped, builder.mul(param, weightDecay));
    return adamStep(builder, options, { ...update, grad, scale: null }, param);
  },
};

/**
 * m ← β₁m + (1−β₁)g, v ← β₂v + (1−β₂)g², θ ← base − lr·m̂/(√v̂ + ε) with m̂ = m/(1−β₁ᵗ), v̂ = v/(1−β₂ᵗ).
 * As lr·√c₂/c₁ · m/(√v + ε√c₂), cᵢ = 1−βᵢᵗ: the corrections are scalars then, not passes over the tensor.
 */
export function adamStep(builder: Builder, options: OptionValue, update: Update, base: Tensor) {
  const { betas } = options.args;
  const [beta1, beta2] = Array.isArray(betas) && betas.length === 2 ? (betas as number[]) : [0.9, 0.999];
  const eps = numberOf(options, "eps", 1e-8);
  const { grad, scale, lr, step } = update;
  const [m, v] = update.state;
  const fresh = (weight: number, power: number): Tensor | number => {
    if (!scale) return weight;
    return builder.mul(power === 1 ? scale : builder.mul(scale, scale), weight);
  };
  const nextM = builder.add(builder.mul(m, beta1), builder.mul(grad, fresh(1 - beta1, 1)));
  const nextV = builder.add(builder.mul(v, beta2), builder.mul(builder.mul(grad, grad), fresh(1 - beta2, 2)));
  const root2 = builder.sqrt(correction(builder, beta2, step));
  const size = builder.div(builder.mul(lr, root2), correction(builder, beta1, step));
  const direction = builder.div(nextM, builder.add(builder.sqrt(nextV), builder.mul(root2, eps)));
  return { param: builder.sub(base, builder.mul(direction, size)), state: [nextM, nextV] };
}

/** 1 − βᵗ = 2T/(1 + T) with T = tanh(−t·ln β/2): full relative accuracy in float32, also for β near 1. */
function correction(builder: Builder, beta: number, step: Tensor): Tensor {
  if (beta === 0) return builder.constant(1);
  const t = builder.tanh(builder.mul(step, -Math.log(beta) / 2));
  return builder.div(builder.mul(t, 2), builder.add(t, 1));
}
