/** Which backend runs. Embedded in generated files. */
import * as tf from "@tensorflow/tfjs-core";

/** WebAssembly is fast in other calls than the rest. */
export function onWasm(): boolean {
  return tf.getBackend() === "wasm";
}
