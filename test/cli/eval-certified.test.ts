/** `lipsc eval --certify` by the real command line, on weights that are written here: nothing is trained. */
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { isBounded, savedViolations } from "../../src/cli/eval-certified.ts";
import { parseAttack, parseEpsilons } from "../../src/cli/eval-flags.ts";
import { initialise } from "../../src/graph/initialise.ts";
import { readSafetensors, writeSafetensors } from "../../src/runtime/safetensors.ts";
import { modelOf } from "../elaborate/host.ts";
import { lipsc } from "./run.ts";
import { schemaCheck } from "./schemas.ts";

const folder = mkdtempSync(join(tmpdir(), "lipsc-eval-"));
const schemaErrors = schemaCheck("eval-certified");

/** A spec and weights for it, drawn by the initialiser; gives the arguments that name them. */
function written(name: string, body: string, domain = " in [0, 1]"): string[] {
  const text = `lips 1\nmodel Net {\n  input image: [28, 28, 1]${domain}\n${body}\n}\ntrain Net {\n  data: fashion_mnist\n}\n`;
  const spec = join(folder, `${name}.lips`);
  writeFileSync(spec, text);
  const tensors = [...initialise(modelOf(text), 1)].map(([path, data]) => {
    const shape = modelOf(text).weights.find((w) => w.path === path)?.shape ?? [];
    return [path, { dtype: "F32" as const, shape, data: Float32Array.from(data) }] as const;
  });
  const weights = join(folder, `${name}.safetensors`);
  writeFileSync(weights, writeSafetensors(new Map(tensors)));
  return [spec, "--weights", weights];
}

const certified = written(
  "certified",
  "  weights { init: orthogonal, constraint: aol }\n" +
    "  let x = image |> Flatten |> Linear(24) |> MaxMin\n" +
    "  output logits = x |> Linear(10, constraint: unit_rows)",
);

interface Figure {
  readonly kind: string;
  readonly share?: number;
  readonly lower?: number;
}

interface Document {
  readonly sound: boolean;
  readonly clean: number;
  readonly data: { readonly samples: number };
  readonly rounding: object | null;
  readonly proof: { readonly phase: string; readonly head: string; readonly most: number };
  readonly rows: readonly { epsilon: string; value: number; certified: number; attacked: number }[];
  readonly violations: readonly object[];
}

describe("lipsc eval --certify", () => {
  it("prints certified ≤ attacked ≤ clean, and what they are about", async () => {
    const args = [
      "--certify",
      "--eps",
      "1/255,36/255,0.5",
      "--samples",
      "80",
      "--attack",
      "steps=8,restarts=1",
    ];
    const [text, json] = await Promise.all([
      lipsc("eval", ...certified, ...args),
      lipsc("eval", ...certified, ...args, "--format", "json"),
    ]);
    expect(text.code).toBe(0);
    expect(text.stdout).toMatch(/ε +certified .*attacked +clean/);
    expect(text.stdout).toMatch(/36\/255 = 0\.1412 +\d+\.\d\d %/);
    expect(text.stdout).toContain("✓ certified ≤ attacked ≤ clean");
    expect(text.stdout).toContain("image in [0, 1]");

    const document = JSON.parse(json.stdout) as Document;
    expect(schemaErrors(document)).toEqual([]);
    expect(document).toMatchObject({ sound: true, violations: [], data: { samples: 80 } });
    expect(document.proof).toMatchObject({ phase: "checkpoint", head: "rows" });
    expect(document.rounding).not.toBe(null);
    expect(document.rows.map(({ epsilon }) => epsilon)).toEqual(["1/255", "36/255", "0.5"]);
    for (const { certified: proven, attacked, value, epsilon } of document.rows) {
      expect(proven).toBeLessThanOrEqual(attacked);
      expect(attacked).toBeLessThanOrEqual(document.clean);
      if (epsilon === "36/255") expect(value).toBeCloseTo(36 / 255, 15);
    }
    // An untrained net is right now and then, and a small perturbation changes that for some.
    expect(document.clean).toBeGreaterThan(0);
    expect(document.rows[2].attacked).toBeLessThan(document.clean);
  }, 240_000);

  it("refuses what can't be certified, and options that say nothing (LIPS0722 radius-unproven)", async () => {
    const free = written("free", "  output logits = image |> Flatten |> Linear(8) |> Softmax |> Linear(10)");
    const unbounded = written(
      "unbounded",
      "  let x = image |> Flatten |> Linear(4)\n  output logits = (x * x) |> Linear(10)",
      "",
    );
    const args = ["--certify", "--samples", "5", "--attack", "none", "--eps", "0.1"];
    expect((await lipsc("eval", ...free, ...args)).code).toBe(0);
    const refused = await lipsc("eval", ...unbounded, ...args);
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain("LIPS0722");
    expect(refused.stdout).toBe("");
    const lonely = await lipsc("eval", ...certified, "--eps", "0.1");
    expect(lonely.code).toBe(2);
    expect(lonely.stderr).toContain("--eps needs --certify");
    expect((await lipsc("eval", ...certified, "--certify", "--eps", "0")).code).toBe(2);
  }, 240_000);
});

