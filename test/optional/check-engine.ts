/** What the opt-in checks ask of an engine: agreement with the float64 interpreter, learning, memory that stays. */
import * as tf from "@tensorflow/tfjs-core";
import { expect } from "vitest";
import type { Engine } from "../../src/runtime/engine.ts";
import { openEngine } from "../../src/runtime/engines/select.ts";
import { stateShapes } from "../../src/runtime/prepare.ts";
import { modelOf } from "../helpers/elaborated.ts";
import { valueOf } from "../onnx/support.ts";
import { problemOf, type Problem } from "../parity/problem.ts";
import { distance, outcomeOn, startState } from "../parity/run.ts";

export function tinyProblem(): Problem {
  return problemFrom("test/fixtures/tiny-fashion.lips", "TinyFashion", {}, 20);
}

export function transformerProblem(): Problem {
  return problemFrom("bench/specs/vit-bench.lips", "VitBench", { depth: "1", dim: "24" }, 4);
}

function problemFrom(file: string, name: string, set: Record<string, string>, batch: number): Problem {
  const model = modelOf(file, name, set);
  if (model.train === null) throw new Error(`${name} has no recipe`);
  return problemOf(name, model, { ...model.train, batch });
}

/** The bounds that `npm run test:parity` has; a line with what was found. */
export async function expectParity(engine: Engine, problem: Problem): Promise<string> {
  const exact = await outcomeOn(valueOf(await openEngine({ engine: "reference" })), problem);
  const { logits, gradients, parameters } = distance(await outcomeOn(engine, problem), exact);
  expect(logits).toBeLessThan(1e-4);
  expect(gradients.distance, gradients.path).toBeLessThan(1e-3);
  expect(parameters.distance, parameters.path).toBeLessThan(1e-3);
  const shown = [logits, gradients.distance, parameters.distance].map((x) => x.toExponential(1));
  return `${problem.name} on ${engine.name}, ${engine.device}: logits ${shown[0]}, gradients ${shown[1]}, parameters ${shown[2]}`;
}

/** Trains on four batches over and over: the loss falls, and TensorFlow.js holds the same tensors in the end. */
export async function expectSteadyTraining(engine: Engine, problem: Problem, steps: number): Promise<string> {
  const shapes = stateShapes(problem.training);
  const session = valueOf(await engine.open(problem.training, { carry: [...shapes.keys()] }));
  await session.write(startState(shapes, problem.weights));
  const losses: number[] = [];
  const held = () => ({ tensors: tf.memory().numTensors, bytes: tf.memory().numBytes });
  let early = held();
  for (let step = 1; step <= steps; step++) {
    const feeds = { ...problem.feeds(1 + (step % 4)), ...scalarsOf(problem, step) };
    losses.push((await session.run(feeds))["metric/loss"].data[0]);
    if (step === 10) early = held();
  }
  const late = held();
  await session.release();
  expect(late).toEqual(early);
  const mean = (values: readonly number[]) => values.reduce((a, b) => a + b, 0) / values.length;
  const [first, last] = [mean(losses.slice(0, 10)), mean(losses.slice(-10))];
  expect(last).toBeLessThan(0.8 * first);
  return (
    `${problem.name} on ${engine.name}: ${steps} steps, loss ${first.toFixed(3)} → ${last.toFixed(3)}, ` +
    `${late.tensors} tensors, ${late.bytes} bytes at step 10 and at the end`
  );
}

function scalarsOf(problem: Problem, step: number) {
  const feeds = problem.feeds(step);
  return Object.fromEntries(Object.entries(feeds).filter(([name]) => name.startsWith("scalar/")));
}
