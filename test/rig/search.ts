/**
 * Adversarial search: how much a map really amplifies, found by gradient ascent over two points x and y (and, where
 * asked, over weights), in float64. What is reported is always a difference quotient between two points of the domain,
 * less its rounding error, never a derivative: at a kink autodiff's answer is no slope (docs/gains.md, "Observed").
 */
import { float64 } from "../../src/rounding/arithmetic.ts";
import { zero } from "../../src/rounding/deviation.ts";
import { runningErrors } from "../../src/rounding/running.ts";
import { Value } from "../../src/rounding/value.ts";
import { gradients } from "../../src/graph/autodiff.ts";
import { Builder, type Tensor } from "../../src/graph/builder.ts";
import { array64, interpret } from "../../src/graph/interpret.ts";
import { layers } from "../../src/layers/registry.ts";
import type { Model, Node, Norm, Shape, ValueId } from "../../src/model/model.ts";
import { normal, seeded, spectralNorm } from "./matrix.ts";
import type { Sketch } from "./sketch.ts";

export interface Hunt {
  readonly from: ValueId;
  readonly to: ValueId;
  readonly normIn: Norm;
  /** normIn unless told. */
  readonly normOut?: Norm;
  /** Independent starts, run as one batch (one by one when weights are searched, too). */
  readonly starts?: number;
  readonly steps?: number;
  /** Adam's step, relative to `size` and to the distance of the points. */
  readonly rate?: number;
  readonly seed?: number;
  /** Typical entry of a start x. */
  readonly size?: number;
  /** Distances ‖x − y‖ that starts try, in the input norm. */
  readonly distances?: readonly number[];
  /** Keeps a point inside the domain, in place. */
  readonly domain?: (x: Float64Array) => void;
  /** First points to try, in place of random ones. */
  readonly points?: readonly (readonly [x: ArrayLike<number>, y: ArrayLike<number>])[];
  /**
   * Weights (by index in the sketch) to search over, too. After each step `keep` puts the entries back where the rule's
   * premises hold; unless told, the spectral norm is kept at most what the sketch's facts say.
   */
  readonly weights?: readonly number[];
  readonly keep?: (index: number, data: Float64Array) => void;
  /** What the network uses in place of the sketch's tensors: parametrisations, so that the search moves free weights. */
  readonly prepare?: (builder: Builder, tensors: readonly Tensor[]) => readonly Tensor[];
}

export interface Found {
  readonly attained: number;
  readonly x: Float64Array;
  readonly y: Float64Array;
  /** The sketch's tensors as they were, where weights were searched over. */
  readonly weights: readonly Float64Array[] | null;
}

/** The largest gain found between two points. */
export function search(sketch: Sketch, hunt: Hunt): Found {
  const starts = hunt.starts ?? 8;
  if (!hunt.weights?.length) return ascend(sketch, hunt, starts, hunt.seed ?? 1);
  let best: Found | undefined;
  for (let i = 0; i < starts; i++) {
    const found = ascend(sketch, hunt, 1, (hunt.seed ?? 1) + 1000 * i);
    if (!best || found.attained > best.attained) best = found;
  }
  return best as Found;
}

/** Lowers every node of a sketch's model; `known` holds tensors of the values that are fed. */
export function lower(
  model: Model,
  builder: Builder,
  batch: number,
  known: Map<ValueId, Tensor>,
  weights: readonly Tensor[],
): Map<ValueId, Tensor> {
  return lowerNodes(model, model.nodes, builder, batch, known, weights);
}

function lowerNodes(
  model: Model,
  nodes: readonly Node[],
  builder: Builder,
  batch: number,
  known: Map<ValueId, Tensor>,
  weights: readonly Tensor[],
): Map<ValueId, Tensor> {
  for (const node of nodes) {
    const layer = layers.get(node.layer);
    if (!layer) throw new Error(`there is no layer ${node.layer}`);
    if (typeof layer.lower !== "function") throw new Error(`${node.layer}: ${layer.lower.none}`);
    if (node.outputs.every((value) => known.has(value))) continue;
    if (node.inputs.some((value) => !known.has(value))) continue;
    const outputs = layer.lower({
      builder,
      config: node.config,
      batch,
      training: false,
      inputs: node.inputs.map((value) => known.get(value) as Tensor),
      shapes: node.inputs.map((value) => model.values[value].shape),
      outputs: node.outputs.map((value) => model.values[value].shape),
      weight: (name) => weights[node.weights[name]],
      coefficient: (c) => (c.kind === "constant" ? builder.constant(c.value) : weights[c.weight]),
      random: (shape) => builder.constant(0.5, shape),
      step: (inputs) => {
        if (!node.body) throw new Error(`${node.layer} has no step`);
        const { parameters, nodes: inner, result } = node.body;
        const fed = new Map(parameters.map((value, i) => [value, inputs[i]]));
        return lowerNodes(model, inner, builder, batch, fed, weights).get(result) as Tensor;
      },
    });
    node.outputs.forEach((value, i) => known.set(value, outputs[i]));
  }
  return known;
}

