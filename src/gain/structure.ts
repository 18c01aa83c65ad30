/**
 * What branches that share an input know of each other (docs/gains.md, "Split and Concat"): a bound relative to the
 * shared input, which the forward pass alone can't see.
 */
import type { Node, ValueId } from "../model/model.ts";
import type { Analysis } from "./analyze.ts";
import { channelsOf, closed, entry, tokensOf, type Gain } from "./gain.ts";
import { hypotUp, maxUp, mulUp } from "./up.ts";

/** The closed gain matrix of a node relative to the value `root` whose disjoint channel groups its inputs read. */
export interface PartwiseMap {
  readonly root: ValueId;
  readonly map: readonly number[];
  /** Heading in docs/gains.md. */
  readonly rule: string;
  /** Values made inside of the branches: against one of them as source the map says nothing. */
  readonly inside: ReadonlySet<ValueId>;
}

/** The tighter bound of a node whose inputs share a value; null where there is none. */
export function partwiseMap(analysis: Analysis, node: Node): PartwiseMap | null {
  if (node.layer === "Concat") return mapOfConcat(analysis, node);
  return node.layer === "Multiply" ? mapOfProduct(analysis, node) : null;
}

/** Layers that map every token by itself: a perturbed token changes the token in its place, no other. */
const tokenwise = new Set(
  `Linear Split Add Subtract Residual Scale Dropout DropPath Normalize CenterNorm LayerNorm RMSNorm UnitNorm Clamp
   MaxMin GroupSort Householder ReLU LeakyReLU GELU SiLU Tanh Sigmoid Abs ELU Softplus Learned`.split(/\s+/),
);

/** Longer branches are left to the forward pass, so that the analysis stays linear. */
const longest = 256;

/** Channels [low, high) of a value. */
interface Part {
  readonly root: ValueId;
  readonly low: number;
  readonly high: number;
}

/**
 * y = Concat over channels of y₁ … yₙ, where every yᵢ is a function of the channel group Iᵢ of one value z alone and
 * the groups are disjoint. With Lᵢ the gain of yᵢ from z (a perturbation of other channels doesn't reach yᵢ, so
 * ‖δyᵢ‖ ≤ Lᵢ‖δz_Iᵢ‖):
 *   l2→l2     ‖δy‖² = Σ‖δyᵢ‖² ≤ Σ Lᵢ²‖δz_Iᵢ‖² ≤ max Lᵢ² · ‖δz‖²
 *   l2→token  the same for one token of y; l2→linf max Lᵢ
 *   token     for maps that treat every token by itself the first line holds token by token: max Lᵢ; else √ΣLᵢ²
 *   linf      max Lᵢ
 * Source: direct; it removes √2 per split block of CSwin.
 */
function mapOfConcat(analysis: Analysis, concat: Node): PartwiseMap | null {
  const { values } = analysis.model;
  const output = values[concat.outputs[0]].shape;
  const widths = concat.inputs.map((value) => channelsOf(values[value].shape));
  const onChannels =
    widths.reduce((a, b) => a + b, 0) === channelsOf(output) &&
    concat.inputs.every((value) => tokensOf(values[value].shape) === tokensOf(output));
  const branches = onChannels ? branchesOf(analysis, concat.inputs) : null;
  if (!branches) return null;
  const { root, inside, gains, each } = branches;
  const all = (from: "l2" | "token" | "linf", to: "l2" | "token" | "linf"): number[] =>
    gains.map((gain) => entry(gain, from, to));
  const map = closed(
    {
      l2: maxUp(...all("l2", "l2")),
      "l2->token": maxUp(...all("l2", "token")),
      "l2->linf": maxUp(...all("l2", "linf")),
      token: each ? maxUp(...all("token", "token")) : hypotUp(...all("token", "token")),
      linf: maxUp(...all("linf", "linf")),
    },
    values[root].shape,
    output,
  );
  return { root, map, rule: "Split and Concat", inside };
}

/**
 * y = a ⊙ b, a and b functions of disjoint channel groups of one value z alone, with gains L_a, L_b from z and ranges
 * R_a, R_b (a gated unit whose two projections are one matrix). ab − a'b' = b(a − a') + a'(b − b'), so
 *   ‖δy‖ ≤ R_b·L_a‖δz_a‖ + R_a·L_b‖δz_b‖ ≤ √((R_b·L_a)² + (R_a·L_b)²)·‖δz‖   (Cauchy–Schwarz)
 * in l2, from l2 to one token or entry, and token by token where tokens don't mix.
 * Source: docs/gains.md, "Product".
 */
