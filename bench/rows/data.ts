/**
 * How fast samples are made: each augmentation, decoding, and what they take from a training step with 0, 1 and 2
 * worker threads. The network is the quick start's: on a larger one data weigh less.
 */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { nodeHost } from "../../src/cli/host-node.ts";
import { loadModel } from "../../src/cli/load.ts";
import type { OptionValue } from "../../src/model/model.ts";
import { augmentation, frameOf } from "../../src/runtime/data/augment/augment.ts";
import { isMix } from "../../src/runtime/data/augment/mix.ts";
import { byteImages } from "../../src/runtime/data/idx.ts";
import { readImagenet } from "../../src/runtime/data/imagenet.ts";
import { openData } from "../../src/runtime/data/open.ts";
import type { Samples } from "../../src/runtime/data/samples.ts";
import { openEngine } from "../../src/runtime/engines/select.ts";
import { prepare } from "../../src/runtime/prepare.ts";
import { resolveRecipe } from "../../src/runtime/run-config.ts";
import { runFolder } from "../../src/runtime/run-folder.ts";
import { Stream } from "../../src/runtime/stream.ts";
import { openRows } from "../../src/runtime/workers/open.ts";
import type { RowPlan } from "../../src/runtime/workers/rows.ts";
import { projectRoot } from "../project.ts";
import { busy, interleave, median, row, type Bench, type Row } from "../row.ts";

const option = (name: string, args: OptionValue["args"] = {}): OptionValue => ({ name, args });
const paper = [
  option("rand_augment", { magnitude: 9, std: 0.5, count: 2 }),
  option("erase", { probability: 0.25 }),
  option("mixup", { alpha: 0.8 }),
  option("cutmix", { alpha: 1 }),
];
const single: Readonly<Record<string, readonly OptionValue[]>> = {
  flip: [option("flip")],
  crop: [option("crop", { padding: 4 })],
  rand_augment: [paper[0]],
  color_jitter: [option("color_jitter", { strength: 0.4 })],
  erase: [option("erase", { probability: 1 })],
};

export const dataBenches: readonly Bench[] = [
  {
    name: "data/augment",
    run: () => Promise.resolve([...augmentRows(28, 1, 4000, busy()), ...augmentRows(224, 3, 60, busy())]),
  },
  { name: "data/decode", run: (log) => decodeRows(log, busy()) },
  { name: "data/step", run: (log) => stepRows(log, busy()) },
];

/** Images of each augmentation in a second of one core. */
function augmentRows(side: number, channels: number, count: number, note: string): Row[] {
  const samples = byteImages("noise", new Uint8Array(0), [0], [side, side, channels], null);
  const noise = new Stream(1);
  const image = Float32Array.from({ length: side * side * channels }, () => noise.uniform());
  return Object.entries(single).map(([name, options]) => {
    const change = augmentation(options, frameOf(null, samples));
    const seconds: number[] = [];
    for (let round = 0; round < 5; round++) {
      // Time of the processor, not of the clock: other work on the machine shows less in it.
      const began = process.cpuUsage();
      for (let i = 0; i < count; i++) change(image, new Stream(round, i));
      const { user, system } = process.cpuUsage(began);
      seconds.push((user + system) / 1e6);
    }
    return row(
      `data/augment-${side}/${name}`,
      count / median(seconds),
      null,
      "images/s",
      `of one core${note}`,
    );
  });
}

