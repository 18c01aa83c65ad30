/**
 * The l2 norm of each channel's part of a depthwise convolution on a torus: the largest |Σ_t w_t·e^(iθ·t)| over the torus's
 * frequencies (docs/gains.md, "Conv"). Roots of unity are made of whole numbers, so no library's sine is believed.
 *
 * Rounding: a root is off by ≤ 2⁻⁵²; summing k_w, then k_h terms adds at most (2k_w + 2k_h + 20)·u·Σ|w|; ten times that is
 * taken.
 */

const u = 2 ** -53;
const bits = 160n;
const one = 1n << bits;

/** artan(1/n)·2^bits, its last digits off by at most a few units. */
function arctan(n: bigint): bigint {
  let [term, sum] = [one / n, 0n];
  for (let k = 0n; term !== 0n; k++) {
    sum += (k % 2n === 0n ? term : -term) / (2n * k + 1n);
    term /= n * n;
  }
  return sum;
}

/** Machin: π = 16·artan(1/5) − 4·artan(1/239). */
const pi = 16n * arctan(5n) - 4n * arctan(239n);

/** cos and sin of 2πj/n for all j, by their series in whole numbers. */
function roots(n: number): { readonly cos: Float64Array; readonly sin: Float64Array } {
  const [cos, sin] = [new Float64Array(n), new Float64Array(n)];
  for (let j = 0; j < n; j++) {
    const angle = (2n * pi * BigInt(j)) / BigInt(n);
    let term = one;
    let [c, s] = [0n, 0n];
    for (let k = 1n; term !== 0n; k++) {
      const sign = ((k - 1n) / 2n) % 2n === 0n ? 1n : -1n;
      if (k % 2n === 1n) c += sign * term;
      else s += sign * term;
      term = (term * angle) / (one * k);
    }
    [cos[j], sin[j]] = [c, s].map((x) => Number(x >> 64n) / 2 ** 96);
  }
  return { cos, sin };
}

const known = new Map<number, ReturnType<typeof roots>>();
function rootsOf(n: number): ReturnType<typeof roots> {
  let found = known.get(n);
  if (!found) known.set(n, (found = roots(n)));
  return found;
}

/** Multiply-adds beyond which Σ|w| must do. */
const budget = 4e9;

/** ≥ the norm of each channel; a kernel of shape (c, 1, k) or (c, 1, k, k), one for each channel. */
export function channelNorms(
  { shape, data }: { readonly shape: readonly number[]; readonly data: Float32Array },
  torus: readonly number[],
  dilation: number,
): Float64Array {
  const [channels, , ...taps] = shape;
  const [height, width] = taps.length === 1 ? [1, taps[0]] : taps;
  const [down, across] = torus.length === 1 ? [1, torus[0]] : torus;
  const half = Math.floor(across / 2) + 1;
  const size = height * width;
  const norms = new Float64Array(channels);
  // Angles are whole numbers below 2⁵³.
  const few = channels * down * half * size <= budget && Math.max(down, across) < 2 ** 26;
  const [y, x] = few ? [rootsOf(down), rootsOf(across)] : [null, null];
  for (let channel = 0; channel < channels; channel++) {
    const w = data.subarray(channel * size, (channel + 1) * size);
    const sum = w.reduce((all, entry) => all + Math.abs(entry), 0) * (1 + (size + 2) * 2 * u);
    norms[channel] = sum;
    if (!y || !x) continue;
    let most = 0;
    const rows = new Float64Array(2 * height);
    for (let f = 0; f < half; f++) {
      for (let r = 0; r < height; r++) {
        let [re, im] = [0, 0];
        for (let t = 0; t < width; t++) {
          const j = (f * ((t * dilation) % across)) % across;
          re += w[r * width + t] * x.cos[j];
          im += w[r * width + t] * x.sin[j];
        }
        rows[2 * r] = re;
        rows[2 * r + 1] = im;
      }
      for (let g = 0; g < down; g++) {
        let [re, im] = [0, 0];
        for (let r = 0; r < height; r++) {
          const j = (g * ((r * dilation) % down)) % down;
          re += rows[2 * r] * y.cos[j] - rows[2 * r + 1] * y.sin[j];
          im += rows[2 * r] * y.sin[j] + rows[2 * r + 1] * y.cos[j];
        }
        most = Math.max(most, re * re + im * im);
      }
    }
    const rounding = 10 * (2 * width + 2 * height + 20) * u * sum;
    norms[channel] = Math.min(sum, Math.sqrt(most) * (1 + 8 * u) + rounding + 2 ** -498);
  }
  return norms;
}
