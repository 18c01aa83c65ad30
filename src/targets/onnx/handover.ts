/**
 * Two outputs that keep onnxruntime-node from copying the others.
 *
 * Its 1.30 gives every output to JavaScript as a new array, also one that it has just written into an array of ours
 * (repaired by microsoft/onnxruntime#32346, not released): for a model of 31 million parameters 371 MB and a fifth of
 * the step. It begins with the first output and stops at one of a kind that it doesn't hand over, a sequence, with an
 * error; by then all arrays are written. `ranOutput` is one of them: it tells this error from one before the end.
 */
import type { OnnxModel } from "./proto.ts";

/** A sequence, before all other outputs. */
export const stopOutput = "handover/stop";
/** The number 1. */
export const ranOutput = "handover/ran";

export function stopHandover(model: OnnxModel): OnnxModel {
  const one = "handover/one";
  const bytes = new Uint8Array(Float32Array.of(1).buffer);
  const plain = { domain: "", attributes: {} };
  return {
    ...model,
    initializers: [...model.initializers, { name: one, type: "f32", dims: [], bytes }],
    nodes: [
      ...model.nodes,
      { ...plain, name: stopOutput, opType: "SequenceConstruct", inputs: [one], outputs: [stopOutput] },
      { ...plain, name: ranOutput, opType: "Identity", inputs: [one], outputs: [ranOutput] },
    ],
    outputs: [
      { name: stopOutput, dtype: "f32", dims: [], sequence: true },
      { name: ranOutput, dtype: "f32", dims: [] },
      ...model.outputs,
    ],
  };
}
