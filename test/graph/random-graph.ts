/** Helpers of the graph tests: seeded numbers and gradients by central differences. */
import { Builder, type Tensor } from "../../src/graph/builder.ts";
import { vjp } from "../../src/graph/autodiff.ts";
import { interpret } from "../../src/graph/interpret.ts";
import { illegalities } from "../../src/graph/legality.ts";
import { sizeOf } from "../../src/graph/primitives/arrays.ts";
import type { Array64 } from "../../src/graph/primitives/primitive.ts";
import { generator } from "../../src/runtime/random.ts";

export type Feeds = Record<string, Array64>;

export function randomArray(shape: readonly number[], seed: number, low = -1, high = 1): Array64 {
  const next = generator(seed, 77);
  return { shape, data: Float64Array.from({ length: sizeOf(shape) }, () => low + (high - low) * next()) };
}

/**
 * Largest difference between the vjp and central differences, relative to the gradient's size, over `probes` entries of
 * each differentiated input. The outputs are weighted by random seeds.
 */
export function gradientError(
  feeds: Feeds,
  build: (builder: Builder, inputs: Record<string, Tensor>) => readonly Tensor[],
  wrt: readonly string[] = Object.keys(feeds),
  probes = 6,
): number {
  const builder = new Builder();
  const integers = Object.keys(feeds).filter((name) => !wrt.includes(name));
  const inputs = Object.fromEntries(
    Object.entries(feeds).map(([name, { shape }]) => [
      name,
      builder.input(name, shape, integers.includes(name) && name.startsWith("i") ? "i32" : "f32"),
    ]),
  );
  const outputs = build(builder, inputs);
  const seeds = outputs.map((o, i) => builder.input(`seed/${i}`, o.shape));
  const seedFeeds = Object.fromEntries(outputs.map((o, i) => [`seed/${i}`, randomArray(o.shape, 1000 + i)]));
  const grads = vjp(
    builder,
    outputs,
    seeds,
    wrt.map((name) => inputs[name]),
  );
  const graph = builder.graph("test", [
    ...outputs.map((tensor, i) => ({ name: `out/${i}`, tensor })),
    ...grads.map((tensor, i) => ({ name: `grad/${wrt[i]}`, tensor })),
  ]);
  const problems = illegalities(graph);
  if (problems.length > 0) throw new Error(problems.join("\n"));
  const forward = { ...graph, outputs: graph.outputs.slice(0, outputs.length) };
  const value = (changed: Feeds): number => {
    const out = interpret(forward, { ...changed, ...seedFeeds });
    let total = 0;
    outputs.forEach((_, i) =>
      out[`out/${i}`].data.forEach((x, k) => (total += x * seedFeeds[`seed/${i}`].data[k])),
    );
    return total;
  };
  const exact = interpret(graph, { ...feeds, ...seedFeeds });
  let worst = 0;
  wrt.forEach((name, w) => {
    const grad = exact[`grad/${name}`].data;
    const scale = 1 + Math.max(...grad.map(Math.abs), 0);
    const next = generator(5, w);
    const size = feeds[name].data.length;
    const places =
      size <= probes
        ? [...feeds[name].data.keys()]
        : Array.from({ length: probes }, () => Math.floor(next() * size));
    for (const at of places) {
      const h = 1e-5;
      const moved = (by: number): Feeds => {
        const data = Float64Array.from(feeds[name].data);
        data[at] += by;
        return { ...feeds, [name]: { shape: feeds[name].shape, data } };
      };
      const difference = (value(moved(h)) - value(moved(-h))) / (2 * h);
      worst = Math.max(worst, Math.abs(difference - grad[at]) / scale);
    }
  });
  return worst;
}
