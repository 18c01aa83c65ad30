/**
 * `rand_augment(magnitude, std, count)`: RandAugment (Cubuk et al. 2020, arXiv 1909.13719) as timm's
 * `rand-m…-mstd…-inc1`: operations drawn with replacement from those whose severity grows with the magnitude, each done
 * with probability 1/2, each with a magnitude of its own.
 */
import { rotation, shear, shift, transform } from "./affine.ts";
import { brightness, colour, contrast, sharpness, type Enhance } from "./enhance.ts";
import { autoContrast, equalize, invert, posterize, solarizeAdd } from "./levels.ts";
import { numberOf, type Augmentation, type Frame } from "./step.ts";

/** The magnitude at which the operations reach their ends. */
const most = 10;

/** `level` is the magnitude over 10, from 0 to 1; `sign` is 1 or −1. */
type Operation = (image: Float32Array, frame: Frame, level: number, sign: number) => void;

const enhanced =
  (enhance: Enhance): Operation =>
  (image, frame, level, sign) =>
    enhance(image, frame, Math.max(0.1, 1 + 0.9 * level * sign));

/** In timm's order. */
export const operations: Readonly<Record<string, Operation>> = {
  "auto-contrast": autoContrast,
  equalize,
  invert: (image, frame) => invert(image, frame),
  rotate: (image, frame, level, sign) => transform(image, frame, rotation(30 * level * sign, frame)),
  posterize: (image, frame, level) => posterize(image, frame, 4 - Math.floor(4 * level)),
  solarize: (image, frame, level) => invert(image, frame, 256 - Math.floor(256 * level)),
  "solarize-add": (image, frame, level) => solarizeAdd(image, frame, Math.floor(110 * level)),
  colour: enhanced(colour),
  contrast: enhanced(contrast),
  brightness: enhanced(brightness),
  sharpness: enhanced(sharpness),
  "shear across": (image, frame, level, sign) => transform(image, frame, shear(0.3 * level * sign, 0)),
  "shear down": (image, frame, level, sign) => transform(image, frame, shear(0, 0.3 * level * sign)),
  "shift across": (image, frame, level, sign) =>
    transform(image, frame, shift(0.45 * level * sign * frame.width, 0)),
  "shift down": (image, frame, level, sign) =>
    transform(image, frame, shift(0, 0.45 * level * sign * frame.height)),
};

const list = Object.values(operations);

export const randAugment: Augmentation = {
  name: "rand_augment",
  make(option, frame) {
    const magnitude = numberOf(option, "magnitude", 9);
    const std = numberOf(option, "std", 0);
    const count = numberOf(option, "count", 2);
    return (image, random) => {
      for (let i = 0; i < count; i++) {
        const operation = list[random.below(list.length)];
        if (random.uniform() >= 0.5) continue;
        const drawn = std === 0 ? magnitude : magnitude + std * random.normal();
        operation(image, frame, Math.min(Math.max(drawn, 0), most) / most, random.sign());
      }
    };
  },
};
