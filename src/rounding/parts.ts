/**
 * Products that are summed in parts (graph/passes/parts.ts): slices of two operands multiplied, the pieces added. Piece by
 * piece the analysis would count how far both operands may move once for each piece; together they are one product.
 *
 * What a partial sum over some pieces p rounds itself, entry by entry, with S_p = Σ|terms|, s_p = Σ terms of k_p of them,
 * and t the results of the additions between:
 *   u·(Σ_p [5·S_p + (k_p − 1)·(S_p + |s_p|)/2] + Σ_t [|t| + k·|the other operand|]), the last for an engine that goes on
 * with one operand's sum from where the other one ended (Gemm's C); higher orders are a 256th of it. Each piece is
 * `accumulated` (rules/rule.ts), each addition rounds its result once.
 */
import type { Dims, GraphNode, OpAttributes } from "../graph/graph.ts";
import { addUp, maxUp, mulUp, sqrtUp } from "../gain/up.ts";
import type { Arithmetic } from "./arithmetic.ts";
import { closed, entries, infinite, normsOf, plus, times, type Deviation } from "./deviation.ts";
import { bilinear } from "./rules/sums.ts";
import type { Track } from "./running.ts";
import type { Made, Value } from "./value.ts";

/** The product of two operands over the range [from, to) of what is summed. */
export interface Part {
  /** Before they were sliced. */
  readonly operands: readonly [Value, Value];
  readonly attributes: OpAttributes["matmul"];
  readonly from: number;
  readonly to: number;
  readonly pieces: number;
  /** Terms of the longest piece. */
  readonly longest: number;
  /** At the centre: Σ_p S_p, and what an entry rounds, in units of u. */
  readonly absolute: Float64Array;
  readonly units: Float64Array;
  /** At the centre: |its entries|. */
  readonly size: Float64Array;
  /** How many additions of each height there are; no two of one height have a piece in common. */
  readonly additions: readonly number[];
  /** How many of them have a single piece as an operand. */
  readonly besidePieces: readonly number[];
}

/** What a node is of a product in parts; null for what is none. */
export function partOf(
  node: GraphNode,
  inputs: readonly Value[],
  absolute: Float64Array | null,
  centre: Float64Array,
): Part | null {
  if (node.op === "matmul" && absolute) return pieceOf(node as GraphNode<"matmul">, inputs, absolute, centre);
  if (node.op !== "add") return null;
  const [a, b] = inputs.map((x) => x.part);
  return a && b ? joined(a, b, centre) : null;
}

function pieceOf(
  { attributes }: GraphNode<"matmul">,
  inputs: readonly Value[],
  absolute: Float64Array,
  centre: Float64Array,
): Part | null {
  const [a, b] = [
    cutOf(inputs[0].made, inputs[0].shape.length - (attributes.transposeA ? 2 : 1)),
    cutOf(inputs[1].made, inputs[1].shape.length - (attributes.transposeB ? 1 : 2)),
  ];
  if (!a || !b || a.from !== b.from || a.to !== b.to) return null;
  const [{ from, to }, size] = [a, centre.map(Math.abs)];
  const k = to - from;
  return {
    ...{ operands: [a.of, b.of], attributes, from, to, pieces: 1, longest: k, absolute, size },
    units: absolute.map((s, i) => 5 * s + ((k - 1) * (s + size[i])) / 2),
    additions: [],
    besidePieces: [],
  };
}

/** Of which value a slice along this axis alone is. */
function cutOf(made: Made | null, axis: number): { of: Value; from: number; to: number } | null {
  if (made?.op !== "slice") return null;
  const { start, end, step } = made.attributes as OpAttributes["slice"];
  const [of] = made.inputs;
  const whole = of.shape.every((n, i) => step[i] === 1 && (i === axis || (start[i] === 0 && end[i] === n)));
  return whole ? { of, from: start[axis], to: end[axis] } : null;
}

