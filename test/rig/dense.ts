/** A linear layer written out as one dense matrix: its norms are then known, up to float64. */
import { spectralNorm } from "./matrix.ts";
import type { Placed } from "./place.ts";
import { expectSound } from "./planted.ts";
import { run } from "./search.ts";

/** Row-major (outputs, inputs) of the linear part. */
export function denseOf(placed: Placed): { rows: number; columns: number; data: Float64Array } {
  const [from] = placed.inputs;
  const [to] = placed.outputs;
  const columns = placed.sketch.shape(from).reduce((a, b) => a * b, 1);
  const constant = run(placed.sketch, new Map([[from, new Float64Array(columns)]]), to);
  const rows = constant.length;
  const data = new Float64Array(rows * columns);
  for (let c = 0; c < columns; c++) {
    const basis = new Float64Array(columns);
    basis[c] = 1;
    const column = run(placed.sketch, new Map([[from, basis]]), to);
    for (let r = 0; r < rows; r++) data[r * columns + c] = column[r] - constant[r];
  }
  return { rows, columns, data };
}

/** Checks l2, l2→token and linf against the dense matrix; gives bound/truth of l2 (∞ for a map of zeros). */
export function worstOfDense(placed: Placed): number {
  const { rows, columns, data } = denseOf(placed);
  const [from] = placed.inputs;
  const [to] = placed.outputs;
  const width = placed.plan.outputs[0][placed.plan.outputs[0].length - 1];
  const line = (r: number, count: number): Float64Array => data.subarray(r * columns, (r + count) * columns);
  let token = 0;
  for (let r = 0; r < rows; r += width) token = Math.max(token, spectralNorm(line(r, width), width, columns));
  let linf = 0;
  for (let r = 0; r < rows; r++)
    linf = Math.max(
      linf,
      line(r, 1).reduce((sum, x) => sum + Math.abs(x), 0),
    );
  const l2 = spectralNorm(data, rows, columns);
  expectSound(placed.sketch, { from, to, normIn: "l2", normOut: "token", attained: token });
  expectSound(placed.sketch, { from, to, normIn: "linf", attained: linf });
  return expectSound(placed.sketch, { from, to, normIn: "l2", attained: l2 }) / l2;
}
