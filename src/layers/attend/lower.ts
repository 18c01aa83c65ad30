/** Lowering of `Attend`: groups and heads become leading axes of two batched matrix products. */
import type { Builder, Tensor } from "../../graph/builder.ts";
import type { Coefficient } from "../../model/model.ts";
import type { LowerContext } from "../layer.ts";
import { fromHeads, fromImages, intoHeads, intoImages, roll } from "./arrange.ts";
import type { AttendConfig, LocalConfig } from "./config.ts";
import { relativeIndex, rotations } from "./positions.ts";
import { groupsOf, partitionOf, sizeOf, visibility, type Partition } from "./regions.ts";

type Context = LowerContext<AttendConfig>;

/**
 * Added to the score of a key that isn't seen, in place of −∞: e^(−3e38 − m) is exactly 0 in float32 and
 * float64 for any row maximum m that a finite score can have, and unlike −∞ it meets no engine's doubts about
 * infinities.
 */
const unseen = -3e38;

export function lowerAttend(context: Context): readonly Tensor[] {
  const { builder: b, batch, config, shapes, outputs } = context;
  const partition = partitionOf(config.over, shapes[0]);
  const keyPartition = partitionOf(config.over, shapes[1]);
  const [q, k, v] = context.inputs.map((x) => (partition.shift > 0 ? roll(b, x, -partition.shift) : x));
  const queries = intoHeads(b, q, batch, partition, config.heads);
  const keys = k.id === q.id ? queries : intoHeads(b, k, batch, keyPartition, config.heads);
  const values = v.id === k.id ? keys : intoHeads(b, v, batch, keyPartition, config.heads);

  const scores = addOffsets(
    context,
    partition,
    compare(context, turn(context, queries), turn(context, keys)),
  );
  const mixed = b.matmul(b.softmax(scores), weigh(context, values));
  let output = fromHeads(b, mixed, batch, partition, outputs[0]);
  if (config.local) output = b.add(output, mixLocally(context, config.local, v, partition));
  return [partition.shift > 0 ? roll(b, output, partition.shift) : output];
}

/** A coefficient for all heads or one for each, to multiply [groups, heads, tokens, …] by. */
function perHead(context: Context, c: Coefficient): Tensor {
  const value = context.coefficient(c);
  return value.shape.length === 0 ? value : context.builder.reshape(value, [context.config.heads, 1, 1]);
}

function squares(b: Builder, x: Tensor): Tensor {
  return b.sum(b.mul(x, x), [3], true);
}

/** Scores of all queries against all keys of their group: [groups, heads, queries, keys]. */
function compare(context: Context, q: Tensor, k: Tensor): Tensor {
  const { builder: b, config } = context;
  const { score } = config;
  if (score.kind === "dot") return b.matmul(b.mul(q, perHead(context, score.scale)), k, false, true);
  if (score.kind === "cosine") {
    const length = (x: Tensor): Tensor =>
      score.guard === "root" ? b.sqrt(b.add(squares(b, x), score.eps)) : guarded(b, squares(b, x), score.eps);
    // tau goes with the queries' norms: the smallest tensor at hand.
    const factor = b.div(perHead(context, score.tau), length(q));
    return b.matmul(b.mul(q, factor), b.div(k, length(k)), false, true);
  }
  if (!score.scale)
    throw new Error("a scale that depends on the input can't be lowered: see Attend's `refuses`");
  // −β‖q − k‖² = 2β q·k − β‖k‖² − β‖q‖²; the last term is the same for a whole row, so that softmax drops it.
  const beta = perHead(context, score.scale);
  const product = b.matmul(b.mul(q, b.mul(beta, 2)), k, false, true);
  const [groups, heads, keys] = k.shape;
  return b.sub(product, b.reshape(b.mul(squares(b, k), beta), [groups, heads, 1, keys]));
}

/**
 * max(‖z‖, eps) from ‖z‖². The maximum is taken under the root, where its gradient is finite at z = 0; eps²
 * is rounded up to float32, so that the stored guard is never below eps.
 */
function guarded(b: Builder, square: Tensor, eps: number): Tensor {
  const least = eps * eps;
  if (least < 2 ** -126) return b.maximum(b.sqrt(square), eps);
  // trust: T7
  const nearest = Math.fround(least);
  return b.sqrt(b.maximum(square, nearest >= least ? nearest : Math.fround(least * (1 + 2 ** -23))));
}

/** Rotary positions: each head's halves (x, y) become (x cos − y sin, y cos + x sin). */
function turn(context: Context, x: Tensor): Tensor {
  const { builder: b, config } = context;
  if (config.position !== "rotary") return x;
  const [, , tokens, width] = x.shape;
  const half = width / 2;
  const { cos, sin } = rotations(tokens, half);
  const [c, s] = [b.constant(cos, [tokens, half]), b.constant(sin, [tokens, half])];
  const [low, high] = [b.slice(x, 3, 0, half), b.slice(x, 3, half, width)];
  return b.concat([b.sub(b.mul(low, c), b.mul(high, s)), b.add(b.mul(high, c), b.mul(low, s))], 3);
}

/** Adds the table of relative positions and takes out the keys that a query doesn't see. */
function addOffsets(context: Context, p: Partition, scores: Tensor): Tensor {
  const { builder: b, config } = context;
  const n = sizeOf(p);
  let offset: Tensor | null = null;
  if (config.position === "relative") {
    const index = b.constant(relativeIndex(p), [n * n], "i32");
    const entries = b.gather(context.weight("position"), index, 0);
    offset = b.reshape(b.transpose(entries, [1, 0]), [config.heads, n, n]);
  }
  const seen = visibility(p, config.causal);
  if (seen) {
    const data = seen.masks.flatMap((mask) => mask.flatMap((row) => row.map((sees) => (sees ? 0 : unseen))));
    const mask = b.constant(Float64Array.from(data), [seen.masks.length, 1, n, n]);
    offset = offset ? b.add(mask, offset) : mask;
  }
  if (!offset) return scores;
  if (!seen || seen.masks.length === 1) return b.add(scores, offset);
  const shape = [context.batch, groupsOf(p), config.heads, n, n];
  return b.reshape(b.add(b.reshape(scores, shape), offset), scores.shape);
}

/** What is averaged: the values, or each head's value over its norm. */
function weigh(context: Context, v: Tensor): Tensor {
  const { builder: b, config } = context;
  const { values } = config;
  if (values.kind === "raw") return v;
  return b.mul(v, b.div(perHead(context, values.nu), b.sqrt(b.add(squares(b, v), values.eps))));
}

/** The depthwise convolution of the (raw) values inside each group, zero padded: [batch, positions…, e]. */
function mixLocally(context: Context, local: LocalConfig, v: Tensor, p: Partition): Tensor {
  const { builder: b, batch, outputs } = context;
  const width = v.shape[v.shape.length - 1];
  const edge = (local.kernel - 1) / 2;
  const images = intoImages(b, v, batch, p);
  const attributes = {
    stride: [1, 1],
    padding: [edge, edge, edge, edge],
    dilation: [1, 1],
    groups: width,
  } as const;
  let mixed = b.conv(images, context.weight("local.weight"), attributes);
  if (local.bias) mixed = b.add(mixed, b.reshape(context.weight("local.bias"), [width, 1, 1]));
  return fromImages(b, mixed, batch, p, outputs[0]);
}
