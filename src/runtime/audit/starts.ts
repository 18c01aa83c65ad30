/** Samples of the data that a search starts from. */
import { fill, type Samples } from "../data/samples.ts";
import { permutation } from "../random.ts";
import { good, type Result } from "../result.ts";

/** Another one for every second start, a seeded choice. */
export async function startsFrom(
  samples: Samples,
  restarts: number,
  seed: number,
): Promise<Result<Float32Array[]>> {
  const size = samples.shape.reduce((a, b) => a * b, 1);
  const which = permutation(samples.count, seed, 2).slice(0, Math.ceil(restarts / 2));
  const values = new Float32Array(which.length * size);
  const filled = await fill(samples, which, values, new Int32Array(which.length));
  return filled.ok ? good(which.map((_, i) => values.subarray(i * size, (i + 1) * size))) : filled;
}
