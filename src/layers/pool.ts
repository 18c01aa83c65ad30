/** What MaxPool and AveragePool share: windows of k per axis, and combining their taps axis by axis. */
import type { Builder, Tensor } from "../graph/builder.ts";
import type { ParamSignature, Call } from "./layer.ts";
import { requireRank } from "./check.ts";
import { slide, windowCount, type Windows } from "./windows.ts";

export const poolParams: readonly ParamSignature[] = [
  { name: "kernel", type: "int", doc: "positions of a window along each axis" },
  {
    name: "stride",
    type: "int",
    optional: true,
    doc: "positions from one window to the next; the kernel unless given",
  },
  { name: "padding", type: "int", default: "0", doc: "positions on each side that windows may reach over" },
];

export type PoolConfig = Windows;

/** The windows and the output's position axes, or undefined after a reported mistake. */
export function inferPool(call: Call, layer: string): { windows: Windows; positions: number[] } | undefined {
  const kernel = call.int("kernel");
  const stride = call.has("stride") ? call.int("stride") : kernel;
  const padding = call.int("padding", 0);
  const windows = { kernel, stride, padding, dilation: 1 };
  if (!requireRank(call, layer, [2, 3], "a map or a sequence", "[h, w, c] or [n, c]")) return undefined;
  if (2 * padding > kernel) {
    // A window further out could hold no position at all.
    call.fail(
      "out-of-range",
      { argument: "padding", found: String(padding), allowed: "at most kernel / 2" },
      "padding",
    );
    return undefined;
  }
  const positions = slide(call, layer, call.inputs[0].shape, windows);
  return positions && { windows, positions };
}

/** Joins the taps of every window along one position axis; the padding holds `outside`. */
export function joinAxis(
  builder: Builder,
  x: Tensor,
  axis: number,
  w: Windows,
  outside: number,
  join: (a: Tensor, b: Tensor) => Tensor,
): Tensor {
  const count = windowCount(x.shape[axis], w);
  let padded = x;
  if (w.padding > 0) {
    const edge = builder.constant(
      outside,
      x.shape.map((n, i) => (i === axis ? w.padding : n)),
    );
    padded = builder.concat([edge, x, edge], axis);
  }
  const span = (count - 1) * w.stride + 1;
  const taps = Array.from({ length: w.kernel }, (_, t) => builder.slice(padded, axis, t, t + span, w.stride));
  return taps.reduce(join);
}
