/**
 * What Pillow's ImageOps do to the levels of an image: 256 of them from the range's low end to its high one. On
 * numbers that are no bytes the operations are taken at their word, and only those that need levels round to them.
 */
import type { Frame } from "./step.ts";

const levels = 256;

/** Stretches each channel so that its smallest and largest values are the ends of the range. */
export function autoContrast(image: Float32Array, { channels, low, high }: Frame): void {
  for (let k = 0; k < channels; k++) {
    let [least, most] = [Infinity, -Infinity];
    for (let i = k; i < image.length; i += channels) {
      least = Math.min(least, image[i]);
      most = Math.max(most, image[i]);
    }
    if (most <= least) continue;
    const scale = (high - low) / (most - least);
    for (let i = k; i < image.length; i += channels)
      image[i] = Math.min(low + (image[i] - least) * scale, high);
  }
}

/** Makes each channel's histogram flat: a level goes to the count of entries below it, in steps of a 255th. */
export function equalize(image: Float32Array, frame: Frame): void {
  const { channels } = frame;
  for (let k = 0; k < channels; k++) {
    const counts = new Int32Array(levels);
    for (let i = k; i < image.length; i += channels) counts[levelOf(image[i], frame)]++;
    const used = counts.filter((n) => n > 0);
    const step = Math.floor((image.length / channels - used[used.length - 1]) / (levels - 1));
    if (used.length <= 1 || step === 0) continue;
    const table = new Float64Array(levels);
    let below = step >> 1;
    for (let level = 0; level < levels; level++) {
      table[level] = valueOf(Math.min(Math.floor(below / step), levels - 1), frame);
      below += counts[level];
    }
    for (let i = k; i < image.length; i += channels) image[i] = table[levelOf(image[i], frame)];
  }
}

/** Every value to its mirror image in the range; with a threshold, in 255ths of the range, those from there on. */
export function invert(image: Float32Array, { low, high }: Frame, threshold = 0): void {
  const from = low + (high - low) * (threshold / (levels - 1));
  // A byte's value over 255 is rounded to float32, the threshold is not.
  const slack = (high - low) * 1e-6;
  for (let i = 0; i < image.length; i++)
    if (image[i] >= from - slack) image[i] = Math.max(low, Math.min(high, low + high - image[i]));
}

/** Adds so many 255ths of the range to what lies in its lower half. */
export function solarizeAdd(image: Float32Array, { low, high }: Frame, add: number): void {
  const unit = (high - low) / (levels - 1);
  const middle = low + 128 * unit - unit * 1e-3;
  for (let i = 0; i < image.length; i++)
    if (image[i] < middle) image[i] = Math.min(high, image[i] + add * unit);
}

/** Keeps the highest bits of the 8 of each level. */
export function posterize(image: Float32Array, frame: Frame, bits: number): void {
  const mask = (levels - 1) & ~(2 ** (8 - bits) - 1);
  for (let i = 0; i < image.length; i++) image[i] = valueOf(levelOf(image[i], frame) & mask, frame);
}

function levelOf(x: number, { low, high }: Frame): number {
  return Math.round(((x - low) / (high - low)) * (levels - 1));
}

function valueOf(level: number, { low, high }: Frame): number {
  return low + (level / (levels - 1)) * (high - low);
}
