/**
 * train.py as a user runs it, on the bundled images: one process, two with torchrun (gloo), resumed after a stop and
 * after a kill, mixed precision, FSDP; and weights from PyTorch to lipsc and back. Part of `npm run test:parity`.
 */
import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { HostTensor } from "../../src/graph/graph.ts";
import { buildInferenceGraph } from "../../src/graph/inference.ts";
import type { Model } from "../../src/model/model.ts";
import { defaultRecipe } from "../../src/model/recipe.ts";
import { openEngine } from "../../src/runtime/engines/select.ts";
import { generator } from "../../src/runtime/random.ts";
import { readSafetensors } from "../../src/runtime/safetensors.ts";
import { command } from "../cli/run.ts";
import { modelOf } from "../helpers/elaborated.ts";
import { runOnce, valueOf } from "../onnx/support.ts";
import { all } from "./engines.ts";
import { outcomeOf, python, runCases, runPython, scratch, writeCase, type Tensors } from "./pytorch.ts";

const skipped = !all || python === null;
const sizes = { dim: "12", depth: "2", heads: "3" };
const set = Object.entries(sizes).flatMap(([key, value]) => ["--set", `${key}=${value}`]);
const spec = "specs/quick-start.lips";
const usual = ["--batch", "32", "--workers", "0", "--log-every", "1"];

interface Line {
  readonly kind: string;
  readonly step: number;
  readonly loss: number;
  readonly testAccuracy?: number;
}

