/** What branches know that share one value: docs/gains.md, "Split and Concat" and "Product". */
import { hypot } from "./arith.ts";
import { at, channelsOf, closed, tokensOf, type Gain, type Norm, type Shape } from "./gains.ts";
import { activations } from "./pointwise.ts";
import type { Node } from "./rule.ts";
import type { Ranges, Scene } from "./scene.ts";

export interface Graph {
  readonly nodes: readonly Node[];
  shape(value: number): Shape;
  producer(value: number): Node | null;
}

/** The gain of a node's output from the value `root`, whose disjoint channel groups its inputs read. */
export interface Joint<T> {
  readonly rule: "Split and Concat" | "Product";
  readonly root: number;
  readonly map: Gain<T>;
  /** Values made on the way: against one of them as source it says nothing. */
  readonly inside: ReadonlySet<number>;
}

export function jointOf<T>(scene: Scene<T>, graph: Graph, node: Node, range: Ranges<T>): Joint<T> | null {
  if (node.layer === "Concat") return concatenated(scene, graph, node, range);
  return node.layer === "Multiply" ? multiplied(scene, graph, node, range) : null;
}

/** Every branch uses its own part of ‖δ‖: max in l2, in linf, and token by token where tokens don't mix. */
function concatenated<T>(scene: Scene<T>, graph: Graph, node: Node, range: Ranges<T>): Joint<T> | null {
  const { a } = scene;
  const output = graph.shape(node.outputs[0]);
  const parts = node.inputs.map((value) => graph.shape(value));
  const onChannels =
    parts.reduce((sum, shape) => sum + channelsOf(shape), 0) === channelsOf(output) &&
    parts.every((shape) => tokensOf(shape) === tokensOf(output));
  const found = onChannels ? branchesOf(scene, graph, node.inputs, range) : null;
  if (!found) return null;
  const { root, gains, each, inside } = found;
  const of = (p: Norm, q: Norm): [T, ...T[]] => gains.map((gain) => gain[at(p, q)]) as [T, ...T[]];
  const stated = {
    l2: a.max(...of("l2", "l2")),
    "l2->token": a.max(...of("l2", "token")),
    "l2->linf": a.max(...of("l2", "linf")),
    token: each ? a.max(...of("token", "token")) : hypot(a, ...of("token", "token")),
    linf: a.max(...of("linf", "linf")),
  };
  return { rule: "Split and Concat", root, map: closed(a, stated, graph.shape(root), output), inside };
}

/** √((R_b·L_a)² + (R_a·L_b)²) by Cauchy–Schwarz over the two parts. */
function multiplied<T>(scene: Scene<T>, graph: Graph, node: Node, range: Ranges<T>): Joint<T> | null {
  const { a } = scene;
  const found = branchesOf(scene, graph, node.inputs, range);
  if (!found) return null;
  const { root, gains, each, inside } = found;
  const [ra, rb] = node.inputs.map((value) => range(value).linf);
  const joint = (p: Norm, q: Norm): T =>
    hypot(a, a.mul(rb, gains[0][at(p, q)]), a.mul(ra, gains[1][at(p, q)]));
  const stated = {
    l2: joint("l2", "l2"),
    "l2->token": joint("l2", "token"),
    "l2->linf": joint("l2", "linf"),
    ...(each ? { token: joint("token", "token") } : {}),
  };
  return {
    rule: "Product",
    root,
    map: closed(a, stated, graph.shape(root), graph.shape(node.outputs[0])),
    inside,
  };
}

/** Layers that map every token by itself. */
const tokenwise = new Set([
  ...Object.keys(activations),
  ..."Linear Split Add Subtract Residual Scale Offset Dropout DropPath Normalize CenterNorm LayerNorm".split(
    " ",
  ),
  ..."RMSNorm UnitNorm Clamp PReLU MaxMin GroupSort Householder Softmax Learned".split(" "),
]);

interface Part {
  readonly root: number;
  readonly low: number;
  readonly high: number;
}

/** Values that depend on disjoint channel groups of one value, and on nothing else but learned values. */
function branchesOf<T>(scene: Scene<T>, graph: Graph, inputs: readonly number[], range: Ranges<T>) {
  if (inputs.length < 2) return null;
  const slices = inputs.map((input) => sliceTo(graph, input));
  if (slices.some((slice) => slice === null || slice.parts.length === 0)) return null;
  const sure = slices as NonNullable<(typeof slices)[number]>[];
  const [{ root }] = sure[0].parts;
  const taken: Part[] = [];
  for (const { parts } of sure) {
    if (parts.some((part) => part.root !== root)) return null;
    if (parts.some((part) => taken.some((t) => part.low < t.high && t.low < part.high))) return null;
    taken.push(...parts);
  }
  // A value of learned ones alone may be the root; nothing in a branch may be what makes it.
  const maker = graph.producer(root);
  if (maker && sure.some(({ nodes }) => nodes.has(maker))) return null;
  const all = new Set(sure.flatMap(({ nodes }) => [...nodes]));
  const splits = [...all].filter((node) => node.layer === "Split");
  const gains = inputs.map((input, i) => {
    const wanted = new Set([...sure[i].nodes, ...splits]);
    return scene.local(
      root,
      graph.nodes.filter((node) => wanted.has(node)),
      range,
    )(input);
  });
  const each = [...all].every((node) => tokenwise.has(node.layer));
  return { root, gains, each, inside: new Set([...all].flatMap((node) => node.outputs)) };
}

/** The nodes between parts of a split value and `value`, and those parts; null where anything else enters. */
function sliceTo(graph: Graph, value: number): { parts: readonly Part[]; nodes: ReadonlySet<Node> } | null {
  const parts: Part[] = [];
  const nodes = new Set<Node>();
  const seen = new Set<number>();
  const waiting = [value];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    if (seen.has(next)) continue;
    seen.add(next);
    const node = graph.producer(next);
    if (!node) return null;
    if (node.layer === "Split") {
      parts.push(partOf(graph, next, nodes));
      continue;
    }
    nodes.add(node);
    waiting.push(...node.inputs);
  }
  return { parts, nodes };
}

/** Follows a chain of Splits up to the value that was split first. */
function partOf(graph: Graph, value: number, nodes: Set<Node>): Part {
  const width = channelsOf(graph.shape(value));
  let [low, root] = [0, value];
  for (let node = graph.producer(root); node?.layer === "Split"; node = graph.producer(root)) {
    nodes.add(node);
    low += node.outputs.indexOf(root) * channelsOf(graph.shape(root));
    [root] = node.inputs;
  }
  return { root, low, high: low + width };
}