/** A sketch as a function on one sample: values of `from` in, values of `to` out, in float64. */
export function run(
  sketch: Sketch,
  feeds: ReadonlyMap<ValueId, ArrayLike<number>>,
  to: ValueId,
): Float64Array {
  const { graph, inputs } = graphOf(sketch, feeds, to);
  return interpret(graph, inputs).to.data;
}

/** ≥ ‖computed − exact‖₂ of what `run` gives; ∞ where nothing is proven of it. */
export function errorOf(sketch: Sketch, feeds: ReadonlyMap<ValueId, ArrayLike<number>>, to: ValueId): number {
  const { graph, inputs } = graphOf(sketch, feeds, to);
  const values = Object.entries(inputs).map(([name, { shape, data }]): [string, Value] => [
    name,
    new Value(shape, Float64Array.from(data), [zero], { constant: name.startsWith("w") }),
  ]);
  const { l2 } = runningErrors(graph, Object.fromEntries(values), [float64]).to.tracks[0];
  return Number.isNaN(l2) ? Infinity : l2;
}

function graphOf(sketch: Sketch, feeds: ReadonlyMap<ValueId, ArrayLike<number>>, to: ValueId) {
  const model = sketch.model();
  const builder = new Builder();
  const known = new Map<ValueId, Tensor>();
  const inputs: Record<string, ReturnType<typeof array64>> = {};
  for (const [value, data] of feeds) {
    const shape = [1, ...model.values[value].shape];
    known.set(value, builder.input(`v${value}`, shape));
    inputs[`v${value}`] = array64(shape, data);
  }
  const weights = sketch.weights.map((w, i) => {
    if (w.data) inputs[`w${i}`] = array64(w.shape, w.data);
    return builder.input(`w${i}`, w.shape);
  });
  const result = lower(model, builder, 1, known, weights).get(to);
  if (!result) throw new Error("the value can't be computed from what is fed");
  return { graph: builder.graph("sketch", [{ name: "to", tensor: result }]), inputs };
}

