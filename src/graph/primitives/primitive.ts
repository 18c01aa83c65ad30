/** What a primitive is: shape rule, vector-Jacobian product, and its meaning in float64. */
import type { Builder, Tensor } from "../builder.ts";
import type { DType, Dims, GraphNode, Op, OpAttributes } from "../graph.ts";

/** A value in the float64 interpreter; bool as 0 and 1, row-major. */
export interface Array64 {
  readonly shape: Dims;
  readonly data: Float64Array;
}

export interface Primitive<O extends Op> {
  /** Result shape and dtype; throws for operands that don't fit (a bug of the caller). */
  shape(
    inputs: readonly GraphNode[],
    attributes: OpAttributes[O],
    dtype?: DType,
  ): { shape: Dims; dtype: DType };
  /**
   * Gradients of the inputs given that of the output, as new nodes; null where none flows.
   * "none" where the op has no gradient (comparisons, inputs, floor).
   */
  vjp: ((builder: Builder, node: VjpNode<O>, grad: Tensor) => readonly (Tensor | null)[]) | "none";
  /**
   * Whether vjp takes a gradient smaller than the output that broadcasts to it (constant along some axes, as the
   * gradient of a sum is), so that it need not be materialised; its results may then be smaller than the inputs too.
   */
  readonly lazy?: boolean;
  /** The meaning, in float64. */
  evaluate(inputs: readonly Array64[], attributes: OpAttributes[O], shape: Dims): Float64Array;
}

export interface VjpNode<O extends Op> {
  readonly inputs: readonly Tensor[];
  readonly attributes: OpAttributes[O];
  readonly output: Tensor;
}
