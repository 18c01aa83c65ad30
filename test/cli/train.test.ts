import { existsSync, mkdtempSync, readFileSync, writeFileSync, cpSync, readdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { describe, expect, it } from "vitest";
import { readSafetensors } from "../../src/runtime/safetensors.ts";
import { lipsc, metricsOf, start, stepReached, until } from "./run.ts";
import { schemaCheck } from "./schemas.ts";

const spec = "test/fixtures/tiny-fashion.lips";
const fresh = (): string => join(mkdtempSync(join(tmpdir(), "lipsc-run-")), "run");
const weights = (folder: string): Buffer => readFileSync(join(folder, "model.safetensors"));

/** The run that was never interrupted. */
const whole = (async () => {
  const folder = fresh();
  const done = await lipsc("train", spec, "--out", folder);
  return { folder, done };
})();

describe("lipsc train", () => {
  it("says what runs where, learns, and keeps weights, checkpoint, metrics and configuration", async () => {
    const { folder, done } = await whole;
    expect(done).toMatchObject({ code: 0, stderr: "" });
    expect(done.stdout).toMatch(/engine {3}onnxruntime-(node|web) [\d.]+ on /);
    expect(done.stdout).toMatch(/test accuracy \d\d\.\d %/);
    expect(readdirSync(folder).sort()).toEqual([
      "checkpoint.safetensors",
      "config.json",
      "events.out.tfevents.0.lipsc",
      "metrics.jsonl",
      "model.safetensors",
    ]);
    const epochs = metricsOf(folder).filter((m) => (m as { kind: string }).kind === "epoch");
    expect(epochs).toHaveLength(2);
    // Chance is 0.1.
    expect((epochs[1] as { testAccuracy: number }).testAccuracy).toBeGreaterThan(0.35);
    const config = JSON.parse(readFileSync(join(folder, "config.json"), "utf8")) as Record<string, unknown>;
    expect(config).toMatchObject({
      model: "TinyFashion",
      steps: 100,
      engine: expect.stringMatching("onnxruntime"),
    });
    const stored = readSafetensors(weights(folder), "weights");
    expect(stored.ok && [...stored.value.tensors.keys()]).toContain("patch_embed.conv.weight");
  });

  it("gives the same bytes for the same seed, and others for another", async () => {
    const [again, other] = [fresh(), fresh()];
    await lipsc("train", spec, "--out", again);
    await lipsc("train", spec, "--out", other, "--seed", "4");
    const { folder } = await whole;
    expect(weights(again).equals(weights(folder))).toBe(true);
    expect(metricsOf(again)).toEqual(metricsOf(folder));
    expect(weights(other).equals(weights(folder))).toBe(false);
  });

  it.each([
    [15, "before the first checkpoint"],
    [30, "in the first epoch"],
    [70, "in the second epoch"],
  ])(
    "killed at step %i (%s) and resumed, ends bit for bit like the run that was never interrupted",
    async (step, where) => {
      const folder = fresh();
      const every = where === "before the first checkpoint" ? [] : ["--checkpoint-every", "7"];
      const { child, finished } = start(["train", spec, "--out", folder, ...every]);
      await until(child, () => stepReached(folder) >= step);
      child.kill("SIGKILL");
      expect((await finished).code).toBe(null);
      expect(existsSync(join(folder, "model.safetensors"))).toBe(false);

      const resumed = await lipsc("train", "--resume", folder);
      expect(resumed).toMatchObject({ code: 0, stderr: "" });
      const { folder: reference } = await whole;
      expect(weights(folder).equals(weights(reference))).toBe(true);
      expect(metricsOf(folder)).toEqual(metricsOf(reference));
    },
  );

  it("saves on Ctrl-C, says how to go on, and goes on to the same end", async () => {
    const folder = fresh();
    const { child, finished } = start(["train", spec, "--out", folder]);
    await until(child, () => stepReached(folder) >= 20);
    child.kill("SIGINT");
    const stopped = await finished;
    expect(stopped.code).toBe(130);
    expect(stopped.stdout).toContain(`lipsc train --resume ${folder}`);
    expect((await lipsc("train", "--resume", folder)).code).toBe(0);
    expect(weights(folder).equals(weights((await whole).folder))).toBe(true);
  });

  it("resumes with the options it began with, and refuses others", async () => {
    const { folder } = await whole;
    const refused = await lipsc("train", "--resume", folder, "--lr", "0.5");
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain("--lr");
  });

  it("takes overrides", async () => {
    const folder = fresh();
    const args = ["--epochs", "1", "--batch", "250", "--lr", "0.02", "--set", "dim=8", "--threads", "1"];
    expect((await lipsc("train", spec, "--out", folder, ...args)).code).toBe(0);
    const config = JSON.parse(readFileSync(join(folder, "config.json"), "utf8")) as {
      steps: number;
      recipe: { batch: number };
    };
    expect([config.steps, config.recipe.batch]).toEqual([20, 250]);
    const stored = readSafetensors(weights(folder), "weights");
    expect(stored.ok && stored.value.tensors.get("patch_embed.conv.weight")?.shape).toEqual([8, 1, 7, 7]);
  });

  it("stops at a loss that is no number, keeps the last good checkpoint, and says what to try", async () => {
    const folder = fresh();
    const stopped = await lipsc("train", spec, "--out", folder, "--lr", "1e38", "--set", "train.clip=1e30");
    expect(stopped.code).toBe(1);
    expect(stopped.stderr).toContain("LIPS0609");
    expect(stopped.stderr).toContain("--lr");
    expect(existsSync(join(folder, "model.safetensors"))).toBe(false);
  });
});

describe("damaged data", () => {
  it.each(["train-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"])(
    "is refused with the name of the file: %s",
    async (name) => {
      const data = mkdtempSync(join(tmpdir(), "lipsc-data-"));
      cpSync("specs/data/fashion-mnist-mini", data, { recursive: true });
      const bytes = readFileSync(join(data, name));
      writeFileSync(join(data, name), bytes.subarray(0, bytes.length >> 1));
      const refused = await lipsc("train", spec, "--out", fresh(), "--data", data);
      expect(refused.code).toBe(1);
      expect(refused.stderr).toContain(name);
    },
  );

  it("a folder that isn't there, or of other shapes, is refused too", async () => {
    expect((await lipsc("train", spec, "--data", "no-such-folder")).stderr).toContain("LIPS0601");
    const other = await lipsc("train", spec, "--data", "specs/data/fashion-mnist-mini", "--set", "dim=0");
    expect(other.code).toBe(1);
  });
});

describe("trained weights", () => {
  it("are judged by eval as they were in training, on every engine", async () => {
    const { folder, done } = await whole;
    const told = Number(/test accuracy ([\d.]+) %/.exec(done.stdout)?.[1]);
    for (const engine of ["onnxruntime-web", "reference"]) {
      const result = await lipsc("eval", folder, "--engine", engine, "--format", "json");
      expect(result.code).toBe(0);
      const document = JSON.parse(result.stdout) as { accuracy: number; count: number };
      expect(schemaCheck("eval")(document)).toEqual([]);
      const { accuracy, count } = document;
      expect(count).toBe(1000);
      expect(Math.abs(100 * accuracy - told)).toBeLessThan(0.31);
    }
  });

  it("name classes of images", async () => {
    const { folder } = await whole;
    const image = join(mkdtempSync(join(tmpdir(), "lipsc-image-")), "bag.png");
    await sharp({ create: { width: 28, height: 28, channels: 3, background: "#808080" } }).toFile(image);
    const result = await lipsc("predict", folder, image, "--format", "json", "--top", "10");
    expect(result).toMatchObject({ code: 0, stderr: "" });
    const document = JSON.parse(result.stdout) as [{ classes: { label: string; probability: number }[] }];
    expect(schemaCheck("predict")(document)).toEqual([]);
    const [{ classes }] = document;
    expect(classes.reduce((sum, c) => sum + c.probability, 0)).toBeCloseTo(1, 5);
    expect(classes.map((c) => c.label)).toContain("ankle boot");
  });

  it("of another spec are refused", async () => {
    const { folder } = await whole;
    const refused = await lipsc(
      "eval",
      spec,
      "--weights",
      join(folder, "model.safetensors"),
      "--set",
      "dim=8",
    );
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain("LIPS0608");
  });
});

describe("lipsc build", () => {
  it("writes both graphs and a program that runs them", async () => {
    // Inside the project, so that the program finds onnxruntime-node.
    const out = mkdtempSync(join("node_modules", ".cache", "lipsc-build-"));
    const built = await lipsc("build", spec, "--out", out);
    expect(built.code).toBe(0);
    expect(built.stdout).toContain(`use it: node ${out}/run.mjs`);
    const { execFileSync } = await import("node:child_process");
    const printed = execFileSync(process.execPath, [join(out, "run.mjs")], { encoding: "utf8" });
    const losses = [...printed.matchAll(/loss ([\d.]+)/g)].map((m) => Number(m[1]));
    expect(losses).toHaveLength(10);
    expect(losses[9]).toBeLessThan(losses[0]);
  });
});
