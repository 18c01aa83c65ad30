/** The pool of worker threads: the same bits for any number of them, its errors, its end. */
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { afterEach, describe, expect, it } from "vitest";
import type { OptionValue } from "../../src/model/model.ts";
import { trainingBatches, type Batch } from "../../src/runtime/batches.ts";
import { frameOf } from "../../src/runtime/data/augment/augment.ts";
import { byteImages } from "../../src/runtime/data/idx.ts";
import { readImageFolder } from "../../src/runtime/data/images.ts";
import { readImagenet } from "../../src/runtime/data/imagenet.ts";
import type { Samples } from "../../src/runtime/data/samples.ts";
import { openPool } from "../../src/runtime/workers/pool.ts";
import { hereRows, type RowMaker, type RowPlan } from "../../src/runtime/workers/rows.ts";
import { Stream } from "../../src/runtime/stream.ts";
import { compiledWorker } from "../helpers/compiled.ts";
import { valueOf } from "../onnx/support.ts";

const everything: readonly OptionValue[] = [
  { name: "flip", args: {} },
  { name: "rand_augment", args: { magnitude: 9, std: 0.5, count: 2 } },
  { name: "erase", args: { probability: 0.5 } },
  { name: "mixup", args: { alpha: 0.8 } },
  { name: "cutmix", args: { alpha: 1 } },
];

const planOf = (samples: Samples, augment: readonly OptionValue[] = everything): RowPlan => ({
  source: samples.source,
  shape: samples.shape,
  augment,
  frame: frameOf(null, samples),
  seed: 5,
});

const open: RowMaker[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((rows) => rows.close()));
});

async function makers(plan: RowPlan): Promise<RowMaker[]> {
  const pools = [1, 3].map((workers) => openPool(plan, { workers, ahead: 2, entry: compiledWorker }));
  const all = [hereRows(plan), ...(await Promise.all(pools))];
  open.push(...all);
  return all;
}

/** All batches of two epochs, in order, by each maker. */
async function epochs(samples: Samples, batch: number, plan = planOf(samples)): Promise<Batch[][]> {
  const perEpoch = Math.floor(samples.count / batch);
  const all: Batch[][] = [];
  for (const rows of await makers(plan)) {
    const batches = trainingBatches(samples, batch, plan, rows);
    const seen: Batch[] = [];
    for (let i = 0; i < 2 * perEpoch; i++)
      seen.push(valueOf(await batches(Math.floor(i / perEpoch), i % perEpoch)));
    all.push(seen);
  }
  return all;
}

function greyImages(count: number): Samples {
  const random = new Stream(9);
  const bytes = Uint8Array.from({ length: count * 8 * 8 }, () => random.below(256));
  const labels = Int32Array.from({ length: count }, (_, i) => i % 10);
  return byteImages("grey", bytes, labels, [8, 8, 1], null);
}

/** train/ and val/ with two classes of coloured noise in several formats and sizes. */
async function pictures(): Promise<string> {
  const root = mkdtempSync(join(tmpdir(), "lipsc-imagenet-"));
  const random = new Stream(2);
  for (const part of ["train", "val"])
    for (const name of ["n01", "n02"]) {
      mkdirSync(join(root, part, name), { recursive: true });
      for (const [i, ending] of ["JPEG", "jpg", "png", "jpeg"].entries()) {
        const [width, height] = [40 + 7 * i, 60 - 9 * i];
        const raw = Buffer.from(Array.from({ length: width * height * 3 }, () => random.below(256)));
        const image = sharp(raw, { raw: { width, height, channels: 3 } }).blur(2);
        const bytes = await (ending === "png" ? image.png() : image.jpeg()).toBuffer();
        writeFileSync(join(root, part, name, `${i}.${ending}`), bytes);
      }
    }
  return root;
}

const silent = (): void => undefined;