describe.skipIf(skipped)("train.py", () => {
  const folder = scratch();
  const bundle = join(folder.path, "bundle");
  const run = (name: string): string => join(folder.path, name);
  const train = (args: readonly string[]): string => runPython([join(bundle, "train.py"), ...usual, ...args]);
  const torchrun = (processes: number, args: readonly string[], program = join(bundle, "train.py")): string =>
    runPython([
      ...["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", String(processes)],
      ...[program, "--workers", "0", "--log-every", "1", "--device", "cpu", ...args],
    ]);
  const lines = (name: string): Line[] =>
    readFileSync(join(run(name), "metrics.jsonl"), "utf8")
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as Line);
  const losses = (name: string): number[] =>
    lines(name)
      .filter((l) => l.kind === "step")
      .map((l) => l.loss);
  const weights = (name: string): Buffer => readFileSync(join(run(name), "model.safetensors"));
  const lipsc = (args: readonly string[]): string => {
    const done = spawnSync(process.execPath, [command, ...args], { encoding: "utf8" });
    if (done.status !== 0) throw new Error(`${args.join(" ")}\n${done.stdout}\n${done.stderr}`);
    return done.stdout;
  };

  beforeAll(() => {
    mkdirSync(folder.path, { recursive: true });
    lipsc(["build", spec, "--target", "pytorch", "--out", bundle, ...set]);
    train(["--steps", "12", "--out", run("one")]);
  }, 300_000);
  afterAll(() => folder.remove());

  test("learns, says so in one line a step, and tests at the end", () => {
    const told = losses("one");
    expect(told).toHaveLength(12);
    const mean = (list: readonly number[]): number => list.reduce((a, b) => a + b, 0) / list.length;
    expect(mean(told.slice(6))).toBeLessThan(mean(told.slice(0, 3)) - 0.02);
    expect(lines("one").at(-1)).toMatchObject({ kind: "epoch", step: 12 });
  });

  /** Debian's torch 1.13 beside Python 3.11 has a torchrun that can't start anything. */
  const brokenTorchrun = (error: unknown): boolean => String(error).includes("has no attribute 'get'");

  test("two processes do what one does", () => {
    try {
      torchrun(2, ["--batch", "32", "--steps", "12", "--out", run("two")]);
    } catch (error) {
      if (!brokenTorchrun(error)) throw error;
      console.info("torchrun: skipped, this PyTorch's own is broken");
      return;
    }
    near(losses("two"), losses("one"), 1e-4);
    expect(apart(weights("two"), weights("one"))).toBeLessThan(1e-3);
  }, 300_000);

  test("a run that was stopped goes on to the same bits", () => {
    const said = train(["--steps", "12", "--out", run("stopped"), "--stop-after", "5"]);
    expect(said).toContain("saved at step 5 of 12");
    runPython([join(bundle, "train.py"), "--workers", "0", "--log-every", "1", "--resume", run("stopped")]);
    expect(weights("stopped").equals(weights("one"))).toBe(true);
    expect(losses("stopped")).toEqual(losses("one"));
  }, 300_000);

  test("a run that was killed goes on to the same bits", async () => {
    const args = [
      join(bundle, "train.py"),
      ...usual,
      "--steps",
      "12",
      "--out",
      run("killed"),
      "--checkpoint-every",
      "1",
    ];
    const child = spawn(python ?? "", args, {
      env: { ...process.env, OMP_NUM_THREADS: "1" },
      stdio: "ignore",
    });
    const checkpoint = join(run("killed"), "checkpoint.safetensors");
    while (!existsSync(checkpoint) && child.exitCode === null)
      await new Promise((done) => setTimeout(done, 5));
    child.kill("SIGKILL");
    await new Promise((done) => child.once("exit", done));
    // Killed before its end, or the test shows nothing.
    expect(existsSync(join(run("killed"), "model.safetensors"))).toBe(false);
    runPython([join(bundle, "train.py"), "--workers", "0", "--log-every", "1", "--resume", run("killed")]);
    expect(weights("killed").equals(weights("one"))).toBe(true);
    expect(losses("killed")).toEqual(losses("one"));
  }, 300_000);

  test("mixed precision learns too", () => {
    train(["--steps", "12", "--out", run("amp"), "--amp", "bf16"]);
    near(losses("amp"), losses("one"), 0.05);
    expect(losses("amp")).not.toEqual(losses("one"));
  }, 300_000);

  test("FSDP on two processes does what one does, where this PyTorch has it", () => {
    try {
      torchrun(2, ["--batch", "32", "--steps", "12", "--out", run("sharded"), "--fsdp", "--stop-after", "6"]);
    } catch (error) {
      if (!String(error).includes("--fsdp needs PyTorch") && !brokenTorchrun(error)) throw error;
      console.info("FSDP: skipped, this PyTorch is too old for it");
      return;
    }
    torchrun(2, ["--fsdp", "--resume", run("sharded")]);
    near(losses("sharded"), losses("one"), 1e-4);
    expect(apart(weights("sharded"), weights("one"))).toBeLessThan(1e-3);
  }, 300_000);

  test("Muon: a run that was stopped goes on to the same bits, and is the same on two processes that share the weights", () => {
    const certified = join(folder.path, "certified");
    lipsc([
      "build",
      "test/fixtures/certified-recipes.lips",
      "--model",
      "Hinge",
      "--target",
      "pytorch",
      "--out",
      certified,
    ]);
    const program = join(certified, "train.py");
    runPython([program, ...usual, "--steps", "12", "--out", run("muon")]);
    runPython([program, ...usual, "--steps", "12", "--out", run("muon-stopped"), "--stop-after", "5"]);
    runPython([program, "--workers", "0", "--log-every", "1", "--resume", run("muon-stopped")]);
    expect(weights("muon-stopped").equals(weights("muon"))).toBe(true);
    const told = losses("muon");
    expect(told.at(-1)).toBeLessThan(told[0]);
    try {
      torchrun(2, ["--batch", "32", "--steps", "12", "--out", run("muon-sharded"), "--fsdp"], program);
    } catch (error) {
      if (!String(error).includes("--fsdp needs PyTorch") && !brokenTorchrun(error)) throw error;
      console.info("FSDP by Muon: skipped, this PyTorch is too old for it");
      return;
    }
    near(losses("muon-sharded"), told, 1e-4);
    expect(apart(weights("muon-sharded"), weights("muon"))).toBeLessThan(1e-3);
  }, 300_000);

  test("what the spec reports is said not to be measured, and nothing where it reports accuracy alone", () => {
    const reporting = join(folder.path, "reporting");
    const report = "train.report=[accuracy, certified(l2, at: [1])]";
    lipsc(["build", spec, "--target", "pytorch", "--out", reporting, ...set, "--set", report]);
    const told = runPython([
      join(reporting, "train.py"),
      ...usual,
      "--steps",
      "1",
      "--out",
      run("reporting"),
    ]);
    expect(told).toMatch(/^report {3}certified: not measured here; .*lipsc eval --certify/m);
    expect(train(["--steps", "1", "--out", run("silent")])).not.toMatch(/^report/m);
  }, 300_000);

  test("lipsc tests PyTorch's weights to the same accuracy", () => {
    const file = join(run("one"), "model.safetensors");
    const told = JSON.parse(lipsc(["eval", spec, "--weights", file, "--format", "json", ...set])) as {
      accuracy: number;
    };
    expect(told.accuracy).toBeCloseTo(lines("one").at(-1)?.testAccuracy ?? NaN, 6);
  });

  test("weights go both ways with the same logits", async () => {
    const model = modelOf(spec, "QuickStart", sizes);
    lipsc(["train", spec, ...set, "--epochs", "1", "--batch", "128", "--out", run("lipsc")]);
    for (const name of ["one", "lipsc"]) {
      const from = weightsOf(model, join(run(name), "model.safetensors"));
      const feeds = images(model);
      const at = writeCase(run(`case-${name}`), model, { ...defaultRecipe, span: model.span }, from, [feeds]);
      runCases("float32", "run", [at]);
      const theirs = outcomeOf(at).get("output/logits") as HostTensor;
      const engine = valueOf(await openEngine({ engine: "onnxruntime-node" }));
      const graph = valueOf(buildInferenceGraph(model, { batch: 4 }));
      const { logits } = await runOnce(engine, graph, { ...from, ...feeds });
      for (const [i, x] of logits.data.entries()) expect(Math.abs(x - theirs.data[i])).toBeLessThan(1e-4);
    }
  }, 300_000);
});

