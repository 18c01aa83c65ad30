/**
 * Pad: more positions around a map or a sequence. `zeros`; `reflect` (mirror without the edge: c b | a b c |
 * b a), `symmetric` (mirror with the edge: b a | a b c | c b), `circular` (b c | a b c | a b), `replicate` (a
 * a | a b c | c c).
 *
 * Gain ("Padding"): token, linf: 1; l2: √(∏ over axes of the largest number of times that one position is
 * read), 1 for zeros.
 * Proof. Every output token is an input token or zero: token and linf cannot grow. In l2 every input token
 * counts once for each copy; along two axes the copies of a position multiply. Attained by a perturbation of
 * the position that is read most. The count for n positions with p_l before and p_r after (a position is read
 * once in the middle, and once more by each side whose copies reach it; both sides' copies overlap where p_l
 * + p_r is large enough):
 *   reflect   2 if p_l + p_r ≤ n − 2 or only one side is padded or n = 2, else 3 (p ≤ n − 1)
 *   circular, symmetric   2 if p_l + p_r ≤ n or one-sided, else 3 (p ≤ n)
 *   replicate   1 + max(p_l, p_r), and 1 + p_l + p_r for n = 1.
 */
import { sqrtUp } from "../gain/up.ts";
import type { Shape } from "../model/model.ts";
import { affineRules } from "./affine.ts";
import { requireRank, showShape } from "./check.ts";
import { defineLayer, type Call, type ParamSignature } from "./layer.ts";

const modes = ["zeros", "reflect", "circular", "replicate", "symmetric"] as const;
export type PadMode = (typeof modes)[number];

/** Positions added (Pad) or taken away (Crop) before and after each position axis. */
export type Sides = { readonly before: readonly number[]; readonly after: readonly number[] };

export const sideParams: readonly ParamSignature[] = [
  { name: "all", type: "int", default: "0", doc: "positions at every side" },
  { name: "top", type: "int", optional: true, doc: "rows at the top, in place of `all`" },
  { name: "bottom", type: "int", optional: true, doc: "rows at the bottom" },
  { name: "left", type: "int", optional: true, doc: "columns (or tokens) before the first" },
  { name: "right", type: "int", optional: true, doc: "columns (or tokens) after the last" },
];

/** Rows only exist on maps: a sequence has `left` and `right`. */
export function sidesOf(call: Call, rank: number): Sides {
  const all = call.int("all", 0);
  const side = (name: string): number => (call.has(name) ? call.int(name, 0) : all);
  const columns = [side("left"), side("right")];
  const rows = rank === 3 ? [side("top"), side("bottom")] : null;
  return {
    before: rows ? [rows[0], columns[0]] : [columns[0]],
    after: rows ? [rows[1], columns[1]] : [columns[1]],
  };
}

/** The input position that each output position along an axis reads; −1 for a zero. */
export function paddedPositions(
  size: number,
  before: number,
  after: number,
  mode: PadMode,
): readonly number[] {
  return Array.from({ length: before + size + after }, (_, o) => {
    const e = o - before;
    if (e >= 0 && e < size) return e;
    switch (mode) {
      case "zeros":
        return -1;
      case "replicate":
        return e < 0 ? 0 : size - 1;
      case "circular":
        return e < 0 ? e + size : e - size;
      case "reflect":
        return e < 0 ? -e : 2 * (size - 1) - e;
      case "symmetric":
        return e < 0 ? -e - 1 : 2 * size - 1 - e;
    }
  });
}

/** How often the position that is read most is read. */
export function mostCopies(size: number, before: number, after: number, mode: PadMode): number {
  if (mode === "zeros" || before + after === 0) return 1;
  if (mode === "replicate") return 1 + (size === 1 ? before + after : Math.max(before, after));
  if (before === 0 || after === 0 || (mode === "reflect" && size === 2)) return 2;
  return before + after <= (mode === "reflect" ? size - 2 : size) ? 2 : 3;
}

function mostPadding(mode: PadMode, size: number): number {
  if (mode === "reflect") return size - 1;
  return mode === "circular" || mode === "symmetric" ? size : Infinity;
}

type PadConfig = Sides & { readonly mode: PadMode };

function positionsOf({ before, after, mode }: PadConfig, shape: Shape): readonly (readonly number[])[] {
  return before.map((b, axis) => paddedPositions(shape[axis], b, after[axis], mode));
}

export const pad = defineLayer<PadConfig>({
  name: "Pad",
  summary: "More positions around a map or a sequence.",
  signature: {
    tensors: ["x"],
    params: [
      ...sideParams,
      { name: "mode", type: "Word", words: modes, default: "zeros", doc: "what the new positions hold" },
    ],
    shape: "[h, w, c] -> [top + h + bottom, left + w + right, c]",
  },
  infer(call) {
    const word = call.word("mode");
    const mode = modes.find((m) => m === word) ?? "zeros";
    if (!requireRank(call, "Pad", [2, 3], "a map or a sequence", "[h, w, c] or [n, c]")) return undefined;
    const shape = call.inputs[0].shape;
    const { before, after } = sidesOf(call, shape.length);
    for (let axis = 0; axis < before.length; axis++) {
      const padding = Math.max(before[axis], after[axis]);
      const most = mostPadding(mode, shape[axis]);
      if (!(padding > most)) continue;
      call.fail("padding-too-large", { mode, padding, most, found: showShape(shape) });
      return undefined;
    }
    const positions = before.map((b, axis) => b + shape[axis] + after[axis]);
    return { config: { before, after, mode }, outputs: [[...positions, shape[shape.length - 1]]] };
  },
  macs: () => 0,
  rules: affineRules("Padding", ({ config, shapes }) => {
    const { before, after, mode } = config;
    const copies = before.map((b, axis) => mostCopies(shapes[0][axis], b, after[axis], mode));
    return {
      stated: { l2: sqrtUp(copies.reduce((a, b) => a * b, 1)), token: 1, linf: 1 },
      ...(mode === "zeros" ? {} : { spread: 1 }),
      entries: mode === "zeros" ? "kept or zero" : "kept",
    };
  }),
  lower({ builder, config, inputs, shapes }) {
    const [x] = inputs;
    if (config.mode === "zeros") return [builder.pad(x, [0, ...config.before, 0], [0, ...config.after, 0])];
    let y = x;
    positionsOf(config, shapes[0]).forEach((positions, axis) => {
      if (positions.length === shapes[0][axis]) return;
      y = builder.gather(y, builder.constant(positions, [positions.length], "i32"), axis + 1);
    });
    return [y];
  },
});
