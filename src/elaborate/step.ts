/** The step of a recurrence: a layer applied once to fresh values, its nodes kept apart. */
import type { StepBody } from "../layers/layer.ts";
import type { Shape } from "../model/model.ts";
import type { Span } from "../text/source.ts";
import { apply } from "./apply.ts";
import { operandOf } from "./call.ts";
import { bindStatics } from "./blocks.ts";
import { report, type Frame } from "./frame.ts";
import { sizesOfType } from "./shapes.ts";
import { paramsOf } from "./signature.ts";
import { layerName, type LayerVal, type TensorVal } from "./values.ts";

/** null after a report. */
export function makeStep(
  frame: Frame,
  layer: LayerVal,
  shapes: readonly (Shape | null)[],
  span: Span,
): StepBody | null {
  const { model } = frame;
  if (!model) return null;
  const parameters: TensorVal[] = [];
  for (const [i, given] of shapes.entries()) {
    const shape = given ?? fixedShape(frame, layer, i, span);
    if (!shape) return null;
    parameters.push({ kind: "tensor", value: model.addValue(shape, span), shape });
  }
  const { made, nodes } = model.gather(() =>
    apply(
      frame,
      layer,
      parameters.map((value) => ({ value, span })),
    ),
  );
  if (!made) return null;
  if (made.length !== 1) {
    report(frame, "not-one-shape", span, { layer: layerName(layer), count: made.length });
    return null;
  }
  return {
    parameters: parameters.map((p) => p.value),
    shapes: parameters.map((p) => p.shape),
    nodes,
    result: operandOf(made[0]),
  };
}

/** The shape of the i-th open tensor where the block's signature fixes it: `state: [n], n: int`. */
function fixedShape(frame: Frame, layer: LayerVal, i: number, span: Span): Shape | null {
  const { target } = layer;
  const open = paramsOf(frame, target).tensors.filter((name) => !layer.tensors.has(name));
  const refuse = (): null => {
    report(frame, "step-shape", span, { layer: layerName(layer), parameter: open[i] ?? "state" });
    return null;
  };
  if (target.kind !== "block") return refuse();
  const param = target.block.params.find((p) => p.name.text === open[i]);
  if (param?.type.kind !== "shape") return refuse();
  const inside = bindStatics(frame, layer, target.block, target.file);
  if (!inside) return null;
  const bound = param.type.dims.every(
    (d) => d.kind === "dim" && (d.value.kind !== "name" || inside.scope.names.has(d.value.text)),
  );
  return bound ? sizesOfType(inside, param.type, null, target.block.name.text, span) : refuse();
}
