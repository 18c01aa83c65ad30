/** The l2 norm of a convolution as a map of whole images, by its dense matrix. */
import { Builder } from "../../src/graph/builder.ts";
import { interpret } from "../../src/graph/interpret.ts";
import { singularValues } from "./singular.ts";

export interface MapWindows {
  readonly stride: number;
  readonly dilation: number;
  readonly padding: number;
}

/** Of a kernel (out, in/groups, kh, kw) on maps of `height` × `size` positions; kernels of height 1 slide along one axis. */
export function mapNorm(
  kernel: Float64Array,
  shape: readonly number[],
  size: number,
  { stride, dilation, padding }: MapWindows,
  groups: number,
  height = size,
): number {
  const channels = shape[1] * groups;
  const count = channels * height * size;
  const builder = new Builder();
  // The columns of the matrix are the images of unit vectors.
  const x = builder.constant(
    Float64Array.from({ length: count * count }, (_, k) => (k % (count + 1) === 0 ? 1 : 0)),
    [count, channels, height, size],
  );
  const flat = height === 1;
  const y = builder.conv(x, builder.constant(kernel, shape), {
    stride: [flat ? 1 : stride, stride],
    padding: [flat ? 0 : padding, padding, flat ? 0 : padding, padding],
    dilation: [flat ? 1 : dilation, dilation],
    groups,
  });
  const out = interpret(builder.graph("map", [{ name: "y", tensor: y }]), {}).y;
  return singularValues(out.data, count, out.data.length / count)[0];
}
