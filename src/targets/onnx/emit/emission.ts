import type { GraphNode, Op } from "../../../graph/graph.ts";
import type { Emitter } from "../emitter.ts";

/** Prints one primitive; returns the name of its result. Shapes of the operands are read from `operand`. */
export type Emission<O extends Op> = (
  e: Emitter,
  node: GraphNode<O>,
  inputs: readonly string[],
  operands: readonly GraphNode[],
) => string;
