/**
 * `crop(size, padding)`: a crop of the input's own size from the image with zeros around it (He et al. 2016, for
 * CIFAR). That is the image moved, with zeros coming in; where 0 is outside of the range, the nearest value in it.
 */
import { limit, numberOf, type Augmentation, type Frame } from "./step.ts";

export const crop: Augmentation = {
  name: "crop",
  problem({ args }, { height, width }) {
    const { size } = args;
    if (size === undefined || (size === height && size === width)) return null;
    return `crops of ${String(size)} × ${String(size)} don't fit the input of ${height} × ${width}`;
  },
  make(option, frame) {
    const padding = numberOf(option, "padding", 0);
    return (image, random) => {
      const down = random.below(2 * padding + 1) - padding;
      const right = random.below(2 * padding + 1) - padding;
      move(image, frame, down, right);
    };
  },
};

/** The pixel at (y, x) comes from (y + down, x + right). */
function move(image: Float32Array, frame: Frame, down: number, right: number): void {
  if (down === 0 && right === 0) return;
  const { height, width, channels } = frame;
  const before = image.slice();
  image.fill(limit(0, frame));
  for (let y = Math.max(0, -down); y < Math.min(height, height - down); y++) {
    const from = Math.max(0, -right);
    const to = Math.min(width, width - right);
    if (to <= from) continue;
    const source = ((y + down) * width + from + right) * channels;
    image.set(before.subarray(source, source + (to - from) * channels), (y * width + from) * channels);
  }
}
