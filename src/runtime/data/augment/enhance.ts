/**
 * Brightness, contrast, colour and sharpness as in Pillow's ImageEnhance: x ← grey + factor·(x − grey), where each has
 * another "grey", a version of the image without what it is about. factor 1 changes nothing, 0 gives grey.
 */
import { limit, type Frame } from "./step.ts";

/** Changes an image in place by a factor of at least 0. */
export type Enhance = (image: Float32Array, frame: Frame, factor: number) => void;

export const brightness: Enhance = (image, frame, factor) => {
  const { low } = frame;
  for (let i = 0; i < image.length; i++) image[i] = limit(low + factor * (image[i] - low), frame);
};

export const contrast: Enhance = (image, frame, factor) => {
  const { channels } = frame;
  let sum = 0;
  if (channels === 3) for (let at = 0; at < image.length; at += 3) sum += luma(image, at);
  else for (const x of image) sum += x;
  const grey = sum / (channels === 3 ? image.length / 3 : image.length);
  for (let i = 0; i < image.length; i++) image[i] = limit(grey + factor * (image[i] - grey), frame);
};

/** Of images with three channels, red, green and blue; others have no colours. */
export const colour: Enhance = (image, frame, factor) => {
  if (frame.channels !== 3) return;
  for (let at = 0; at < image.length; at += 3) {
    const grey = luma(image, at);
    for (let i = at; i < at + 3; i++) image[i] = limit(grey + factor * (image[i] - grey), frame);
  }
};

/** Grey is the image smoothed by 1/13·[1 1 1; 1 5 1; 1 1 1]; pixels at the edges have no grey and stay as they are. */
export const sharpness: Enhance = (image, frame, factor) => {
  const { height, width, channels } = frame;
  const before = image.slice();
  const line = width * channels;
  for (let y = 1; y < height - 1; y++) {
    for (let i = y * line + channels; i < (y + 1) * line - channels; i++) {
      let sum = 4 * before[i];
      for (let row = i - line; row <= i + line; row += line)
        sum += before[row - channels] + before[row] + before[row + channels];
      const grey = sum / 13;
      image[i] = limit(grey + factor * (before[i] - grey), frame);
    }
  }
};

/** ITU-R 601-2, as Pillow turns colours into grey. */
function luma(image: Float32Array, at: number): number {
  return 0.299 * image[at] + 0.587 * image[at + 1] + 0.114 * image[at + 2];
}
