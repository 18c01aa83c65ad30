/** Lowerings against a reference, and gradients against central differences, both in float64. */
import { expect } from "vitest";
import { gradients } from "../../src/graph/autodiff.ts";
import { Builder, type Tensor } from "../../src/graph/builder.ts";
import { array64, interpret } from "../../src/graph/interpret.ts";
import type { Shape, ValueId } from "../../src/model/model.ts";
import { normal, seeded } from "./matrix.ts";
import type { Placed } from "./place.ts";
import { lower } from "./search.ts";

/** A tensor for reading by index: [positions…, channels]. */
export interface View {
  readonly shape: Shape;
  readonly data: ArrayLike<number>;
  /** 0 outside of the positions. */
  at(...index: readonly number[]): number;
}

export function view(shape: Shape, data: ArrayLike<number>): View {
  const at = (...index: readonly number[]): number => {
    let offset = 0;
    for (let axis = 0; axis < shape.length; axis++) {
      if (index[axis] < 0 || index[axis] >= shape[axis]) return 0;
      offset = offset * shape[axis] + index[axis];
    }
    return data[offset];
  };
  return { shape, data, at };
}

/** All indices of a shape, row-major. */
export function* indices(shape: Shape): Generator<number[]> {
  const size = shape.reduce((a, b) => a * b, 1);
  for (let i = 0; i < size; i++) {
    let rest = i;
    const index = new Array<number>(shape.length);
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      index[axis] = rest % shape[axis];
      rest = Math.floor(rest / shape[axis]);
    }
    yield index;
  }
}

/** Fills a tensor from a function of the index. */
export function fill(shape: Shape, entry: (...index: number[]) => number): number[] {
  return Array.from(indices(shape), (index) => entry(...index));
}

const batch = 2;

function feedsOf(placed: Placed, seed: number): Map<string, { shape: Shape; data: Float64Array }> {
  const random = seeded(seed);
  const feeds = new Map<string, { shape: Shape; data: Float64Array }>();
  placed.inputs.forEach((value) => {
    const shape = [batch, ...placed.sketch.shape(value)];
    const data = Float64Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => normal(random));
    feeds.set(`v${value}`, { shape, data });
  });
  placed.sketch.weights.forEach((w, i) =>
    feeds.set(`w${i}`, { shape: w.shape, data: Float64Array.from(w.data ?? []) }),
  );
  return feeds;
}

function graphOf(placed: Placed, feeds: ReadonlyMap<string, { shape: Shape }>) {
  const builder = new Builder();
  const tensors = new Map([...feeds].map(([name, { shape }]) => [name, builder.input(name, shape)] as const));
  const known = new Map<ValueId, Tensor>(
    placed.inputs.map((value) => [value, tensors.get(`v${value}`) as Tensor]),
  );
  const weights = placed.sketch.weights.map((_, i) => tensors.get(`w${i}`) as Tensor);
  const values = lower(placed.sketch.model(), builder, batch, known, weights);
  return { builder, tensors, outputs: placed.outputs.map((value) => values.get(value) as Tensor) };
}

/** The layer computes what the reference says of each sample, within rounding. */
export function expectMeaning(
  placed: Placed,
  reference: (
    inputs: readonly View[],
    weights: Readonly<Record<string, readonly number[]>>,
  ) => readonly number[][],
): void {
  const feeds = feedsOf(placed, 7);
  const { builder, outputs } = graphOf(placed, feeds);
  const named = outputs.map((tensor, i) => ({ name: `y${i}`, tensor }));
  const found = interpret(builder.graph("meaning", named), Object.fromEntries(feeds));
  for (let b = 0; b < batch; b++) {
    const views = placed.inputs.map((value) => {
      const shape = placed.sketch.shape(value);
      const size = shape.reduce((p, n) => p * n, 1);
      return view(
        shape,
        (feeds.get(`v${value}`)?.data ?? new Float64Array()).subarray(b * size, (b + 1) * size),
      );
    });
    reference(views, placed.weights).forEach((expected, i) => {
      const shape = placed.plan.outputs[i];
      expect(outputs[i].shape).toEqual([batch, ...shape]);
      const size = shape.reduce((p, n) => p * n, 1);
      const got = found[`y${i}`].data.subarray(b * size, (b + 1) * size);
      expect(expected.length).toBe(size);
      const off = expected.reduce((worst, e, at) => Math.max(worst, Math.abs(e - got[at])), 0);
      expect(off).toBeLessThan(1e-12 * Math.max(1, ...expected.map(Math.abs)));
    });
  }
}

/** Gradients of a random combination of the outputs, by inputs and weights, equal central differences. */
export function expectGradients(placed: Placed, tolerance = 1e-7): void {
  const feeds = feedsOf(placed, 11);
  const { builder, tensors, outputs } = graphOf(placed, feeds);
  const random = seeded(13);
  let total = builder.constant(0);
  for (const y of outputs) {
    const size = y.shape.reduce((p, n) => p * n, 1);
    const mix = builder.constant(
      Float64Array.from({ length: size }, () => normal(random)),
      y.shape,
    );
    const axes = y.shape.map((_, axis) => axis);
    total = builder.add(total, builder.sum(builder.mul(y, mix), axes));
  }
  const names = [...feeds.keys()];
  const slopes = gradients(
    builder,
    total,
    names.map((name) => tensors.get(name) as Tensor),
  );
  const graph = builder.graph("gradients", [
    { name: "total", tensor: total },
    ...slopes.flatMap((tensor, i) => (tensor ? [{ name: `d${i}`, tensor }] : [])),
  ]);
  const value = (): number =>
    interpret({ ...graph, outputs: graph.outputs.slice(0, 1) }, all()).total.data[0];
  const all = () =>
    Object.fromEntries([...feeds].map(([name, { shape, data }]) => [name, array64(shape, data)]));
  const found = interpret(graph, all());
  names.forEach((name, i) => {
    const { data } = feeds.get(name) as { data: Float64Array };
    const slope = found[`d${i}`]?.data;
    expect(slope, `no gradient for ${name}`).toBeDefined();
    const every = Math.max(1, Math.floor(data.length / 40));
    for (let at = 0; at < data.length; at += every) {
      const kept = data[at];
      const h = 1e-5;
      data[at] = kept + h;
      const up = value();
      data[at] = kept - h;
      const down = value();
      data[at] = kept;
      const difference = (up - down) / (2 * h);
      expect(Math.abs(slope[at] - difference), `${name}[${at}]`).toBeLessThan(
        tolerance * Math.max(1, Math.abs(difference)),
      );
    }
  });
}
