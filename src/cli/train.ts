/** `lipsc train FILE`: trains one model of a spec, and keeps the run in a folder. */
import { resolve } from "node:path";
import type { Diagnostic } from "../diagnostics/diagnostic.ts";
import type { Model, TrainConfig } from "../model/model.ts";
import { modelHash } from "../runtime/checkpoint.ts";
import { showReported } from "../runtime/certified/report.ts";
import { openData } from "../runtime/data/open.ts";
import { listing } from "./listing.ts";
import type { Data } from "../runtime/data/samples.ts";
import type { Engine } from "../runtime/engine.ts";
import { openEngine } from "../runtime/engines/select.ts";
import { readText } from "../runtime/files.ts";
import { prepare, type TrainPlan } from "../runtime/prepare.ts";
import { formatSeconds, openProgress } from "../runtime/progress.ts";
import { good, type Result } from "../runtime/result.ts";
import { adviceOn, resolveRecipe, type RunLength } from "../runtime/run-config.ts";
import { createFolder, newFolder, type RunFolder } from "../runtime/run-folder.ts";
import { run, type TrainOutcome } from "../runtime/train.ts";
import type { Provider } from "../targets/onnx/emitter.ts";
import type { SourceFile } from "../text/source.ts";
import { engineRequest } from "./engine-options.ts";
import { nodeHost } from "./host-node.ts";
import { loadModel } from "./load.ts";
import { proverOf } from "./prover.ts";
import { refuseTraining } from "./memory.ts";
import { printDiagnostics } from "./print.ts";
import { countParameters } from "./report/figures.ts";
import { plural, showCount } from "./report/numbers.ts";
import { fact } from "./report/table.ts";
import { changedSince, originOf, type Origin } from "./run-origin.ts";
import { version } from "./version.ts";
import { waitingFor } from "./waiting.ts";

export interface TrainOptions {
  /** null only with `resume`. */
  readonly file: string | null;
  readonly model: string | null;
  readonly set: Record<string, string>;
  readonly epochs: number | null;
  readonly batch: number | null;
  readonly lr: number | null;
  readonly seed: number | null;
  readonly data: string | null;
  readonly engine: string | null;
  readonly device: Provider | null;
  readonly threads: number | null;
  readonly out: string | null;
  readonly resume: string | null;
  readonly checkpointEvery: number | null;
  readonly workers: number | null;
}

/** Exit code: 0 done, 1 the spec, data or run has an error, 130 stopped by Ctrl-C (and saved). */
export async function runTrain(options: TrainOptions): Promise<number> {
  const result = await trainModel(options);
  return result.code;
}

export interface TrainResult {
  readonly code: number;
  readonly folder: RunFolder | null;
  readonly outcome: TrainOutcome | null;
}

export async function trainModel(options: TrainOptions): Promise<TrainResult> {
  const origin = originOf(options);
  if (!origin.ok) return fail(origin.problem);
  const planned = await planOf(options, origin.value);
  if (!planned) return failed;
  const { plan, sources } = planned;
  const waiting = waitingFor(plan.model, !plan.resume);
  if (waiting !== null) say(waiting);
  const prepared = await prepare(plan);
  if (!prepared.ok) return fail(prepared.problem, sources);
  const { folder, recipe } = plan;
  const { length, rows } = prepared.value;
  if (!origin.value.run) {
    const record = recordOf(plan, origin.value, length);
    const created = record.ok ? createFolder(folder, record.value) : record;
    if (!created.ok) {
      await rows.close();
      return fail(created.problem);
    }
  }
  if (rows.threads > 0)
    sayFact("workers", `${plural(rows.threads, "thread")} beside the engine, reading and augmenting samples`);
  sayFact(
    "run",
    `${folder.path}: ${plural(length.epochs, "epoch")}, ${plural(length.steps, "step")} of ` +
      `${showCount(recipe.batch)}, seed ${recipe.seed}${plan.resume ? ", resumed" : ""}`,
  );

  const stop = stopOnSignals();
  const outcome = await run(prepared.value, await openProgress(process.stdout), stop.requested);
  stop.release();
  if (!outcome.ok) return fail(outcome.problem);
  if (outcome.value.interrupted) {
    say(
      `saved at step ${outcome.value.steps} of ${length.steps}; go on with: lipsc train --resume ${folder.path}`,
    );
    return { code: 130, folder, outcome: outcome.value };
  }
  sayOutcome(outcome.value, plan);
  return { code: 0, folder, outcome: outcome.value };
}

const failed: TrainResult = { code: 1, folder: null, outcome: null };