function ascend(sketch: Sketch, hunt: Hunt, batch: number, seed: number): Found {
  const { from, to, normIn, normOut = normIn, steps = 200, rate = 0.05, size = 1, domain } = hunt;
  const random = seeded(seed);
  const model = sketch.model();
  const shape = sketch.shape(from);
  const outShape = sketch.shape(to);
  const [count, outCount] = [sizeOf(shape), sizeOf(outShape)];
  const free = hunt.weights ?? [];

  const full = [batch, ...shape];
  const builder = new Builder();
  const points = [builder.input("x", full), builder.input("y", full)];
  const tensors = sketch.weights.map((w, i) => builder.input(`w${i}`, w.shape));
  const used = hunt.prepare ? hunt.prepare(builder, tensors) : tensors;
  // Other inputs of the model are the same for both points.
  const others = new Map<ValueId, Tensor>();
  for (const { value } of model.inputs) {
    if (value === from) continue;
    const dims = [batch, ...sketch.shape(value)];
    const data = Float64Array.from({ length: sizeOf(dims) }, () => size * normal(random));
    for (let b = 0; b < batch; b++) domain?.(row(data, b, data.length / batch));
    others.set(value, builder.constant(data, dims));
  }
  const [fx, fy] = points.map((point) => {
    const result = lower(model, builder, batch, new Map([...others, [from, point]]), used).get(to);
    if (!result) throw new Error("the value doesn't follow from the source");
    return result;
  });
  const wanted = [...points, ...free.map((i) => tensors[i])];
  const slopes = gradients(builder, logNorm(builder, builder.sub(fy, fx), normOut), wanted);
  const graph = builder.graph("search", [
    { name: "fx", tensor: fx },
    { name: "fy", tensor: fy },
    ...slopes.map((slope, i) => ({ name: `d${i}`, tensor: slope ?? builder.constant(0, wanted[i].shape) })),
  ]);

  const x = new Float64Array(batch * count);
  const delta = new Float64Array(batch * count);
  const distances = hunt.distances ?? [1e-3, 1e-2, 0.1, 1].map((d) => d * size);
  const distance = Array.from({ length: batch }, (_, b) => distances[(b + seed) % distances.length]);
  for (let b = 0; b < batch; b++) {
    const point = hunt.points?.[b];
    // Starts differ in scale as well: some saturate a norm or a softmax, some don't.
    const scale = size * 10 ** (random() * 2 - 1);
    for (let i = 0; i < count; i++) {
      x[b * count + i] = point ? point[0][i] : scale * normal(random);
      delta[b * count + i] = point ? point[1][i] - point[0][i] : normal(random);
    }
    if (point) distance[b] = normOf(row(delta, b, count), shape, normIn);
  }
  const weights = sketch.weights.map((w) =>
    w.data ? Float64Array.from(w.data) : Float64Array.from({ length: sizeOf(w.shape) }, () => normal(random)),
  );
  const keep = hunt.keep ?? keepSpectral(sketch);
  const settle = (): void => {
    for (let b = 0; b < batch; b++) {
      const [xb, db] = [row(x, b, count), row(delta, b, count)];
      domain?.(xb);
      limit(db, shape, normIn, distance[b]);
      if (!domain) continue;
      const y = xb.map((v, i) => v + db[i]);
      domain(y);
      y.forEach((v, i) => (db[i] = v - xb[i]));
    }
    for (const i of free) keep(i, weights[i]);
  };
  settle();

  const climbX = climber(x);
  const climbDelta = climber(delta);
  const climbWeights = free.map((i) => climber(weights[i]));
  // Free tensors of any size: a step is small beside the tensor's own entries.
  const typical = free.map((i) => (hunt.prepare ? Math.max(sizeOfEntries(weights[i]), 1e-3) : 1));
  let best: Found = { attained: 0, x: x.slice(0, count), y: x.slice(0, count), weights: null };
  for (let step = 0; step <= steps; step++) {
    const y = x.map((v, i) => v + delta[i]);
    const out = interpret(graph, {
      x: array64(full, x),
      y: array64(full, y),
      ...Object.fromEntries(weights.map((w, i) => [`w${i}`, array64(sketch.weights[i].shape, w)])),
    });
    for (let b = 0; b < batch; b++) {
      const [xb, yb] = [row(x, b, count), row(y, b, count)];
      const apart = normOf(
        yb.map((v, i) => v - xb[i]),
        shape,
        normIn,
      );
      const [p, q] = [row(out.fx.data, b, outCount), row(out.fy.data, b, outCount)];
      const moved = normOf(
        q.map((v, i) => v - p[i]),
        outShape,
        normOut,
      );
      const attained = (moved - roundingOf(p, q)) / apart;
      if (attained > best.attained)
        best = {
          attained,
          x: xb.slice(),
          y: yb.slice(),
          weights: free.length > 0 ? weights.map((w) => w.slice()) : null,
        };
    }
    const slow = rate * 0.5 * (1 + Math.cos((Math.PI * step) / steps));
    const [dx, dy] = [out.d0.data, out.d1.data];
    // The points move together by the sum of both slopes, and apart by the second one.
    climbX(
      dx.map((d, i) => d + dy[i]),
      (i) => slow * Math.max(size, Math.abs(x[i])),
    );
    for (let b = 0; b < batch; b++) tangent(row(dy, b, count), row(delta, b, count), shape, normIn);
    climbDelta(
      dy,
      (i) => (4 * slow * distance[Math.floor(i / count)]) / (normIn === "linf" ? 1 : Math.sqrt(count)),
    );
    climbWeights.forEach((climb, j) => climb(out[`d${2 + j}`].data, () => slow * typical[j]));
    settle();
  }
  return best;
}

/** What float64 may have added to a difference of two outputs: 100 units in the last place of each entry. */
function roundingOf(p: Float64Array, q: Float64Array): number {
  return 100 * 2 ** -53 * Math.hypot(normOf(p, [p.length], "l2"), normOf(q, [q.length], "l2"));
}

export function normOf(v: Float64Array, shape: Shape, norm: Norm): number {
  if (norm === "linf") return v.reduce((m, e) => Math.max(m, Math.abs(e)), 0);
  const width = norm === "l2" ? v.length : (shape.at(-1) ?? 1);
  let largest = 0;
  for (let at = 0; at < v.length; at += width) {
    let sum = 0;
    for (let i = at; i < at + width; i++) sum += v[i] * v[i];
    largest = Math.max(largest, sum);
  }
  return Math.sqrt(largest);
}

