/** `flip`: mirrors left and right with probability 1/2. */
import type { Augmentation, Frame } from "./step.ts";

export const flip: Augmentation = {
  name: "flip",
  make: (_, frame) => (image, random) => {
    if (random.uniform() < 0.5) mirror(image, frame);
  },
};

export function mirror(image: Float32Array, { height, width, channels }: Frame): void {
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width >> 1; x++) {
      const left = (y * width + x) * channels;
      const right = (y * width + (width - 1 - x)) * channels;
      for (let k = 0; k < channels; k++) {
        const kept = image[left + k];
        image[left + k] = image[right + k];
        image[right + k] = kept;
      }
    }
  }
}
