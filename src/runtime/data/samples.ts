/** Labelled samples: what every reader of data gives to training, whatever the files look like. */
import type { Result } from "../result.ts";

export interface Samples {
  /** For people: "Fashion-MNIST, training set (specs/data/fashion-mnist-mini)". */
  readonly name: string;
  readonly count: number;
  /** Per sample, channels last; values as the model's input sees them (images in [0, 1]). */
  readonly shape: readonly number[];
  /** Smallest and largest value that a sample can hold, for the check against the input's domain. */
  readonly low: number;
  readonly high: number;
  /** Number of classes that the data speak of: largest label + 1. */
  readonly classes: number;
  /** Names of the classes, where the data have them. */
  readonly classNames: readonly string[] | null;
  /** Writes the samples `which` one after the other into `values`, their labels into `labels`. */
  fill(which: readonly number[], values: Float32Array, labels: Int32Array): Promise<Result<void>>;
}

/** The two sets of a run. `test` is null where the data have only one. */
export interface Data {
  /** For people: what and where. */
  readonly name: string;
  readonly train: Samples;
  readonly test: Samples | null;
}
