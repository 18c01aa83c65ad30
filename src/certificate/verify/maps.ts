/**
 * Convolutions on a map of given positions, written out as matrices: output o reads position o·stride + t·dilation − padding by
 * the tap t, zeros outside of the map (docs/gains.md, "Conv"). Their stated norms are proven from the bytes.
 */
import { spectralAtMost } from "./numeric.ts";
import type { KernelMap } from "./rules/facts.ts";
import { slid } from "./rules/windows.ts";

/** Numbers of a matrix beyond which none is written out. */
const most = 2 ** 25;

/** Whether a kernel (out, in, taps…) has at most the stated norm on its map; `diagonal`: each output channel by itself. */
export function normHolds(
  { shape, data }: { readonly shape: readonly number[]; readonly data: Float32Array },
  map: KernelMap<number>,
  diagonal: boolean,
): boolean {
  const [out, depth, kernel] = shape;
  const outputs = slid([...map.positions, depth], { ...map, kernel });
  if (!outputs) return false;
  const [made, read] = [product(outputs), product(map.positions)];
  const [rows, columns] = [diagonal ? made : out * made, depth * read];
  if (!(rows * columns <= most)) return false;
  const seen = reads(map, kernel, outputs);
  const taps = product(shape.slice(2));
  const holds = (first: number, count: number): boolean => {
    const entries = new Float64Array(rows * columns);
    for (const { output, tap, position } of seen)
      for (let o = 0; o < count; o++)
        for (let i = 0; i < depth; i++)
          entries[(o * made + output) * columns + i * read + position] =
            data[((first + o) * depth + i) * taps + tap];
    return spectralAtMost({ rows, columns, entries }, map.norm);
  };
  if (!diagonal) return holds(0, out);
  for (let o = 0; o < out; o++) if (!holds(o, 1)) return false;
  return true;
}

interface Read {
  readonly output: number;
  readonly tap: number;
  readonly position: number;
}

/** Which output reads which position by which tap; what lies in the padding is left out. */
function reads(
  { positions, stride, padding, dilation }: KernelMap<number>,
  kernel: number,
  outputs: readonly number[],
): readonly Read[] {
  let found: readonly Read[] = [{ output: 0, tap: 0, position: 0 }];
  positions.forEach((size, axis) => {
    const along: Read[] = [];
    for (let output = 0; output < outputs[axis]; output++)
      for (let tap = 0; tap < kernel; tap++) {
        const position = output * stride + tap * dilation - padding;
        if (position >= 0 && position < size) along.push({ output, tap, position });
      }
    found = found.flatMap((so) =>
      along.map(({ output, tap, position }) => ({
        output: so.output * outputs[axis] + output,
        tap: so.tap * kernel + tap,
        position: so.position * size + position,
      })),
    );
  });
  return found;
}

const product = (sizes: readonly number[]): number => sizes.reduce((n, size) => n * size, 1);