it("a run reports certified accuracy after each epoch, and accuracy under attack at its end", async () => {
  const [spec] = certified;
  const reporting = join(folder, "reporting.lips");
  const recipe = [
    "  data: fashion_mnist",
    "  batch: 250",
    "  steps: 22",
    "  optimizer: adamw(lr: 1e-2)",
    "  report: [accuracy, certified(l2, at: [36/255, 0.05]), attacked(linf, at: [0.02], steps: 3), observed_gain]",
  ];
  writeFileSync(reporting, readFileSync(spec, "utf8").replace("  data: fashion_mnist", recipe.join("\n")));
  const run = join(folder, "run");
  const { code, stdout, stderr } = await lipsc("train", reporting, "--out", run);
  expect(code).toBe(0);
  expect(stderr).toBe("");
  expect(stdout).toMatch(/epoch 1\/2 .*certified l2 0\.05: \d+\.\d %, 0\.1412: \d+\.\d % .*gain ≥ [\d.]+/);
  expect(stdout).toMatch(/\nattacked +linf 0\.02: \d+\.\d %/);
  const epochs = readFileSync(join(run, "metrics.jsonl"), "utf8")
    .split("\n")
    .filter((line) => line.includes('"epoch",'))
    .map((line) => JSON.parse(line) as { testAccuracy: number; reported: Figure[] });
  expect(epochs.map(({ reported }) => reported.map(({ kind }) => kind))).toEqual([
    ["certified", "certified", "observed_gain"],
    ["certified", "certified", "attacked", "observed_gain"],
  ]);
  for (const { reported, testAccuracy } of epochs) {
    expect(reported[0].share).toBeGreaterThan(0);
    expect(reported[1].share).toBeLessThanOrEqual(reported[0].share ?? 0);
    for (const { share = 0 } of reported) expect(share).toBeLessThanOrEqual(testAccuracy);
    // A lower bound of the gain, whose bound is √10: aol keeps the layers at 1, ten rows of norm 1 are the head.
    const lower = reported.at(-1)?.lower ?? 0;
    expect(lower).toBeGreaterThan(0.1);
    expect(lower).toBeLessThanOrEqual(Math.sqrt(10));
  }
  // What training said of its weights is what eval says of them.
  const args = ["--certify", "--eps", "0.05", "--attack", "none", "--no-rounding", "--format", "json"];
  const { rows, rounding } = JSON.parse((await lipsc("eval", run, ...args)).stdout) as Document;
  expect(rounding).toBe(null);
  expect(rows[0].certified).toBe(epochs[1].reported[0].share);
}, 240_000);

it("saves both points of a certificate that was broken, and says so loudly (LIPS0721 certificate-broken)", () => {
  const [clean, point] = [Float32Array.of(0.25, 0.5), Float32Array.of(0.25, 0.75)];
  const facts = { sample: 7, label: 3, predicted: null, radius: 0.5, distance: 0.25, wrong: "gain" as const };
  const [problem] = savedViolations({ violations: [{ ...facts, clean, point }] }, { shape: [1, 2] }, folder);
  expect(problem.code).toBe("LIPS0721");
  expect(problem.message).toContain("SOUNDNESS BUG OF LIPSC: sample 7 is certified as class 3 within 0.5");
  const file = join(folder, "soundness-bug-7.safetensors");
  expect(problem.message).toContain(file);
  const read = readSafetensors(readFileSync(file), "saved");
  if (!read.ok) throw new Error(read.problem.message);
  expect(read.value.tensors.get("clean")?.data).toEqual(clean);
  expect(read.value.tensors.get("point")?.data).toEqual(point);
  expect(read.value.metadata).toMatchObject({ sample: "7", radius: "0.5", wrong: "gain" });
});

it("counts rounding where it is bounded: on a CPU, not on a device that may multiply in TF32", () => {
  for (const device of [
    "CPU, 2 threads",
    "WebAssembly on the CPU with SIMD, 1 thread",
    "CPU, TensorFlow 2.4",
  ])
    expect(isBounded({ device })).toBe(true);
  for (const device of ["CUDA", "WebGPU", "WebGPU, nvidia", "GPU, TensorFlow 2.4", ""])
    expect(isBounded({ device })).toBe(false);
});

it("sizes are exact: rounded up for certificates, down for attacks, rising, each once", () => {
  const found = parseEpsilons("1, 36/255,0.5, 72/510") ?? [];
  expect(found.map(({ text }) => text)).toEqual(["36/255", "0.5", "1"]);
  // 36/255 = 12/85 in whole numbers.
  for (const { up, down } of found.slice(0, 1)) {
    expect(up).toBeGreaterThan(down);
    expect(down).toBeLessThanOrEqual(12 / 85);
    expect(up).toBeGreaterThanOrEqual(12 / 85);
  }
  expect(found[1]).toEqual({ text: "0.5", up: 0.5, down: 0.5 });
  for (const wrong of ["", "0", "-1", "1/0", "1/2/3", "NaN", "1e400", "a", "1,,2"])
    expect(parseEpsilons(wrong)).toBe(null);
});

it("attacks are steps and restarts, or none", () => {
  expect(parseAttack("none")).toEqual({ attack: null });
  expect(parseAttack("steps=50")).toEqual({ attack: { steps: 50, restarts: 2 } });
  expect(parseAttack("restarts=3,steps=7")).toEqual({ attack: { steps: 7, restarts: 3 } });
  for (const wrong of ["", "steps=0", "steps", "steps=2.5", "pgd=3", "steps=5 restarts=2"])
    expect(parseAttack(wrong)).toBe(null);
});
