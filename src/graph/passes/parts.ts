/**
 * Long sums in parts. An engine adds the K products of one entry in an order of its own, so a proof must assume the worst
 * one: an error of about K·u·Σ|p| (docs/gains.md, "Rounding of engines"). Here K is cut into pieces of at most `longest`
 * terms, a product for each, and the pieces are added by nodes of their own: about longest·u·Σ|p|, for any engine and any
 * order inside of a piece. trust: T4. What no sample changes (products of weights alone) stays whole.
 *
 * Optimisers must not join the pieces again. ONNX Runtime 1.30 (all optimisations, the model it then runs) keeps every
 * product and every addition of `specs/certified-fashion-mlp.lips` in pieces of 64, 32 and 16 terms; slices become splits.
 */
import type { Builder, Tensor } from "../builder.ts";
import type { Graph, GraphNode, OpAttributes } from "../graph.ts";
import { rebuild } from "./rebuild.ts";

/** The builder must be empty. */
export function splitSums(graph: Graph, longest: number, builder?: Builder): Graph {
  const fed = fedBySamples(graph);
  return rebuild(
    graph,
    (b, node, inputs) => (fed.has(node) ? inParts(b, node, inputs, longest) : null),
    builder,
  );
}

/** How many terms each product of samples adds up, with the layer that it comes from: `layer 32`, sorted. */
export function sumsOf(graph: Graph): string[] {
  const fed = fedBySamples(graph);
  return graph.nodes.flatMap((node) => (fed.has(node) ? lengthsOf(graph, node) : [])).sort();
}

/** Whether every product of `run` adds up as many terms as one of `analysed` does; equal ones may have become one. */
export function holdsSumsOf(analysed: Graph, run: Graph): boolean {
  const left = new Map<string, number>();
  for (const sum of sumsOf(analysed)) left.set(sum, (left.get(sum) ?? 0) + 1);
  return sumsOf(run).every((sum) => {
    const count = left.get(sum) ?? 0;
    left.set(sum, count - 1);
    return count > 0;
  });
}

function lengthsOf(graph: Graph, node: GraphNode): string[] {
  const length = termsOf(
    node,
    node.inputs.map((i) => graph.nodes[i]),
  );
  return length === null ? [] : [`${node.origin} ${length}`];
}

/** The longest sum of products; 0 where there is none. */
export function longestSum(graph: Graph): number {
  return Math.max(0, ...sumsOf(graph).map((text) => Number(text.slice(text.lastIndexOf(" ")))));
}

/** Terms of one entry of a product; null for what is none. A gradient in an inference graph would be a whole product. */
function termsOf(node: GraphNode, [a, b]: readonly Pick<Tensor, "shape">[]): number | null {
  switch (node.op) {
    case "matmul":
      return a.shape[innerAxis(a, (node as GraphNode<"matmul">).attributes.transposeA)];
    case "conv":
    case "convGradInput":
      return b.shape[1] * b.shape[2] * b.shape[3];
    default:
      return null;
  }
}

/** The axis of a left operand that is summed over. */
function innerAxis({ shape }: Pick<Tensor, "shape">, transposed: boolean): number {
  return shape.length - (transposed ? 2 : 1);
}

function fedBySamples(graph: Graph): ReadonlySet<GraphNode> {
  const fed = new Set<GraphNode>();
  for (const node of graph.nodes) {
    const given = node.op === "input" && (node as GraphNode<"input">).attributes.name.startsWith("data/");
    if (given || node.inputs.some((i) => fed.has(graph.nodes[i]))) fed.add(node);
  }
  return fed;
}

function inParts(b: Builder, node: GraphNode, inputs: readonly Tensor[], longest: number): Tensor | null {
  const terms = termsOf(node, inputs);
  if (terms === null || terms <= longest) return null;
  if (node.op === "matmul") return matmulInParts(b, node as GraphNode<"matmul">, inputs, terms, longest);
  return node.op === "conv" ? convInParts(b, node as GraphNode<"conv">, inputs, longest) : null;
}