function mapOfProduct(analysis: Analysis, product: Node): PartwiseMap | null {
  const { values } = analysis.model;
  const branches = branchesOf(analysis, product.inputs);
  if (!branches) return null;
  const { root, inside, gains, each } = branches;
  const ranges = product.inputs.map((value) => analysis.range(value).linf);
  const joint = (from: "l2" | "token", to: "l2" | "token" | "linf"): number =>
    hypotUp(mulUp(ranges[1], entry(gains[0], from, to)), mulUp(ranges[0], entry(gains[1], from, to)));
  const map = closed(
    {
      l2: joint("l2", "l2"),
      "l2->token": joint("l2", "token"),
      "l2->linf": joint("l2", "linf"),
      ...(each ? { token: joint("token", "token") } : {}),
    },
    values[root].shape,
    values[product.outputs[0]].shape,
  );
  return { root, map, rule: "Product", inside };
}

interface Branches {
  readonly root: ValueId;
  readonly inside: ReadonlySet<ValueId>;
  /** Of each branch's value, from the root. */
  readonly gains: readonly Gain[];
  /** Whether every branch treats each token by itself. */
  readonly each: boolean;
}

/**
 * Values that depend on disjoint channel groups of one value, and on nothing else but learned values made on the way;
 * null where it isn't so. A value made of learned ones alone could also be read whole: then its maker is in a branch.
 */
function branchesOf(analysis: Analysis, inputs: readonly ValueId[]): Branches | null {
  if (inputs.length < 2) return null;
  const slices: { readonly parts: readonly Part[]; readonly nodes: ReadonlySet<Node> }[] = [];
  for (const input of inputs) {
    const slice = sliceTo(analysis, input);
    if (!slice || slice.parts.length === 0) return null;
    slices.push(slice);
  }
  const root = slices[0].parts[0].root;
  const taken: Part[] = [];
  for (const { parts } of slices) {
    if (parts.some((part) => part.root !== root)) return null;
    if (parts.some((part) => taken.some((t) => part.low < t.high && t.low < part.high))) return null;
    taken.push(...parts);
  }

  const maker = analysis.producer(root);
  if (maker && slices.some((slice) => slice.nodes.has(maker))) return null;

  const splits = new Set<Node>();
  for (const part of slices.flatMap((slice) => [...slice.nodes]))
    if (part.layer === "Split") splits.add(part);
  const gains: Gain[] = slices.map((slice, i) => {
    const wanted = new Set([...slice.nodes, ...splits]);
    const order = analysis.inOrder(wanted);
    return analysis.local(root, order)(inputs[i]);
  });
  const each = slices.every((slice) => [...slice.nodes].every((node) => tokenwise.has(node.layer)));
  const inside = new Set(slices.flatMap((slice) => [...slice.nodes].flatMap((node) => node.outputs)));
  return { root, inside, gains, each };
}

/** The nodes between parts of a split value and `value`, and those parts; null where anything else enters. */
function sliceTo(analysis: Analysis, value: ValueId): { parts: Part[]; nodes: Set<Node> } | null {
  const parts: Part[] = [];
  const nodes = new Set<Node>();
  const waiting = [value];
  const seen = new Set<ValueId>();
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    if (seen.has(next)) continue;
    seen.add(next);
    const node = analysis.producer(next);
    if (!node) return null;
    if (nodes.size > longest) return null;
    if (node.layer === "Split") {
      parts.push(partOf(analysis, next, nodes));
      continue;
    }
    nodes.add(node);
    waiting.push(...node.inputs);
  }
  return { parts, nodes };
}

/** Follows a chain of Splits up to the value that was split first. */
function partOf(analysis: Analysis, value: ValueId, nodes: Set<Node>): Part {
  let low = 0;
  let at = value;
  const width = channelsOf(analysis.model.values[value].shape);
  for (;;) {
    const node = analysis.producer(at);
    if (!node || node.layer !== "Split") return { root: at, low, high: low + width };
    nodes.add(node);
    for (const output of node.outputs) {
      if (output === at) break;
      low += channelsOf(analysis.model.values[output].shape);
    }
    at = node.inputs[0];
  }
}
