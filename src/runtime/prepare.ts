/** What a run needs before its first step: the compiled graphs in sessions of the engine, and the state to begin with. */
import { existsSync } from "node:fs";
import { diagnostic, type Diagnostic } from "../diagnostics/diagnostic.ts";
import type { Graph, GraphNode } from "../graph/graph.ts";
import { buildInferenceGraph } from "../graph/inference.ts";
import { initialise } from "../graph/initialise.ts";
import { buildTrainingGraph } from "../graph/training.ts";
import type { Model, TrainConfig } from "../model/model.ts";
import { batchesPerEpoch, trainingBatches, type TrainingBatches } from "./batches.ts";
import { readCheckpoint, type Checkpoint } from "./checkpoint.ts";
import { augmentProblem, frameOf } from "./data/augment/augment.ts";
import type { Data } from "./data/samples.ts";
import type { Engine, HostTensor, Session } from "./engine.ts";
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
  const start = startState(plan, step.value);
  if (!start.ok) return start;
  const { state, ...place } = start.value;
  const session = await engine.open(step.value, { carry: [...state.keys()] });
  if (!session.ok) return session;
  await session.value.write(Object.fromEntries(state));
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
    start: place,
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

function startState(plan: TrainPlan, graph: Graph): Result<Checkpoint> {
  const shapes = stateShapes(graph);
  // A run that was killed before its first checkpoint begins again: the same seed gives the same start.
  if (plan.resume && existsSync(plan.folder.checkpoint))
    return readCheckpoint(plan.folder.checkpoint, plan.model, shapes);
  const weights = initialise(plan.model, plan.recipe.seed);
  const state = new Map<string, HostTensor>();
  for (const [name, dims] of shapes) {
    const size = dims.reduce((a, b) => a * b, 1);
    const initial = name.startsWith("param/") ? weights.get(name.slice("param/".length)) : undefined;
    state.set(name, { dtype: "f32", dims, data: initial ?? new Float32Array(size) });
  }
  return good({ step: 0, epochLoss: 0, epochCorrect: 0, state });
}