function matmulInParts(
  b: Builder,
  { attributes: { transposeA, transposeB } }: GraphNode<"matmul">,
  [left, right]: readonly Tensor[],
  terms: number,
  longest: number,
): Tensor {
  const [i, j] = [innerAxis(left, transposeA), innerAxis(right, !transposeB)];
  const pieces = cuts(terms, longest).map(([from, to]) =>
    b.matmul(b.slice(left, i, from, to), b.slice(right, j, from, to), transposeA, transposeB),
  );
  return added(b, pieces);
}

/** Some channels of each group at a time; of one channel, where its taps are too many, rows of taps; of one row, columns. */
function convInParts(
  b: Builder,
  { attributes, shape }: GraphNode<"conv">,
  [map, kernel]: readonly Tensor[],
  longest: number,
): Tensor {
  const [, perGroup, height, width] = kernel.shape;
  const channels = cuts(perGroup, Math.max(1, Math.floor(longest / (height * width))));
  const rows = cuts(height, height * width <= longest ? height : Math.max(1, Math.floor(longest / width)));
  const columns = cuts(width, Math.min(width, longest));
  const pieces = channels.flatMap(([c0, c1]) =>
    rows.flatMap(([y0, y1]) =>
      columns.flatMap(([x0, x1]) => {
        const part = b.slice(b.slice(b.slice(kernel, 1, c0, c1), 2, y0, y1), 3, x0, x1);
        const some = ofEachGroup(b, map, attributes.groups, c0, c1);
        return shifted(b, some, part, attributes, [y0, x0, height - y1, width - x1]) ?? [];
      }),
    ),
  );
  return pieces.length > 0 ? added(b, pieces) : b.constant(0, shape);
}

function ofEachGroup(b: Builder, map: Tensor, groups: number, from: number, to: number): Tensor {
  const [samples, channels, height, width] = map.shape;
  if (groups === 1) return b.slice(map, 1, from, to);
  const apart = b.reshape(map, [samples, groups, channels / groups, height * width]);
  return b.reshape(b.slice(apart, 2, from, to), [samples, groups * (to - from), height, width]);
}

/**
 * The convolution with some taps of a kernel; `missing` are those above, left, below and right of them. null where these
 * taps read padding alone, as outer ones do where a map is smaller than its kernel.
 */
function shifted(
  b: Builder,
  map: Tensor,
  part: Tensor,
  attributes: OpAttributes["conv"],
  missing: readonly [number, number, number, number],
): Tensor | null {
  // These taps begin and end later in the padded map: padding falls away first, then the map's own rim.
  const rest = attributes.padding.map((p, side) => p - missing[side] * attributes.dilation[side % 2]);
  const [top, left, bottom, right] = rest.map((p) => Math.max(0, -p));
  if (top + bottom >= map.shape[2] || left + right >= map.shape[3]) return null;
  const rows = b.slice(map, 2, top, map.shape[2] - bottom);
  const inner = b.slice(rows, 3, left, map.shape[3] - right);
  const padding = rest.map((p) => Math.max(0, p)) as unknown as OpAttributes["conv"]["padding"];
  return b.conv(inner, part, { ...attributes, padding });
}

/** Ranges of 0 … count of at most `most`, as few and as equal as can be. */
function cuts(count: number, most: number): [from: number, to: number][] {
  const pieces = Math.ceil(count / most);
  const at = (i: number): number => Math.floor((i * count) / pieces);
  return Array.from({ length: pieces }, (_, i) => [at(i), at(i + 1)]);
}

/**
 * In pairs, the pairs in pairs: each piece passes through log₂ of them many additions, where one after the other would round
 * the whole sum again and again. So does an engine that starts the second product of a pair from the first one's result
 * (Gemm's C): only the lowest additions have a product beside them.
 */
function added(b: Builder, pieces: readonly Tensor[]): Tensor {
  let left = [...pieces];
  while (left.length > 1)
    left = left.flatMap((piece, i) =>
      i % 2 === 1 ? [] : i + 1 < left.length ? [b.add(piece, left[i + 1])] : [piece],
    );
  return left[0];
}