/** Scales a perturbation onto the sphere of this radius: whole, token by token, or clipped entry by entry. */
function limit(delta: Float64Array, shape: Shape, norm: Norm, radius: number): void {
  const size = normOf(delta, shape, norm);
  if (!(size > 0)) {
    delta[0] = radius;
    return;
  }
  if (norm === "l2") {
    for (let i = 0; i < delta.length; i++) delta[i] *= radius / size;
    return;
  }
  // In a max norm every token (entry) may use the whole radius: longer ones are cut, shorter ones stay.
  const width = norm === "linf" ? 1 : (shape.at(-1) ?? 1);
  for (let at = 0; at < delta.length; at += width) {
    const part = delta.subarray(at, at + width);
    const length = normOf(part, [width], "l2");
    if (length > radius) for (let i = 0; i < width; i++) part[i] *= radius / length;
  }
}

/** Takes the radial part out of a slope on the sphere (or on each token's sphere), in place. */
function tangent(slope: Float64Array, delta: Float64Array, shape: Shape, norm: Norm): void {
  if (norm === "linf") return;
  const width = norm === "l2" ? delta.length : (shape.at(-1) ?? 1);
  for (let at = 0; at < delta.length; at += width) {
    const [d, g] = [delta.subarray(at, at + width), slope.subarray(at, at + width)];
    const along = d.reduce((s, v, i) => s + v * g[i], 0) / d.reduce((s, v) => s + v * v, 1e-300);
    // A token inside its sphere may still grow; one that is pressed outwards only turns.
    if (norm === "l2" || along > 0) for (let i = 0; i < width; i++) g[i] -= along * d[i];
  }
}

/** The sum over the batch of the logarithm of each sample's norm. */
function logNorm(builder: Builder, v: Tensor, norm: Norm): Tensor {
  const axes = v.shape.map((_, i) => i).slice(1);
  const tiny = 1e-200;
  if (norm === "linf") {
    return builder.sum(builder.log(builder.add(builder.max(builder.abs(v), axes), tiny)), [0]);
  }
  const squares = builder.mul(v, v);
  if (norm === "l2" || v.shape.length <= 2) {
    return builder.sum(builder.mul(builder.log(builder.add(builder.sum(squares, axes), tiny)), 0.5), [0]);
  }
  const tokens = builder.sum(squares, [v.shape.length - 1]);
  const largest = builder.max(tokens, tokens.shape.map((_, i) => i).slice(1));
  return builder.sum(builder.mul(builder.log(builder.add(largest, tiny)), 0.5), [0]);
}

/** Adam, uphill. */
function climber(data: Float64Array): (slope: Float64Array, rate: (i: number) => number) => void {
  const mean = new Float64Array(data.length);
  const square = new Float64Array(data.length);
  let t = 0;
  return (slope, rate) => {
    t++;
    for (let i = 0; i < data.length; i++) {
      const g = Number.isFinite(slope[i]) ? slope[i] : 0;
      mean[i] = 0.9 * mean[i] + 0.1 * g;
      square[i] = 0.99 * square[i] + 0.01 * g * g;
      const step = mean[i] / (1 - 0.9 ** t) / (Math.sqrt(square[i] / (1 - 0.99 ** t)) + 1e-30);
      data[i] += rate(i) * step;
    }
  };
}

/** Scales a weight back to the spectral norm that the sketch's facts promise. */
function keepSpectral(sketch: Sketch): (index: number, data: Float64Array) => void {
  return (index, data) => {
    const { shape, facts } = sketch.weights[index];
    const allowed = facts?.spectral;
    if (allowed === undefined)
      throw new Error(`weight ${index} is searched, but the sketch states no spectral norm`);
    const [rows = 1, ...rest] = shape;
    const norm = spectralNorm(data, rows, sizeOf(rest));
    if (norm > allowed) for (let i = 0; i < data.length; i++) data[i] *= allowed / norm;
  };
}

/** The root mean square. */
function sizeOfEntries(data: Float64Array): number {
  return data.length === 0 ? 0 : normOf(data, [data.length], "l2") / Math.sqrt(data.length);
}

function sizeOf(shape: Shape): number {
  return shape.reduce((a, b) => a * b, 1);
}

function row(data: Float64Array, b: number, count: number): Float64Array {
  return data.subarray(b * count, (b + 1) * count);
}
