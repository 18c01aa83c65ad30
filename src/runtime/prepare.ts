/** What a run needs before its first step: the compiled graphs in sessions of the engine, and the state to begin with. */
import { existsSync } from "node:fs";
import { diagnostic, type Diagnostic } from "../diagnostics/diagnostic.ts";
import type { Graph, GraphNode } from "../graph/graph.ts";
import { buildInferenceGraph } from "../graph/inference.ts";
import { initialWeight } from "../graph/initialise.ts";
import { buildTrainingGraph } from "../graph/training.ts";
import type { Model, TrainConfig } from "../model/model.ts";
import { batchesPerEpoch, trainingBatches, type TrainingBatches } from "./batches.ts";
import type { Prover } from "./certified/report.ts";
import { readCheckpoint, type Checkpoint } from "./checkpoint.ts";
import { augmentProblem, frameOf } from "./data/augment/augment.ts";
import type { Data } from "./data/samples.ts";
import type { Engine, Session } from "./engine.ts";
import { bad, good, type Result } from "./result.ts";
import { lengthOf, type RunLength } from "./run-config.ts";
import type { RunFolder } from "./run-folder.ts";
import type { RowMaker, RowPlan } from "./workers/rows.ts";
import { openRows } from "./workers/open.ts";

export interface TrainPlan {
  readonly model: Model;
  readonly recipe: TrainConfig;
  readonly data: Data;
  readonly engine: Engine;
  readonly folder: RunFolder;
  /** Go on from the folder's checkpoint. */
  readonly resume: boolean;
  /** Steps between checkpoints; null: after each epoch. */
  readonly checkpointEvery: number | null;
  /** Threads that make batches; null: as many as pay. The numbers don't depend on it. */
  readonly workers: number | null;
  /** Proves gains of weights on the way, for a recipe that reports certified accuracy; left out: none is reported. */
  readonly prove?: Prover;
}

/** Where the run stands; the tensors stay with the engine. */
export type Place = Omit<Checkpoint, "state">;

export interface Prepared {
  readonly plan: TrainPlan;
  readonly length: RunLength;
  readonly start: Place;
  /** The training step, its state written. */
  readonly session: Session;
  /** The inference graph, where there is a test set. */
  readonly tester: Session | null;
  /** Names of the session's state. */
  readonly state: ReadonlySet<string>;
  readonly batches: TrainingBatches;
  /** What makes them; to be closed at the end. */
  readonly rows: RowMaker;
}

/** Compiles and loads, or says what stands against it; nothing is written to the disk. */
export async function prepare(plan: TrainPlan): Promise<Result<Prepared>> {
  const { model, recipe, data, engine } = plan;
  const problem = notRunnable(model) ?? notEnough(plan) ?? augmentProblem(recipe.augment, data.train.shape);
  if (problem) return bad(problem);

  const step = buildTrainingGraph(model, recipe);
  if (!step.ok) return step;
  const inference = buildInferenceGraph(model, { batch: recipe.batch });
  if (!inference.ok) return inference;
  const state = stateShapes(step.value);
  const session = await engine.open(step.value, { carry: [...state.keys()] });
  if (!session.ok) return session;
  const start = await writeStart(plan, state, session.value);
  if (!start.ok) return start;
  const tester = data.test ? await engine.open(inference.value) : good(null);
  if (!tester.ok) return tester;
  const rowPlan: RowPlan = {
    source: data.train.source,
    shape: data.train.shape,
    augment: recipe.augment,
    frame: frameOf(model, data.train),
    seed: recipe.seed,
  };
  const rows = await openRows(rowPlan, recipe.batch, plan.workers);
  return good({
    plan,
    length: lengthOf(recipe, batchesPerEpoch(data.train, recipe.batch)),
    start: start.value,
    session: session.value,
    tester: tester.value,
    state: new Set(state.keys()),
    batches: trainingBatches(data.train, recipe.batch, rowPlan, rows),
    rows,
  });
}

/** Why data can't be fed to a model yet: it must have one input, of numbers. */
export function notRunnable(model: Model): Diagnostic | null {
  const [input, second] = model.inputs;
  const reason = second
    ? `it has the inputs \`${input.name}\` and \`${second.name}\`, and data have one`
    : input.domain.kind === "tokens"
      ? "its input holds token ids, and no reader of text is there yet"
      : null;
  return reason === null
    ? null
    : diagnostic("not-executable", model.span, { what: `\`${model.name}\``, reason });
}

function notEnough({ recipe, data }: TrainPlan): Diagnostic | null {
  const { name, count } = data.train;
  const { batch } = recipe;
  return count < batch ? diagnostic("too-few-samples", null, { data: name, count, batch }) : null;
}

/** Inputs that come out again under the same name: parameters and optimiser state. */
export function stateShapes(graph: Graph): Map<string, readonly number[]> {
  const outputs = new Set(graph.outputs.map((o) => o.name));
  const shapes = new Map<string, readonly number[]>();
  for (const node of graph.nodes) {
    if (node.op !== "input") continue;
    const { name } = (node as GraphNode<"input">).attributes;
    if (outputs.has(name)) shapes.set(name, node.shape);
  }
  return shapes;
}

/** Puts the checkpoint or fresh weights into a session whose state is zero; gives the place where the run stands. */
async function writeStart(
  { model, recipe, folder, resume }: TrainPlan,
  shapes: ReadonlyMap<string, readonly number[]>,
  session: Session,
): Promise<Result<Place>> {
  // A run that was killed before its first checkpoint begins again: the same seed gives the same start.
  if (resume && existsSync(folder.checkpoint)) {
    const checkpoint = readCheckpoint(folder.checkpoint, model, shapes);
    if (!checkpoint.ok) return checkpoint;
    const { state, ...place } = checkpoint.value;
    await session.write(Object.fromEntries(state));
    return good(place);
  }
  // One at a time, so that they are never all there twice.
  for (const weight of model.weights) {
    const data = initialWeight(weight, recipe.seed);
    await session.write({ [`param/${weight.path}`]: { dtype: "f32", dims: weight.shape, data } });
  }
  return good({ step: 0, epochLoss: 0, epochCorrect: 0 });
}
