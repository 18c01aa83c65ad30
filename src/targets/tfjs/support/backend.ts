/** Which backend runs. Embedded in generated files. */
import * as tf from "@tensorflow/tfjs-core";

/** On WebAssembly other calls are fast than elsewhere. */
export function onWasm(): boolean {
  return tf.getBackend() === "wasm";
}
