/** What a step is given and what it makes. Embedded in generated files. */
import type * as tf from "@tensorflow/tfjs-core";

/** Tensors by name. */
export type Tensors = Record<string, tf.Tensor>;

export interface Run {
  /** Inputs: `param/<path>`, state `m/<path>` and `v/<path>`, `data/<input>`, `labels`, `scalar/lr` and so on. */
  readonly given: Tensors;
  readonly constants: Tensors;
  /** Gradients by path of the weight, on their way to its update. */
  readonly gradient: Tensors;
  /** Outputs: new parameters and state under the names of the old, and `metric/loss` and so on. */
  readonly next: Tensors;
}

/** The weights of the block at `at`, by the rest of their path. */
export function weightsOf(run: Run, at: string): (name: string) => tf.Tensor {
  return (name) => run.given[`param/${at}.${name}`];
}