function near(found: readonly number[], expected: readonly number[], tolerance: number): void {
  expect(found).toHaveLength(expected.length);
  for (const [i, x] of found.entries()) expect(Math.abs(x - expected[i])).toBeLessThan(tolerance);
}

/** ‖a − b‖/‖b‖ over all tensors of two files. */
function apart(a: Uint8Array, b: Uint8Array): number {
  const [x, y] = [a, b].map((bytes) => valueOf(readSafetensors(bytes, "weights")).tensors);
  let [difference, size] = [0, 0];
  for (const [path, { data }] of y) {
    const other = x.get(path)?.data;
    for (const [i, value] of data.entries()) {
      difference += (Number(other?.[i]) - Number(value)) ** 2;
      size += Number(value) ** 2;
    }
  }
  return Math.sqrt(difference / size);
}

function weightsOf(model: Model, path: string): Tensors {
  const { tensors } = valueOf(readSafetensors(new Uint8Array(readFileSync(path)), path));
  expect([...tensors.keys()].sort()).toEqual(model.weights.map((w) => w.path).sort());
  return Object.fromEntries(
    [...tensors].map(([name, { shape, data }]) => [
      `param/${name}`,
      { dtype: "f32", dims: shape, data: data as Float32Array } as const,
    ]),
  );
}

function images(model: Model): Tensors {
  const dims = [4, ...model.values[model.inputs[0].value].shape];
  const next = generator(1);
  const data = Float32Array.from({ length: dims.reduce((a, b) => a * b, 1) }, next);
  return { [`data/${model.inputs[0].name}`]: { dtype: "f32", dims, data } };
}
