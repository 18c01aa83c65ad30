/** Stochastic gradient descent with momentum, in PyTorch's form (no dampening). */
import { numberOf, type Optimizer } from "./optimizer.ts";

export const sgd: Optimizer = {
  name: "sgd",
  slots: (options) => (numberOf(options, "momentum", 0) === 0 ? [] : ["m"]),
  update(builder, options, { param, grad, scale, state, lr, weightDecay }) {
    const momentum = numberOf(options, "momentum", 0);
    let g = scale ? builder.mul(grad, scale) : grad;
    if (weightDecay !== 0) g = builder.add(g, builder.mul(param, weightDecay));
    if (momentum === 0) return { param: builder.sub(param, builder.mul(g, lr)), state: [] };
    const velocity = builder.add(builder.mul(state[0], momentum), g);
    return { param: builder.sub(param, builder.mul(velocity, lr)), state: [velocity] };
  },
};
