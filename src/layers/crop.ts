/**
 * Crop: the map or sequence without some positions at its sides.
 *
 * Gain ("Restriction", proof in shift.ts): 1 in l2, token and linf.
 */
import { affineRules } from "./affine.ts";
import { requireRank, showShape } from "./check.ts";
import { defineLayer } from "./layer.ts";
import { sideParams, sidesOf, type Sides } from "./pad.ts";

export const crop = defineLayer<Sides>({
  name: "Crop",
  summary: "A map or a sequence without some positions at its sides.",
  signature: {
    tensors: ["x"],
    params: sideParams,
    shape: "[h, w, c] -> [h - top - bottom, w - left - right, c]",
  },
  infer(call) {
    if (!requireRank(call, "Crop", [2, 3], "a map or a sequence", "[h, w, c] or [n, c]")) return undefined;
    const shape = call.inputs[0].shape;
    const config = sidesOf(call, shape.length);
    const positions = config.before.map((b, axis) => shape[axis] - b - config.after[axis]);
    if (positions.some((n) => n < 1)) {
      call.fail("nothing-left", { layer: "Crop", found: showShape(shape) });
      return undefined;
    }
    return { config, outputs: [[...positions, shape[shape.length - 1]]] };
  },
  macs: () => 0,
  rules: affineRules("Restriction", () => ({
    stated: { l2: 1, token: 1, linf: 1 },
    spread: 1,
    entries: "kept",
  })),
  lower({ builder, config, inputs }) {
    let y = inputs[0];
    config.before.forEach(
      (b, axis) => (y = builder.slice(y, axis + 1, b, y.shape[axis + 1] - config.after[axis])),
    );
    return [y];
  },
});
