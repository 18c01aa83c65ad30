/** Seeded generator of the host side (order of samples, augmentation): stateless per (seed, epoch, purpose). */
import { mix } from "../graph/mix.ts";

/** splitmix32: mixes a 32-bit state; good enough for shuffles, equal on every machine. */
export function generator(...seeds: readonly number[]): () => number {
  let state = 0x9e3779b9;
  for (const seed of seeds) state = mix((state ^ (seed >>> 0)) + 0x9e3779b9);
  return () => {
    state = (state + 0x9e3779b9) | 0;
    return mix(state) / 2 ** 32;
  };
}

/** A permutation of 0 … count − 1 (Fisher–Yates), the same for the same seeds. */
export function permutation(count: number, ...seeds: readonly number[]): number[] {
  const next = generator(...seeds);
  const order = Array.from({ length: count }, (_, i) => i);
  for (let i = count - 1; i > 0; i--) {
    const j = Math.floor(next() * (i + 1));
    [order[i], order[j]] = [order[j], order[i]];
  }
  return order;
}
