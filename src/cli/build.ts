/**
 * `lipsc build FILE_OR_RUN --out DIR --target NAME`: a model as code or graphs for one target, with its initial weights, or
 * with those of a run.
 */
import { dirname, join } from "node:path";
import type { Diagnostic } from "../diagnostics/diagnostic.ts";
import { initialise } from "../graph/initialise.ts";
import type { Model } from "../model/model.ts";
import { loadTarget, type TargetName } from "../targets/targets.ts";
import { bundled, ownText } from "../runtime/bundled.ts";
import { encodeWeights, readCheckpoint } from "../runtime/checkpoint.ts";
import type { HostTensor } from "../runtime/engine.ts";
import { isFolder, makeFolder, readBytes, writeWhole } from "../runtime/files.ts";
import { adviceOn, resolveRecipe } from "../runtime/run-config.ts";
import { good, type Result } from "../runtime/result.ts";
import { refuseWeights } from "./memory.ts";
import { printDiagnostics } from "./print.ts";
import { showBytes } from "./report/numbers.ts";
import { loadPlace, locate, placeOfSpec, toldOf, weightsFrom, type Place } from "./trained.ts";
import { waitingFor } from "./waiting.ts";

export interface BuildOptions {
  /** A spec, or the folder of a run. */
  readonly file: string;
  readonly out: string;
  readonly target: TargetName;
  readonly model: string | null;
  readonly set: Record<string, string>;
  readonly batch: number | null;
  readonly seed: number | null;
}

export async function runBuild(options: BuildOptions): Promise<number> {
  const { file, model: name, set } = options;
  const run = isFolder(file);
  const place = run
    ? locate({ path: file, weights: null, model: name, set })
    : good(placeOfSpec(file, name, set));
  if (!place.ok) return (printDiagnostics([place.problem], new Map()), 1);
  const { model, diagnostics, sources } = loadPlace(place.value);
  printDiagnostics([...diagnostics, ...toldOf(place.value)], sources);
  if (!model) return 1;
  const fail = (problem: Diagnostic): number => (printDiagnostics([problem], sources), 1);
  const tooLarge = refuseWeights(model);
  if (tooLarge) return fail(tooLarge);
  const recipe = resolveRecipe(model, { epochs: null, lr: null, batch: options.batch, seed: options.seed });
  if (!recipe.ok) return fail(recipe.problem);
  printDiagnostics(adviceOn(model, recipe.value), sources);
  const waiting = waitingFor(model, true);
  if (waiting !== null) process.stdout.write(`${waiting}\n`);
  const target = await loadTarget(options.target);
  const input = { model, recipe: recipe.value, sources, own: ownText };
  const files = await target.emit(input);
  if (!files.ok) return fail(files.problem);

  const weights = run ? trainedWeights(model, place.value) : good(initialWeights(model, recipe.value.seed));
  if (!weights.ok) return fail(weights.problem);
  const assets: [string, Uint8Array][] = [];
  for (const [name, path] of target.assets?.(input) ?? []) {
    const content = readBytes(bundled(path), "part of lipsc");
    if (!content.ok) return fail(content.problem);
    assets.push([name, content.value]);
  }
  const all = new Map<string, Uint8Array | string>([
    ...files.value,
    ...assets,
    ["initial.safetensors", encodeWeights(model, weights.value)],
  ]);
  const made = makeFolder(options.out);
  if (!made.ok) return fail(made.problem);
  for (const [name, content] of all) {
    const folder = makeFolder(dirname(join(options.out, name)));
    if (!folder.ok) return fail(folder.problem);
    const written = writeWhole(join(options.out, name), content);
    if (!written.ok) return fail(written.problem);
    const bytes = typeof content === "string" ? Buffer.byteLength(content) : content.length;
    process.stdout.write(`${join(options.out, name).padEnd(48)} ${showBytes(bytes).padStart(10)}\n`);
  }
  process.stdout.write(`use it: ${target.use(options.out)}\n`);
  return 0;
}

type Weights = ReadonlyMap<string, HostTensor>;

function initialWeights(model: Model, seed: number): Weights {
  const weights = new Map<string, HostTensor>();
  for (const [path, data] of initialise(model, seed)) {
    const dims = model.weights.find((w) => w.path === path)?.shape ?? [data.length];
    weights.set(`param/${path}`, { dtype: "f32", dims, data });
  }
  return weights;
}

function trainedWeights(model: Model, place: Place): Result<Weights> {
  const shapes = new Map(model.weights.map((w) => [`param/${w.path}`, w.shape]));
  const checkpoint = readCheckpoint(place.weights, model, shapes, weightsFrom(place));
  return checkpoint.ok ? good(checkpoint.value.state) : checkpoint;
}
