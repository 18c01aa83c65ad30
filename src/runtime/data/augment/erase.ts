/**
 * `erase(probability)`: random erasing (Zhong et al. 2020, arXiv 1708.04896) as timm's `RandomErasing` does it in mode
 * "pixel" with one rectangle. timm erases after normalisation with noise of mean 0 and deviation 1; in the input's own
 * units that is noise around the mean, and here it is limited to the range.
 */
import { limit, numberOf, type Augmentation } from "./step.ts";

/** Parts of the image's area. */
const [least, most] = [0.02, 1 / 3];
/** Smallest height/width; the largest is its inverse. */
const aspect = 0.3;
const trials = 10;

export const erase: Augmentation = {
  name: "erase",
  make(option, frame) {
    const probability = numberOf(option, "probability", 0);
    const { height, width, channels, mean, deviation } = frame;
    return (image, random) => {
      if (random.uniform() >= probability) return;
      for (let trial = 0; trial < trials; trial++) {
        const area = random.between(least, most) * height * width;
        const ratio = Math.exp(random.between(Math.log(aspect), -Math.log(aspect)));
        const h = Math.round(Math.sqrt(area * ratio));
        const w = Math.round(Math.sqrt(area / ratio));
        if (h >= height || w >= width) continue;
        const top = random.below(height - h + 1);
        const left = random.below(width - w + 1);
        for (let y = top; y < top + h; y++) {
          const to = (y * width + left + w) * channels;
          for (let i = (y * width + left) * channels; i < to; i++) {
            const k = i % channels;
            image[i] = limit(mean[k] + deviation[k] * random.normal(), frame);
          }
        }
        return;
      }
    };
  },
};
