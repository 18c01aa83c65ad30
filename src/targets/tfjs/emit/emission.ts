import type { GraphNode, Op } from "../../../graph/graph.ts";
import type { Emitter, Value } from "../program.ts";

/** Makes one primitive of calls; returns the value of its result, which has the node's shape. */
export type Emission<O extends Op> = (e: Emitter, node: GraphNode<O>, inputs: readonly Operand[]) => Value;

/** A tensor, or a number in the place of a constant of rank 0. */
export type Operand = Value | number;
