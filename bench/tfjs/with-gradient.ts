import * as tf from "@tensorflow/tfjs-core";

/**
 * A layer with a gradient of its own, which the tape takes in place of the rules of the operations inside: `backward`
 * makes the gradients by `inputs` from that by the value and from what `forward` kept.
 */
export function withGradient(
  inputs: readonly tf.Tensor[],
  forward: () => { value: tf.Tensor; kept: readonly tf.Tensor[] },
  backward: (dy: tf.Tensor2D, kept: tf.Tensor2D[]) => tf.Tensor[],
): tf.Tensor2D {
  const layer = tf.customGrad((...args) => {
    const save = args[args.length - 1] as tf.GradSaveFunc;
    const { value, kept } = forward();
    save([...kept]);
    return {
      value: value as tf.Tensor2D,
      gradFunc: (dy: tf.Tensor2D, saved: tf.Tensor[]) => backward(dy, saved as tf.Tensor2D[]),
    };
  });
  return layer(...inputs);
}
