/** Augmentation of a batch of images in place, from a seeded generator: what the spec's `augment:` lists. */
import { diagnostic, type Diagnostic } from "../../diagnostics/diagnostic.ts";
import type { OptionValue } from "../../model/model.ts";
import { generator } from "../random.ts";

/** One image [h, w, c] at an offset of a batch. */
type Step = (values: Float32Array, at: number, shape: readonly number[], next: () => number) => void;

const steps: Record<string, (option: OptionValue) => Step> = {
  flip: () => (values, at, shape, next) => {
    if (next() < 0.5) mirror(values, at, shape);
  },
  crop: (option) => {
    const padding = Number(option.args.padding ?? 0);
    return (values, at, shape, next) => {
      const dy = Math.floor(next() * (2 * padding + 1)) - padding;
      const dx = Math.floor(next() * (2 * padding + 1)) - padding;
      shift(values, at, shape, dy, dx);
    };
  },
};

function problemOf({ name, args }: OptionValue, shape: readonly number[]): string | null {
  if (!Object.hasOwn(steps, name))
    return `this augmentation can't be run yet; available: ${Object.keys(steps).join(", ")}`;
  const [height, width, channels] = shape;
  if (channels === undefined) return `it works on images, the input is [${shape.join(", ")}]`;
  if (name === "crop" && args.size !== undefined && (args.size !== height || args.size !== width))
    return `crops of ${String(args.size)} × ${String(args.size)} don't fit the input of ${height} × ${width}`;
  return null;
}

export type Augment = (values: Float32Array, seeds: readonly number[]) => void;

/** The batch augmentation of a list of options; a diagnostic for one that can't be done yet. */
export function augmentation(
  options: readonly OptionValue[],
  shape: readonly number[],
): Augment | Diagnostic {
  for (const option of options) {
    const problem = problemOf(option, shape);
    if (problem !== null)
      return diagnostic("run-option", null, { option: `augment: ${option.name}`, problem });
  }
  const list = options.map((o) => steps[o.name](o));
  const size = shape.reduce((a, b) => a * b, 1);
  return (values, seeds) => {
    if (list.length === 0) return;
    const next = generator(...seeds);
    for (let at = 0; at < values.length; at += size) for (const step of list) step(values, at, shape, next);
  };
}

function mirror(values: Float32Array, at: number, [h, w, c]: readonly number[]): void {
  for (let y = 0; y < h; y++) {
    for (let x = 0; x < w >> 1; x++) {
      for (let k = 0; k < c; k++) {
        const a = at + (y * w + x) * c + k;
        const b = at + (y * w + (w - 1 - x)) * c + k;
        [values[a], values[b]] = [values[b], values[a]];
      }
    }
  }
}

/** A crop of the zero-padded image is a shift of the image with zeros coming in. */
function shift(values: Float32Array, at: number, [h, w, c]: readonly number[], dy: number, dx: number): void {
  if (dy === 0 && dx === 0) return;
  const before = values.slice(at, at + h * w * c);
  for (let y = 0; y < h; y++) {
    for (let x = 0; x < w; x++) {
      const sy = y + dy;
      const sx = x + dx;
      const inside = sy >= 0 && sy < h && sx >= 0 && sx < w;
      for (let k = 0; k < c; k++)
        values[at + (y * w + x) * c + k] = inside ? before[(sy * w + sx) * c + k] : 0;
    }
  }
}
