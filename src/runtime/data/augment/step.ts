/** What one augmentation of an image is. Images are float32 [h, w, c], changed in place, and stay in their range. */
import type { OptionValue } from "../../../model/model.ts";
import type { Stream } from "../../stream.ts";

/** What is the same for all images of a run. */
export interface Frame {
  readonly height: number;
  readonly width: number;
  readonly channels: number;
  /** The range of the data, within the input's domain: results are limited to it. float32 numbers. */
  readonly low: number;
  readonly high: number;
  /** Per channel: what the model's `Normalize` takes away and divides by (docs/language.md, "Augmentation"). */
  readonly mean: readonly number[];
  readonly deviation: readonly number[];
}

/** Changes an image in place; draws what it needs from the image's own stream. */
export type Step = (image: Float32Array, random: Stream) => void;

export interface Augmentation {
  readonly name: string;
  /** Why the option can't be carried out on images of this frame; null: it can. */
  problem?(option: OptionValue, frame: Frame): string | null;
  make(option: OptionValue, frame: Frame): Step;
}

export function limit(x: number, { low, high }: Frame): number {
  return x < low ? low : x > high ? high : x;
}

export function numberOf({ args }: OptionValue, name: string, otherwise: number): number {
  const value = args[name];
  return typeof value === "number" ? value : otherwise;
}
