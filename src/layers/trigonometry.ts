/** Sine and cosine from the primitives that there are. */
import type { Builder, Tensor } from "../graph/builder.ts";

/** Sine and cosine by Taylor polynomials of the half angle in [−π/2, π/2]; errors below 1e−16 in real arithmetic. */
export function sineCosine(b: Builder, angle: Tensor): { sine: Tensor; cosine: Tensor } {
  const turns = b.mul(angle, 1 / (2 * Math.PI));
  const half = b.mul(b.sub(turns, b.floor(b.add(turns, 0.5))), Math.PI);
  const square = b.mul(half, half);
  const series = (first: number): Tensor => {
    // first = 1: 1 − x²/3! + …; first = 0: 1 − x²/2! + …; by Horner from the highest term.
    let sum: Tensor | number = 1;
    for (let k = 22 + first; k > first; k -= 2) sum = b.sub(1, b.mul(b.mul(square, 1 / (k * (k - 1))), sum));
    return sum as Tensor;
  };
  const [s, c] = [b.mul(half, series(1)), series(0)];
  return { sine: b.mul(b.mul(s, c), 2), cosine: b.sub(b.mul(c, c), b.mul(s, s)) };
}
