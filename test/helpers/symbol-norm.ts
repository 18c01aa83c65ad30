/** The norm of a convolution over all frequencies, from below: what proven bounds are held against. */
import { singularValues } from "./singular.ts";

/** ‖F(θ)‖₂ of F(θ) = Σ_t W_t e^{iθ·t}, for a kernel (out, in, height, width). */
export function symbolAt(
  kernel: ArrayLike<number>,
  [out, inner, height, width]: readonly number[],
  [down, across]: readonly [number, number],
): number {
  const re = new Float64Array(out * inner);
  const im = new Float64Array(out * inner);
  for (let at = 0, c = 0; c < out * inner; c++)
    for (let y = 0; y < height; y++)
      for (let x = 0; x < width; x++, at++) {
        re[c] += kernel[at] * Math.cos(down * y + across * x);
        im[c] += kernel[at] * Math.sin(down * y + across * x);
      }
  if (out === 1 || inner === 1) return Math.hypot(...re, ...im);
  if (out === 2 || inner === 2) return ofPair(re, im, out, inner);
  const real = new Float64Array(4 * out * inner);
  for (let o = 0; o < out; o++)
    for (let i = 0; i < inner; i++) {
      const [a, b] = [re[o * inner + i], im[o * inner + i]];
      real[o * 2 * inner + i] = a;
      real[o * 2 * inner + inner + i] = -b;
      real[(out + o) * 2 * inner + i] = b;
      real[(out + o) * 2 * inner + inner + i] = a;
    }
  return singularValues(real, 2 * out, 2 * inner)[0];
}

/** Two rows or columns p, q: the larger root of λ² − (‖p‖² + ‖q‖²)λ + ‖p‖²‖q‖² − |⟨p, q⟩|². */
function ofPair(re: Float64Array, im: Float64Array, out: number, inner: number): number {
  const [count, step, other] = out === 2 ? [inner, 1, inner] : [out, inner, 1];
  let [pp, qq, x, y] = [0, 0, 0, 0];
  for (let i = 0; i < count; i++) {
    const [p, q] = [i * step, i * step + other];
    pp += re[p] ** 2 + im[p] ** 2;
    qq += re[q] ** 2 + im[q] ** 2;
    x += re[p] * re[q] + im[p] * im[q];
    y += im[p] * re[q] - re[p] * im[q];
  }
  return Math.sqrt((pp + qq) / 2 + Math.hypot((pp - qq) / 2, x, y));
}

/** max_θ ‖F(θ)‖₂ up to about 1e-10, by a grid and a search round its best points. */
export function symbolNorm(kernel: ArrayLike<number>, shape: readonly number[], points = 24): number {
  const [, , height, width] = shape;
  const at = (theta: readonly [number, number]): number => symbolAt(kernel, shape, theta);
  const found: { readonly theta: readonly [number, number]; readonly norm: number }[] = [];
  for (let y = 0; y < (height === 1 ? 1 : points); y++)
    for (let x = 0; x < (width === 1 ? 1 : points / 2 + 1); x++) {
      const theta = [(2 * Math.PI * y) / points, (2 * Math.PI * x) / points] as const;
      found.push({ theta, norm: at(theta) });
    }
  found.sort((a, b) => b.norm - a.norm);
  let best = 0;
  for (let { theta, norm } of found.slice(0, 3)) {
    for (let step = Math.PI / points; step > 1e-6; step /= 2)
      for (let moved = true; moved;) {
        moved = false;
        for (const [dy, dx] of [
          [step, 0],
          [-step, 0],
          [0, step],
          [0, -step],
        ] as const) {
          const next = [theta[0] + dy, theta[1] + dx] as const;
          const there = at(next);
          if (there > norm) [theta, norm, moved] = [next, there, true];
        }
      }
    best = Math.max(best, norm);
  }
  return best;
}
