/** The training loop: feeds the compiled step, watches it, keeps checkpoints. Same seed, same engine: same numbers. */
import { existsSync } from "node:fs";
import { diagnostic } from "../diagnostics/diagnostic.ts";
import { buildInferenceGraph } from "../graph/inference.ts";
import { initialise } from "../graph/initialise.ts";
import { learningRate } from "../graph/schedule.ts";
import { buildTrainingGraph } from "../graph/training.ts";
import type { Graph, GraphNode } from "../graph/graph.ts";
import type { Model, TrainConfig } from "../model/model.ts";
import { batchesPerEpoch, trainingBatches } from "./batches.ts";
import {
  encodeCheckpoint,
  encodeWeights,
  findNotFinite,
  readCheckpoint,
  writeWhole,
  type Checkpoint,
} from "./checkpoint.ts";
import { augmentation } from "./data/augment.ts";
import type { Data } from "./data/samples.ts";
import type { Engine, HostTensor, Session } from "./engine.ts";
import { evaluate, type Evaluation } from "./evaluate.ts";
import { openMetrics } from "./metrics.ts";
import { formatSeconds, type Progress } from "./progress.ts";
import { bad, good, type Result } from "./result.ts";
import { lengthOf } from "./run-config.ts";
import type { RunFolder } from "./run-folder.ts";

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
}

export interface TrainOutcome {
  readonly steps: number;
  /** Stopped by Ctrl-C before its end. */
  readonly interrupted: boolean;
  readonly seconds: number;
  /** Of the trained weights; null where the data have no test set, or the run was interrupted. */
  readonly test: Evaluation | null;
}

/** Steps between lines of kind "step" in metrics.jsonl. */
const metricInterval = 10;

export async function train(
  plan: TrainPlan,
  progress: Progress,
  stopRequested: () => boolean,
): Promise<Result<TrainOutcome>> {
  const { model, recipe, data } = plan;
  const perEpoch = batchesPerEpoch(data.train, recipe.batch);
  if (perEpoch === 0) {
    return bad(
      diagnostic("too-few-samples", null, {
        data: data.train.name,
        count: data.train.count,
        batch: recipe.batch,
      }),
    );
  }
  const { steps, epochs } = lengthOf(recipe, perEpoch);
  const augment = augmentation(recipe.augment, data.train.shape);
  if (typeof augment !== "function") return bad(augment);

  const step = buildTrainingGraph(model, recipe);
  if (!step.ok) return step;
  const inference = buildInferenceGraph(model, { batch: recipe.batch });
  if (!inference.ok) return inference;
  const start = startState(plan, step.value);
  if (!start.ok) return start;
  const session = await plan.engine.open(step.value, { carry: [...start.value.state.keys()] });
  if (!session.ok) return session;
  await session.value.write(Object.fromEntries(start.value.state));
  const tester = data.test ? await plan.engine.open(inference.value) : null;
  if (tester && !tester.ok) return tester;

  const { state: _, ...place } = start.value;
  const loop = new Loop(
    plan,
    { steps, epochs, perEpoch },
    session.value,
    tester?.value ?? null,
    place,
    progress,
  );
  const result = await loop.run(
    trainingBatches(data.train, recipe.batch, recipe.seed, augment),
    stopRequested,
  );
  progress.done();
  await session.value.release();
  await tester?.value.release();
  return result;
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
  return good({ step: 0, epochLoss: 0, epochCorrect: 0, bestAccuracy: 0, state });
}

/** Where the run stands; the tensors stay with the engine. */
type Place = Omit<Checkpoint, "state">;

interface Length {
  readonly steps: number;
  readonly epochs: number;
  readonly perEpoch: number;
}

class Loop {
  private readonly plan: TrainPlan;
  private readonly length: Length;
  private readonly session: Session;
  private readonly tester: Session | null;
  private readonly progress: Progress;
  private at: Place;
  /** The step of the last checkpoint on disk; −1: none yet. */
  private savedAt = -1;

  constructor(
    plan: TrainPlan,
    length: Length,
    session: Session,
    tester: Session | null,
    start: Place,
    progress: Progress,
  ) {
    this.plan = plan;
    this.length = length;
    this.session = session;
    this.tester = tester;
    this.progress = progress;
    this.at = start;
    if (start.step > 0) this.savedAt = start.step;
  }

