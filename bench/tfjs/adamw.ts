/** AdamW (Loshchilov & Hutter 2019, arXiv 1711.05101) on tensors by name, in as few passes as the operations allow. */
import * as tf from "@tensorflow/tfjs-core";
import type { Parameters } from "./network.ts";

export interface AdamW {
  readonly lr: number;
  readonly weightDecay: number;
}

const beta1 = 0.9;
const beta2 = 0.999;
const eps = 1e-8;

export interface TrainState {
  parameters: Record<string, tf.Tensor>;
  m: Record<string, tf.Tensor>;
  v: Record<string, tf.Tensor>;
  /** Steps taken. */
  step: number;
}

export function freshState(parameters: Record<string, tf.Tensor>): TrainState {
  const zeros = () =>
    Object.fromEntries(Object.entries(parameters).map(([name, p]) => [name, tf.zerosLike(p)]));
  return { parameters, m: zeros(), v: zeros(), step: 0 };
}

/**
 * Replaces parameters and moments by those after one step, and disposes of the old ones and of the gradients.
 * θ ← (1 − lr·decay)·θ − lr·√c₂/c₁ · m/(√v + ε√c₂), cᵢ = 1 − βᵢᵗ: the corrections are numbers, not passes.
 */
export function adamwStep(state: TrainState, gradients: Parameters, { lr, weightDecay }: AdamW): void {
  state.step += 1;
  const root2 = Math.sqrt(1 - beta2 ** state.step);
  const rate = tf.scalar((lr * root2) / (1 - beta1 ** state.step));
  const [freshM, freshV, small, kept] = [1 - beta1, 1 - beta2, eps * root2, 1 - lr * weightDecay].map((x) =>
    tf.scalar(x),
  );
  for (const [name, gradient] of Object.entries(gradients)) {
    const before = [state.parameters[name], state.m[name], state.v[name]];
    const [p, m, v] = before;
    [state.parameters[name], state.m[name], state.v[name]] = tf.tidy(() => {
      const nextM = tf.add(m, tf.mul(tf.sub(gradient, m), freshM));
      const nextV = tf.add(v, tf.mul(tf.sub(tf.square(gradient), v), freshV));
      const direction = tf.div(nextM, tf.add(tf.sqrt(nextV), small));
      return [tf.sub(tf.mul(p, kept), tf.mul(direction, rate)), nextM, nextV];
    });
    tf.dispose([...before, gradient]);
  }
  tf.dispose([rate, freshM, freshV, small, kept]);
}

export function disposeState({ parameters, m, v }: TrainState): void {
  tf.dispose([parameters, m, v]);
}
