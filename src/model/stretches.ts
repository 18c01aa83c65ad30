/** A model as a chain: the values that everything from an input to an output passes through, and what lies between. */
import type { Model, Node, ValueId } from "./model.ts";

/** What lies between two such values: `to` depends on the input through `from` alone. */
export interface Stretch {
  /** A block's path where it is one application of a block or a round of a loop: `lips_block.2`; else the layer's. */
  readonly name: string;
  readonly from: ValueId;
  readonly to: ValueId;
  readonly nodes: readonly Node[];
}

/**
 * The stretches from `input` to `output` in order; neighbours under one name are one stretch. Empty where the output
 * doesn't depend on the input.
 *
 * A value is passed by every path exactly where no edge goes from before it to behind it, in any order of computation:
 * such an edge would be part of a path round it.
 */
export function stretchesBetween(model: Model, input: ValueId, output: ValueId): Stretch[] {
  const between = nodesBetween(model, input, output);
  const made = new Set<ValueId>([input, ...between.flatMap((node) => node.outputs)]);
  if (!made.has(output)) return [];
  // How far ahead the values up to a place are still read.
  const read = new Map<ValueId, number>();
  between.forEach((node, i) => node.inputs.forEach((value) => made.has(value) && read.set(value, i)));
  const stretches: { name: string; from: ValueId; to: ValueId; nodes: Node[] }[] = [];
  let from = input;
  let nodes: Node[] = [];
  // Values before this place are read up to there.
  let farthest = read.get(input) ?? -1;
  for (const [i, node] of between.entries()) {
    nodes.push(node);
    const alive = node.outputs.filter((value) => (read.get(value) ?? -1) > i || value === output);
    if (farthest <= i && alive.length === 1) {
      const name = roundOf(node.path);
      const last = stretches.at(-1);
      const whole = nodes.every(({ path }) => roundOf(path) === name);
      if (last?.name === name && whole) {
        last.to = alive[0];
        last.nodes.push(...nodes);
      } else stretches.push({ name, from, to: alive[0], nodes });
      [from, nodes] = [alive[0], []];
      if (from === output) break;
    }
    for (const value of alive) farthest = Math.max(farthest, read.get(value) ?? -1);
  }
  return stretches;
}

/** Nodes on some path from one value to another, in the model's order. */
function nodesBetween(model: Model, from: ValueId, to: ValueId): Node[] {
  const reached = new Set<ValueId>([from]);
  const after = model.nodes.filter((node) => {
    if (!node.inputs.some((value) => reached.has(value))) return false;
    node.outputs.forEach((value) => reached.add(value));
    return true;
  });
  const needed = new Set<ValueId>([to]);
  return after
    .toReversed()
    .filter((node) => {
      if (!node.outputs.some((value) => needed.has(value))) return false;
      node.inputs.forEach((value) => needed.add(value));
      return true;
    })
    .toReversed();
}

/** `lips_block.2.0.attention.linear` → `lips_block.2`: what a reader sees as one thing. */
export function roundOf(path: string): string {
  return /^[^.]+(\.\d+)*/.exec(path)?.[0] ?? path;
}