  async run(
    batches: ReturnType<typeof trainingBatches>,
    stopRequested: () => boolean,
  ): Promise<Result<TrainOutcome>> {
    const { plan, length } = this;
    const metrics = openMetrics(plan.folder.metrics, this.at.step);
    const began = performance.now();
    const seconds = (): number => (performance.now() - began) / 1000;
    const first = this.at.step;
    let test: Evaluation | null = null;
    let epochBegan = performance.now();

    while (this.at.step < length.steps) {
      if (stopRequested()) {
        const saved = await this.save();
        return saved.ok
          ? good({ steps: this.at.step, interrupted: true, seconds: seconds(), test: null })
          : saved;
      }
      const index = this.at.step;
      const epoch = Math.floor(index / length.perEpoch);
      const batch = await batches(epoch, index % length.perEpoch);
      if (!batch.ok) return batch;
      const lr = learningRate(plan.recipe, index, length.steps, length.perEpoch);
      const done = await this.step(batch.value.values, batch.value.labels, lr);
      if (!done.ok) return done;
      const { loss, accuracy, gradNorm } = done.value;

      const inEpoch = (index % length.perEpoch) + 1;
      const perSecond = (this.at.step - first) / seconds();
      this.progress.tick({
        epoch: epoch + 1,
        epochs: length.epochs,
        step: this.at.step,
        steps: length.steps,
        loss: this.at.epochLoss / inEpoch,
        accuracy: this.at.epochCorrect / inEpoch,
        lr,
        gradNorm,
        samplesPerSecond: perSecond * plan.recipe.batch,
        secondsLeft: (length.steps - this.at.step) / perSecond,
      });
      if (this.at.step % metricInterval === 0) {
        metrics.append({
          kind: "step",
          step: this.at.step,
          epoch: epoch + 1,
          loss,
          accuracy,
          lr,
          gradNorm,
          seconds: seconds(),
        });
      }

      const last = this.at.step === length.steps;
      if (inEpoch === length.perEpoch || last) {
        const tested = await this.test();
        if (!tested.ok) return tested;
        test = tested.value;
        const trainLoss = this.at.epochLoss / inEpoch;
        const trainAccuracy = this.at.epochCorrect / inEpoch;
        metrics.append({
          kind: "epoch",
          step: this.at.step,
          epoch: epoch + 1,
          trainLoss,
          trainAccuracy,
          testLoss: test?.loss ?? null,
          testAccuracy: test?.accuracy ?? null,
          seconds: seconds(),
        });
        this.progress.line(
          `epoch ${String(epoch + 1).padStart(String(length.epochs).length)}/${length.epochs}  train loss ${trainLoss.toFixed(4)}  acc ${(100 * trainAccuracy).toFixed(1)} %` +
            (test
              ? `  │  test loss ${test.loss.toFixed(4)}  acc ${(100 * test.accuracy).toFixed(1)} %`
              : "") +
            `  │  ${formatSeconds((performance.now() - epochBegan) / 1000)}`,
        );
        epochBegan = performance.now();
        this.at = {
          ...this.at,
          epochLoss: 0,
          epochCorrect: 0,
          bestAccuracy: Math.max(this.at.bestAccuracy, test?.accuracy ?? 0),
        };
        const saved = await this.save();
        if (!saved.ok) return saved;
      } else if (plan.checkpointEvery !== null && this.at.step % plan.checkpointEvery === 0) {
        const saved = await this.save();
        if (!saved.ok) return saved;
      }
    }
    writeWhole(plan.folder.weights, encodeWeights(plan.model, await this.weights()));
    return good({
      steps: this.at.step,
      interrupted: false,
      seconds: seconds(),
      test: test ?? (await this.finalTest()),
    });
  }

  /** Where a resumed run was already at its end. */
  private async finalTest(): Promise<Evaluation | null> {
    const tested = await this.test();
    return tested.ok ? tested.value : null;
  }

  private async step(
    values: HostTensor,
    labels: HostTensor,
    lr: number,
  ): Promise<Result<{ loss: number; accuracy: number; gradNorm: number }>> {
    const { plan, at } = this;
    const scalar = (x: number): HostTensor => ({ dtype: "f32", dims: [], data: Float32Array.of(x) });
    const outputs = await this.session.run({
      [`data/${plan.model.inputs[0].name}`]: values,
      labels,
      "scalar/lr": scalar(lr),
      "scalar/step": scalar(at.step + 1),
      "scalar/seed": scalar(plan.recipe.seed),
    });
    const metric = (name: string): number => outputs[`metric/${name}`].data[0];
    const loss = metric("loss");
    const gradNorm = metric("grad_norm");
    for (const [what, value] of [
      ["loss", loss],
      ["gradient", gradNorm],
    ] as const) {
      if (!Number.isFinite(value)) return this.notFinite(what);
    }
    const accuracy = metric("accuracy");
    this.at = {
      ...at,
      step: at.step + 1,
      epochLoss: at.epochLoss + loss,
      epochCorrect: at.epochCorrect + accuracy,
    };
    return good({ loss, accuracy, gradNorm });
  }

  private notFinite(what: string): Result<never> {
    const kept = this.savedAt < 0 ? "none yet" : `${this.plan.folder.checkpoint} (step ${this.savedAt})`;
    return bad(diagnostic("not-finite", null, { what, step: this.at.step, kept }));
  }

  private async test(): Promise<Result<Evaluation | null>> {
    const { model, data, recipe } = this.plan;
    if (!this.tester || !data.test) return good(null);
    return evaluate(
      this.tester,
      await this.weights(),
      data.test,
      { input: model.inputs[0].name, output: model.outputs[0].name },
      recipe.batch,
    );
  }

  /** Parameters as they stand, by graph input name. */
  private async weights(): Promise<Map<string, HostTensor>> {
    return new Map(
      Object.entries(await this.session.read(this.plan.model.weights.map((w) => `param/${w.path}`))),
    );
  }

  /** Never puts a broken state over a good one. */
  private async save(): Promise<Result<void>> {
    const state = new Map(Object.entries(await this.session.read()));
    const broken = findNotFinite(state);
    if (broken !== null) return this.notFinite(`tensor \`${broken}\``);
    writeWhole(this.plan.folder.checkpoint, encodeCheckpoint(this.plan.model, { ...this.at, state }));
    this.savedAt = this.at.step;
    return good(undefined);
  }
}
