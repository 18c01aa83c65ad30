/**
 * Which state of a step may be written over the arrays that it was read from.
 *
 * A step takes `param/w` and gives `next/param/w`. Both may be one array if nothing reads the old value any more when
 * the new one is written. ONNX Runtime runs one node after the other, each after those that its inputs come from; so it
 * is proven by ancestry: every node that reads the old value must be an ancestor of the node that writes the new one,
 * or that node itself, where it works entry by entry. With clipped gradients that holds for all state, because the
 * gradients' norm is an ancestor of every update and the last of the backward pass; without, a weight may be needed
 * for its layer's input gradient after its own update is ready, and keeps two arrays.
 *
 * ONNX Runtime may fold a node that only moves or scales numbers into the one that reads it. So whatever reads the
 * result of such a node counts as a reader too.
 */
import type { OnnxModel, OnnxNode } from "../../targets/onnx/proto.ts";

/** A value that comes in and goes out again, by its two names in the model. */
export interface Carried {
  readonly input: string;
  readonly output: string;
}

const elementwise: ReadonlySet<string> = new Set(["Add", "Sub", "Mul", "Div", "Max", "Min", "Identity"]);

/** Operators whose work may be done where their result is read: those that move entries, and those that scale them. */
const moving: ReadonlySet<string> = new Set([
  "Reshape",
  "Squeeze",
  "Unsqueeze",
  "Flatten",
  "Transpose",
  "Expand",
  "Slice",
  "Split",
]);
const scaling: ReadonlySet<string> = new Set(["Identity", "Cast", "Mul", "Div"]);

/** Those of `carried` whose new value may be written over the old one, by the name of their input. */
export function writableInPlace(model: OnnxModel, carried: readonly Carried[]): ReadonlySet<string> {
  const { nodes } = model;
  const producer = new Map<string, number>();
  const consumers = new Map<string, number[]>();
  nodes.forEach(({ inputs, outputs }, at) => {
    for (const name of outputs) producer.set(name, at);
    for (const name of new Set(inputs)) {
      const before = consumers.get(name);
      if (before) before.push(at);
      else consumers.set(name, [at]);
    }
  });
  const writers = carried.map(({ output }) => producer.get(output) ?? -1);
  const isAncestor = ancestry(nodes, writers, consumers);
  const readersOf = (name: string) => readers(nodes, consumers, name);
  return new Set(
    carried
      .filter(({ input }, i) => {
        const writer = writers[i];
        if (writer < 0) return false;
        return readersOf(input).every(({ at, moved }) =>
          at === writer ? !moved && elementwise.has(nodes[at].opType) : isAncestor(at, i),
        );
      })
      .map(({ input }) => input),
  );
}

interface Reader {
  readonly at: number;
  /** Whether entries were moved on the way to it. */
  readonly moved: boolean;
}

/** Every node that reads a value, also through nodes that may be folded away. */
function readers(
  nodes: readonly OnnxNode[],
  consumers: ReadonlyMap<string, readonly number[]>,
  input: string,
): Reader[] {
  const found: Reader[] = [];
  const seen = new Set<string>();
  const open = [{ name: input, moved: false }];
  for (let value = open.pop(); value !== undefined; value = open.pop()) {
    const { name, moved } = value;
    const key = `${moved}/${name}`;
    if (seen.has(key)) continue;
    seen.add(key);
    for (const at of consumers.get(name) ?? []) {
      found.push({ at, moved });
      const { opType, outputs } = nodes[at];
      if (moving.has(opType)) for (const next of outputs) open.push({ name: next, moved: true });
      else if (scaling.has(opType)) for (const next of outputs) open.push({ name: next, moved });
    }
  }
  return found;
}

/** Whether a node is an ancestor of the i-th writer: one bit for each writer, gathered from the last node to the first. */
function ancestry(
  nodes: readonly OnnxNode[],
  writers: readonly number[],
  consumers: ReadonlyMap<string, readonly number[]>,
): (at: number, writer: number) => boolean {
  const words = (writers.length + 31) >> 5;
  const below = new Uint32Array(nodes.length * words);
  const self = new Map<number, number[]>();
  writers.forEach((at, i) => self.set(at, [...(self.get(at) ?? []), i]));
  for (let at = nodes.length - 1; at >= 0; at--) {
    for (const output of nodes[at].outputs) {
      for (const consumer of consumers.get(output) ?? []) {
        for (let w = 0; w < words; w++) below[at * words + w] |= below[consumer * words + w];
        for (const i of self.get(consumer) ?? []) below[at * words + (i >> 5)] |= 1 << (i & 31);
      }
    }
  }
  return (at, writer) => ((below[at * words + (writer >> 5)] >>> (writer & 31)) & 1) === 1;
}