describe("worker threads", () => {
  it("make the same bits as none, of an odd batch that is mixed too", async () => {
    for (const batch of [7, 70]) {
      const [here, one, three] = await epochs(greyImages(150), batch);
      expect(one).toEqual(here);
      expect(three).toEqual(here);
      const [first] = here;
      expect(first.mixed?.other.data).toEqual(first.labels.data.toReversed());
      expect(new Set(here.map((b) => b.mixed?.share.data[0])).size).toBeGreaterThan(1);
    }
  });

  it("make the same bits of files, decoded whole or cropped at random", async () => {
    const root = await pictures();
    const imagenet = valueOf(readImagenet(root, 16, silent)).train;
    const whole = valueOf(readImageFolder(root, [16, 16, 3])).train;
    expect([imagenet.count, whole.count]).toEqual([8, 8]);
    const seen = await Promise.all([epochs(imagenet, 4), epochs(whole, 4)]);
    for (const [here, one, three] of seen) {
      expect(one).toEqual(here);
      expect(three).toEqual(here);
    }
    const [crops] = seen[0];
    expect(crops[0].values.data.every((x) => x >= 0 && x <= 1)).toBe(true);
  });

  it("give a batch from its place alone, in whatever order they are asked", async () => {
    const samples = greyImages(64);
    const plan = planOf(samples);
    const [, , rows] = await makers(plan);
    const straight = trainingBatches(samples, 8, plan, rows);
    const expected = [valueOf(await straight(0, 5)), valueOf(await straight(2, 1))];
    const back = trainingBatches(samples, 8, plan, rows);
    expect(valueOf(await back(2, 1))).toEqual(expected[1]);
    expect(valueOf(await back(0, 5))).toEqual(expected[0]);
    // Another epoch augments the same sample in another way.
    const other = valueOf(await back(1, 5));
    expect(other.values.data).not.toEqual(expected[0].values.data);
  });

  it("bring back a damaged file as a diagnostic that names it, and go on with others", async () => {
    const root = await pictures();
    const path = join(root, "train", "n02", "0.JPEG");
    const bytes = readFileSync(path);
    writeFileSync(path, bytes.subarray(0, bytes.length >> 1));
    const samples = valueOf(readImagenet(root, 16, silent)).train;
    const plan = planOf(samples, []);
    for (const rows of await makers(plan)) {
      const task = {
        epoch: 0,
        index: 0,
        rows: [0, 4, 5].map((s) => ({ sample: s, path: samples.pathOf(s) })),
      };
      const made = await rows.make(task);
      expect(made).toMatchObject({ ok: false, problem: { code: "LIPS0602" } });
      if (!made.ok) expect(made.problem.message).toContain(path);
      expect((await rows.make({ ...task, rows: task.rows.slice(2) })).ok).toBe(true);
    }
  });

  it("that can't start are an exception, not a wait without end", async () => {
    const samples = greyImages(8);
    const entry = new URL("./no-such-worker.js", import.meta.url);
    const rows = await openPool(planOf(samples), { workers: 1, ahead: 0, entry });
    await expect(rows.make({ epoch: 0, index: 0, rows: [{ sample: 0, path: null }] })).rejects.toThrow(
      "no-such-worker",
    );
  });

  it("end with the pool, at once, though much is still queued", async () => {
    const samples = greyImages(64);
    const plan = planOf(samples);
    const rows = await openPool(plan, { workers: 2, ahead: 2, entry: compiledWorker });
    const task = {
      epoch: 0,
      index: 0,
      rows: Array.from({ length: 64 }, (_, s) => ({ sample: s, path: null })),
    };
    for (let i = 0; i < 2000; i++) void rows.make(task);
    const began = performance.now();
    await rows.close();
    // 2000 tasks of 64 images would take many times as long.
    expect(performance.now() - began).toBeLessThan(4000);
  });
});

describe("an ImageNet folder", () => {
  it("has classes by name, training crops at random, test images from the middle", async () => {
    const root = await pictures();
    const heard: string[] = [];
    const { train, test } = valueOf(
      readImagenet(root, 16, (part, done, of) => heard.push(`${part} ${done}/${of}`)),
    );
    expect(heard).toEqual(["train 1/2", "train 2/2", "val 1/2", "val 2/2"]);
    expect([train.shape, train.classNames, test?.count]).toEqual([[16, 16, 3], ["n01", "n02"], 8]);
    expect(Array.from({ length: 8 }, (_, i) => train.labelOf(i))).toEqual([0, 0, 0, 0, 1, 1, 1, 1]);
    expect(train.pathOf(6)).toBe(join(root, "train", "n02", "2.png"));
  });

  it("says what is wrong with it", async () => {
    const root = await pictures();
    const refusal = (): string => {
      const data = readImagenet(root, 16, silent);
      return data.ok ? "" : data.problem.message;
    };
    mkdirSync(join(root, "val", "n03"));
    expect(refusal()).toMatch(/val.n03.*no class of this name/);
    mkdirSync(join(root, "train", "n03"));
    expect(refusal()).toMatch(/train.n03.*no .*JPEG|train.n03.*no /);
    const nothing = readImagenet(join(root, "train", "n01"), 16, silent);
    expect(nothing).toMatchObject({ ok: false, problem: { code: "LIPS0601" } });
    const flat = await pictures();
    const { rmSync, cpSync } = await import("node:fs");
    rmSync(join(flat, "val"), { recursive: true });
    cpSync(join(flat, "train", "n01"), join(flat, "val"), { recursive: true });
    const side = readImagenet(flat, 16, silent);
    expect(!side.ok && side.problem.message).toContain("side by side");
  });
});