/** Two parts that lie side by side. */
function joined(a: Part, b: Part, centre: Float64Array): Part | null {
  const same =
    a.operands.every((x, i) => x === b.operands[i]) &&
    a.attributes.transposeA === b.attributes.transposeA &&
    a.attributes.transposeB === b.attributes.transposeB;
  if (!same || a.to !== b.from || a.size.length !== b.size.length) return null;
  const height = Math.max(a.additions.length, b.additions.length);
  const size = centre.map(Math.abs);
  const beside = (one: Part, other: Part, i: number): number =>
    one.pieces === 1 ? one.longest * other.size[i] : 0;
  const sum = (x: readonly number[], y: readonly number[], top: number): number[] =>
    Array.from({ length: height + 1 }, (_, h) => (x[h] ?? 0) + (y[h] ?? 0) + (h === height ? top : 0));
  return {
    ...{ operands: a.operands, attributes: a.attributes, from: a.from, to: b.to, size },
    pieces: a.pieces + b.pieces,
    longest: Math.max(a.longest, b.longest),
    absolute: a.absolute.map((s, i) => s + b.absolute[i]),
    // One of two sums can go on from the other one, not both.
    units: a.units.map((n, i) => n + b.units[i] + size[i] + Math.max(beside(a, b, i), beside(b, a, i))),
    additions: sum(a.additions, b.additions, 1),
    besidePieces: sum(a.besidePieces, b.besidePieces, a.pieces === 1 || b.pieces === 1 ? 1 : 0),
  };
}

/** A bound of each track: the operands' own differences through one product, and what the parts round. */
export function jointBounds(part: Part, shape: Dims): (t: number, track: Track) => Deviation {
  const { operands: inputs, attributes } = part;
  const product = { inputs, attributes, shape };
  let units: Deviation | null = null;
  return (t, track) => {
    const moved = bilinear(product, [inputs[0].tracks[t], inputs[1].tracks[t]], false);
    return track
      ? closed(plus(moved, rounding(part, shape, (units ??= unitsOf(part, shape)), track)), shape)
      : moved;
  };
}

/**
 * Norms of the units of any evaluation. Where operands move by δ, sums of absolute terms move by at most |δA||B| + |A||δB|;
 * partial sums over disjoint ranges r by δA_r·B_r + A_r·δB_r each, of which Cauchy–Schwarz says Σ_r ‖δA_r‖·‖B_r‖ ≤
 * √(their number)·‖δA‖·‖B‖, in every norm of `bilinear`.
 */
function unitsOf(part: Part, shape: Dims): Deviation {
  const { operands: inputs, attributes, pieces, longest: k, additions, besidePieces } = part;
  const product = { inputs, attributes, shape };
  const spreads = inputs.map((x) => x.spread);
  const roots = (counts: readonly number[], each: number): number =>
    counts.reduce((sum, n) => addUp(sum, sqrtUp(each * n)), 0);
  const sums = addUp(
    mulUp((k - 1) / 2, sqrtUp(pieces)),
    addUp(roots(additions, 1), mulUp(k, roots(besidePieces, 2))),
  );
  return plus(
    normsOf(part.units, shape),
    plus(
      times(5 + (k - 1) / 2, bilinear(product, spreads, true)),
      times(sums, bilinear(product, spreads, false)),
    ),
  );
}

function rounding(part: Part, shape: Dims, units: Deviation, a: Arithmetic): Deviation {
  const { operands, pieces, longest, from, to } = part;
  // The largest sum of absolute terms is at most a fifth of the units.
  if (!(units.linf <= a.largest) || longest > 2 ** 12 || pieces > 2 ** 12) return infinite;
  const lost = maxUp(1, addUp(operands[0].reach.linf, operands[1].reach.linf));
  const underflow = entries(mulUp(16 * (to - from + pieces) * a.tiny, addUp(lost, units.linf)), shape);
  return plus(times(mulUp(1 + 2 ** -8, a.u), units), underflow);
}
