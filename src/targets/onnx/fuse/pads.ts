/** The gradient of a split is a sum of zero-padded parts; put side by side they are one Concat, with nothing added. */
import type { GraphNode } from "../../../graph/graph.ts";
import type { Fuser, View } from "./fusion.ts";

interface Part {
  readonly id: number;
  readonly source: number;
  readonly start: number;
  readonly end: number;
}

export const fusePads: Fuser = (view, id) => {
  const root = view.as(id, "add");
  if (root === undefined) return undefined;
  const covers: number[] = [];
  const leaves: number[] = [];
  collect(view, root, covers, leaves);
  const padded = leaves.find((leaf) => axisOf(view, leaf) !== undefined);
  const axis = padded === undefined ? undefined : axisOf(view, padded);
  if (axis === undefined) return undefined;
  const parts: Part[] = [];
  const rest: number[] = [];
  for (const leaf of leaves) {
    const pad = axisOf(view, leaf) === axis ? view.only(leaf, "pad") : undefined;
    if (pad === undefined) rest.push(leaf);
    else {
      const start = pad.attributes.before[axis];
      parts.push({
        id: leaf,
        source: pad.inputs[0],
        start,
        end: start + view.node(pad.inputs[0]).shape[axis],
      });
    }
  }
  parts.sort((a, b) => a.start - b.start);
  const covered = parts.every((part, i) => part.start === (i === 0 ? 0 : parts[i - 1].end));
  if (parts.length < 2 || !covered || parts[parts.length - 1].end !== root.shape[axis]) return undefined;
  return {
    covers: [...covers, ...parts.map((part) => part.id)],
    emit: (e) => {
      let y = e.node(
        "Concat",
        parts.map((part) => e.value(part.source)),
        { axis },
      );
      for (const other of rest) y = e.node("Add", [y, e.value(other)]);
      return y;
    },
  };
};

/** The terms of a sum; partial sums that nothing else reads are opened. */
function collect(view: View, node: GraphNode, covers: number[], leaves: number[]): void {
  for (const input of node.inputs) {
    const inner = view.only(input, "add");
    if (inner !== undefined && `${inner.shape}` === `${node.shape}`) {
      covers.push(input);
      collect(view, inner, covers, leaves);
    } else leaves.push(input);
  }
}

/** The one axis that a pad, read once, adds to. */
function axisOf(view: View, id: number): number | undefined {
  const pad = view.only(id, "pad");
  if (pad === undefined) return undefined;
  const { before, after } = pad.attributes;
  const axes = before.flatMap((n, i) => (n > 0 || after[i] > 0 ? [i] : []));
  return axes.length === 1 ? axes[0] : undefined;
}
