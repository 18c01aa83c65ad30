/** Configuration of `Attend`, as stored in Node.config: plain data, every number the stored one. */
import type { Coefficient } from "../../model/model.ts";
import type { RegionConfig } from "./regions.ts";

/** How queries and keys are compared. */
export type ScoreConfig =
  /** scale · q·k */
  | { readonly kind: "dot"; readonly scale: Coefficient }
  /** tau · q̂·k̂, with ẑ = z/√(‖z‖² + eps) (root) or z/max(‖z‖, eps) (max), per head */
  | {
      readonly kind: "cosine";
      readonly tau: Coefficient;
      readonly eps: number;
      readonly guard: "root" | "max";
    }
  /** −scale · ‖q − k‖²; null: a scale that depends on the whole input (LRFormer), known by name only */
  | { readonly kind: "distance"; readonly scale: Coefficient | null };

/** What is averaged: the values as they are, or nu · v/√(‖v‖² + eps) per head. */
export type ValuesConfig =
  { readonly kind: "raw" } | { readonly kind: "unit"; readonly nu: Coefficient; readonly eps: number };

// Types and not interfaces below: Config asks for an index signature, which interfaces lack.

/** A depthwise convolution of the values inside each window, zero padded, added to the output (LePE of CSwin). */
export type LocalConfig = {
  readonly kernel: number;
  readonly bias: boolean;
};

export type AttendConfig = {
  readonly heads: number;
  readonly score: ScoreConfig;
  readonly values: ValuesConfig;
  readonly over: RegionConfig;
  readonly position: "none" | "relative" | "rotary";
  readonly causal: boolean;
  readonly local: LocalConfig | null;
};
