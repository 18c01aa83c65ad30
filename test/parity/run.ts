/** Runs a parity problem on one engine, and measures how far two results are apart. */
import type { Engine, HostTensor } from "../../src/runtime/engine.ts";
import { stateShapes } from "../../src/runtime/prepare.ts";
import { valueOf } from "../onnx/support.ts";
import { steps, type Problem, type Tensors } from "./problem.ts";

export interface Outcome {
  readonly logits: HostTensor;
  readonly loss: number;
  /** By weight path, at the start. */
  readonly gradients: ReadonlyMap<string, HostTensor>;
  /** Loss before each training step. */
  readonly losses: readonly number[];
  /** By weight path, after the steps. */
  readonly parameters: ReadonlyMap<string, HostTensor>;
}

export async function outcomeOn(engine: Engine, problem: Problem): Promise<Outcome> {
  const { gradients, training, weights, feeds, model } = problem;
  const first = feeds(1);
  const inference = valueOf(await engine.open(gradients));
  const fed = Object.fromEntries(
    Object.entries(first).filter(([name]) => name === "labels" || name.startsWith("data/")),
  );
  const found = await inference.run({ ...weights, ...fed });
  await inference.release();

  const shapes = stateShapes(training);
  const session = valueOf(await engine.open(training, { carry: [...shapes.keys()] }));
  await session.write(startState(shapes, weights));
  const losses: number[] = [];
  for (let step = 1; step <= steps; step++)
    losses.push((await session.run(feeds(step)))["metric/loss"].data[0]);
  const state = await session.read(model.weights.map((w) => `param/${w.path}`));
  await session.release();
  const under = (prefix: string, tensors: Tensors) =>
    new Map(
      Object.entries(tensors).flatMap(([name, tensor]) =>
        name.startsWith(prefix) ? [[name.slice(prefix.length), tensor]] : [],
      ),
    );
  return {
    logits: found.logits,
    loss: found.loss.data[0],
    gradients: under("grad/", found),
    losses,
    parameters: under("param/", state),
  };
}

/** The given weights, and zeros for the optimiser. */
export function startState(
  shapes: ReadonlyMap<string, readonly number[]>,
  weights: Tensors,
): Record<string, HostTensor> {
  return Object.fromEntries(
    [...shapes].map(([name, dims]) => {
      const zeros = new Float32Array(dims.reduce((a, b) => a * b, 1));
      return [name, weights[name] ?? { dtype: "f32", dims, data: zeros }];
    }),
  );
}

/** How far an outcome is from the reference. */
export interface Distance {
  /** Largest difference over the largest logit. */
  readonly logits: number;
  /** ‖g − g′‖/‖g‖ of the worst weight, a norm of at least `floor` times that of all gradients. */
  readonly gradients: Worst;
  /** ‖θ − θ′‖/‖θ‖ of the worst weight, over the entries that have a gradient. */
  readonly parameters: Worst;
  /** Largest difference of a training loss over the loss. */
  readonly losses: number;
  /**
   * Share of the entries whose exact gradient vanishes (a bias of keys under softmax, a dead ReLU): only rounding moves
   * them, and Adam makes a full step of any rounding.
   */
  readonly still: number;
}

export interface Worst {
  readonly path: string;
  readonly distance: number;
}

/** Below this share of the norm of all gradients a gradient counts as zero: what float32 leaves of a sum that cancels. */
const floor = 1e-7;

export function distance(found: Outcome, exact: Outcome): Distance {
  const whole = floor * Math.hypot(...[...exact.gradients.values()].map((t) => norm(t.data)));
  let [count, still] = [0, 0];
  const moved = new Map(
    [...exact.gradients].map(([path, { data }]) => {
      const moves = Array.from(data, (g) => Math.abs(g) > whole);
      count += moves.length;
      still += moves.filter((yes) => !yes).length;
      return [path, moves];
    }),
  );
  return {
    logits: largest(difference(found.logits.data, exact.logits.data)) / largest(exact.logits.data),
    gradients: worstOf(found.gradients, exact.gradients, whole),
    parameters: worstOf(only(found.parameters, moved), only(exact.parameters, moved), 0),
    losses: Math.max(...exact.losses.map((loss, i) => Math.abs(found.losses[i] - loss) / Math.abs(loss))),
    still: still / count,
  };
}

/** The entries that are to be compared; all others 0. */
function only(
  tensors: ReadonlyMap<string, HostTensor>,
  chosen: ReadonlyMap<string, readonly boolean[]>,
): ReadonlyMap<string, HostTensor> {
  return new Map(
    [...tensors].map(([path, tensor]) => [
      path,
      { ...tensor, data: tensor.data.map((x, i) => (chosen.get(path)?.[i] === false ? 0 : x)) },
    ]),
  );
}

function worstOf(
  found: ReadonlyMap<string, HostTensor>,
  exact: ReadonlyMap<string, HostTensor>,
  least: number,
): Worst {
  if (found.size !== exact.size) throw new Error(`${found.size} tensors, expected ${exact.size}`);
  let worst: Worst = { path: "", distance: 0 };
  for (const [path, { data }] of exact) {
    const other = found.get(path);
    if (other === undefined) throw new Error(`no tensor ${path}`);
    const size = Math.max(norm(data), least);
    const apart = size === 0 ? norm(other.data) : norm(difference(other.data, data)) / size;
    // NaN is never near.
    if (!(apart <= worst.distance)) worst = { path, distance: apart };
  }
  return worst;
}

type Numbers = HostTensor["data"];

function difference(a: Numbers, b: Numbers): Float64Array {
  if (a.length !== b.length) throw new Error(`${a.length} numbers, expected ${b.length}`);
  return Float64Array.from(a, (x, i) => x - b[i]);
}

function norm(data: Numbers | Float64Array): number {
  let sum = 0;
  for (const x of data) sum += x * x;
  return Math.sqrt(sum);
}

function largest(data: Numbers | Float64Array): number {
  let most = 0;
  for (const x of data) if (!(Math.abs(x) <= most)) most = Math.abs(x);
  return most;
}
