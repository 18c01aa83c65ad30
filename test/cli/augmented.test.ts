/** Training with the whole recipe: augmentation, mixed labels, averaged weights, worker threads. */
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { describe, expect, it } from "vitest";
import { readSafetensors } from "../../src/runtime/safetensors.ts";
import { lipsc, metricsOf, start, stepReached, until } from "./run.ts";

const spec = "test/fixtures/tiny-fashion.lips";
const fresh = (): string => join(mkdtempSync(join(tmpdir(), "lipsc-augmented-")), "run");
const bytesOf = (folder: string, file = "model.safetensors"): Buffer => readFileSync(join(folder, file));
const recipe = [
  "--set",
  "train.augment=[flip, crop(28, padding: 1), rand_augment(9, std: 0.5), erase(0.25), mixup(0.8), cutmix(1)]",
  "--set",
  "train.average=ema(0.9)",
];

/** Without threads, never interrupted. */
const whole = (async () => {
  const folder = fresh();
  const done = await lipsc("train", spec, "--out", folder, ...recipe, "--workers", "0");
  return { folder, done };
})();

describe("the whole recipe", () => {
  it("learns, and says what it keeps", async () => {
    const { folder, done } = await whole;
    expect(done).toMatchObject({ code: 0, stderr: "" });
    expect(done.stdout).toContain("averages");
    const epochs = metricsOf(folder).filter((m) => (m as { kind: string }).kind === "epoch");
    // Chance is 0.1.
    expect((epochs[1] as { testAccuracy: number }).testAccuracy).toBeGreaterThan(0.25);
  });

  it("tests and keeps the averages; the checkpoint holds both", async () => {
    const { folder } = await whole;
    const stored = readSafetensors(bytesOf(folder), "weights");
    const checkpoint = readSafetensors(bytesOf(folder, "checkpoint.safetensors"), "checkpoint");
    if (!stored.ok || !checkpoint.ok) throw new Error("unreadable");
    for (const [name, { data }] of stored.value.tensors) {
      expect(data).toEqual(checkpoint.value.tensors.get(`optimizer/ema/${name}`)?.data);
      expect(data).not.toEqual(checkpoint.value.tensors.get(name)?.data);
    }
  });

  it("ends in the same bytes with two threads, killed and resumed with three, stopped and resumed with one", async () => {
    const { folder: reference } = await whole;
    const killed = fresh();
    const args = ["--out", killed, ...recipe, "--workers", "2", "--checkpoint-every", "7"];
    const first = start(["train", spec, ...args]);
    await until(first.child, () => stepReached(killed) >= 10);
    first.child.kill("SIGKILL");
    expect((await first.finished).code).toBe(null);

    const second = start(["train", "--resume", killed, "--workers", "3"]);
    await until(second.child, () => stepReached(killed) >= 30);
    second.child.kill("SIGINT");
    const stopped = await second.finished;
    expect(stopped.stdout).toContain("3 threads");
    // It ends by itself: no thread keeps it alive.
    expect(stopped.code).toBe(130);

    const third = await lipsc("train", "--resume", killed, "--workers", "1");
    expect(third).toMatchObject({ code: 0, stderr: "" });
    for (const file of ["model.safetensors", "checkpoint.safetensors"])
      expect(bytesOf(killed, file).equals(bytesOf(reference, file))).toBe(true);
    expect(metricsOf(killed)).toEqual(metricsOf(reference));
  });

  it("refuses what no run could use", async () => {
    const entries = ["train.augment=[rand_augment(11), mixup(0)]", "train.average=ema(1)"];
    const sets = entries.flatMap((entry) => ["--set", entry]);
    const refused = await lipsc("train", spec, "--out", fresh(), ...sets);
    expect(refused.code).toBe(1);
    for (const said of ["magnitude", "alpha", "decay"]) expect(refused.stderr).toContain(said);
    expect((await lipsc("train", spec, "--workers", "-1")).code).toBe(2);
  });
});

describe("imagenet", () => {
  const small = `lips 1
import { imagenet_mean, imagenet_std } from "std/data"
model Small(classes: int = 3) {
  input image: [16, 16, 3] in [0, 1]
  weights { init: spectral }
  let x = image |> Normalize(imagenet_mean, imagenet_std) |> Conv(8, kernel: 4, stride: 4, padding: 0)
  output logits = x |> Flatten(tokens) |> MeanPool |> Linear(classes)
}
train Small {
  data: imagenet(size: 16)
  augment: [rand_augment(9, std: 0.5), erase(0.25), mixup(0.8), cutmix(1)]
  batch: 6
  epochs: 2
}
`;

  async function made(): Promise<{ file: string; folder: string }> {
    const folder = mkdtempSync(join(tmpdir(), "lipsc-imagenet-"));
    for (const part of ["train", "val"])
      for (const [k, name] of ["red", "green", "blue"].entries()) {
        mkdirSync(join(folder, part, name), { recursive: true });
        for (let i = 0; i < 4; i++) {
          const background = { r: k === 0 ? 220 : 20, g: k === 1 ? 220 : 20, b: k === 2 ? 220 : 20 };
          const image = sharp({ create: { width: 30 + i, height: 25, channels: 3, background } });
          await image.jpeg().toFile(join(folder, part, name, `${i}.jpg`));
        }
      }
    const file = join(folder, "small.lips");
    writeFileSync(file, small);
    return { file, folder };
  }

  it("is trained on from a folder, by threads, and says what is missing", async () => {
    const { file, folder } = await made();
    const run = fresh();
    const done = await lipsc("train", file, "--data", folder, "--out", run);
    expect(done).toMatchObject({ code: 0, stderr: "" });
    expect(done.stdout).toMatch(/12 training, 12 test samples/);
    expect(done.stdout).toMatch(/workers {2}\d+ threads? beside the engine/);
    const guess = await lipsc("predict", run, join(folder, "val", "red", "0.jpg"), "--format", "json");
    expect(guess.stdout).toContain('"red"');

    const nowhere = await lipsc("train", file, "--out", fresh());
    expect(nowhere.stderr).toContain("LIPS0620");
    const more = await lipsc("train", file, "--data", folder, "--out", fresh(), "--set", "classes=5");
    expect(more.stderr).toContain("LIPS0621");
    const fewer = await lipsc("train", file, "--data", folder, "--out", fresh(), "--set", "classes=2");
    expect(fewer.stderr).toContain("LIPS0605");

    const path = join(folder, "train", "blue", "1.jpg");
    const bytes = readFileSync(path);
    writeFileSync(path, bytes.subarray(0, bytes.length >> 1));
    const damaged = await lipsc("train", file, "--data", folder, "--out", fresh());
    expect(damaged.code).toBe(1);
    expect(damaged.stderr).toContain(path);
  });
});
