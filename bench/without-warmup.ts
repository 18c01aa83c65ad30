/**
 * Training without warmup: LipsFormer, a pre-norm and a post-norm ViT of the same size, at several learning rates and
 * seeds, 2 epochs each, no warmup. Writes docs/without-warmup.json, .md and .svg from real runs; a run that is in the
 * JSON file already is not done again.
 *
 *   node dist/bench/without-warmup.js --data FOLDER [--images 10000] [--epochs 2] [--seeds 0,1,2] [--rates …] [--threads N]
 */
import { existsSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { nodeHost } from "../src/cli/host-node.ts";
import { loadModel } from "../src/cli/load.ts";
import { openData } from "../src/runtime/data/open.ts";
import type { Data, Samples } from "../src/runtime/data/samples.ts";
import { openEngine } from "../src/runtime/engines/select.ts";
import type { Progress } from "../src/runtime/progress.ts";
import { resolveRecipe } from "../src/runtime/run-config.ts";
import { runFolder } from "../src/runtime/run-folder.ts";
import { train } from "../src/runtime/train.ts";
import { plotRuns } from "./without-warmup-plot.ts";

export interface Run {
  readonly model: string;
  readonly lr: number;
  readonly seed: number;
  readonly images: number;
  readonly epochs: number;
  /** Test accuracy after the last epoch; null: loss or gradient stopped being a number. */
  readonly accuracy: number | null;
  readonly diverged: string | null;
  readonly engine: string;
}

const spec = "bench/specs/without-warmup.lips";
const models = ["LipsFormer", "PreNormVit", "PostNormVit"];
const silent: Progress = { tick: () => undefined, line: () => undefined, done: () => undefined };

const { values: flags } = parseArgs({
  options: {
    data: { type: "string" },
    images: { type: "string", default: "10000" },
    epochs: { type: "string", default: "2" },
    seeds: { type: "string", default: "0,1,2" },
    rates: { type: "string", default: "5e-4,2e-3,5e-3,1e-2" },
    out: { type: "string", default: "docs/without-warmup" },
    threads: { type: "string" },
  },
});
const numbers = (text: string): number[] => text.split(",").map(Number);

const store = `${flags.out}.json`;
const runs: Run[] = existsSync(store) ? (JSON.parse(readFileSync(store, "utf8")) as Run[]) : [];
for (const lr of numbers(flags.rates)) {
  for (const seed of numbers(flags.seeds)) {
    for (const model of models) {
      const done = (r: Run): boolean =>
        r.model === model &&
        r.lr === lr &&
        r.seed === seed &&
        r.images === Number(flags.images) &&
        r.epochs === Number(flags.epochs);
      if (runs.some(done)) continue;
      const run = await trainOnce(model, lr, seed);
      runs.push(run);
      writeFileSync(store, JSON.stringify(runs, null, 1) + "\n");
      console.log(
        `${model} lr ${lr} seed ${seed}: ${run.accuracy === null ? `diverged (${run.diverged})` : `${(100 * run.accuracy).toFixed(1)} %`}`,
      );
    }
  }
}
writeFileSync(`${flags.out}.md`, table(runs));
writeFileSync(`${flags.out}.svg`, await plotRuns(runs));

async function trainOnce(name: string, lr: number, seed: number): Promise<Run> {
  const { model, diagnostics } = loadModel(nodeHost, spec, name, {});
  if (!model) throw new Error(diagnostics.map((d) => d.message).join("\n"));
  const recipe = resolveRecipe(model, { epochs: Number(flags.epochs), batch: 128, lr, seed });
  if (!recipe.ok) throw new Error(recipe.problem.message);
  const opened = openData(model, flags.data ?? "specs/data/fashion-mnist-mini");
  if (!opened.ok) throw new Error(opened.problem.message);
  const data: Data = { ...opened.value, train: first(opened.value.train, Number(flags.images)) };
  const engine = await openEngine(flags.threads ? { threads: Number(flags.threads) } : {});
  if (!engine.ok) throw new Error(engine.problem.message);
  const folder = runFolder(mkdtempSync(join(tmpdir(), "lipsc-without-warmup-")));
  const plan = {
    model,
    recipe: recipe.value,
    data,
    engine: engine.value,
    folder,
    resume: false,
    checkpointEvery: null,
    workers: null,
  };
  const outcome = await train(plan, silent, () => false);
  if (!outcome.ok && outcome.problem.name !== "not-finite") throw new Error(outcome.problem.message);
  return {
    model: name,
    lr,
    seed,
    images: data.train.count,
    epochs: Number(flags.epochs),
    accuracy: outcome.ok ? (outcome.value.test?.accuracy ?? null) : null,
    diverged: outcome.ok ? null : outcome.problem.message,
    engine: `${engine.value.name} ${engine.value.version} on ${engine.value.device}`,
  };
}

/** The first `count` samples. */
function first(samples: Samples, count: number): Samples {
  return { ...samples, count: Math.min(count, samples.count) };
}

function table(all: readonly Run[]): string {
  const rates = [...new Set(all.map((r) => r.lr))].sort((a, b) => a - b);
  const cell = (model: string, lr: number): string => {
    const mine = all.filter((r) => r.model === model && r.lr === lr).sort((a, b) => a.seed - b.seed);
    return mine.map((r) => (r.accuracy === null ? "diverged" : (100 * r.accuracy).toFixed(1))).join(" / ");
  };
  const { images, epochs } = all[0];
  const engines = [...new Set(all.map((r) => r.engine))].join("; ");
  return [
    "# Training without warmup",
    "",
    `Test accuracy in % after ${epochs} epochs on the first ${images} images of Fashion-MNIST, batch 128, AdamW, cosine`,
    `schedule, no warmup, no clipping; one number per seed. Chance is 10 %. Engines: ${engines}.`,
    `Specs: \`${spec}\`. Made by \`npm run bench:without-warmup\`.`,
    "",
    `| model | ${rates.map((r) => `lr ${r}`).join(" | ")} |`,
    `|---|${rates.map(() => "---|").join("")}`,
    ...models.map((m) => `| ${m} | ${rates.map((r) => cell(m, r)).join(" | ")} |`),
    "",
    "![test accuracy by learning rate](without-warmup.svg)",
    "",
  ].join("\n");
}
