/** The training loop: feeds the compiled step, watches it, keeps checkpoints. Same seed, same engine: same numbers. */
import { diagnostic } from "../diagnostics/diagnostic.ts";
import { learningRate } from "../graph/schedule.ts";
import type { Batch } from "./batches.ts";
import { reported, showReported, wantsCertified, type Reported } from "./certified/report.ts";
import { encodeCheckpoint, encodeWeights, findNotFinite } from "./checkpoint.ts";
import type { HostTensor } from "./engine.ts";
import { evaluate, type Evaluation } from "./evaluate.ts";
import { writeWhole } from "./files.ts";
import { observedGain, wantsObservedGain } from "./audit/observed.ts";
import { openMetrics, type MetricsFile } from "./metrics.ts";
import { prepare, type Place, type Prepared, type TrainPlan } from "./prepare.ts";
import { formatEpoch, type Progress } from "./progress.ts";
import { bad, good, type Result } from "./result.ts";

export interface TrainOutcome {
  readonly steps: number;
  /** Stopped by Ctrl-C before its end. */
  readonly interrupted: boolean;
  readonly seconds: number;
  /** Of the trained weights; null where the data have no test set, or the run was interrupted. */
  readonly test: Evaluation | null;
  /** Certified and attacked accuracy of the trained weights, where the recipe reports them. */
  readonly reported: readonly Reported[];
}

/** Steps between lines of kind "step" in metrics.jsonl. */
const metricInterval = 10;

/** The whole of a run whose folder is there. */
export async function train(
  plan: TrainPlan,
  progress: Progress,
  stopRequested: () => boolean,
): Promise<Result<TrainOutcome>> {
  const prepared = await prepare(plan);
  return prepared.ok ? run(prepared.value, progress, stopRequested) : prepared;
}

/** From the place where it stands to its end, or to a stop that was asked for. */
export async function run(
  prepared: Prepared,
  progress: Progress,
  stopRequested: () => boolean,
): Promise<Result<TrainOutcome>> {
  const metrics = openMetrics(prepared.plan.folder.metrics, prepared.start.step);
  if (!metrics.ok) {
    await prepared.rows.close();
    return metrics;
  }
  try {
    return await new Loop(prepared, metrics.value, progress).run(stopRequested);
  } finally {
    progress.done();
    await prepared.rows.close();
    await prepared.session.release();
    await prepared.tester?.release();
  }
}

/** What one step says of its batch. */
interface StepMetrics {
  readonly loss: number;
  readonly accuracy: number;
  readonly gradNorm: number;
  readonly lr: number;
}

class Loop {
  private readonly prepared: Prepared;
  private readonly metrics: MetricsFile;
  private readonly progress: Progress;
  private readonly began = performance.now();
  private epochBegan = performance.now();
  private at: Place;
  /** The step of the last checkpoint on disk; −1: none yet. */
  private savedAt: number;
  /** What the last epoch reported. */
  private figures: Result<readonly Reported[]> | null = null;

  constructor(prepared: Prepared, metrics: MetricsFile, progress: Progress) {
    this.prepared = prepared;
    this.metrics = metrics;
    this.progress = progress;
    this.at = prepared.start;
    this.savedAt = prepared.start.step > 0 ? prepared.start.step : -1;
  }

  async run(stopRequested: () => boolean): Promise<Result<TrainOutcome>> {
    const { plan, length } = this.prepared;
    let test: Evaluation | null = null;
    while (this.at.step < length.steps) {
      if (stopRequested()) {
        const saved = await this.save();
        return saved.ok ? this.outcome(true, null) : saved;
      }
      const done = await this.step();
      if (!done.ok) return done;
      const told = this.tell(done.value);
      if (!told.ok) return told;

      const { step } = this.at;
      if (step % length.perEpoch === 0 || step === length.steps) {
        const tested = await this.endEpoch();
        if (!tested.ok) return tested;
        test = tested.value;
      } else if (plan.checkpointEvery !== null && step % plan.checkpointEvery === 0) {
        const saved = await this.save();
        if (!saved.ok) return saved;
      }
    }
    // A resumed run may have been at its end already.
    const tested = test === null ? await this.test() : good(test);
    if (!tested.ok) return tested;
    const figures = this.figures ?? (await this.report(true));
    if (!figures.ok) return figures;
    const written = writeWhole(plan.folder.weights, encodeWeights(plan.model, await this.weights()));
    return written.ok ? this.outcome(false, tested.value, figures.value) : written;
  }