function say(line: string): void {
  process.stdout.write(line + "\n");
}

function sayFact(name: string, text: string): void {
  process.stdout.write(fact(name, text));
}

function fail(problem: Diagnostic, sources: ReadonlyMap<string, SourceFile> = new Map()): TrainResult {
  printDiagnostics([problem], sources);
  return failed;
}

/** Model, recipe, data, engine and folder, each said as it is found; null after errors, which are printed. */
async function planOf(
  options: TrainOptions,
  origin: Origin,
): Promise<{ plan: TrainPlan; sources: ReadonlyMap<string, SourceFile> } | null> {
  const { model, diagnostics, sources } = loadModel(nodeHost, origin.file, origin.model, origin.set);
  printDiagnostics(diagnostics, sources);
  if (!model) return null;
  const refuse = (problem: Diagnostic): null => (fail(problem, sources), null);
  const recipe: Result<TrainConfig> = origin.run
    ? good(origin.run.record.recipe)
    : resolveRecipe(model, options);
  if (!recipe.ok) return refuse(recipe.problem);
  const folder = origin.run ? good(origin.run.folder) : newFolder(options.out, model.name);
  if (!folder.ok) return refuse(folder.problem);
  const tooLarge = refuseTraining(model, recipe.value);
  if (tooLarge) return refuse(tooLarge);
  const data = openData(model, origin.data, listing(process.stderr));
  if (!data.ok) return refuse(data.problem);
  const changed = origin.run && changedSince(origin.run, model, data.value.train);
  if (changed) return refuse(changed);
  printDiagnostics(adviceOn(model, recipe.value), sources);
  const engine = await openEngine(engineRequest(origin.engine));
  if (!engine.ok) return refuse(engine.problem);
  printDiagnostics(engine.notes, sources);
  sayParts(model, origin.file, data.value, engine.value);
  const plan = {
    model,
    recipe: recipe.value,
    data: data.value,
    engine: engine.value,
    folder: folder.value,
    resume: origin.run !== null,
    checkpointEvery: options.checkpointEvery,
    workers: options.workers,
    prove: proverOf(model),
  };
  return { plan, sources };
}

function sayParts(model: Model, file: string, { name, train, test }: Data, engine: Engine): void {
  sayFact("model", `${model.name}: ${showCount(countParameters(model))} parameters (${file})`);
  sayFact(
    "data",
    `${name}: ${showCount(train.count)} training${test ? `, ${showCount(test.count)} test` : ""} samples`,
  );
  sayFact("engine", `${engine.name} ${engine.version} on ${engine.device}`);
}

function sayOutcome({ test, seconds, reported }: TrainOutcome, { folder, recipe }: TrainPlan): void {
  const tested = test
    ? `: test accuracy ${(100 * test.accuracy).toFixed(1)} % (${showCount(test.count)} samples), loss ${test.loss.toFixed(4)}`
    : "";
  say(`done in ${formatSeconds(seconds)}${tested}`);
  for (const piece of showReported(reported)) say(piece.replace(/^\S+/, (kind) => kind.padEnd(9)));
  const average = recipe.average ? " (their averages over the steps, as tested)" : "";
  sayFact("weights", folder.weights + average);
}

function recordOf({ model, recipe, data, engine }: TrainPlan, origin: Origin, { steps }: RunLength) {
  const spec = readText(origin.file, "spec");
  if (!spec.ok) return spec;
  return good({
    lipsc: version,
    node: process.version,
    platform: `${process.platform}-${process.arch}`,
    engine: engine.name,
    engineVersion: engine.version,
    device: engine.device,
    provider: origin.engine.device,
    threads: origin.engine.threads,
    model: model.name,
    modelHash: modelHash(model),
    file: resolve(origin.file),
    spec: spec.value,
    set: origin.set,
    data: origin.data === null ? null : resolve(origin.data),
    dataName: data.name,
    samples: data.train.count,
    classNames: data.train.classNames,
    parameters: countParameters(model),
    recipe,
    steps,
  });
}

/** Ctrl-C and what else ends a program politely ask for a stop after the step; the second time it ends at once. */
function stopOnSignals(): { requested: () => boolean; release: () => void } {
  const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
  let stop = false;
  const onSignal = (): void => {
    if (stop) process.exit(130);
    stop = true;
    process.stderr.write("\nstopping after this step, saving …\n");
  };
  for (const signal of signals) process.on(signal, onSignal);
  return {
    requested: () => stop,
    release: () => signals.forEach((signal) => process.off(signal, onSignal)),
  };
}
