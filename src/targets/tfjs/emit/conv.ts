/** Convolutions: channels last for TensorFlow.js, with transposes on both sides that vanish where layers agree. */
import type { ConvAttributes } from "../../../graph/graph.ts";
import { text, type Emitter, type Value } from "../program.ts";
import type { Emission, Operand } from "./emission.ts";
import { tensorOf } from "./operands.ts";

const channelsLast = [0, 2, 3, 1];
const channelsFirst = [0, 3, 1, 2];

function last(e: Emitter, x: Operand): Value {
  return e.transpose(tensorOf(e, x, "f32"), channelsLast);
}

/** `{ stride: [1, 1], padding: [3, 3, 3, 3], dilation: [1, 1], groups: 96 }` */
function windowText({ stride, padding, dilation, groups }: ConvAttributes): { text: string } {
  return {
    text: `{ stride: [${stride.join(", ")}], padding: [${padding.join(", ")}], dilation: [${dilation.join(", ")}], groups: ${groups} }`,
  };
}

export const conv: Emission<"conv"> = (e, node, [x, kernel]) => {
  const shape = channelsLast.map((axis) => node.shape[axis]);
  const y = e.call("convolve", [last(e, x), tensorOf(e, kernel, "f32"), windowText(node.attributes)], shape);
  return e.transpose(y, channelsFirst);
};

export const convGradInput: Emission<"convGradInput"> = (e, node, [dy, kernel]) => {
  const shape = channelsLast.map((axis) => node.shape[axis]);
  const given = [last(e, dy), tensorOf(e, kernel, "f32"), text(shape), windowText(node.attributes)];
  return e.transpose(e.call("convolveGradInput", given, shape), channelsFirst);
};

export const convGradKernel: Emission<"convGradKernel"> = (e, node, [x, dy]) =>
  e.call(
    "convolveGradKernel",
    [last(e, x), last(e, dy), text(node.shape), windowText(node.attributes)],
    node.shape,
  );
