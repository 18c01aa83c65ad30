/**
 * Running error analysis: a graph computed in float64, each tensor with proven bounds of how far other evaluations of it
 * may be. A track is the difference of one pair of evaluations, such as float64 from exact, or an engine from exact.
 * Differences of the operands pass through a primitive's own slopes, and its own rounding is added
 * (docs/gains.md, "Rounding of engines").
 */
import type { Graph, GraphNode, Op } from "../graph/graph.ts";
import { sizeOf } from "../graph/primitives/size.ts";
import type { Primitive } from "../graph/primitives/primitive.ts";
import { primitives } from "../graph/primitives/registry.ts";
import type { Arithmetic } from "./arithmetic.ts";
import { closed, infinite, isZero, normsOf, plus, tighter, zero, type Deviation } from "./deviation.ts";
import { jointBounds, partOf } from "./parts.ts";
import { rules } from "./rules/registry.ts";
import type { Rule } from "./rules/rule.ts";
import { Value } from "./value.ts";

/** The rounding that a track adds at every operation; null: the same arithmetic on both sides. */
export type Track = Arithmetic | null;

/** A constant of the graph: the exact number, float64 as it is, float32 as an engine stores it. */
export function constantValue(node: GraphNode<"constant">, tracks: readonly Track[]): Value {
  const { data, fill } = node.attributes;
  const count = sizeOf(node.shape);
  const centre = fill ? new Float64Array(count).fill(data[0]) : Float64Array.from(data);
  return storedValue(node.shape, centre, tracks, true);
}

/** Numbers that an engine reads as float32. trust: T7 */
export function storedValue(
  shape: readonly number[],
  centre: Float64Array,
  tracks: readonly Track[],
  constant: boolean,
): Value {
  const off = centre.map((x) => Math.fround(x) - x);
  const single = off.every((x) => x === 0) ? zero : normsOf(off, shape);
  return new Value(
    shape,
    centre,
    tracks.map((track) => (track && track.u > 2 ** -50 ? single : zero)),
    { constant },
  );
}

/** One primitive: its centre, and its tracks from those of its operands. */
export function step(node: GraphNode, inputs: readonly Value[], tracks: readonly Track[]): Value {
  const rule = rules[node.op] as Rule<Op> | null;
  const { attributes, shape } = node;
  const constant = inputs.every((x) => x.constant);
  const made = rule?.evaluate?.(inputs, attributes, shape);
  const centre =
    made?.centre ??
    (primitives[node.op] as Primitive<Op>).evaluate(
      inputs.map((x) => ({ shape: x.shape, data: x.centre })),
      attributes,
      shape,
    );
  if (!rule || centre.length === 0) {
    const all = rule ? zero : infinite;
    return new Value(
      shape,
      centre,
      tracks.map(() => all),
      { constant },
    );
  }
  const size = normsOf(centre, shape);
  const known = { inputs, attributes, shape, centre, absolute: made?.absolute ?? null, size };
  const differences = tracks.map((_, t) => inputs.map((x) => x.tracks[t]));
  const passed = (of: readonly Deviation[]): Deviation =>
    of.every(isZero) ? zero : closed(rule.through(known, of), shape);
  const moved = differences.map(passed);
  const cap = rule.cap?.(known) ?? null;
  const around = plus(size, passed(inputs.map((x) => x.spread)));
  const reach = cap ? tighter(around, cap) : around;
  const { local } = rule;
  const part = partOf(node, inputs, known.absolute, centre);
  const joint = part && jointBounds(part, shape);
  const out = moved.map((d, t) => {
    const track = tracks[t];
    const own = track && local ? closed(plus(d, local({ ...known, reach }, track)), shape) : d;
    return joint ? tighter(own, joint(t, track)) : own;
  });
  return new Value(shape, centre, out, {
    constant,
    cap,
    part,
    made: { op: node.op, inputs, attributes },
    ...(rule.low ? { low: rule.low(known) } : {}),
    ...(rule.terms ? { terms: rule.terms(known) } : {}),
  });
}

/**
 * All inputs by name in, the outputs by name out; every node is analysed on its own operands. Nodes of `arbitrary` are
 * numbers on which no output depends, so every evaluation may be taken to have used the computed ones.
 */
export function runningErrors(
  graph: Graph,
  feeds: Readonly<Record<string, Value>>,
  tracks: readonly Track[],
  arbitrary: ReadonlySet<number> = new Set(),
): Record<string, Value> {
  const values: Value[] = [];
  for (const [id, node] of graph.nodes.entries()) {
    if (node.op === "input") values.push(feeds[(node as GraphNode<"input">).attributes.name]);
    else if (node.op === "constant") values.push(constantValue(node as GraphNode<"constant">, tracks));
    else
      values.push(
        step(
          node,
          node.inputs.map((i) => values[i]),
          tracks,
        ),
      );
    if (arbitrary.has(id)) values[id] = given(values[id]);
  }
  return Object.fromEntries(graph.outputs.map(({ name, node }) => [name, values[node]]));
}

function given({ shape, centre, tracks, constant }: Value): Value {
  return new Value(
    shape,
    centre,
    tracks.map(() => zero),
    { constant },
  );
}
