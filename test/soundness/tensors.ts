/** Weights of an attack: free tensors, from the initialiser or the ugliest there are, and what the constraints make of them. */
import { Builder, type Tensor } from "../../src/graph/builder.ts";
import { effectiveWeight } from "../../src/graph/constraints/registry.ts";
import { initialWeight } from "../../src/graph/initialise.ts";
import { array64, interpret } from "../../src/graph/interpret.ts";
import type { Model, Phase, Shape, Weight } from "../../src/model/model.ts";
import { isometry, normal, spectralNorm } from "../rig/matrix.ts";
import { normOf } from "../rig/search.ts";
import type { Dice } from "./dice.ts";

/** One tensor for each of the model's weights, row-major. */
export type Tensors = readonly Float64Array[];

export const sizeOf = (shape: Shape): number => shape.reduce((a, b) => a * b, 1);

/**
 * Free tensors for a phase: `init` the initialiser's, `always` anything that a declared range lets through,
 * `checkpoint` anything that a file may hold.
 */
export function freeTensors(model: Model, phase: Phase, d: Dice): Tensors {
  return model.weights.map((weight) => {
    if (phase === "init") return Float64Array.from(initialWeight(weight, d.below(2 ** 31)));
    const data = weight.range ? withinRange(weight.range, sizeOf(weight.shape), d) : ugly(weight, phase, d);
    // A file holds float32.
    return phase === "checkpoint" ? data.map(Math.fround) : data;
  });
}

function withinRange([low, high]: readonly [number, number], size: number, d: Dice): Float64Array {
  const ends = [low, high].map((x) => (Number.isFinite(x) ? x : Math.sign(x) * 10));
  const way = d.below(3);
  const one = d.pick(ends);
  return Float64Array.from({ length: size }, () =>
    way === 0 ? one : way === 1 ? d.pick(ends) : ends[0] + (ends[1] - ends[0]) * d.random(),
  );
}

type Fill = (rows: number, columns: number, d: Dice) => ArrayLike<number>;

const filled =
  (entry: (i: number, d: Dice) => number): Fill =>
  (rows, columns, d) =>
    Float64Array.from({ length: rows * columns }, (_, i) => entry(i, d));

/** By name, so that a counterexample can say what it was. */
export const fills: Readonly<Record<string, Fill>> = {
  normal: filled((_, d) => normal(d.random)),
  zeros: filled(() => 0),
  "signed zeros": filled((i) => (i % 2 === 0 ? 0 : -0)),
  equal: filled(() => 1),
  alternating: filled((i) => (i % 2 === 0 ? 1 : -1)),
  "one entry": (rows, columns, d) => {
    const at = d.below(rows * columns);
    return Float64Array.from({ length: rows * columns }, (_, i) => (i === at ? 1 : 0));
  },
  // What power iteration from a vector of ones takes for zero.
  "zero sum": (rows, columns, d) => {
    const data = Float64Array.from({ length: rows * columns }, () => normal(d.random));
    for (let r = 0; r < rows; r++) {
      const row = data.subarray(r * columns, (r + 1) * columns);
      const mean = row.reduce((a, b) => a + b, 0) / columns;
      row.forEach((x, i) => (row[i] = columns > 1 ? x - mean : x));
    }
    return data;
  },
  "rank one": (rows, columns, d) => {
    const [u, v] = [rows, columns].map((n) => Float64Array.from({ length: n }, () => normal(d.random)));
    return Float64Array.from(
      { length: rows * columns },
      (_, i) => u[Math.floor(i / columns)] * v[i % columns],
    );
  },
  orthogonal: (rows, columns, d) => isometry(rows, columns, d.random),
  "nearly singular": (rows, columns, d) => {
    const u = isometry(rows, 1, d.random);
    const v = isometry(columns, 1, d.random);
    const rest = isometry(rows, columns, d.random, 1e-7);
    return rest.map((x, i) => x + u[Math.floor(i / columns)] * v[i % columns]);
  },
  permutation: (rows, columns, d) => {
    const shift = d.below(columns);
    return filled((i) => ((Math.floor(i / columns) + shift) % columns === i % columns ? 1 : 0))(
      rows,
      columns,
      d,
    );
  },
  // The Walsh–Hadamard signs: the parity of the bits that row and column share.
  hadamard: (rows, columns, d) =>
    filled((i) => {
      let bits = Math.floor(i / columns) & (i % columns);
      let parity = 0;
      for (; bits; bits &= bits - 1) parity ^= 1;
      return parity ? -1 : 1;
    })(rows, columns, d),
  "equal rows": (rows, columns, d) => {
    const row = Float64Array.from({ length: columns }, () => normal(d.random));
    return Float64Array.from({ length: rows * columns }, (_, i) => row[i % columns]);
  },
  "all scales": filled((_, d) => normal(d.random) * 10 ** (d.below(9) - 4)),
};

