/**
 * Images rotated, sheared and moved, sampled as Pillow's affine transform does it: pixel (x, y) of the result comes
 * from (a·x + b·y + c, d·x + e·y + f), both in coordinates of pixels' middles (the first is at 1/2), by cubic
 * convolution with a = −1 (Keys 1981); beyond an edge the edge's own pixel counts. What comes from outside of the image
 * is the mean's colour.
 */
import { limit, type Frame } from "./step.ts";

/** Where the pixel at (x, y) comes from. */
export interface Affine {
  readonly a: number;
  readonly b: number;
  readonly c: number;
  readonly d: number;
  readonly e: number;
  readonly f: number;
}

/** The picture turned counterclockwise by so many degrees about its middle. */
export function rotation(degrees: number, { height, width }: Frame): Affine {
  const angle = (-degrees * Math.PI) / 180;
  const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
  const [x, y] = [width / 2, height / 2];
  return { a: cos, b: sin, c: x - cos * x - sin * y, d: -sin, e: cos, f: y + sin * x - cos * y };
}

/** Moves a row by `across` for each row above it, a column by `down` for each column before it. */
export function shear(across: number, down: number): Affine {
  return { a: 1, b: across, c: 0, d: down, e: 1, f: 0 };
}

/** In pixels. */
export function shift(across: number, down: number): Affine {
  return { a: 1, b: 0, c: across, d: 0, e: 1, f: down };
}

export function transform(image: Float32Array, frame: Frame, { a, b, c, d, e, f }: Affine): void {
  const { height, width, channels, mean } = frame;
  const before = image.slice();
  const columns = new Int32Array(4);
  const lines = new Int32Array(4);
  const across = new Float64Array(4);
  const down = new Float64Array(4);
  const fill = mean.map((m) => limit(m, frame));
  let at = 0;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++, at += channels) {
      const fromX = a * (x + 0.5) + b * (y + 0.5) + c;
      const fromY = d * (x + 0.5) + e * (y + 0.5) + f;
      if (fromX < 0 || fromX >= width || fromY < 0 || fromY >= height) {
        for (let k = 0; k < channels; k++) image[at + k] = fill[k];
        continue;
      }
      neighbours(fromX - 0.5, width, channels, columns, across);
      neighbours(fromY - 0.5, height, width * channels, lines, down);
      for (let k = 0; k < channels; k++) {
        let sum = 0;
        for (let j = 0; j < 4; j++) {
          // Rows of weight 0 are common: a shear or a shift leaves one coordinate whole.
          if (down[j] === 0) continue;
          const row = lines[j] + k;
          sum +=
            down[j] *
            (across[0] * before[row + columns[0]] +
              across[1] * before[row + columns[1]] +
              across[2] * before[row + columns[2]] +
              across[3] * before[row + columns[3]]);
        }
        image[at + k] = limit(sum, frame);
      }
    }
  }
}

/** The four places around `from` (limited to the image, times `stride`) and their weights. */
function neighbours(
  from: number,
  count: number,
  stride: number,
  places: Int32Array,
  weights: Float64Array,
): void {
  const first = Math.floor(from);
  const t = from - first;
  for (let j = 0; j < 4; j++) places[j] = Math.min(Math.max(first - 1 + j, 0), count - 1) * stride;
  weights[0] = -t * (1 - t) * (1 - t);
  weights[1] = 1 - 2 * t * t + t * t * t;
  weights[2] = t * (1 + t - t * t);
  weights[3] = -t * t * (1 - t);
}
