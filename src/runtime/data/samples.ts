/** Labelled samples: what every reader of data gives to training, whatever the files look like. */
import { good, type Result } from "../result.ts";
import { readRow, type Source } from "./source.ts";

export interface Samples {
  /** For people: "Fashion-MNIST, training set (specs/data/fashion-mnist-mini)". */
  readonly name: string;
  readonly count: number;
  /** Per sample, channels last; values as the model's input sees them (images in [0, 1]). */
  readonly shape: readonly number[];
  /** Smallest and largest value that a sample can hold, for the check against the input's domain. float32 numbers. */
  readonly low: number;
  readonly high: number;
  /** Number of classes that the data speak of: largest label + 1. */
  readonly classes: number;
  /** Names of the classes, where the data have them. */
  readonly classNames: readonly string[] | null;
  /** Where the values come from: plain data, so that worker threads can read them too. */
  readonly source: Source;
  labelOf(sample: number): number;
  /** The file of a sample, where each has its own. */
  pathOf(sample: number): string | null;
}

/** The two sets of a run. `test` is null where the data have only one. */
export interface Data {
  /** For people: what and where. */
  readonly name: string;
  readonly train: Samples;
  readonly test: Samples | null;
}

export function sizeOf({ shape }: Pick<Samples, "shape">): number {
  return shape.reduce((a, b) => a * b, 1);
}

/** Writes the samples `which` as they are, without augmentation, one after the other into `values`, and their labels. */
export async function fill(
  samples: Samples,
  which: readonly number[],
  values: Float32Array,
  labels: Int32Array,
): Promise<Result<void>> {
  const size = sizeOf(samples);
  const done = await Promise.all(
    which.map((sample, row) => {
      labels[row] = samples.labelOf(sample);
      const image = values.subarray(row * size, (row + 1) * size);
      return readRow(samples.source, { sample, path: samples.pathOf(sample) }, image, samples.shape, null);
    }),
  );
  return done.find((result) => result !== null && !result.ok) ?? good(undefined);
}