  private outcome(
    interrupted: boolean,
    test: Evaluation | null,
    figures: readonly Reported[] = [],
  ): Result<TrainOutcome> {
    return good({ steps: this.at.step, interrupted, seconds: this.seconds(), test, reported: figures });
  }

  private seconds(since = this.began): number {
    return (performance.now() - since) / 1000;
  }

  /** Epoch from 0 of the step before the place, and how many steps of it are done. */
  private epoch(): { epoch: number; done: number } {
    const { perEpoch } = this.prepared.length;
    const last = this.at.step - 1;
    return { epoch: Math.floor(last / perEpoch), done: (last % perEpoch) + 1 };
  }

  private async step(): Promise<Result<StepMetrics>> {
    const { plan, length, batches } = this.prepared;
    const index = this.at.step;
    const batch = await batches(Math.floor(index / length.perEpoch), index % length.perEpoch);
    if (!batch.ok) return batch;
    const lr = learningRate(plan.recipe, index, length.steps, length.perEpoch);
    const outputs = await this.feed(batch.value, lr);
    if (!outputs.ok) return outputs;
    const metric = (name: string): number => outputs.value[`metric/${name}`].data[0];
    const done = { loss: metric("loss"), accuracy: metric("accuracy"), gradNorm: metric("grad_norm"), lr };
    if (!Number.isFinite(done.loss)) return this.notFinite("loss");
    if (!Number.isFinite(done.gradNorm)) return this.notFinite("gradient");
    this.at = {
      step: index + 1,
      epochLoss: this.at.epochLoss + done.loss,
      epochCorrect: this.at.epochCorrect + done.accuracy,
    };
    return good(done);
  }

  private async feed(
    { values, labels, mixed }: Batch,
    lr: number,
  ): Promise<Result<Record<string, HostTensor>>> {
    const { plan, session } = this.prepared;
    const scalar = (x: number): HostTensor => ({ dtype: "f32", dims: [], data: Float32Array.of(x) });
    try {
      const outputs = await session.run({
        [`data/${plan.model.inputs[0].name}`]: values,
        labels,
        ...(mixed ? { "labels/other": mixed.other, "labels/share": mixed.share } : {}),
        "scalar/lr": scalar(lr),
        "scalar/step": scalar(this.at.step + 1),
        "scalar/seed": scalar(plan.recipe.seed),
      });
      return good(outputs);
    } catch (error) {
      // Memory is the machine's; anything else is a bug, and stays an exception.
      const reason = error instanceof Error ? error.message : String(error);
      if (!/alloc|out of memory/i.test(reason)) throw error;
      const what = `step ${this.at.step + 1}`;
      return bad(diagnostic("engine-failed", null, { engine: plan.engine.name, what, reason }));
    }
  }

  /** The progress line, and every few steps a line of metrics. */
  private tell({ loss, accuracy, gradNorm, lr }: StepMetrics): Result<void> {
    const { plan, length, start } = this.prepared;
    const { step, epochLoss, epochCorrect } = this.at;
    const { epoch, done } = this.epoch();
    const seconds = this.seconds();
    const perSecond = (step - start.step) / seconds;
    this.progress.tick({
      epoch: epoch + 1,
      epochs: length.epochs,
      step,
      steps: length.steps,
      loss: epochLoss / done,
      accuracy: epochCorrect / done,
      lr,
      gradNorm,
      samplesPerSecond: perSecond * plan.recipe.batch,
      secondsLeft: (length.steps - step) / perSecond,
    });
    if (step % metricInterval !== 0) return good(undefined);
    return this.metrics.append({
      kind: "step",
      step,
      epoch: epoch + 1,
      loss,
      accuracy,
      lr,
      gradNorm,
      seconds,
    });
  }

