/** Which part of a picture becomes the input, in the recipes for ImageNet (torchvision's and timm's transforms). */
import type { Stream } from "../stream.ts";

/** A rectangle of pixels. */
export interface Part {
  readonly top: number;
  readonly left: number;
  readonly height: number;
  readonly width: number;
}

/** Of the picture's area, and of width/height. */
const [leastArea, mostArea] = [0.08, 1];
const [narrowest, widest] = [3 / 4, 4 / 3];
const trials = 10;

/**
 * RandomResizedCrop (Szegedy et al. 2015, arXiv 1409.4842): area uniform, proportions log-uniform, place uniform; after
 * ten that don't fit the largest middle part within the proportions. Mirrored with probability 1/2.
 */
export function randomPart(
  height: number,
  width: number,
  random: Stream,
): { readonly part: Part; readonly mirrored: boolean } {
  const part = tryParts(height, width, random) ?? largestMiddle(height, width);
  return { part, mirrored: random.uniform() < 0.5 };
}

function tryParts(height: number, width: number, random: Stream): Part | null {
  for (let trial = 0; trial < trials; trial++) {
    const area = random.between(leastArea, mostArea) * height * width;
    const ratio = Math.exp(random.between(Math.log(narrowest), Math.log(widest)));
    const w = Math.round(Math.sqrt(area * ratio));
    const h = Math.round(Math.sqrt(area / ratio));
    if (w < 1 || h < 1 || w > width || h > height) continue;
    return { top: random.below(height - h + 1), left: random.below(width - w + 1), height: h, width: w };
  }
  return null;
}

function largestMiddle(height: number, width: number): Part {
  const ratio = width / height;
  const w = ratio > widest ? Math.max(1, Math.round(height * widest)) : width;
  const h = ratio < narrowest ? Math.max(1, Math.round(width / narrowest)) : height;
  return { top: (height - h) >> 1, left: (width - w) >> 1, height: h, width: w };
}

/** For tests: the size to bring the picture to (shorter side ⌊size·256/224⌋), and the input's part in its middle. */
export function middleOf(
  height: number,
  width: number,
  inputHeight: number,
  inputWidth: number,
): { readonly size: { readonly height: number; readonly width: number }; readonly part: Part } {
  const shorter = Math.floor((Math.max(inputHeight, inputWidth) * 256) / 224);
  const [h, w] =
    height <= width
      ? [shorter, Math.floor((shorter * width) / height)]
      : [Math.floor((shorter * height) / width), shorter];
  const part = {
    top: halfOf(h - inputHeight),
    left: halfOf(w - inputWidth),
    height: inputHeight,
    width: inputWidth,
  };
  return { size: { height: h, width: w }, part };
}

/** Half of a whole number, rounded to the even one as Python and so torchvision do it. */
function halfOf(n: number): number {
  return n % 4 === 3 ? (n + 1) / 2 : Math.floor(n / 2);
}
