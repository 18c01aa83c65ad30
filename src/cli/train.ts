/** `lipsc train FILE`: trains one model of a spec, and keeps the run in a folder. */
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { diagnostic, type Diagnostic } from "../diagnostics/diagnostic.ts";
import type { Provider } from "../targets/onnx/emitter.ts";
import { openData } from "../runtime/data/open.ts";
import { batchesPerEpoch } from "../runtime/batches.ts";
import { modelHash } from "../runtime/checkpoint.ts";
import { openEngine } from "../runtime/engines/select.ts";
import { engineRequest } from "./engine-options.ts";
import { formatSeconds, openProgress } from "../runtime/progress.ts";
import { lengthOf, resolveRecipe, type RunRecord } from "../runtime/run-config.ts";
import { createFolder, freshFolder, readRecord, runFolder, type RunFolder } from "../runtime/run-folder.ts";
import { train, type TrainOutcome } from "../runtime/train.ts";
import { countParameters } from "./report/figures.ts";
import { nodeHost } from "./host-node.ts";
import { loadModel } from "./load.ts";
import { printDiagnostics } from "./print.ts";
import { version } from "./version.ts";

export interface TrainOptions {
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

/** What it was begun with wins on resume; the command line may only repeat it. */
interface Origin {
  readonly file: string;
  readonly model: string | null;
  readonly set: Record<string, string>;
  readonly data: string | null;
  readonly record: RunRecord | null;
}

export async function trainModel(options: TrainOptions): Promise<TrainResult> {
  const say = (line: string): void => void process.stdout.write(line + "\n");
  const origin = originOf(options);
  if ("code" in origin) return fail(origin);
  const { model, diagnostics, sources } = loadModel(nodeHost, origin.file, origin.model, origin.set);
  printDiagnostics(diagnostics, sources);
  if (!model) return failed;

  const recipe = origin.record
    ? { ok: true as const, value: origin.record.recipe }
    : resolveRecipe(model, {
        epochs: options.epochs,
        batch: options.batch,
        lr: options.lr,
        seed: options.seed,
      });
  if (!recipe.ok) return fail(recipe.problem);
  const data = openData(model, origin.data);
  if (!data.ok) return fail(data.problem);
  const engine = await openEngine(engineRequest(options));
  if (!engine.ok) return fail(engine.problem);
  printDiagnostics(engine.notes, new Map());

  const folder =
    options.resume !== null
      ? runFolder(options.resume)
      : options.out !== null
        ? runFolder(options.out)
        : freshFolder(model.name);
  const perEpoch = Math.max(1, batchesPerEpoch(data.value.train, recipe.value.batch));
  const { steps, epochs } = lengthOf(recipe.value, perEpoch);
  const parameters = countParameters(model);
  say(
    `model    ${model.name}: ${parameters.toLocaleString("en").replaceAll(",", " ")} parameters (${origin.file})`,
  );
  say(
    `data     ${data.value.train.name}: ${data.value.train.count} training${data.value.test ? `, ${data.value.test.count} test` : ""} samples`,
  );
  say(`engine   ${engine.value.name} ${engine.value.version} on ${engine.value.device}`);
  say(
    `run      ${folder.path}: ${epochs} epochs, ${steps} steps of ${recipe.value.batch}, seed ${recipe.value.seed}${options.resume !== null ? ", resumed" : ""}`,
  );
  if (!origin.record) {
    createFolder(folder, {
      lipsc: version,
      node: process.version,
      platform: `${process.platform}-${process.arch}`,
      engine: engine.value.name,
      device: engine.value.device,
      engineVersion: engine.value.version,
      model: model.name,
      modelHash: modelHash(model),
      file: resolve(origin.file),
      spec: readFileSync(origin.file, "utf8"),
      set: origin.set,
      data: origin.data === null ? null : resolve(origin.data),
      dataName: data.value.train.name,
      threads: options.threads,
      parameters,
      recipe: recipe.value,
      steps,
    });
  }

  let stop = false;
  const onInterrupt = (): void => {
    if (stop) process.exit(130);
    stop = true;
    process.stderr.write("\nstopping after this step, saving …\n");
  };
  process.on("SIGINT", onInterrupt);
  const progress = await openProgress(process.stdout);
  const plan = {
    model,
    recipe: recipe.value,
    data: data.value,
    engine: engine.value,
    folder,
    resume: options.resume !== null,
    checkpointEvery: options.checkpointEvery,
  };
  const outcome = await train(plan, progress, () => stop);
  process.off("SIGINT", onInterrupt);
  if (!outcome.ok) return fail(outcome.problem);
  if (outcome.value.interrupted) {
    say(`saved at step ${outcome.value.steps} of ${steps}; go on with: lipsc train --resume ${folder.path}`);
    return { code: 130, folder, outcome: outcome.value };
  }
  const { test, seconds } = outcome.value;
  say(
    `done in ${formatSeconds(seconds)}${test ? `: test accuracy ${(100 * test.accuracy).toFixed(1)} % (${test.count} samples), loss ${test.loss.toFixed(4)}` : ""}`,
  );
  say(`weights  ${folder.weights}`);
  return { code: 0, folder, outcome: outcome.value };
}

const failed: TrainResult = { code: 1, folder: null, outcome: null };

function fail(problem: Diagnostic): TrainResult {
  printDiagnostics([problem], new Map());
  return failed;
}

function originOf(options: TrainOptions): Origin | Diagnostic {
  if (options.resume === null) {
    if (options.file === null)
      return diagnostic("run-option", null, {
        option: "FILE",
        problem: "name a spec to train, or a run to go on with: --resume RUN",
      });
    return { file: options.file, model: options.model, set: options.set, data: options.data, record: null };
  }
  const record = readRecord(runFolder(options.resume));
  if (!record.ok) return record.problem;
  const r = record.value;
  const differing = (
    [
      ["--model", options.model, r.model],
      ["--epochs", options.epochs, r.recipe.epochs],
      ["--batch", options.batch, r.recipe.batch],
      ["--seed", options.seed, r.recipe.seed],
      ["--lr", options.lr, r.recipe.optimizer.args.lr],
    ] as const
  ).find(([, given, before]) => given !== null && given !== before);
  if (differing) {
    const [option, given, before] = differing;
    return diagnostic("run-option", null, {
      option,
      problem: `the run was begun with ${String(before)}, it can't go on with ${String(given)}; begin a new run for that`,
    });
  }
  return {
    file: options.file ?? r.file,
    model: r.model,
    set: { ...r.set },
    data: options.data ?? r.data,
    record: r,
  };
}