/** Images from JPEG files of 500 × 375 to crops of 224 × 224 in a second of one core, alone and with the paper's recipe. */
async function decodeRows(log: (line: string) => void, note: string): Promise<Row[]> {
  const folder = mkdtempSync(join(tmpdir(), "lipsc-bench-"));
  try {
    mkdirSync(join(folder, "train", "a"), { recursive: true });
    const random = new Stream(4);
    for (let i = 0; i < 16; i++) {
      const raw = Buffer.from(Uint8Array.from({ length: 125 * 94 * 3 }, () => random.below(256)));
      const small = sharp(raw, { raw: { width: 125, height: 94, channels: 3 } });
      await small
        .resize(500, 375)
        .jpeg({ quality: 90 })
        .toFile(join(folder, "train", "a", `${i}.jpg`));
    }
    const data = readImagenet(folder, 224, () => undefined);
    if (!data.ok) throw new Error(data.problem.message);
    const rows: Row[] = [];
    for (const [name, augment] of [
      ["crop", []],
      ["paper", paper],
    ] as const) {
      log(`data: decoding, ${name}`);
      const speed = await decoding(data.value.train, augment);
      rows.push(row(`data/decode-224/${name}`, speed, null, "images/s", `of one core${note}`));
    }
    return rows;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** With one worker, as training does it; the time of all threads of the process counts. */
async function decoding(samples: Samples, augment: readonly OptionValue[]): Promise<number> {
  const plan: RowPlan = {
    source: samples.source,
    shape: samples.shape,
    augment,
    frame: frameOf(null, samples),
    seed: 1,
  };
  const rows = await openRows(plan, 64, 1);
  const wanted = Array.from({ length: 16 }, (_, i) => ({ sample: i, path: samples.pathOf(i) }));
  const turn = async (epoch: number): Promise<void> => {
    const tasks = Array.from({ length: 4 }, (_, index) => rows.make({ epoch, index, rows: wanted }));
    for (const made of await Promise.all(tasks)) if (!made.ok) throw new Error(made.problem.message);
  };
  await turn(0);
  const seconds: number[] = [];
  for (let epoch = 1; epoch <= 3; epoch++) {
    const began = process.cpuUsage();
    await turn(epoch);
    const { user, system } = process.cpuUsage(began);
    seconds.push((user + system) / 1e6);
  }
  await rows.close();
  return 64 / median(seconds);
}

/** Milliseconds of a training step, making its batch included; reference: without augmentation and threads. */
async function stepRows(log: (line: string) => void, note: string): Promise<Row[]> {
  const cases = [
    { name: "none", augment: [], workers: 0 },
    { name: "flip", augment: single.flip, workers: 0 },
    ...[0, 1, 2].map((workers) => ({ name: "paper", augment: paper, workers })),
  ];
  const steppers = [];
  for (const { name, augment, workers } of cases) {
    log(`data: training, ${name}, ${workers} workers`);
    steppers.push(await stepper(augment, workers));
  }
  const times = await interleave(
    6,
    steppers.map((s) => s.turn),
  );
  for (const { close } of steppers) await close();
  return cases.map(({ name, workers }, i) =>
    row(
      `data/step/${name}/${workers}`,
      times[i],
      times[0],
      "ms",
      `${workers} workers; reference: none/0${note}`,
    ),
  );
}

async function stepper(augment: readonly OptionValue[], workers: number) {
  const { model } = loadModel(nodeHost, join(projectRoot, "specs/quick-start.lips"), null, {});
  if (!model) throw new Error("no model");
  const base = resolveRecipe(model, { epochs: 1000, batch: null, lr: null, seed: null });
  const data = openData(model, null);
  const engine = await openEngine({});
  if (!base.ok || !data.ok || !engine.ok) throw new Error("the quick start can't be prepared");
  const recipe = { ...base.value, augment };
  const folder = runFolder(mkdtempSync(join(tmpdir(), "lipsc-bench-")));
  const common = { folder, resume: false, checkpointEvery: null, workers };
  const prepared = await prepare({ model, recipe, data: data.value, engine: engine.value, ...common });
  if (!prepared.ok) throw new Error(prepared.problem.message);
  const { session, batches, rows, length } = prepared.value;
  const scalar = (x: number) => ({ dtype: "f32", dims: [], data: Float32Array.of(x) }) as const;
  let step = 0;
  const once = async (): Promise<number> => {
    const began = performance.now();
    const batch = await batches(Math.floor(step / length.perEpoch), step % length.perEpoch);
    if (!batch.ok) throw new Error(batch.problem.message);
    const { values, labels, mixed } = batch.value;
    await session.run({
      [`data/${model.inputs[0].name}`]: values,
      labels,
      ...(mixed && augment.some(isMix) ? { "labels/other": mixed.other, "labels/share": mixed.share } : {}),
      "scalar/lr": scalar(1e-3),
      "scalar/step": scalar(++step),
      "scalar/seed": scalar(0),
    });
    return performance.now() - began;
  };
  return {
    turn: async (): Promise<number[]> => {
      for (let i = 0; i < 2; i++) await once();
      const times: number[] = [];
      for (let i = 0; i < 6; i++) times.push(await once());
      return times;
    },
    close: async (): Promise<void> => {
      await rows.close();
      await session.release();
      rmSync(folder.path, { recursive: true, force: true });
    },
  };
}