function ugly(weight: Weight, phase: Phase, d: Dice): Float64Array {
  const size = sizeOf(weight.shape);
  if (weight.role === "statistic") {
    // Running means and variances: a file may hold anything in their ranges, a network that trains moves them by itself.
    const at = phase === "checkpoint" ? d.pick([1, 0, 1e-4, 3, 1e10, -1e-7, -2]) : 1;
    const [low] = weight.range ?? [-Infinity];
    return Float64Array.from({ length: size }, () =>
      Math.max(low, d.chance(0.5) ? at : Math.abs(at) * d.random()),
    );
  }
  const rows = weight.shape[0] ?? 1;
  const data = Float64Array.from(d.pick(Object.values(fills))(rows, rows === 0 ? 0 : size / rows, d));
  // Beyond 10, a free vector only drowns the rest in rounding; where a constraint divides, or an oracle reads the file, size is a test.
  const extreme = weight.constraint.kind !== "none" || (phase === "checkpoint" && weight.role !== "bias");
  const scale =
    extreme && d.chance(0.3)
      ? d.pick([1e-42, 1e-38, 1e-20, 1e-7, 1e4, 1e15, 1e30])
      : d.pick([1e-3, 0.3, 1, 1, 10]);
  return data.map((x) => scale * x);
}

/** The weights that the network uses, in a graph. */
export function prepared(model: Model): (builder: Builder, tensors: readonly Tensor[]) => readonly Tensor[] {
  return (builder, tensors) =>
    tensors.map((tensor, i) =>
      i < model.weights.length ? effectiveWeight(builder, model.weights[i], tensor) : tensor,
    );
}

/** What the constraints make of free tensors, in float64. */
export function effective(model: Model, free: Tensors): Tensors {
  const builder = new Builder();
  const inputs = model.weights.map((w, i) => builder.input(`${i}`, w.shape));
  const outputs = prepared(model)(builder, inputs).map((tensor, i) => ({ name: `${i}`, tensor }));
  const feeds = Object.fromEntries(model.weights.map((w, i) => [`${i}`, array64(w.shape, free[i])]));
  const out = interpret(builder.graph("weights", outputs), feeds);
  return model.weights.map((_, i) => Float64Array.from(out[`${i}`].data));
}

/** Puts free tensors back where training keeps them: onto their declared ranges. */
export function intoRanges(model: Model): (index: number, data: Float64Array) => void {
  return (index, data) => {
    const range = model.weights[index]?.range;
    if (range) data.forEach((v, i) => (data[i] = Math.min(Math.max(v, range[0]), range[1])));
  };
}

/**
 * Keeps an effective tensor where the facts that the rules use hold, though no free tensor may lead there; null for
 * weights whose facts aren't of that kind.
 */
export function keeper(weight: Weight, phase: Phase): ((data: Float64Array) => void) | null {
  const rows = weight.shape[0] ?? 1;
  const columns = rows === 0 ? 0 : sizeOf(weight.shape) / rows;
  const scaleTo =
    (limit: number, size: (part: Float64Array) => number, width: number) => (data: Float64Array) => {
      for (let at = 0; at < data.length; at += width) {
        const part = data.subarray(at, at + width);
        const now = size(part);
        if (now > limit) part.forEach((v, i) => (part[i] = (v * limit) / now));
      }
    };
  const length = (part: Float64Array): number => normOf(part, [part.length], "l2");
  const spectral = (part: Float64Array): number => spectralNorm(part, rows, columns);
  const whole = rows * columns;
  const { constraint, init, range } = weight;
  switch (constraint.kind) {
    case "frobenius":
      return scaleTo(constraint.bound, length, whole);
    case "unit_rows":
      return scaleTo(1, length, columns);
    case "l1":
      return scaleTo(constraint.bound, (part) => part.reduce((sum, v) => sum + Math.abs(v), 0), columns);
    case "unit_rms":
      return scaleTo(Math.sqrt(columns), length, columns);
    case "spectral":
      return scaleTo(constraint.bound, spectral, whole);
    case "rms":
      return scaleTo(constraint.bound * Math.sqrt(rows / columns), spectral, whole);
    case "aol":
    case "orthogonal":
      return scaleTo(1, spectral, whole);
    case "l1":
      return scaleTo(constraint.bound, (part) => part.reduce((sum, x) => sum + Math.abs(x), 0), columns);
    case "operator":
      // No more than the constraint allows: √taps times the matrix's norm bounds the map's.
      return scaleTo(constraint.bound / Math.sqrt(sizeOf(weight.shape.slice(2))), spectral, whole);
  }
  if (phase === "init" && !range && (init.kind === "spectral" || init.kind === "orthogonal"))
    return scaleTo(1, spectral, whole);
  if (phase === "always" && range)
    return (data) => data.forEach((v, i) => (data[i] = Math.min(Math.max(v, range[0]), range[1])));
  return null;
}
