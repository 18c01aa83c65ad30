/**
 * `color_jitter(strength)`: brightness, contrast and saturation in random order, as torchvision's ColorJitter with the
 * same strength for all three and no hue, which is what timm makes of one number.
 */
import { brightness, colour, contrast } from "./enhance.ts";
import { numberOf, type Augmentation } from "./step.ts";

export const colorJitter: Augmentation = {
  name: "color_jitter",
  make(option, frame) {
    const strength = numberOf(option, "strength", 0);
    return (image, random) => {
      const order = [brightness, contrast, colour];
      for (let i = order.length - 1; i > 0; i--) {
        const j = random.below(i + 1);
        [order[i], order[j]] = [order[j], order[i]];
      }
      for (const enhance of order)
        enhance(image, frame, random.between(Math.max(0, 1 - strength), 1 + strength));
    };
  },
};
