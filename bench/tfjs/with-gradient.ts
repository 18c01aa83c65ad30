import * as tf from "@tensorflow/tfjs-core";

/**
 * A layer with a gradient of its own, which the tape takes in place of the rules of the operations inside: `backward`
 * makes the gradients by `inputs` from that by the value and from what `forward` kept. It is called once, and what was
 * kept is free after it.
 */
export function withGradient(
  inputs: readonly tf.Tensor[],
  forward: () => { value: tf.Tensor; kept: readonly tf.Tensor[] },
  backward: (dy: tf.Tensor2D, kept: tf.Tensor2D[]) => tf.Tensor[],
): tf.Tensor2D {
  const layer = tf.customGrad(() => {
    const { value, kept } = forward();
    // Views in place of the library's own `save`, whose clones are copies on the wasm backend.
    const views = kept.map((tensor) => tf.keep(view(tensor)) as tf.Tensor2D);
    return {
      value: value as tf.Tensor2D,
      gradFunc: (dy: tf.Tensor2D) => {
        const gradients = backward(dy, views);
        tf.dispose(views);
        return gradients;
      },
    };
  });
  return layer(...inputs);
}

/** The same entries as another tensor, without a copy. */
export function view(x: tf.Tensor): tf.Tensor {
  return tf.reshape(x, x.shape);
}
