/** What an optimiser is: state tensors per parameter, and one update as graph nodes. */
import type { OptionValue } from "../../model/model.ts";
import type { Builder, Tensor } from "../builder.ts";

export interface Update {
  readonly param: Tensor;
  readonly grad: Tensor;
  /** Factor of the gradient from clipping; null without. Applied inside, so that no scaled gradient is materialised. */
  readonly scale: Tensor | null;
  /** In the order of `slots`. */
  readonly state: readonly Tensor[];
  /** Scalars: learning rate, and the number of this step from 1. */
  readonly lr: Tensor;
  readonly step: Tensor;
  readonly weightDecay: number;
}

export interface Optimizer {
  readonly name: string;
  /** Name prefixes of the state tensors: `m`, `v`. All start at zero. */
  slots(options: OptionValue): readonly string[];
  update(
    builder: Builder,
    options: OptionValue,
    update: Update,
  ): { readonly param: Tensor; readonly state: readonly Tensor[] };
}

/** A number among an option's arguments. */
export function numberOf(options: OptionValue, name: string, otherwise: number): number {
  const value = options.args[name];
  return typeof value === "number" ? value : otherwise;
}