  /** Tests, tells, and saves; gives what the test said. */
  private async endEpoch(): Promise<Result<Evaluation | null>> {
    const { length } = this.prepared;
    const tested = await this.test();
    if (!tested.ok) return tested;
    const test = tested.value;
    this.figures = await this.report(this.at.step === length.steps);
    if (!this.figures.ok) return this.figures;
    const figures = this.figures.value;
    const { step, epochLoss, epochCorrect } = this.at;
    const { epoch, done } = this.epoch();
    const [trainLoss, trainAccuracy] = [epochLoss / done, epochCorrect / done];
    const appended = this.metrics.append({
      kind: "epoch",
      step,
      epoch: epoch + 1,
      trainLoss,
      trainAccuracy,
      testLoss: test?.loss ?? null,
      testAccuracy: test?.accuracy ?? null,
      ...(figures.length > 0 ? { reported: figures } : {}),
      seconds: this.seconds(),
    });
    if (!appended.ok) return appended;
    const seconds = this.seconds(this.epochBegan);
    this.progress.line(
      formatEpoch({
        epoch: epoch + 1,
        epochs: length.epochs,
        trainLoss,
        trainAccuracy,
        test,
        reported: showReported(figures),
        seconds,
      }),
    );
    this.epochBegan = performance.now();
    this.at = { step, epochLoss: 0, epochCorrect: 0 };
    const saved = await this.save();
    return saved.ok ? tested : saved;
  }

  private notFinite(what: string): Result<never> {
    const { checkpoint } = this.prepared.plan.folder;
    const kept = this.savedAt < 0 ? "none yet" : `${checkpoint} (step ${this.savedAt})`;
    return bad(diagnostic("not-finite", null, { what, step: this.at.step, kept }));
  }

  private async test(): Promise<Result<Evaluation | null>> {
    const { plan, tester } = this.prepared;
    const { model, data, recipe } = plan;
    if (!tester || !data.test) return good(null);
    const names = { input: model.inputs[0].name, output: model.outputs[0].name };
    return evaluate(tester, await this.weights(), data.test, names, recipe.batch);
  }

  /** Certified accuracy and the observed gain after each epoch, accuracy under attack at the end. */
  private async report(attacked: boolean): Promise<Result<readonly Reported[]>> {
    const { plan, tester } = this.prepared;
    const { model, data, recipe, engine, prove } = plan;
    if (!tester || !data.test) return good([]);
    const figures: Reported[] = [];
    if (prove && wantsCertified(recipe)) {
      const asked = { model, recipe, engine, session: tester, samples: data.test, prove };
      const shares = await reported(asked, await this.weights(), attacked);
      if (!shares.ok) return shares;
      figures.push(...shares.value);
    }
    if (wantsObservedGain(recipe)) {
      const asked = { model, engine, samples: data.test, seed: recipe.seed };
      const observed = await observedGain(asked, await this.weights());
      if (!observed.ok) return observed;
      figures.push(observed.value);
    }
    return good(figures);
  }

  /** Parameters as they stand, by graph input name: their averages, where the recipe has them averaged. */
  private async weights(): Promise<Map<string, HostTensor>> {
    const { plan, session, state } = this.prepared;
    const stored = plan.model.weights.map(({ path }) => {
      const average = `ema/${path}`;
      return [`param/${path}`, state.has(average) ? average : `param/${path}`] as const;
    });
    const tensors = await session.read(stored.map(([, name]) => name));
    return new Map(stored.map(([input, name]) => [input, tensors[name]]));
  }

  /** Never puts a broken state over a good one. */
  private async save(): Promise<Result<void>> {
    const { plan, session } = this.prepared;
    const state = new Map(Object.entries(await session.read()));
    const broken = findNotFinite(state);
    if (broken !== null) return this.notFinite(`tensor \`${broken}\``);
    const bytes = encodeCheckpoint(plan.model, { ...this.at, state });
    const written = writeWhole(plan.folder.checkpoint, bytes);
    if (written.ok) this.savedAt = this.at.step;
    return written;
  }
}
