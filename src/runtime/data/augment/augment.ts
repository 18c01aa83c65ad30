/** What a spec's `augment:` lists, as one function of an image. One file for each augmentation. */
import { diagnostic, type Diagnostic } from "../../../diagnostics/diagnostic.ts";
import type { Model, OptionValue } from "../../../model/model.ts";
import { normalizationOf } from "../../../model/normalization.ts";
import type { Samples } from "../samples.ts";
import { colorJitter } from "./color-jitter.ts";
import { crop } from "./crop.ts";
import { erase } from "./erase.ts";
import { flip } from "./flip.ts";
import { isMix } from "./mix.ts";
import { randAugment } from "./rand-augment.ts";
import type { Augmentation, Frame, Step } from "./step.ts";

const augmentations: ReadonlyMap<string, Augmentation> = new Map(
  [flip, crop, randAugment, colorJitter, erase].map((a) => [a.name, a]),
);

/** Why an option of `augment:` can't be carried out on samples of this shape; null: all can. */
export function augmentProblem(options: readonly OptionValue[], shape: readonly number[]): Diagnostic | null {
  const [height, width, channels] = shape;
  for (const option of options) {
    const known = augmentations.get(option.name);
    const problem =
      !known && !isMix(option)
        ? `this augmentation can't be run yet; available: ${[...augmentations.keys(), "mixup", "cutmix"].join(", ")}`
        : option.name === "mixup"
          ? null
          : channels === undefined
            ? `it works on images, the input is [${shape.join(", ")}]`
            : (known?.problem?.(option, { ...plainFrame, height, width, channels }) ?? null);
    if (problem !== null)
      return diagnostic("run-option", null, { option: `augment: ${option.name}`, problem });
  }
  return null;
}

const plainFrame = { low: 0, high: 1, mean: [], deviation: [] };

/** What augmentations are told of a run's images. */
export function frameOf(model: Model | null, { shape, low, high }: Samples): Frame {
  const [height, width, channels] = [shape[0] ?? 1, shape[1] ?? 1, shape[2] ?? 1];
  const normalization = model && normalizationOf(model);
  const same = (x: number): number[] => new Array<number>(channels).fill(x);
  return {
    height,
    width,
    channels,
    low,
    high,
    mean: normalization?.mean ?? same((low + high) / 2),
    deviation: normalization?.deviation ?? same((high - low) / 4),
  };
}

/** All steps on one image, in order; `mixup` and `cutmix` are about batches, see mix.ts. */
export function augmentation(options: readonly OptionValue[], frame: Frame): Step {
  const steps = applied(options).map((option) => {
    const known = augmentations.get(option.name);
    if (!known) throw new Error(`augmentation ${option.name} was not refused`);
    return known.make(option, frame);
  });
  return (image, random) => {
    for (const step of steps) step(image, random);
  };
}

/** timm leaves colour jitter out where RandAugment does its work. */
export function applied(options: readonly OptionValue[]): OptionValue[] {
  const auto = options.some(({ name }) => name === "rand_augment");
  return options.filter((option) => !isMix(option) && !(auto && option.name === "color_jitter"));
}
