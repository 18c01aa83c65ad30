/**
 * Shift: the whole map moved by dy rows down and dx columns right. What leaves is dropped and zeros come in,
 * or (`circular`) it comes back at the other side.
 *
 * Gain ("Restriction"): 1 in l2, token and linf: every output token is an input token read once, or zero.
 * Proof. A selection of distinct entries, whole tokens at a time, has at most the norm of all of them, in
 * each norm.
 */
import type { Builder, Tensor } from "../graph/builder.ts";
import { affineRules } from "./affine.ts";
import { requireRank, showShape } from "./check.ts";
import { defineLayer, type ParamSignature } from "./layer.ts";

export type EdgeMode = "zeros" | "circular";

export const edgeParam: ParamSignature = {
  name: "mode",
  type: "Word",
  words: ["zeros", "circular"],
  default: "zeros",
  doc: "what comes in at the edge: zeros, or what left at the other side",
};

/** y[i] = x[i − by] along one axis. */
export function shiftAxis(builder: Builder, x: Tensor, axis: number, by: number, mode: EdgeMode): Tensor {
  const size = x.shape[axis];
  const amount = mode === "circular" ? ((by % size) + size) % size : by;
  if (amount === 0) return x;
  if (mode === "circular") {
    const tail = builder.slice(x, axis, size - amount, size);
    return builder.concat([tail, builder.slice(x, axis, 0, size - amount)], axis);
  }
  const kept = amount > 0 ? builder.slice(x, axis, 0, size - amount) : builder.slice(x, axis, -amount, size);
  const zeros = (n: number): number[] => x.shape.map((_, i) => (i === axis ? n : 0));
  return builder.pad(kept, zeros(Math.max(amount, 0)), zeros(Math.max(-amount, 0)));
}

type ShiftConfig = { readonly dy: number; readonly dx: number; readonly mode: EdgeMode };

const anyInt = -(2 ** 31);

export const shift = defineLayer<ShiftConfig>({
  name: "Shift",
  summary: "Moves the whole map by some rows and columns.",
  signature: {
    tensors: ["x"],
    params: [
      { name: "dy", type: "int", doc: "rows down; negative is up" },
      { name: "dx", type: "int", doc: "columns right; negative is left" },
      edgeParam,
    ],
    shape: "[h, w, c] -> [h, w, c]",
  },
  infer(call) {
    const dy = call.int("dy", anyInt);
    const dx = call.int("dx", anyInt);
    const mode: EdgeMode = call.word("mode") === "circular" ? "circular" : "zeros";
    if (!requireRank(call, "Shift", [3], "a map", "[h, w, c]")) return undefined;
    const [h, w, c] = call.inputs[0].shape;
    if (mode === "zeros" && (Math.abs(dy) >= h || Math.abs(dx) >= w)) {
      call.fail("nothing-left", { layer: `Shift(${dy}, ${dx})`, found: showShape([h, w, c]) });
      return undefined;
    }
    return { config: { dy, dx, mode }, outputs: [[h, w, c]] };
  },
  macs: () => 0,
  rules: affineRules("Restriction", ({ config }) => ({
    stated: { l2: 1, token: 1, linf: 1 },
    ...(config.mode === "circular" || (config.dy === 0 && config.dx === 0) ? { spread: 1 } : {}),
    entries: config.mode === "circular" ? "kept" : "kept or zero",
  })),
  lower({ builder, config, inputs }) {
    const rows = shiftAxis(builder, inputs[0], 1, config.dy, config.mode);
    return [shiftAxis(builder, rows, 2, config.dx, config.mode)];
  },
});
