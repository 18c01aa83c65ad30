/**
 * Mixup (Zhang et al. 2018, arXiv 1710.09412) and CutMix (Yun et al. 2019, arXiv 1905.04899) as in timm's `Mixup`, mode
 * "batch": one λ for a batch, the partner of a sample is the one at the same place from the batch's end.
 */
import type { OptionValue } from "../../../model/model.ts";
import type { Stream } from "../../stream.ts";
import { numberOf } from "./step.ts";

/** Rows `top` to before `bottom` and columns `left` to before `right` of an image. */
export interface Box {
  readonly top: number;
  readonly bottom: number;
  readonly left: number;
  readonly right: number;
}

/** How a batch is mixed. */
export interface Mix {
  /** The part of a sample's own label in its target. */
  readonly share: number;
  /** What comes from the partner: a box, or, where there is none, the part 1 − share of every entry. */
  readonly box: Box | null;
}

export function isMix({ name }: OptionValue): boolean {
  return name === "mixup" || name === "cutmix";
}

/** The mix of a batch, from the batch's own stream; null where `options` hold neither mixup nor cutmix. */
export function drawMix(
  options: readonly OptionValue[],
  shape: readonly number[],
  random: Stream,
): Mix | null {
  const candidates = options.filter(isMix);
  if (candidates.length === 0) return null;
  const option = candidates[random.below(candidates.length)];
  const share = random.beta(numberOf(option, "alpha", 1));
  if (option.name === "mixup") return { share: Math.fround(share), box: null };
  return cut(shape, share, random);
}

/** The share is that of the box as the edges have left it. */
function cut([height, width]: readonly number[], share: number, random: Stream): Mix {
  const side = Math.sqrt(1 - share);
  const half = [height, width].map((n) => Math.floor(Math.floor(n * side) / 2));
  const y = random.below(height);
  const x = random.below(width);
  const box = {
    top: Math.max(0, y - half[0]),
    bottom: Math.min(height, y + half[0]),
    left: Math.max(0, x - half[1]),
    right: Math.min(width, x + half[1]),
  };
  const area = (box.bottom - box.top) * (box.right - box.left);
  return { share: Math.fround(1 - area / (height * width)), box };
}

/** Mixes two samples of a batch with each other, in place. */
export function mixPair(a: Float32Array, b: Float32Array, mix: Mix, shape: readonly number[]): void {
  const { share, box } = mix;
  if (!box) {
    for (let i = 0; i < a.length; i++) {
      const [x, y] = [a[i], b[i]];
      a[i] = share * x + (1 - share) * y;
      b[i] = share * y + (1 - share) * x;
    }
    return;
  }
  const [, width, channels] = shape;
  for (let row = box.top; row < box.bottom; row++) {
    const from = (row * width + box.left) * channels;
    const to = (row * width + box.right) * channels;
    const kept = a.slice(from, to);
    a.set(b.subarray(from, to), from);
    b.set(kept, from);
  }
}
